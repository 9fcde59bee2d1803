"""The one place where the time is read."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def awake() -> float:
    """Return the seconds of a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def precisely() -> datetime:
    """Return the time on the wall."""
    return datetime.now(UTC)  # noqa: TID251 - the one clock.


def now() -> datetime:
    """Return the time on the wall in whole seconds, as nearly all times of Kubernetes are."""
    return precisely().replace(microsecond=0)
