"""Asynchronous twins of what waits: the same code, in a thread that can be told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

from cloudharness.workflows.following import Stopped

T = TypeVar("T")


async def run(work: Callable[[threading.Event], T]) -> T:
    """Return what some work returns; if this is cancelled, tell the work to stop."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop)
    finally:
        stop.set()


async def iterate(work: Callable[[threading.Event], Iterator[T]]) -> AsyncIterator[T]:
    """Yield what some work yields; if nobody wants more, tell the work to stop."""
    pipe: _Pipe[T] = _Pipe(work, asyncio.get_running_loop())
    threading.Thread(target=pipe.fill, daemon=True).start()
    try:
        async for item in pipe.items():
            yield item
    finally:
        pipe.stop.set()


class _Pipe(Generic[T]):
    """From a thread to an event loop."""

    def __init__(
        self, work: Callable[[threading.Event], Iterator[T]], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.stop = threading.Event()
        self._work = work
        self._loop = loop
        self._items: asyncio.Queue[Callable[[], T] | None] = asyncio.Queue()

    def fill(self) -> None:
        """Do the work; each item goes over as what returns it, and an error as what raises it."""
        try:
            for item in self._work(self.stop):
                if self.stop.is_set():
                    return
                self._hand_over(partial(_itself, item))
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for.
            self._hand_over(partial(_raised, error))
        self._hand_over(None)

    def _hand_over(self, what: Callable[[], T] | None) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits.
            self._loop.call_soon_threadsafe(self._items.put_nowait, what)

    async def items(self) -> AsyncIterator[T]:
        """Yield the items; raise the error."""
        while (found := await self._items.get()) is not None:
            yield found()


def _itself(item: T) -> T:
    return item


def _raised(error: BaseException) -> Any:
    raise error
