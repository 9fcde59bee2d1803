"""Suspending, resuming, cancelling and deadlines.

From an operation, its child and the time follows what the child's spec must say, and from the
child alone why its run ended. The cause that ends a run is written onto the child in the request
that ends it, so the first one stands, whatever is forgotten or comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cloudharness_operation.event import Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.names import ANNOTATION_CUT
from cloudharness_operation.record import Phase, TaskPhase, TaskStatus
from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operator import reminder
from cloudharness_operator.child import Child, Note
from cloudharness_operator.cut import Cut
from cloudharness_operator.nodes import Wait
from cloudharness_operator.runs import is_superseded
from cloudharness_operator.steered import Steered
from cloudharness_operator.turns import Member

Manifest = dict[str, Any]

SUSPENDED: Final = "Suspended"
RESUMED: Final = "Resumed"
CANCELLED: Final = "Cancelled"
CANCELLING: Final = "Cancelling"
REPLACED: Final = "Replaced"
GROUP_BUSY: Final = "GroupBusy"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
PENDING_DEADLINE_EXCEEDED: Final = "PendingDeadlineExceeded"

ANSWER: Final = timedelta(seconds=30)
"""What Argo has to begin, and so to end, a Workflow that it has not met when it is cut short."""

LATE: Final = timedelta(seconds=90)
"""What Argo has to end a Workflow that runs, by a deadline or at once, before it counts as away."""

EARLY: Final = timedelta(seconds=2)
"""How much before the deadline a pod may be ended that was given the seconds left, rounded down."""

_UNSEEN: Final = (
    "Argo has not begun the Workflow: is its workflow controller running, and does it serve this "
    "namespace? (pendingDeadlineSeconds: {})"
)
_NOT_BEGUN: Final = "nothing has begun; set spec.suspend to false to begin"
_RUNS_ON: Final = "no new task starts, and what runs goes on; set spec.suspend to false to resume"

CUT_BY_PEOPLE: Final = frozenset({CANCELLED, REPLACED})

_STRENGTH: Final = {"": 0, "Stop": 1, "Terminate": 2}
_FAILED: Final = (TaskPhase.FAILED, TaskPhase.ERROR)


class _Due(NamedTuple):
    at: datetime
    reason: str
    message: str


def patch(
    operation: Operation, child: Child, now: datetime, limit: int, successor: str = ""
) -> Manifest | None:
    """Return the merge patch (RFC 7386) that makes a child do as its operation wants, or None.

    `limit` is what a pod may wait to start, in seconds, where the operation does not say;
    `successor` names the operation that is to run in place of this one.
    """
    cut = child.cut or _cut(operation, child, now, limit, successor)
    shutdown = max(child.shutdown, _shutdown(operation, cut), key=lambda one: _STRENGTH.get(one, 0))
    # Argo does not end what is suspended, not even by a shutdown (its issue 17041).
    suspend = operation.spec.suspend and not shutdown
    spec: Manifest = {}
    if suspend != child.suspended:
        spec["suspend"] = True if suspend else None
    if shutdown != child.shutdown:
        spec["shutdown"] = shutdown
    why = {ANNOTATION_CUT: cut.to_annotation()} if cut and not child.cut else {}
    if not (spec or why):
        return reminder.patch(child, now)
    return _changes(spec, Steered(now).to_annotations() | why)


def end(child: Child, now: datetime) -> Manifest | None:
    """Return the patch that ends a child which nobody wants, or None where it is to end."""
    if child.shutdown:
        return reminder.patch(child, now)
    spec = {"suspend": None, "shutdown": "Terminate"}
    return _changes(spec, Steered(now).to_annotations())


def _changes(spec: Manifest, annotations: dict[str, str]) -> Manifest:
    return {"metadata": {"annotations": annotations}} | ({"spec": spec} if spec else {})


def next_look(operation: Operation, child: Child, now: datetime, limit: int) -> float | None:
    """Return the seconds until a deadline, or a reminder, may be due, or None."""
    if child.cut:
        patience = _patience(child)
        due = [child.cut.at + patience] if patience else []
    else:
        due = [one.at for one in _dues(operation, child, limit)]
    if again := reminder.due(child):
        due.append(again)
    return max((min(due) - now).total_seconds(), 0.0) if due else None


def unanswered(child: Child, now: datetime) -> Note | None:
    """Return why a child was cut short that Argo does not end, or None.

    Argo begins no task of a Workflow that is shut down; pods that run are deleted afterwards.
    """
    patience = _patience(child)
    if child.cut is None or patience is None or now < child.cut.at + patience:
        return None
    return Note(child.cut.reason, child.cut.message)


def _patience(child: Child) -> timedelta | None:
    """Return how long an answer of Argo to a cut is waited for, or None: as long as it takes."""
    if not child.phase:
        return ANSWER
    # Exit handlers that a Stop lets run may take any time.
    return LATE if child.shutdown == "Terminate" else None


def verdict(child: Child) -> Note | None:
    """Return why a child ended before its own end, or None where it did not."""
    if child.phase == "Succeeded":
        return None
    if child.cut:
        return Note(child.cut.reason, child.cut.message)
    if child.shutdown and child.message.startswith("Stopped with strategy"):
        return Note(CANCELLED, f"somebody has shut the Workflow down: {child.message}")
    if child.deadline and _has_overrun(child, child.deadline):
        return Note(DEADLINE_EXCEEDED, _too_long(child.deadline))
    return None


def outcome(why: Note, started: datetime | None, finished: datetime) -> Outcome:
    """Return the end of a run that was not its own."""
    return Outcome(Phase.FAILED, why.reason, why.message, started, finished)


def needless(child: Child | None, now: datetime) -> tuple[Child, Manifest] | None:
    """Return how to end a child that Argo has not begun, and whose operation has ended.

    A second operator may have made it when the first had seen the operation cancelled.
    """
    if child is None or child.phase or child.shutdown or child.deleted:
        return None
    changes = end(child, now)
    return (child, changes) if changes else None


def standing(operation: Operation, child: Child | None) -> Note | None:
    """Return where an operation stands that is suspended or being ended, or None."""
    if child is None:
        return Note(SUSPENDED, _NOT_BEGUN) if operation.spec.suspend else None
    if child.cut:
        return Note(_under_way(child.cut.reason), child.cut.message)
    return Note(SUSPENDED, _RUNS_ON) if child.suspended else None


def queued(operation: Operation, ahead: Member) -> Note:
    """Return what is said of an operation that waits for its turn.

    Whom it waits for is told of the first alone: it would change for all with each that ends.
    """
    behind = f"runs after {ahead.name}" if ahead.begun else "waits for its turn"
    return Note(GROUP_BUSY, f"{behind} (concurrencyGroup {operation.spec.concurrency_group})")


def occupied(pods: tuple[str, ...]) -> Note:
    """Return what is said of an operation that waits for pods to stop."""
    return Note(GROUP_BUSY, f"waits until pods have stopped that must not run beside it: {pods[0]}")


def replaced(successor: str) -> Note:
    """Return why an operation ends that another one replaces."""
    return Note(REPLACED, f"operation {successor} replaces it (concurrencyPolicy)")


def _replacement(operation: Operation, child: Child, successor: str) -> Note | None:
    if successor:
        return replaced(successor)
    policy = operation.spec.concurrency_policy
    if policy is ConcurrencyPolicy.REPLACE and is_superseded(operation, child):
        return Note(REPLACED, f"run {operation.spec.run_id} replaces it (concurrencyPolicy)")
    return None


def _under_way(reason: str) -> str:
    return CANCELLING if reason in CUT_BY_PEOPLE else reason


def _shutdown(operation: Operation, cut: Cut | None) -> str:
    if operation.spec.cancel:
        return operation.spec.cancel.value
    return "Terminate" if cut else ""


def _cut(
    operation: Operation, child: Child, now: datetime, limit: int, successor: str
) -> Cut | None:
    """Return why the run is to end now, or None."""
    if operation.spec.cancel:
        return Cut(CANCELLED, f"spec.cancel is {operation.spec.cancel.value}", now)
    if why := _replacement(operation, child, successor):
        return Cut(why.reason, why.message, now)
    first = min(_dues(operation, child, limit), default=None)
    return Cut(first.reason, first.message, now) if first and first.at <= now else None


def _dues(operation: Operation, child: Child, limit: int) -> Iterator[_Due]:
    """Yield what will cut the run short if nothing changes."""
    given = operation.spec.pending_deadline_seconds
    seconds = limit if given is None else given
    for wait in child.waits if seconds else ():
        if since := _counted_from(wait, child):
            yield _Due(
                since + timedelta(seconds=seconds),
                PENDING_DEADLINE_EXCEEDED,
                _stuck(operation, wait, seconds),
            )
    if seconds and child.created and not (child.phase or child.suspended):
        end = child.created + timedelta(seconds=seconds)
        yield _Due(end, PENDING_DEADLINE_EXCEEDED, _UNSEEN.format(seconds))
    # Argo ends what runs too long, but not while it is suspended, and not where it is away.
    if child.deadline and child.started:
        grace = timedelta(0) if child.suspended else LATE
        end = child.started + timedelta(seconds=child.deadline) + grace
        yield _Due(end, DEADLINE_EXCEEDED, _too_long(child.deadline))


def _counted_from(wait: Wait, child: Child) -> datetime | None:
    """Return from when a pod's waiting counts, or None while it does not.

    A pod that finds no room may only wait for tasks of its own run to make it.
    """
    if not (wait.message.startswith("Unschedulable") or "exceeded quota" in wait.message):
        return wait.since
    if any(task.phase is TaskPhase.RUNNING for task in child.tasks):
        return None
    ends = [task.completion_time for task in child.tasks if task.completion_time]
    return max([wait.since, *ends])


def _stuck(operation: Operation, wait: Wait, seconds: int) -> str:
    # The kubelet says nothing between two attempts; what it last said is on record.
    known = (t.message for t in operation.status.tasks if t.name == wait.task and t.reason)
    said = wait.message or next(known, None) or "its pod has not started"
    return f"task {wait.task}: {said} (pendingDeadlineSeconds: {seconds})"


def _too_long(seconds: int) -> str:
    return f"not done after {seconds} s (activeDeadlineSeconds)"


def _has_overrun(child: Child, seconds: int) -> bool:
    if child.started is None or child.finished is None:
        return False
    end = child.started + timedelta(seconds=seconds)
    failed = [task for task in child.tasks if task.phase in _FAILED]
    if not failed:
        return child.finished >= end
    return any(_is_late(task, end, child.bounded) for task in failed)


def _is_late(task: TaskStatus, end: datetime, bounded: tuple[str, ...]) -> bool:
    """Whether a task was ended by the deadline of its run, not by itself or by one of its own."""
    if task.reason == DEADLINE_EXCEEDED and task.name not in bounded:
        # There is no other. When it ended says nothing: of a pod that the kubelet has ended so,
        # the end of its containers may be unknown, and Argo then takes that of the one before.
        return True
    if task.completion_time is None:
        return False
    allowed = EARLY if task.reason == DEADLINE_EXCEEDED else timedelta(0)
    return task.completion_time >= end - allowed
