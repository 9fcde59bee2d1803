"""How a run has ended, for its status and its exit event."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cloudharness_operation import notification, reasons
from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import Destination, Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.status import OperationStatus, Phase
from cloudharness_operator.decide import control
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.runs import is_superseded
from cloudharness_operator.decide.state import ObservedState

_REASONS: Final = {
    "Succeeded": reasons.ALL_TASKS_SUCCEEDED,
    "Failed": reasons.TASK_FAILED,
    "Error": reasons.WORKFLOW_ERROR,
}


def from_workflow(child: Child, now: datetime) -> Outcome:
    """Return the outcome of a Workflow that has ended."""
    if why := control.termination_cause(child):
        return control.terminated(why, child.started, child.finished or now)
    message = child.failure or child.message
    return Outcome(
        status=child.phase,
        reason=_REASONS[child.phase],
        message=message or ("all tasks succeeded" if child.phase == "Succeeded" else ""),
        started=child.started,
        # Argo writes finishedAt together with the phase; somebody who edits a Workflow may not.
        finished=child.finished or now,
    )


def from_deleted_workflow(state: ObservedState, child: Child) -> Outcome:
    """Return the outcome of a Workflow that was deleted before its end."""
    ended = child.deleted or state.now
    if why := child.termination:
        return control.terminated(ReasonMessage(why.reason, why.message), child.started, ended)
    operation = state.operation
    leaving = operation is not None and operation.metadata.deletion_timestamp is not None
    stays = not (state.gone or leaving)
    return Outcome(
        status=Phase.ERROR,
        reason=reasons.WORKFLOW_LOST if stays else reasons.DELETED,
        message="the Workflow was deleted before its end" if stays else "deleted before its end",
        started=child.started,
        finished=ended,
    )


def without_workflow(
    state: ObservedState, reason: str, message: str, operation: Operation | None
) -> Outcome:
    """Return the outcome of a run that has no Workflow; `operation` if it had one before."""
    started = operation.status.start_time if operation else None
    return Outcome(Phase.ERROR, reason, message, started, state.now)


def from_status(old: OperationStatus, now: datetime) -> Outcome:
    """Return the outcome of a run as the operation's status has it."""
    phase = Phase.FAILED if old.phase is Phase.CANCELLED else old.phase
    return Outcome(
        status=phase or Phase.ERROR,
        reason=old.reason or "",
        message=old.message or "",
        started=old.start_time,
        finished=old.completion_time or now,
    )


def destination(
    operation: Operation, child: Child | None, defaults: Defaults
) -> Destination | None:
    """Return where the end of an operation's run is published, or None if it is not."""
    if child is not None and is_superseded(operation, child):
        # The spec is of the next run already; the Workflow has what was promised for this one.
        return promised(child, defaults)
    return notification.destination(operation, defaults)


def promised(child: Child, defaults: Defaults) -> Destination | None:
    """Return where a Workflow's annotation says to publish its end, or None: nowhere.

    Anybody with the right to write Workflows can write the annotation. So it counts only if it
    agrees with the Workflow (namespace, run, name and uid of the owner), and only for topics that
    are allowed now.
    """
    try:
        to = Destination.from_annotation(child.exit_event)
    except ValueError:
        return None
    claimed = (to.namespace, to.operation, to.uid, to.run)
    if claimed != (child.namespace, child.operation, child.owner_uid, str(child.run)):
        return None
    topics = tuple(topic for topic in to.topics if notification.is_allowed(topic, defaults))
    return to.model_copy(update={"topics": topics}) if topics else None
