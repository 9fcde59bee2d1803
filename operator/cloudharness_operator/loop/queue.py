"""A work queue of keys, as client-go's: coalescing, with delays and back-off.

A key that is added many times while it waits is handled once. A key that is added while it is being
handled is handled once more afterwards, and never twice at the same time. Urgent keys overtake all
others. Keys that can wait are overtaken by all others, but not for longer than `PATIENCE`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Final

from cloudharness_operator.errors import ApiError, is_unexpected
from cloudharness_operator.logs import about

FIRST_BACKOFF: Final = 0.05
LAST_BACKOFF: Final = 60.0
MAX_FAILURES: Final = 12
"""Attempts at a key with a permanent failure; with the waits they take two minutes or more."""

PATIENCE: Final = 10.0
"""Seconds for which a key that can wait is overtaken by all others."""

Handler = Callable[[str], Awaitable[float | None]]
"""Handles a key. Returns the seconds after which to handle it again, or None."""

log = logging.getLogger(__name__)


class WorkQueue:
    """Keys that wait to be handled."""

    def __init__(
        self,
        jitter: Callable[[], float] = random.random,
        can_wait: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[float], None] = lambda _: None,
        abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        """Start empty.

        `jitter` gives numbers from 0 to 1. `can_wait` returns whether others may overtake a key.
        `waited` is called with the seconds that a key was due before it is handled, and `abandoned`
        when a key is no longer retried.
        """
        self._jitter = jitter
        self._can_wait = can_wait
        self._clock = clock
        self._waited = waited
        self._abandoned = abandoned
        self._ready: asyncio.PriorityQueue[tuple[float, int, str]] = asyncio.PriorityQueue()
        self._count = count()
        # The place of each key, which is the time by which it is sorted, and when it became due;
        # in the order in which they became due.
        self._waiting: dict[str, tuple[float, float]] = {}
        self._handling: set[str] = set()
        self._again: dict[str, float] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Return the number of keys that are due."""
        return len(self._waiting)

    def oldest(self) -> float:
        """Return the seconds for which the first of the keys that are due has waited."""
        now = self._clock()
        _, since = next(iter(self._waiting.values()), (now, now))
        return now - since

    def add(self, key: str) -> None:
        """Enqueue a key."""
        self._add(key, self._clock() + (PATIENCE if self._can_wait(key) else 0.0))

    def add_urgent(self, key: str) -> None:
        """Enqueue a key before all that are not urgent."""
        self._add(key, -math.inf)

    def _add(self, key: str, place: float) -> None:
        if key in self._handling:
            self._again[key] = min(place, self._again.get(key, place))
            return
        known, since = self._waiting.get(key, (math.inf, self._clock()))
        if place < known:
            # If it is in the queue already, that entry is skipped later.
            self._waiting[key] = place, since
            self._ready.put_nowait((place, next(self._count), key))

    def add_after(self, key: str, seconds: float) -> None:
        """Enqueue a key after some seconds; the earliest of several times holds."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self._ring, key)

    def _ring(self, key: str) -> None:
        del self._timers[key]
        self.add(key)

    async def work(self, handler: Handler) -> None:
        """Handle keys, one after the other, for ever. Run as many of these as there are workers."""
        while True:
            place, _, key = await self._ready.get()
            known, since = self._waiting.get(key, (math.inf, 0.0))
            if known != place:
                continue
            del self._waiting[key]
            self._waited(self._clock() - since)
            self._handling.add(key)
            self._idle.clear()
            if timer := self._timers.pop(key, None):
                timer.cancel()  # The handler says when to handle it again.
            try:
                await self._handle(key, handler)
            finally:
                self._handling.discard(key)
                if not self._handling:
                    self._idle.set()
            if (again := self._again.pop(key, None)) is not None:
                self._add(key, again)

    async def _handle(self, key: str, handler: Handler) -> None:
        try:
            after = await handler(key)
        except Exception as error:  # noqa: BLE001 - the key must be retried.
            self._retry(key, error)
            return
        self._failures.pop(key, None)
        if after is not None:
            self.add_after(key, after)

    def _retry(self, key: str, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** min(failures - 1, 20))
        delay *= 0.5 + self._jitter() / 2
        unexpected = is_unexpected(error)
        final = unexpected or (isinstance(error, ApiError) and error.is_final)
        if final and failures >= MAX_FAILURES:
            del self._failures[key]
            self._abandoned()
            log.error("%s: not retried until it changes: %r", key, error, extra=about(uid=key))
            return
        log.warning(
            "%s: %r; again in %.1f s",
            key,
            error,
            delay,
            exc_info=unexpected,
            extra=about(uid=key),
        )
        self.add_after(key, delay)

    async def drained(self, seconds: float) -> None:
        """Wait until nothing is being handled, but not longer than this."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
