"""What happens when a task fails, as an argument of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Policy = Literal["Always", "OnFailure", "OnError", "OnTransientError"]
"""Argo's retryPolicy (`Retry.policy`)."""


@dataclass(frozen=True)
class Backoff:
    """Waits between attempts.

    Attributes:
        duration: before the second attempt: seconds, a timedelta, or as `"10s"`, `"5m"`.
        factor: by how much each wait is longer than the one before. None: all are the same.
        max_duration: no attempt is begun later than this after the first. None: no end.

    """

    duration: float | str | timedelta
    factor: int | None = None
    max_duration: float | str | timedelta | None = None


@dataclass(frozen=True)
class Retry:
    """What happens when a task fails.

    Attributes:
        limit: how many more attempts there are after the first.
        policy: `OnFailure`: the container failed. `OnError`: what runs it failed, for instance
            the node was lost. `Always`: both. `OnTransientError`: as Argo is set up.
        backoff: waits between attempts; a number counts seconds. None: none.

    """

    limit: int
    policy: Policy | None = None
    backoff: Backoff | float | timedelta | None = None

    def to_manifest(self) -> dict[str, Any]:
        """Return this as the resource has it."""
        found: dict[str, Any] = {"limit": self.limit}
        if self.policy is not None:
            found["policy"] = self.policy
        if self.backoff is not None:
            one = self.backoff if isinstance(self.backoff, Backoff) else Backoff(self.backoff)
            waits = {"duration": _text(one.duration), "factor": one.factor}
            waits["maxDuration"] = _text(one.max_duration)
            found["backoff"] = {key: value for key, value in waits.items() if value is not None}
        return found


def _text(given: object) -> object:
    """Return a time as the resource has it; what is none is told by the field it is in."""
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return seconds
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds}s"
