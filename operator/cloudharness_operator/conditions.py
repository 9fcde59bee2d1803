"""Conditions, as the Kubernetes API conventions have them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from cloudharness_operation.bounds import MAX_MESSAGE, shortened
from cloudharness_operation.record import NEVER, Condition, OperationStatus


class Observation(NamedTuple):
    """What a condition is to say."""

    type: str
    holds: bool
    reason: str
    message: str = ""


def merged(
    old: OperationStatus, generation: int, wanted: Iterable[Observation], now: datetime
) -> tuple[Condition, ...]:
    """Return the conditions that say so, and since when, going by those of an old status."""
    known = {condition.type: condition for condition in old.conditions}
    return tuple(_condition(known.get(one.type), generation, one, now) for one in wanted)


def _condition(
    old: Condition | None, generation: int, wanted: Observation, now: datetime
) -> Condition:
    status: Literal["True", "False"] = "True" if wanted.holds else "False"
    unchanged = old and old.status == status and old.last_transition_time != NEVER
    return Condition(
        type=wanted.type,
        status=status,
        reason=wanted.reason,
        message=shortened(wanted.message, MAX_MESSAGE),
        last_transition_time=old.last_transition_time if old and unchanged else now,
        observed_generation=generation,
    )
