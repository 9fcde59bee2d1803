"""A bounded rate at which things are done, however many are to be done at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

ABANDONED: Final = 60.0
"""Seconds after which a turn that nobody took is forgotten."""


class Pace:
    """Gives keys their turns, one after the other. Whose turn has not come asks again later."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        """Take a clock in seconds that never goes back."""
        self._gap = 1 / per_second
        self._clock = clock
        self._next = 0.0
        self._last = self._put_off = -math.inf
        self._turns: dict[str, float] = {}

    def wait(self, key: str) -> float:
        """Return the seconds until the turn of a key; with 0 it is now, and is used up."""
        now = self._clock()
        self._forget(now - ABANDONED)
        turn = self._turns.get(key)
        if turn is None:
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn <= now < self._last + self._gap:
            # A process that is late has many turns at once, which are to stay apart all the same.
            turn = self._put_off = max(self._last, self._put_off) + self._gap
        if turn <= now:
            self._turns.pop(key, None)
            self._last = now
            return 0.0
        self._turns[key] = turn
        return turn - now

    def _forget(self, before: float) -> None:
        # Turns are given in the order of their times, mostly, and a dict keeps that order.
        while self._turns and (first := next(iter(self._turns.items())))[1] < before:
            del self._turns[first[0]]
