"""Doors lead connections to where they should, both ways, and say so when nobody is there."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.cluster.config import address
from tests.cluster.doors import PORTS, Doors


@pytest.fixture
def doors() -> Iterator[Doors]:
    opened = Doors.open()
    yield opened
    opened.close()


@contextlib.contextmanager
def greeter(word: bytes) -> Iterator[tuple[str, int]]:
    """A server that answers one connection with a word and all that it was told."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                told = b"".join(iter(lambda: connection.recv(1 << 16), b""))
                connection.sendall(word + told)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()
        thread.join(10)


def ask(where: str, text: bytes) -> bytes:
    with socket.create_connection(address(where), timeout=10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_each_door_leads_to_its_own_target(doors: Doors) -> None:
    long = b"x" * 1_000_000
    with greeter(b"api ") as api, greeter(b"kafka ") as kafka:
        doors.serve({"api": api, "kafka": kafka})
        assert ask(doors.address("kafka"), b"hello") == b"kafka hello"
        assert ask(doors.address("api"), long) == b"api " + long


def test_where_nobody_is_the_connection_ends(doors: Doors) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody: tuple[str, int] = server.getsockname()
    doors.serve(dict.fromkeys(PORTS, nobody))
    assert ask(doors.address("api"), b"") == b""


def test_a_port_that_is_taken_is_another(doors: Doors) -> None:
    second = Doors.open()
    with contextlib.closing(second):
        assert not {doors.address(name) for name in PORTS} & {second.address(n) for n in PORTS}


def test_doors_are_taken_over_by_their_descriptors(doors: Doors) -> None:
    same = Doors.taken_over({name: socket.dup(fd) for name, fd in doors.descriptors().items()})
    with contextlib.closing(same), greeter(b"") as target:
        same.serve(dict.fromkeys(PORTS, target))
        assert ask(doors.address("api"), b"through") == b"through"
