"""Connections are forwarded to their target, both ways, and end if there is none."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.cluster.config import address
from tests.cluster.port_forward import PortForwards
from tests.machine.container import PORTS, PUBLISHED, free_port


@pytest.fixture
def forwards() -> Iterator[PortForwards]:
    opened = PortForwards.open()
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


def test_each_port_leads_to_its_own_target(forwards: PortForwards) -> None:
    long = b"x" * 1_000_000
    with greeter(b"api ") as api, greeter(b"kafka ") as kafka:
        forwards.serve({"api": api, "kafka": kafka})
        assert ask(forwards.address("kafka"), b"hello") == b"kafka hello"
        assert ask(forwards.address("api"), long) == b"api " + long


def test_where_nobody_is_the_connection_ends(forwards: PortForwards) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody: tuple[str, int] = server.getsockname()
    forwards.serve(dict.fromkeys(PORTS, nobody))
    assert ask(forwards.address("api"), b"") == b""


def test_a_port_that_is_taken_is_another(forwards: PortForwards) -> None:
    second = PortForwards.open()
    with contextlib.closing(second):
        assert not {forwards.address(name) for name in PORTS} & {second.address(n) for n in PORTS}


def test_forwards_are_taken_over_by_their_descriptors(forwards: PortForwards) -> None:
    same = PortForwards.taken_over(
        {name: socket.dup(fd) for name, fd in forwards.descriptors().items()}
    )
    with contextlib.closing(same), greeter(b"") as target:
        same.serve(dict.fromkeys(PORTS, target))
        assert ask(forwards.address("api"), b"through") == b"through"


def test_in_a_container_the_published_ports_are_listened_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports = {name: free_port(0) for name in PORTS}
    monkeypatch.setenv(PUBLISHED, ",".join(f"{name}={port}" for name, port in ports.items()))
    with contextlib.closing(PortForwards.open()) as opened:
        assert {name: opened.address(name) for name in PORTS} == {
            name: f"127.0.0.1:{port}" for name, port in ports.items()
        }
        for listener in opened.listeners.values():
            assert listener.getsockname()[0] == "0.0.0.0"  # noqa: S104
