"""When the operator last changed what Argo is to do: kept on the child, for reminders of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cloudharness_operation.event import timestamp
from cloudharness_operation.names import ANNOTATION_STEERED

FIRST: Final = timedelta(seconds=10)
"""From a change to the first reminder of it; each later one comes after twice the time."""

MOST: Final = 12
"""Reminders of one change: the last comes after almost six hours."""


class Steered(NamedTuple):
    """A change of what Argo is to do with a Workflow."""

    at: datetime
    reminders: int = 0
    """How often Argo was reminded of it since."""

    @property
    def next(self) -> datetime | None:
        """When Argo is to be reminded again, if it is."""
        return self.at + FIRST * 2**self.reminders if self.reminders < MOST else None

    @property
    def again(self) -> Steered:
        """The same, one reminder later."""
        return self._replace(reminders=self.reminders + 1)

    def to_annotations(self) -> dict[str, str]:
        """Return this as a Workflow keeps it."""
        told = {"at": timestamp(self.at), "reminders": self.reminders}
        return {ANNOTATION_STEERED: json.dumps(told, separators=(",", ":"))}


def from_annotation(text: str) -> Steered | None:
    """Read what `to_annotations` wrote; None if somebody has written something else."""
    try:
        told = json.loads(text)
        found = Steered(datetime.fromisoformat(told["at"]), told["reminders"])
    except (TypeError, KeyError, ValueError):
        return None
    # A bool is an int to Python.
    whole = type(found.reminders) is int and 0 <= found.reminders <= MOST
    return found if whole and found.at.tzinfo else None
