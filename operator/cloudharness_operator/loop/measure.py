"""Measures how long users wait: for the start of an operation, its result and its exit event."""

from __future__ import annotations

from datetime import datetime

from cloudharness_operation import reasons
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.state import ObservedState
from cloudharness_operator.ports import Meter


def workflow_created(meter: Meter, state: ObservedState, child: Child, clock: float) -> None:
    """Measure the start of an operation, unless it was made to wait.

    `clock` is the present time of the clock of `state.since`.
    """
    operation = state.operation
    if operation is None or state.run != FIRST_RUN:
        return
    if operation.status.reason not in (None, reasons.PENDING):
        return  # It was suspended, or waited for its group.
    delay = clock - state.since
    created = operation.metadata.creation_timestamp
    if created and child.created:
        # Both have whole seconds. It was there before this process if the operator was down.
        delay = max(delay, (child.created - created).total_seconds() - 1)
    meter.workflow_created(delay)


def status_written(meter: Meter, old: OperationStatus, new: OperationStatus, server: float) -> None:
    """Measure the end of a run, and the acknowledgement of its event.

    `server` is the API server's time in seconds since 1970.
    """
    if new.completion_time is None:
        return
    delay = max(0.0, server - new.completion_time.timestamp())
    if new.has_become("Finished", old):
        ran = _between(new.start_time, new.completion_time)
        meter.ended(new.phase or "", new.reason or "", ran, delay)
    if new.has_become("Notified", old):
        meter.acknowledged(delay)


def _between(start: datetime | None, end: datetime) -> float | None:
    return None if start is None else max(0.0, (end - start).total_seconds())
