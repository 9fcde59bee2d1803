"""The runs of an operation: which is on record, while its spec may be of the next one already."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cloudharness_operation.model import Operation
from cloudharness_operation.record import MAX_HISTORY, OperationStatus, PastRun, Phase
from cloudharness_operation.runs import FIRST_RUN_ID
from cloudharness_operator.child import Child
from cloudharness_operator.conditions import Observation, merged

RUN_REQUESTED: Final = "RunRequested"

MAX_PAST_MESSAGE: Final = 256
"""Characters that are kept of what was said of a run's end."""


def run_id(operation: Operation, child: Child | None) -> str:
    """Return the runId of the run that is under way, or was the last."""
    # The child is there before anything is on record.
    made_for = child.run_id if child else None
    return operation.status.run_id or made_for or operation.spec.run_id


def is_superseded(operation: Operation, child: Child | None) -> bool:
    """Whether another run is wanted now."""
    return run_id(operation, child) != operation.spec.run_id


def generation(operation: Operation, child: Child | None) -> int:
    """Return the generation of the spec that the run is of."""
    latest = operation.metadata.generation
    if not is_superseded(operation, child):
        return latest
    return operation.status.observed_generation or latest - 1


def next_run(operation: Operation, now: datetime) -> OperationStatus:
    """Return the status of an operation that is to run again: as of a new one, with its past."""
    old, wanted, generation = operation.status, operation.spec.run_id, operation.metadata.generation
    message = f"run {wanted} was asked for"
    observations = (
        Observation("Accepted", holds=True, reason="Accepted"),
        Observation("Reconciling", holds=True, reason=RUN_REQUESTED, message=message),
        Observation("Finished", holds=False, reason=RUN_REQUESTED, message=message),
    )
    return OperationStatus(
        observed_generation=generation,
        run=operation.run + 1,
        run_id=wanted,
        phase=Phase.PENDING,
        reason=RUN_REQUESTED,
        message=message,
        conditions=merged(old, generation, observations, now),
        history=(*_past(operation), *old.history)[:MAX_HISTORY],
    )


def _past(operation: Operation) -> tuple[PastRun, ...]:
    """Return the run on record as one that is over; none if nothing of it ever ended."""
    old = operation.status
    if not old.is_true("Finished"):
        return ()
    return (
        PastRun(
            run=operation.run,
            run_id=old.run_id or FIRST_RUN_ID,
            phase=old.phase or Phase.ERROR,
            reason=old.reason,
            message=old.message and old.message[:MAX_PAST_MESSAGE],
            start_time=old.start_time,
            completion_time=old.completion_time,
            workflow=old.workflow_ref and old.workflow_ref.name,
        ),
    )
