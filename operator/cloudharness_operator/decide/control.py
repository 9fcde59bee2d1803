"""Suspending, resuming, cancelling, deadlines, and reminders of them.

What the Workflow's spec must say follows from the operation, the Workflow and the time. The cause
of a termination is stored on the Workflow in the request that ends it, so the first cause survives
restarts and later ones (docs/decisions/0011-suspend-cancel-deadlines.md).

Argo's controller can miss such a change: it writes its own last update back into its cache
(workflow/controller/operator.go, writeBackToInformer), which on a busy machine puts an older
Workflow over a newer one. So the operator touches the Workflow again, at growing intervals, until
something shows that Argo has seen the change (docs/decisions/0021-reminders.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cloudharness_operation import reasons
from cloudharness_operation.event import Outcome
from cloudharness_operation.model import Cancel, Operation
from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operation.status import Phase, TaskPhase, TaskStatus
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.concurrency import GroupMember
from cloudharness_operator.decide.intervention import Intervention, Termination
from cloudharness_operator.decide.nodes import Wait
from cloudharness_operator.decide.runs import is_superseded

Manifest = dict[str, Any]

ARGO_START_TIMEOUT: Final = timedelta(seconds=30)
"""How long Argo may take to begin, and so to end, a Workflow that was terminated before."""

ARGO_STOP_TIMEOUT: Final = timedelta(seconds=90)
"""How long Argo may take to end a running Workflow, by a deadline or at once. After it the operator
takes Argo's controller for absent."""

DEADLINE_TOLERANCE: Final = timedelta(seconds=2)
"""How much before the deadline a pod may end that was given the seconds left, rounded down."""

_UNSEEN: Final = (
    "Argo has not begun the Workflow: is its workflow controller running, and does it serve this "
    "namespace? (pendingDeadlineSeconds: {})"
)
_NOT_BEGUN: Final = "nothing has begun; set spec.suspend to false to begin"
_NO_NEW_TASK: Final = (
    "no new task starts; running tasks continue; set spec.suspend to false to resume"
)

_DEADLINES: Final = (reasons.DEADLINE_EXCEEDED, reasons.PENDING_DEADLINE_EXCEEDED)
"""Causes of a termination after which the exit task still runs."""
_STRENGTH: Final = {"": 0, "Stop": 1, "Terminate": 2}
_FAILED: Final = (TaskPhase.FAILED, TaskPhase.ERROR)
_ACTIVE: Final = (TaskPhase.PENDING, TaskPhase.RUNNING)


class _Deadline(NamedTuple):
    at: datetime
    reason: str
    message: str


def workflow_patch(
    operation: Operation, child: Child, now: datetime, limit: int, replaced_by: str = ""
) -> Manifest | None:
    """Return the merge patch (RFC 7386) that makes a Workflow agree with its operation, or None.

    `limit` is the pending deadline in seconds of operations that set none; `replaced_by` names the
    operation of the concurrency group that replaces this one.
    """
    why = child.termination or _termination(operation, child, now, limit, replaced_by)
    wanted = _shutdown(operation, child, why, now, limit)
    shutdown = max(child.shutdown, wanted, key=lambda one: _STRENGTH.get(one, 0))
    # Argo does not end a suspended Workflow, not even by a shutdown (its issue 17041).
    suspend = operation.spec.suspend and not shutdown
    spec: Manifest = {}
    if suspend != child.suspended:
        spec["suspend"] = True if suspend else None
    if shutdown != child.shutdown:
        spec["shutdown"] = shutdown
    if not spec and why == child.termination:
        return reminder(child, now)
    return _patch(spec, Intervention(now, termination=why))


def terminate_patch(child: Child, now: datetime) -> Manifest | None:
    """Return the patch that terminates an unwanted Workflow, or None if it is terminating."""
    if child.shutdown:
        return reminder(child, now)
    spec = {"suspend": None, "shutdown": "Terminate"}
    return _patch(spec, Intervention(now, termination=child.termination))


def reminder(child: Child, now: datetime) -> Manifest | None:
    """Return the patch that reminds Argo of the latest change, or None if none is due."""
    at = _reminder_due(child)
    if child.intervention is None or at is None or now < at:
        return None
    return _patch({}, child.intervention.reminded)


def next_reminder(child: Child, now: datetime) -> float | None:
    """Return the seconds until the next reminder, or None."""
    at = _reminder_due(child)
    return max((at - now).total_seconds(), 0.0) if at else None


def _patch(spec: Manifest, intervention: Intervention) -> Manifest:
    metadata = {"annotations": intervention.to_annotations()}
    return {"metadata": metadata, **({"spec": spec} if spec else {})}


def _reminder_due(child: Child) -> datetime | None:
    """Return when to remind Argo, or None if it has reacted, or needs not react."""
    last = child.intervention
    if last is None or not child.phase or child.has_ended or child.deleted:
        return None
    if child.shutdown:
        return last.next_reminder
    if child.suspended:
        # Nothing shows that Argo has seen a suspension, so it gets one reminder.
        return None if last.reminders else last.next_reminder
    idle = not any(task.phase in _ACTIVE for task in child.tasks)
    return last.next_reminder if idle else None


def next_deadline(operation: Operation, child: Child, now: datetime, limit: int) -> float | None:
    """Return the seconds until a deadline, or a reminder, may be due, or None."""
    if (last := child.intervention) and (why := last.termination):
        timeout = _stop_timeout(child)
        due = [last.at + timeout] if timeout else [*_exit_deadlines(operation, child, why, limit)]
    else:
        due = [one.at for one in _deadlines(operation, child, limit)]
    if again := _reminder_due(child):
        due.append(again)
    return max((min(due) - now).total_seconds(), 0.0) if due else None


def stop_timed_out(child: Child, now: datetime) -> ReasonMessage | None:
    """Return why a Workflow was terminated that Argo does not end in time, or None.

    Argo starts no task of a Workflow that is shut down; pods that still run are deleted later.
    """
    timeout = _stop_timeout(child)
    why, last = child.termination, child.intervention
    # A Stop may have become a Terminate since the first cause.
    if why is None or last is None or timeout is None or now < last.at + timeout:
        return None
    return _reason(why)


def _stop_timeout(child: Child) -> timedelta | None:
    """Return how long Argo may take to end a terminated Workflow, or None: without limit."""
    if not child.phase:
        return ARGO_START_TIMEOUT
    # Exit handlers, which run after a Stop, may take any time.
    return ARGO_STOP_TIMEOUT if child.shutdown == "Terminate" else None


def _reason(termination: Termination) -> ReasonMessage:
    return ReasonMessage(termination.reason, termination.message)


def termination_cause(child: Child) -> ReasonMessage | None:
    """Return why a Workflow was ended before its own end, or None if it was not."""
    if child.phase == "Succeeded":
        return None
    if child.termination:
        return _reason(child.termination)
    if child.shutdown and child.message.startswith("Stopped with strategy"):
        message = f"somebody has shut the Workflow down: {child.message}"
        return ReasonMessage(reasons.CANCELLED, message)
    if child.deadline and _has_overrun(child, child.deadline):
        return ReasonMessage(reasons.DEADLINE_EXCEEDED, _too_long(child.deadline))
    return None


def terminated(why: ReasonMessage, started: datetime | None, finished: datetime) -> Outcome:
    """Return the outcome of a run that was ended before its own end."""
    return Outcome(Phase.FAILED, why.reason, why.message, started, finished)


def stop_unstarted(child: Child | None, now: datetime) -> tuple[Child, Manifest] | None:
    """Return how to end a Workflow that Argo has not begun, and whose operation has ended.

    A second operator may have created it after the first one saw that the operation was cancelled.
    """
    if child is None or child.phase or child.shutdown or child.deleted:
        return None
    changes = terminate_patch(child, now)
    return (child, changes) if changes else None


def pending_reason(operation: Operation, child: Child | None) -> ReasonMessage | None:
    """Return the reason of an operation that is suspended or terminating, or None."""
    if child is None:
        return ReasonMessage(reasons.SUSPENDED, _NOT_BEGUN) if operation.spec.suspend else None
    if why := child.termination:
        by_user = why.reason in reasons.USER_REQUESTED
        return ReasonMessage(reasons.CANCELLING if by_user else why.reason, why.message)
    return ReasonMessage(reasons.SUSPENDED, _NO_NEW_TASK) if child.suspended else None


def queued(operation: Operation, blocked_by: GroupMember) -> ReasonMessage:
    """Return the reason of an operation that waits for others of its concurrency group.

    Only the first in the queue names the operation before it: the others' message would change each
    time that one ends.
    """
    wait = f"runs after {blocked_by.name}" if blocked_by.begun else "waits for its turn"
    group = operation.spec.concurrency_group
    return ReasonMessage(reasons.GROUP_BUSY, f"{wait} (concurrencyGroup {group})")


def occupied(pods: tuple[str, ...]) -> ReasonMessage:
    """Return the reason of an operation that waits for pods of other runs to stop."""
    message = f"waits until pods have stopped that must not run beside it: {pods[0]}"
    return ReasonMessage(reasons.GROUP_BUSY, message)


def replaced(by: str) -> ReasonMessage:
    """Return the reason of an operation that another one replaces."""
    return ReasonMessage(reasons.REPLACED, f"operation {by} replaces it (concurrencyPolicy)")


def _replacement(operation: Operation, child: Child, replaced_by: str) -> ReasonMessage | None:
    if replaced_by:
        return replaced(replaced_by)
    policy = operation.spec.concurrency_policy
    if policy is ConcurrencyPolicy.REPLACE and is_superseded(operation, child):
        message = f"run {operation.spec.run_id} replaces it (concurrencyPolicy)"
        return ReasonMessage(reasons.REPLACED, message)
    return None


def _shutdown(
    operation: Operation, child: Child, why: Termination | None, now: datetime, limit: int
) -> str:
    """Return how to shut the Workflow down: `Stop` runs the exit task, `Terminate` does not."""
    if operation.spec.cancel is Cancel.TERMINATE:
        return "Terminate"
    if why is None:
        return "Stop" if operation.spec.cancel else ""
    if any(at <= now for at in _exit_deadlines(operation, child, why, limit)):
        return "Terminate"
    if child.exit_task and child.phase and why.reason in _DEADLINES:
        return "Stop"
    return "Stop" if operation.spec.cancel else "Terminate"


def _exit_deadlines(
    operation: Operation, child: Child, why: Termination, limit: int
) -> Iterator[datetime]:
    """Yield when a Workflow that is stopped is terminated, unless its exit task can run before."""
    if not child.exit_task:
        return
    if why.reason in _DEADLINES and not child.has_begun_exit:
        yield why.at + ARGO_STOP_TIMEOUT
    exits = (wait for wait in child.waits if wait.task == child.exit_task)
    yield from (at for _, at in _pending_deadlines(operation, child, limit, exits))


def _termination(
    operation: Operation, child: Child, now: datetime, limit: int, replaced_by: str
) -> Termination | None:
    """Return why to end the run now, or None."""
    if operation.spec.cancel:
        message = f"spec.cancel is {operation.spec.cancel.value}"
        return Termination(reasons.CANCELLED, message, now)
    if why := _replacement(operation, child, replaced_by):
        return Termination(why.reason, why.message, now)
    first = min(_deadlines(operation, child, limit), default=None)
    return Termination(first.reason, first.message, now) if first and first.at <= now else None


def _deadlines(operation: Operation, child: Child, limit: int) -> Iterator[_Deadline]:
    """Yield the deadlines that end the run unless something changes before."""
    seconds = _pending_limit(operation, limit)
    for wait, at in _pending_deadlines(operation, child, limit, child.waits):
        message = _stuck(operation, wait, seconds)
        yield _Deadline(at, reasons.PENDING_DEADLINE_EXCEEDED, message)
    if seconds and child.created and not (child.phase or child.suspended):
        end = child.created + timedelta(seconds=seconds)
        yield _Deadline(end, reasons.PENDING_DEADLINE_EXCEEDED, _UNSEEN.format(seconds))
    # Argo enforces this deadline itself, except while the Workflow is suspended, or Argo is absent.
    # It does not apply to the exit task.
    if child.deadline and child.started and not child.has_begun_exit:
        grace = timedelta(0) if child.suspended else ARGO_STOP_TIMEOUT
        end = child.started + timedelta(seconds=child.deadline) + grace
        yield _Deadline(end, reasons.DEADLINE_EXCEEDED, _too_long(child.deadline))


def _pending_limit(operation: Operation, limit: int) -> int:
    own = operation.spec.pending_deadline_seconds
    return limit if own is None else own


def _pending_deadlines(
    operation: Operation, child: Child, limit: int, waits: Iterable[Wait]
) -> Iterator[tuple[Wait, datetime]]:
    """Yield pods that are pending, and when the pending deadline of each expires."""
    seconds = _pending_limit(operation, limit)
    for wait in waits if seconds else ():
        if since := _counted_from(wait, child):
            yield wait, since + timedelta(seconds=seconds)


def _counted_from(wait: Wait, child: Child) -> datetime | None:
    """Return the time from which a pod's pending time counts, or None while it does not count.

    A pod that finds no room may only wait for tasks of its own run to free it.
    """
    if not (wait.message.startswith("Unschedulable") or "exceeded quota" in wait.message):
        return wait.since
    if any(task.phase is TaskPhase.RUNNING for task in child.tasks):
        return None
    ends = [task.completion_time for task in child.tasks if task.completion_time]
    return max([wait.since, *ends])


def _stuck(operation: Operation, wait: Wait, seconds: int) -> str:
    # The kubelet reports nothing between two attempts; the status has its last message.
    last = (t.message for t in operation.status.tasks if t.name == wait.task and t.reason)
    message = wait.message or next(last, None) or "its pod has not started"
    return f"task {wait.task}: {message} (pendingDeadlineSeconds: {seconds})"


def _too_long(seconds: int) -> str:
    return f"not done after {seconds} s (activeDeadlineSeconds)"


def _has_overrun(child: Child, seconds: int) -> bool:
    if child.started is None or child.finished is None:
        return False
    end = child.started + timedelta(seconds=seconds)
    failed = [
        task for task in child.tasks if task.phase in _FAILED and task.name != child.exit_task
    ]
    if not failed:
        return child.finished >= end and not child.has_begun_exit
    return any(_is_late(task, end, child.bounded) for task in failed)


def _is_late(task: TaskStatus, end: datetime, bounded: tuple[str, ...]) -> bool:
    """Whether the deadline of its run has ended a task, not the task itself or its own deadline."""
    if task.reason == reasons.DEADLINE_EXCEEDED and task.name not in bounded:
        # It has no other deadline. Its end time says nothing: of a pod that the kubelet has ended,
        # the end of the containers may be unknown, and Argo then takes that of the init container.
        return True
    if task.completion_time is None:
        return False
    early = DEADLINE_TOLERANCE if task.reason == reasons.DEADLINE_EXCEEDED else timedelta(0)
    return task.completion_time >= end - early
