"""How a run has ended, for its status and its event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from cloudharness_operation import render
from cloudharness_operation.event import Destination, Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.record import OperationStatus, Phase
from cloudharness_operation.render import Defaults
from cloudharness_operator import control, status
from cloudharness_operator.child import Child, Note
from cloudharness_operator.runs import is_superseded
from cloudharness_operator.seen import Seen

_REASONS: Final = {
    "Succeeded": status.ALL_TASKS_SUCCEEDED,
    "Failed": status.TASK_FAILED,
    "Error": status.WORKFLOW_ERROR,
}


def of_child(child: Child, now: datetime) -> Outcome:
    """Return how a child has ended."""
    if cut := control.verdict(child):
        return control.outcome(cut, child.started, child.finished or now)
    said = child.failure or child.message
    return Outcome(
        status=child.phase,
        reason=_REASONS[child.phase],
        message=said or ("all tasks succeeded" if child.phase == "Succeeded" else ""),
        started=child.started,
        # Argo writes finishedAt together with the phase; whoever edits a Workflow may not.
        finished=child.finished or now,
    )


def cut_short(seen: Seen, child: Child) -> Outcome:
    """Return the end of a child that was deleted before its own."""
    ended = child.deleted or seen.now
    if child.cut:
        return control.outcome(Note(child.cut.reason, child.cut.message), child.started, ended)
    operation = seen.operation
    leaving = operation is not None and operation.metadata.deletion_timestamp is not None
    stays = not (seen.gone or leaving)
    return Outcome(
        status=Phase.ERROR,
        reason=status.WORKFLOW_LOST if stays else status.DELETED,
        message="the Workflow was deleted before its end" if stays else "deleted before its end",
        started=child.started,
        finished=ended,
    )


def destination(
    operation: Operation, child: Child | None, defaults: Defaults
) -> Destination | None:
    """Return where the end of an operation's run is told, or None where nobody asked."""
    if child is not None and is_superseded(operation, child):
        # The spec is of another run already; what was promised for this one is with its child.
        return promised(child, defaults)
    return render.destination(operation, defaults)


def promised(child: Child, defaults: Defaults) -> Destination | None:
    """Return where the end of a child's run is published by its annotation, or None: nowhere.

    Whoever may write Workflows can write the annotation. So it counts only as far as it agrees with
    the Workflow itself (namespace, run, name and uid of the owner), and for topics that are allowed
    now.
    """
    try:
        to = Destination.from_annotation(child.exit_event)
    except ValueError:
        return None
    said = (to.namespace, to.name, to.uid, to.run)
    if said != (child.namespace, child.operation, child.owner_uid, str(child.run)):
        return None
    topics = tuple(topic for topic in to.topics if render.is_allowed(topic, defaults))
    return replace(to, topics=topics) if topics else None


def error(seen: Seen, reason: str, message: str, operation: Operation | None) -> Outcome:
    """Return the end of a run that no child tells; `operation` if it had begun."""
    started = operation.status.start_time if operation else None
    return Outcome(Phase.ERROR, reason, message, started, seen.now)


def recorded(old: OperationStatus, now: datetime) -> Outcome:
    """Return the end of an operation as its own status tells it."""
    phase = Phase.FAILED if old.phase is Phase.CANCELLED else old.phase
    return Outcome(
        status=phase or Phase.ERROR,
        reason=old.reason or "",
        message=old.message or "",
        started=old.start_time,
        finished=old.completion_time or now,
    )
