"""A relay of TCP connections that can be cut, or be slow, as networks are."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self


class Relay:
    """Listens and carries each connection to a target, until it is cut."""

    def __init__(self, host: str, port: int, at: str = "127.0.0.1") -> None:
        self.target = (host, port)
        self.delay = 0.0
        """Seconds that each answer of the target takes longer."""
        self._at = at
        self._open: list[socket.socket] = []
        self._cut = threading.Event()
        self.carried = 0
        self.refused = 0
        self._listener = socket.create_server((at, 0))

    @property
    def address(self) -> str:
        """`host:port` of this end."""
        return f"{self._at}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Carry connections from now on."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Carry none any more."""
        self.cut()
        # Closing it would not wake who waits for it.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """End all connections, and each new one at once."""
        self._cut.set()
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def mend(self) -> None:
        """Carry connections again."""
        self._cut.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                outer, _ = self._listener.accept()
                if self._cut.is_set():
                    self.refused += 1
                    outer.close()
                    continue
                self._connect(outer)

    def _connect(self, outer: socket.socket) -> None:
        try:
            inner = socket.create_connection(self.target)
        except OSError:
            # The target does not accept: for the other end, neither does this one.
            self.refused += 1
            outer.close()
            return
        self.carried += 1
        self._open += [outer, inner]
        if self._cut.is_set():
            # It was cut while this connection was made.
            self.cut()
        threading.Thread(target=_carry_both, args=(outer, inner, self), daemon=True).start()


def _carry_both(outer: socket.socket, inner: socket.socket, relay: Relay) -> None:
    with outer, inner:
        slowly = (inner, outer, lambda: relay.delay)
        back = threading.Thread(target=_carry, args=slowly, daemon=True)
        back.start()
        _carry(outer, inner)
        back.join()


def _carry(
    source: socket.socket, target: socket.socket, delay: Callable[[], float] = lambda: 0.0
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            time.sleep(delay())
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
