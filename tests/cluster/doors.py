"""Doors into a cluster's network from the machine: for a person's kubectl, helm and Kafka clients.

A socket stays in the network that it was made in. So whoever starts the cluster makes the
listeners, outside, and hands them to the supervisor, whose own connections begin inside.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
PORTS = {"api": 16443, "kafka": 19092}
"""What each door leads to, and its port, or any free one where that is taken."""


@dataclass(frozen=True)
class Doors:
    """Listeners of the machine's own network."""

    listeners: Mapping[str, socket.socket]

    @classmethod
    def open(cls) -> "Doors":
        """Listen on loopback."""
        return cls({name: _listen(port) for name, port in PORTS.items()})

    @classmethod
    def taken_over(cls, descriptors: Mapping[str, int]) -> "Doors":
        """Those of another process, by the descriptors that it has handed on."""
        return cls({name: socket.socket(fileno=number) for name, number in descriptors.items()})

    def descriptors(self) -> dict[str, int]:
        """What to hand on."""
        return {name: listener.fileno() for name, listener in self.listeners.items()}

    def address(self, name: str) -> str:
        """`host:port` of a door."""
        return f"{HOST}:{self.listeners[name].getsockname()[1]}"

    def close(self) -> None:
        """Let go of them: whoever has taken them over still has them."""
        for listener in self.listeners.values():
            listener.close()

    def serve(self, targets: Mapping[str, tuple[str, int]]) -> None:
        """Lead each door to its target, `(host, port)`, from now on, in a thread."""
        threading.Thread(target=lambda: asyncio.run(self._serve(targets)), daemon=True).start()

    async def _serve(self, targets: Mapping[str, tuple[str, int]]) -> None:
        servers = [
            await asyncio.start_server(_Door(targets[name]).enter, sock=listener)
            for name, listener in self.listeners.items()
        ]
        await asyncio.gather(*(server.serve_forever() for server in servers))


@dataclass(frozen=True)
class _Door:
    target: tuple[str, int]

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, both ways, until both have ended."""
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self.target)
        except OSError:
            # Nobody is there (yet): the one outside sees a connection that ends.
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


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.bind((HOST, 0))
    listener.listen()
    return listener
