"""Ports of the machine that are forwarded into the cluster's network, for kubectl, helm and Kafka.

A socket stays in the network namespace that it was created in. So the process that starts the
cluster creates the listeners, outside, and passes them to the supervisor, which connects inside.
"""

import asyncio
import contextlib
import os
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from tests.machine.container import PORTS, PUBLISHED

HOST = "127.0.0.1"


@dataclass(frozen=True)
class PortForwards:
    """Listeners of the machine's own network."""

    listeners: Mapping[str, socket.socket]

    @classmethod
    def open(cls) -> "PortForwards":
        """Listen on loopback; in a container, where its published ports are forwarded to."""
        published = re.findall(r"(\w+)=(\d+)", os.environ.get(PUBLISHED, ""))
        host = "0.0.0.0" if published else HOST  # noqa: S104 - only the container's own network.
        ports = {**PORTS, **{name: int(port) for name, port in published}}
        return cls({name: _listen(host, port) for name, port in ports.items()})

    @classmethod
    def taken_over(cls, descriptors: Mapping[str, int]) -> "PortForwards":
        """Take over those of another process, by their descriptors."""
        return cls({name: socket.socket(fileno=number) for name, number in descriptors.items()})

    def descriptors(self) -> dict[str, int]:
        """Return the descriptors to pass to another process."""
        return {name: listener.fileno() for name, listener in self.listeners.items()}

    def address(self, name: str) -> str:
        """Return `host:port` of a target."""
        return f"{HOST}:{self.listeners[name].getsockname()[1]}"

    def close(self) -> None:
        """Close them here; a process that has taken them over keeps them."""
        for listener in self.listeners.values():
            listener.close()

    def serve(self, targets: Mapping[str, tuple[str, int]]) -> None:
        """Forward each port to its target, `(host, port)`, in a thread."""
        threading.Thread(target=lambda: asyncio.run(self._serve(targets)), daemon=True).start()

    async def _serve(self, targets: Mapping[str, tuple[str, int]]) -> None:
        servers = [
            await asyncio.start_server(_Forward(targets[name]).enter, sock=listener)
            for name, listener in self.listeners.items()
        ]
        await asyncio.gather(*(server.serve_forever() for server in servers))


@dataclass(frozen=True)
class _Forward:
    target: tuple[str, int]

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection, both ways, until both ends are closed."""
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self.target)
        except OSError:
            # The target does not listen (yet): the client sees a connection that ends.
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        for end in (writer, inner_writer):
            end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.bind((host, 0))
    listener.listen()
    return listener
