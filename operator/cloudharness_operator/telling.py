"""How the end of an operation is told, from the first attempt to what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cloudharness_operation.event import ExitEvent
from cloudharness_operator import status
from cloudharness_operator.delivery import State
from cloudharness_operator.effects import Plan
from cloudharness_operator.seen import Seen

PATIENCE: Final = 2.0
"""Seconds that the end may wait for the broker, so as to be written in one piece."""


def tell(
    seen: Seen,
    event: ExitEvent,
    limit: int,
    write: Callable[[status.Notified], dict[str, Any] | None],
) -> Plan:
    """Return the next step to tell an end, write down what came of it, and let the child go.

    `write` makes the change of status that says how far it has come; `limit` as of `deliver`.
    """
    step = deliver(seen, event, limit)
    if isinstance(step, status.Notified):
        return Plan(
            give_up=None if step.done else event,
            status=write(step),
            release=seen.held,
            forget=event.id,
        )
    if seen.delivery is None:
        return step
    patience = seen.delivery.begun + PATIENCE - seen.clock
    if patience > 0:
        return replace(step, after=min(step.after or patience, patience))
    why, said = seen.delivery.reason, seen.delivery.message
    late = status.Notified(done=False, reason=why, message=said)
    return replace(step, status=write(late))


def deliver(seen: Seen, event: ExitEvent, limit: int) -> Plan | status.Notified:
    """Return the next step towards the broker's word, or what came of it when that is over.

    After `limit` seconds from the end of the run nothing is tried any more; 0: never so.
    """
    delivery = seen.delivery
    if delivery is None:
        return Plan(publish=event, after=PATIENCE)
    match delivery.state:
        case State.ACKED:
            return status.Notified(done=True)
        case State.PENDING:
            wait = delivery.begun + PATIENCE - seen.clock
            # Past its patience, the publisher's own report is what ends the wait.
            return Plan(after=wait if wait > 0 else None)
        case State.FAILED:
            left = limit - (seen.now - event.outcome.finished).total_seconds()
            if limit and left <= 0:
                return status.given_up(delivery, limit)
            wait = delivery.retry_at - seen.clock
            if wait <= 0:
                return Plan(publish=event)
            return Plan(after=min(wait, left) if limit else wait)
