"""Why the operator has ended a run: kept on the child, so that no restart can forget it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cloudharness_operation.event import timestamp

MAX_MESSAGE: Final = 2048
"""Characters of a message: annotations have 256 KiB in all, and a payload comes first."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An end that the operator has asked for."""

    reason: str
    message: str
    at: datetime
    """When it was asked for."""

    def to_annotation(self) -> str:
        """Return this as the text of an annotation."""
        told = {
            "reason": self.reason,
            "message": self.message[:MAX_MESSAGE],
            "at": timestamp(self.at),
        }
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def from_annotation(text: str) -> Cut | None:
    """Read what `to_annotation` wrote; None if somebody has written something else."""
    try:
        told = json.loads(text)
        found = Cut(told["reason"], told["message"], datetime.fromisoformat(told["at"]))
    except (TypeError, KeyError, ValueError):
        return None
    whole = isinstance(found.reason, str) and found.reason and isinstance(found.message, str)
    return found if whole and found.at.tzinfo else None
