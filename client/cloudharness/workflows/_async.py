"""Async variants of blocking calls: the same code in a stoppable thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

from cloudharness.workflows._follower import Stopped

T = TypeVar("T")


async def run_in_thread(call: Callable[[threading.Event], T]) -> T:
    """Run a blocking call in a thread and return its result.

    Args:
        call: takes an event, which is set when the caller is cancelled.

    """
    stop = threading.Event()
    try:
        return await asyncio.to_thread(call, stop)
    finally:
        stop.set()


async def iterate_in_thread(call: Callable[[threading.Event], Iterator[T]]) -> AsyncIterator[T]:
    """Run a blocking iterator in a thread and yield its items.

    Args:
        call: takes an event, which is set when the caller stops iterating.

    """
    pipe: _Pipe[T] = _Pipe(call, asyncio.get_running_loop())
    threading.Thread(target=pipe.fill, daemon=True).start()
    try:
        async for item in pipe.items():
            yield item
    finally:
        pipe.stop.set()


class _Pipe(Generic[T]):
    """Passes items from a thread to an event loop."""

    def __init__(
        self, call: Callable[[threading.Event], Iterator[T]], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.stop = threading.Event()
        self._call = call
        self._loop = loop
        self._items: asyncio.Queue[Callable[[], T] | None] = asyncio.Queue()

    def fill(self) -> None:
        """Run the iterator. Each item is queued as a function that returns it or raises."""
        try:
            for item in self._call(self.stop):
                if self.stop.is_set():
                    return
                self._put(partial(_return, item))
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - raised in the event loop's thread.
            self._put(partial(_raise, error))
        self._put(None)

    def _put(self, item: Callable[[], T] | None) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed, so nothing reads the queue.
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def items(self) -> AsyncIterator[T]:
        """Yield the items.

        Raises:
            BaseException: the iterator raised it in its thread.

        """
        while (item := await self._items.get()) is not None:
            yield item()


def _return(item: T) -> T:
    return item


def _raise(error: BaseException) -> Any:
    raise error
