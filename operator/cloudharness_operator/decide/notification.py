"""The delivery of an exit event, step by step, and its result in the status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cloudharness_operation.event import ExitEvent
from cloudharness_operator.decide import status
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.decide.plan import Plan
from cloudharness_operator.decide.state import ObservedState

PATIENCE: Final = 2.0
"""Seconds that the final status waits for the acknowledgement, so that both are one write."""


def notify_and_record(
    state: ObservedState,
    event: ExitEvent,
    limit: int,
    write: Callable[[status.Notified], dict[str, Any] | None],
) -> Plan:
    """Return the next step to publish an end, to write the result, and to remove the finalizer.

    `write` returns the change of the status for a result; `limit` as of `next_delivery_step`.
    """
    step = next_delivery_step(state, event, limit)
    if isinstance(step, status.Notified):
        return Plan(
            give_up=None if step.done else event,
            status=write(step),
            remove_finalizer=state.held_child,
            drop_delivery=event.id,
        )
    if state.delivery is None:
        return step
    patience = state.delivery.begun + PATIENCE - state.clock
    if patience > 0:
        return replace(step, requeue_after=min(step.requeue_after or patience, patience))
    reason, message = state.delivery.reason, state.delivery.message
    pending = status.Notified(done=False, reason=reason, message=message)
    return replace(step, status=write(pending))


def next_delivery_step(
    state: ObservedState, event: ExitEvent, limit: int
) -> Plan | status.Notified:
    """Return the next step towards the acknowledgement, or the result once it is final.

    The operator gives up `limit` seconds after the end of the run; with 0 it never does.
    """
    delivery = state.delivery
    if delivery is None:
        return Plan(publish=event, requeue_after=PATIENCE)
    match delivery.state:
        case DeliveryState.ACKED:
            return status.Notified(done=True)
        case DeliveryState.PENDING:
            wait = delivery.begun + PATIENCE - state.clock
            # After PATIENCE, wait for the delivery report instead of a timer.
            return Plan(requeue_after=wait if wait > 0 else None)
        case DeliveryState.FAILED:
            left = limit - (state.now - event.outcome.finished).total_seconds()
            if limit and left <= 0:
                return status.given_up(delivery, limit)
            wait = delivery.retry_at - state.clock
            if wait <= 0:
                return Plan(publish=event)
            return Plan(requeue_after=min(wait, left) if limit else wait)
