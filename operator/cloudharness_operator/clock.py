"""The only place that reads the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def awake() -> float:
    """Return the seconds of a clock that runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def precisely() -> datetime:
    """Return the time of day in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one clock.


def now() -> datetime:
    """Return the time of day in UTC in whole seconds, as most times of Kubernetes have."""
    return precisely().replace(microsecond=0)
