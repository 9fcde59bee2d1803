"""What the operator did to a Workflow, and why: one annotation, which survives any restart.

It is written in the request that changes the Workflow. So the first cause of a termination stands,
and Argo can be reminded of a change that its controller has missed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from cloudharness_operation.event import timestamp
from cloudharness_operation.names import ANNOTATION_INTERVENTION

FIRST_REMINDER: Final = timedelta(seconds=10)
"""From a change to the first reminder of it; the wait doubles with each reminder."""

MAX_REMINDERS: Final = 12
"""Reminders of one change: the last is sent almost six hours after the one before."""

MAX_MESSAGE: Final = 2048
"""Characters of a message. All annotations of an object share 256 KiB with the event's payload."""


@dataclass(frozen=True, slots=True)
class Termination:
    """Why the operator has ended a run before its own end."""

    reason: str
    message: str
    at: datetime
    """When the operator shut the Workflow down."""


@dataclass(frozen=True, slots=True)
class Intervention:
    """The operator's latest change of a Workflow's `spec`."""

    at: datetime
    reminders: int = 0
    """How often Argo was reminded of it."""
    termination: Termination | None = None

    @property
    def next_reminder(self) -> datetime | None:
        """When to remind Argo again, or None after the last reminder."""
        if self.reminders >= MAX_REMINDERS:
            return None
        return self.at + FIRST_REMINDER * int(2**self.reminders)

    @property
    def reminded(self) -> Intervention:
        """The same change, one reminder later."""
        return replace(self, reminders=self.reminders + 1)

    def to_annotations(self) -> dict[str, str]:
        """Return the annotation of the Workflow that holds this."""
        fields: dict[str, Any] = {"at": timestamp(self.at), "reminders": self.reminders}
        if why := self.termination:
            message = why.message[:MAX_MESSAGE]
            fields["termination"] = {
                "reason": why.reason,
                "message": message,
                "at": timestamp(why.at),
            }
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        return {ANNOTATION_INTERVENTION: text}


def from_annotation(text: str) -> Intervention | None:
    """Read what `to_annotations` wrote; None if it is absent, or somebody has edited it.

    A termination that cannot be read is dropped alone.
    """
    try:
        fields = json.loads(text)
        at, reminders = datetime.fromisoformat(fields["at"]), fields["reminders"]
    except (TypeError, KeyError, ValueError):
        return None
    # A bool is an int to Python.
    is_valid = type(reminders) is int and 0 <= reminders <= MAX_REMINDERS and at.tzinfo
    return Intervention(at, reminders, _termination(fields)) if is_valid else None


def _termination(fields: dict[str, Any]) -> Termination | None:
    try:
        why = fields["termination"]
        found = Termination(why["reason"], why["message"], datetime.fromisoformat(why["at"]))
    except (TypeError, KeyError, ValueError):
        return None
    texts = isinstance(found.reason, str) and found.reason and isinstance(found.message, str)
    return found if texts and found.at.tzinfo else None
