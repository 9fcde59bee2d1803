"""How long a set-up will take, from what its parts take and how fast this machine has been."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from typing_extensions import override

PRIOR = 60.0
"""Seconds for which this machine is taken to be as fast as the one that was measured."""
NEARLY = 0.9
"""As much of a part is taken to be done if it goes on for longer than expected."""


@dataclass
class Part:
    """What is built or collected, while it is.

    Args:
        expected: seconds on two processors that do nothing else.
        fraction: how much of it is done, between 0 and 1, if that can be known.

    """

    expected: float
    started: float | None = None
    fraction: Callable[[], float | None] = lambda: None


@dataclass
class Forecast:
    """The parts of a set-up that were missing when it began, by their titles."""

    parts: dict[str, Part] = field(default_factory=dict)
    finished: float = 0.0
    """Expected seconds of the parts that are done."""
    count: int = 0
    """Of the parts that are done."""
    begun: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Begin with these parts and what each is expected to take."""
        self.parts = {title: Part(expected) for title, expected in seconds.items()}
        self.finished, self.count, self.begun = 0.0, 0, self.clock()

    def start(self, title: str, fraction: Callable[[], float | None]) -> None:
        """A part is worked on."""
        if title in self.parts:
            self.parts[title].started, self.parts[title].fraction = self.clock(), fraction

    def finish(self, title: str) -> None:
        """A part is done."""
        if part := self.parts.pop(title, None):
            self.finished += part.expected
            self.count += 1

    def left(self) -> float:
        """Return the seconds until all parts are done, about."""
        now = self.clock()
        measured = [(part, part.fraction()) for part in self.parts.values()]
        rate = 1.0
        # Parts without a measure are taken to be as far as the rate says, which depends on them.
        for _ in range(3):
            done = sum(part.expected * _done(part, far, now, rate) for part, far in measured)
            rate = (now - self.begun + PRIOR) / (self.finished + done + PRIOR)
        return rate * sum(
            part.expected * (1 - _done(part, far, now, rate)) for part, far in measured
        )

    @override
    def __str__(self) -> str:
        """How many are done, and how long the rest will take; empty if nothing was expected."""
        if not self.parts:
            return ""
        left = self.left()
        length = f"about {left / 60:.0f} min" if left >= 90 else "about a minute"
        return f"{self.count} of {self.count + len(self.parts)} done, {length} left"


def _done(part: Part, measured: float | None, now: float, rate: float) -> float:
    if part.started is None:
        return 0.0
    if measured is not None:
        return measured
    return min(NEARLY, (now - part.started) / max(part.expected * rate, 0.1))
