"""The status of an operation, computed from what is seen of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from cloudharness_operation.bounds import MAX_MESSAGE, shortened
from cloudharness_operation.event import Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.names import WORKFLOW_API_VERSION
from cloudharness_operation.record import (
    GIVEN_UP,
    Condition,
    OperationStatus,
    Phase,
    TaskStatus,
    WorkflowRef,
)
from cloudharness_operator import control, details, runs
from cloudharness_operator.child import Child, Note
from cloudharness_operator.conditions import Observation, merged
from cloudharness_operator.delivery import Delivery

INVALID_SPEC: Final = "InvalidSpec"
INTERNAL_ERROR: Final = "InternalError"
SUBMISSION_FAILED: Final = "SubmissionFailed"
NAME_TAKEN: Final = "NameTaken"
WORKFLOW_CREATED: Final = "WorkflowCreated"
TASKS_RUNNING: Final = "TasksRunning"
ALL_TASKS_SUCCEEDED: Final = "AllTasksSucceeded"
TASK_FAILED: Final = "TaskFailed"
WORKFLOW_ERROR: Final = "WorkflowError"
WORKFLOW_LOST: Final = "WorkflowLost"
DELETED: Final = "Deleted"

NEVER_ACCEPTED: Final = frozenset({INVALID_SPEC, SUBMISSION_FAILED, NAME_TAKEN})


class Notified(NamedTuple):
    """What the condition `Notified` is to say."""

    done: bool
    reason: str = "EventAcknowledged"
    message: str = "Kafka has confirmed the exit event"


PUBLISHING: Final = Notified(
    done=False, reason="Publishing", message="the exit event is on its way"
)


def given_up(delivery: Delivery, seconds: int) -> Notified:
    """Return what is said of an event that has been tried for so long."""
    last = f"{delivery.reason}: {delivery.message}"
    return Notified(
        done=False,
        reason=GIVEN_UP,
        message=f"given up {_long(seconds)} after the end (kafka.giveUpAfterSeconds); {last}",
    )


def _long(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    return f"{seconds} s" if rest else f"{days} day{'s' * (days > 1)}"


def under_way(
    operation: Operation, child: Child | None, refusal: Note | None, now: datetime
) -> OperationStatus:
    """Return the status of an operation that has not ended."""
    standing = control.standing(operation, child)
    note = standing or refusal or _where(operation.status, child)
    suspended = note.reason == control.SUSPENDED
    running = child is not None and child.phase == "Running"
    tasks = details.under_way(operation, child)
    observations = (
        Observation("Accepted", holds=True, reason="Accepted"),
        Observation("Reconciling", holds=True, reason=note.reason, message=note.message),
        Observation("Finished", holds=False, reason=note.reason, message=note.message),
        *_suspended(operation.status, note if suspended else None, control.RESUMED),
    )
    moving = Phase.RUNNING if running else Phase.PENDING
    return OperationStatus(
        **_identity(operation, child),
        phase=Phase.SUSPENDED if suspended else moving,
        reason=note.reason,
        message=note.message,
        progress=_progress(operation, child, tasks),
        task_counts=details.counts(tasks),
        tasks=tasks,
        outputs=(child.outputs if child else ()) or operation.status.outputs,
        claims=details.claims(operation, child),
        start_time=child.started if child else None,
        workflow_ref=_reference(operation, child),
        conditions=_conditions(operation, child, observations, now),
    )


def ended(
    operation: Operation,
    child: Child | None,
    outcome: Outcome,
    notified: Notified | None,
    now: datetime,
) -> OperationStatus:
    """Return the status of an operation that has ended. `notified` is None if nobody asked."""
    old, reason, message = operation.status, outcome.reason, outcome.message
    succeeded = outcome.status == Phase.SUCCEEDED
    tasks = details.ended(operation, child, outcome)
    observations = [
        Observation("Accepted", reason not in NEVER_ACCEPTED, reason, message)
        if reason in NEVER_ACCEPTED
        else Observation("Accepted", holds=True, reason="Accepted"),
        Observation("Reconciling", holds=False, reason=reason),
        Observation(
            "Complete" if succeeded else "Failed", holds=True, reason=reason, message=message
        ),
        Observation("Finished", holds=True, reason=reason, message=message),
        *_suspended(old, None, reason),
    ]
    if not succeeded:
        observations.append(Observation("Stalled", holds=True, reason=reason, message=message))
    if notified:
        observations.append(Observation("Notified", *notified))
    return OperationStatus(
        **_identity(operation, child),
        phase=Phase.CANCELLED if reason in control.CUT_BY_PEOPLE else Phase(outcome.status),
        reason=reason,
        message=message,
        progress=_progress(operation, child, tasks) or old.progress,
        task_counts=details.counts(tasks),
        tasks=tasks,
        outputs=(child.outputs if child else ()) or operation.status.outputs,
        claims=details.claims(operation, child),
        start_time=outcome.started or old.start_time,
        completion_time=outcome.finished,
        workflow_ref=_reference(operation, child),
        conditions=_conditions(operation, child, observations, now),
    )


def invalid(
    old: OperationStatus,
    generation: int,
    why: Note,
    notified: Notified | None,
    now: datetime,
) -> OperationStatus:
    """Return the status of an operation whose spec cannot be read, or not be processed."""
    reason, message = why.reason, shortened(why.message, MAX_MESSAGE)
    observations = (
        Observation("Accepted", holds=False, reason=reason, message=message),
        Observation("Reconciling", holds=False, reason=reason),
        Observation("Failed", holds=True, reason=reason, message=message),
        Observation("Finished", holds=True, reason=reason, message=message),
        Observation("Stalled", holds=True, reason=reason, message=message),
        *([Observation("Notified", *notified)] if notified else ()),
    )
    # What was observed of it before, by an operator that could read it, stays true.
    return old.model_copy(
        update={
            "observed_generation": generation,
            "phase": Phase.ERROR,
            "reason": reason,
            "message": message,
            "completion_time": now,
            "conditions": merged(old, generation, observations, now),
        }
    )


def observed(old: OperationStatus, generation: int) -> dict[str, Any] | None:
    """Return what to write of one that has ended, where its spec has changed since, or None.

    Nothing comes of the change, but who waits for the newest generation must not wait for ever.
    """
    seen = {"observed_generation": generation}
    conditions = tuple(one.model_copy(update=seen) for one in old.conditions)
    new = old.model_copy(update={**seen, "conditions": conditions})
    return changes(old, new) or None


def informed(
    old: OperationStatus, generation: int, now: datetime, notified: Notified
) -> dict[str, Any] | None:
    """Return what to write of one that has ended where only what Kafka knows changes."""
    told = merged(old, generation, [Observation("Notified", *notified)], now)
    others = tuple(one for one in old.conditions if one.type != "Notified")
    return changes(old, old.model_copy(update={"conditions": others + told})) or None


def changes(old: OperationStatus, new: OperationStatus) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) that leads from one status to the other."""
    before, after = _plain(old), _plain(new)
    patch = {key: value for key, value in after.items() if before.get(key) != value}
    return patch | {key: None for key in before if key not in after}


_DETAILS: Final = frozenset({"tasks", "outputs", "claims", "failure", "history"})


def essential(patch: dict[str, Any]) -> dict[str, Any]:
    """Return a patch without the parts that can be large: for what the API server does not store.

    An operation may take all that etcd has for one object.
    """
    return {key: value for key, value in patch.items() if key not in _DETAILS}


def only_details(patch: dict[str, Any]) -> bool:
    """Whether a patch tells nothing but how far each task is."""
    return set(patch) <= {"progress", "taskCounts", "tasks", "outputs"}


def _plain(status: OperationStatus) -> dict[str, Any]:
    dumped = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in dumped.items() if value != []}


def _identity(operation: Operation, child: Child | None) -> dict[str, Any]:
    """Return which run a status is about, and the runs before it."""
    return {
        "observed_generation": runs.generation(operation, child),
        "run": operation.run,
        "run_id": runs.run_id(operation, child),
        "history": operation.status.history,
    }


def _where(old: OperationStatus, child: Child | None) -> Note:
    if child is None:
        return Note("Pending", "")
    if child.waiting:
        # The kubelet words the same trouble in changing ways; one of them is enough.
        same = old.reason == child.waiting.reason and old.message
        return Note(old.reason or "", old.message or "") if same else child.waiting
    if child.phase == "Running":
        return Note(TASKS_RUNNING, "")
    return Note(WORKFLOW_CREATED, child.message or "waiting for the Argo workflow controller")


def _suspended(old: OperationStatus, note: Note | None, otherwise: str) -> tuple[Observation, ...]:
    """Return what is said of being suspended, which is nothing where nobody ever asked for it."""
    if note:
        return (Observation("Suspended", holds=True, reason=note.reason, message=note.message),)
    asked = any(condition.type == "Suspended" for condition in old.conditions)
    return (Observation("Suspended", holds=False, reason=otherwise),) if asked else ()


def _progress(
    operation: Operation, child: Child | None, tasks: tuple[TaskStatus, ...]
) -> str | None:
    if counts := details.counts(tasks):
        return f"{counts.succeeded}/{counts.total}"
    if child is None or not child.progress:
        return None
    # Argo counts the tasks that it has come to, and so would go from 1/1 to 1/2.
    done, _, known = child.progress.partition("/")
    return f"{done}/{max(int(known), len(operation.spec.tasks))}"


def _reference(operation: Operation, child: Child | None) -> WorkflowRef | None:
    if child is None:
        return operation.status.workflow_ref
    return WorkflowRef(api_version=WORKFLOW_API_VERSION, name=child.name, uid=child.uid)


def _conditions(
    operation: Operation, child: Child | None, wanted: Iterable[Observation], now: datetime
) -> tuple[Condition, ...]:
    return merged(operation.status, runs.generation(operation, child), wanted, now)
