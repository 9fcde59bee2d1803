"""The status of an operation, computed from its observed state.

The phase and the conditions of each state are in `cloudharness_operation.states`; here they get
their reasons and messages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from cloudharness_operation import reasons, states
from cloudharness_operation.bounds import MAX_MESSAGE, shortened
from cloudharness_operation.event import Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.names import WORKFLOW_API_VERSION
from cloudharness_operation.runs import FIRST_RUN_ID
from cloudharness_operation.states import State
from cloudharness_operation.status import (
    MAX_HISTORY,
    NEVER,
    Condition,
    OperationStatus,
    PastRun,
    Phase,
    TaskStatus,
    WorkflowRef,
)
from cloudharness_operator.decide import control, details, runs
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.delivery import Delivery

MAX_PAST_MESSAGE: Final = 256
"""Characters that are kept of the message of a former run."""


class Notified(NamedTuple):
    """Status, reason and message of the condition `Notified`."""

    done: bool
    reason: str = reasons.EVENT_ACKNOWLEDGED
    message: str = "Kafka has acknowledged the exit event"


PUBLISHING: Final = Notified(
    done=False, reason=reasons.PUBLISHING, message="the exit event is being published"
)


def given_up(delivery: Delivery, seconds: int) -> Notified:
    """Return the condition of an event that was published in vain for so many seconds."""
    last = f"{delivery.reason}: {delivery.message}"
    return Notified(
        done=False,
        reason=reasons.GIVEN_UP,
        message=f"given up {_days(seconds)} after the end (kafka.giveUpAfterSeconds); {last}",
    )


def _days(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    return f"{seconds} s" if rest else f"{days} day{'s' * (days > 1)}"


class Update(NamedTuple):
    """What the conditions of a new status are about."""

    old: OperationStatus
    generation: int
    now: datetime

    def conditions(
        self, state: State, why: ReasonMessage, notified: Notified | None = None
    ) -> tuple[Condition, ...]:
        """Return the conditions of a state, with the times of those that have not changed."""
        found = [self._condition(kind, value, why) for kind, value in state.conditions]
        was_suspended = any(one.type == "Suspended" for one in self.old.conditions)
        if was_suspended and state is not states.SUSPENDED:
            # It says False only of an operation that was suspended once.
            finished = ("Finished", "True") in state.conditions
            reason = why.reason if finished else reasons.RESUMED
            found.append(self._of("Suspended", "False", reason))
        if notified:
            found.append(self.notified(notified))
        return tuple(found)

    def notified(self, notified: Notified) -> Condition:
        """Return the condition `Notified`."""
        value: states.ConditionStatus = "True" if notified.done else "False"
        return self._of("Notified", value, notified.reason, notified.message)

    def _condition(self, kind: str, value: states.ConditionStatus, why: ReasonMessage) -> Condition:
        if (kind, value) == ("Accepted", "True"):
            return self._of(kind, value, reasons.ACCEPTED)
        # That nothing is reconciled any more needs no message.
        message = "" if (kind, value) == ("Reconciling", "False") else why.message
        return self._of(kind, value, why.reason, message)

    def _of(
        self, kind: str, value: states.ConditionStatus, reason: str, message: str = ""
    ) -> Condition:
        before = next((one for one in self.old.conditions if one.type == kind), None)
        unchanged = before and before.status == value and before.last_transition_time != NEVER
        return Condition(
            type=kind,
            status=value,
            reason=reason,
            message=shortened(message, MAX_MESSAGE),
            last_transition_time=before.last_transition_time if before and unchanged else self.now,
            observed_generation=self.generation,
        )


def in_progress(
    operation: Operation, child: Child | None, why: ReasonMessage | None, now: datetime
) -> OperationStatus:
    """Return the status of an operation that has not ended; `why` if it cannot begin yet."""
    reason = control.pending_reason(operation, child) or why or _progress_reason(operation, child)
    tasks = details.in_progress(operation, child)
    if reason.reason == reasons.SUSPENDED:
        state = states.SUSPENDED
    else:
        state = states.RUNNING if child and child.phase == "Running" else states.PENDING
    return OperationStatus(
        **_run(operation, child),
        **_found(operation, child),
        phase=state.phase,
        reason=reason.reason,
        message=reason.message,
        progress=_progress(operation, child, tasks),
        task_counts=details.counts(tasks),
        tasks=tasks,
        start_time=child.started if child else None,
        conditions=_update(operation, child, now).conditions(state, reason),
    )


def ended(
    operation: Operation,
    child: Child | None,
    outcome: Outcome,
    notified: Notified | None,
    now: datetime,
) -> OperationStatus:
    """Return the status of an operation that has ended. `notified` is None without an event."""
    old, why = operation.status, ReasonMessage(outcome.reason, outcome.message)
    tasks = details.ended(operation, child, outcome)
    state = states.final_state(outcome.status, outcome.reason)
    return OperationStatus(
        **_run(operation, child),
        **_found(operation, child),
        phase=state.phase,
        reason=why.reason,
        message=why.message,
        progress=_progress(operation, child, tasks) or old.progress,
        task_counts=details.counts(tasks),
        tasks=tasks,
        start_time=outcome.started or old.start_time,
        completion_time=outcome.finished,
        conditions=_update(operation, child, now).conditions(state, why, notified),
    )


def refused(
    old: OperationStatus,
    generation: int,
    why: ReasonMessage,
    notified: Notified | None,
    now: datetime,
) -> OperationStatus:
    """Return the status of an operation that cannot be read, or not be processed."""
    why = ReasonMessage(why.reason, shortened(why.message, MAX_MESSAGE))
    # The rest of the status, written by an operator that could read the operation, stays true.
    return old.model_copy(
        update={
            "observed_generation": generation,
            "phase": states.REFUSED.phase,
            "reason": why.reason,
            "message": why.message,
            "completion_time": now,
            "conditions": Update(old, generation, now).conditions(states.REFUSED, why, notified),
        }
    )


def of_next_run(operation: Operation, now: datetime) -> OperationStatus:
    """Return the status of an operation whose next run begins: as of a new one, with history."""
    old, wanted = operation.status, operation.spec.run_id
    why = ReasonMessage(reasons.RUN_REQUESTED, f"run {wanted} was requested")
    generation = operation.metadata.generation
    conditions = Update(old, generation, now).conditions(states.PENDING, why)
    return OperationStatus(
        observed_generation=generation,
        run=operation.run + 1,
        run_id=wanted,
        phase=states.PENDING.phase,
        reason=why.reason,
        message=why.message,
        conditions=tuple(one for one in conditions if one.type != "Suspended"),
        history=(*_past(operation), *old.history)[:MAX_HISTORY],
    )


def _past(operation: Operation) -> tuple[PastRun, ...]:
    """Return the run in the status as a former one; none if it never ended."""
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


def observed_generation(old: OperationStatus, generation: int) -> dict[str, Any] | None:
    """Return the change that acknowledges a new spec of an operation that has ended, or None.

    The new spec has no effect, but a tool that waits for its generation must not wait for ever.
    """
    update = {"observed_generation": generation}
    conditions = tuple(one.model_copy(update=update) for one in old.conditions)
    new = old.model_copy(update={**update, "conditions": conditions})
    return merge_patch(old, new) or None


def with_notified(
    old: OperationStatus, generation: int, now: datetime, notified: Notified
) -> dict[str, Any] | None:
    """Return the change of the condition `Notified` alone, or None if it has not changed."""
    new = Update(old, generation, now).notified(notified)
    others = tuple(one for one in old.conditions if one.type != "Notified")
    return merge_patch(old, old.model_copy(update={"conditions": (*others, new)})) or None


def merge_patch(old: OperationStatus, new: OperationStatus) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) from one status to another."""
    before, after = _plain(old), _plain(new)
    patch = {key: value for key, value in after.items() if before.get(key) != value}
    return patch | {key: None for key in before if key not in after}


_DETAILS: Final = frozenset({"tasks", "outputs", "claims", "failure", "history"})


def essential(patch: dict[str, Any]) -> dict[str, Any]:
    """Return a patch without its large parts, for an operation that fills etcd's limit."""
    return {key: value for key, value in patch.items() if key not in _DETAILS}


def only_details(patch: dict[str, Any]) -> bool:
    """Whether a patch changes nothing but the progress of tasks."""
    return set(patch) <= {"progress", "taskCounts", "tasks", "outputs"}


def _plain(status: OperationStatus) -> dict[str, Any]:
    dumped = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in dumped.items() if value != []}


def _run(operation: Operation, child: Child | None) -> dict[str, Any]:
    """Return the fields that say which run a status is about, and its history."""
    return {
        "observed_generation": runs.generation(operation, child),
        "run": operation.run,
        "run_id": runs.run_id(operation, child),
        "history": operation.status.history,
    }


def _found(operation: Operation, child: Child | None) -> dict[str, Any]:
    """Return the fields that are read from the Workflow, and kept when it is gone."""
    return {
        "outputs": (child.outputs if child else ()) or operation.status.outputs,
        "claims": details.claims(operation, child),
        "workflow_ref": _reference(operation, child),
    }


def _update(operation: Operation, child: Child | None, now: datetime) -> Update:
    return Update(operation.status, runs.generation(operation, child), now)


def _progress_reason(operation: Operation, child: Child | None) -> ReasonMessage:
    old = operation.status
    if child is None:
        return ReasonMessage(reasons.PENDING, "")
    if child.waiting:
        # The kubelet words one problem in changing ways; the first message is enough.
        same = old.reason == child.waiting.reason and old.message
        return ReasonMessage(old.reason or "", old.message or "") if same else child.waiting
    if child.phase == "Running":
        return ReasonMessage(reasons.TASKS_RUNNING, "")
    waiting = child.message or "waiting for the Argo workflow controller"
    return ReasonMessage(reasons.WORKFLOW_CREATED, waiting)


def _progress(
    operation: Operation, child: Child | None, tasks: tuple[TaskStatus, ...]
) -> str | None:
    if counts := details.counts(tasks):
        return f"{counts.succeeded}/{counts.total}"
    if child is None or not child.progress:
        return None
    # Argo counts the tasks that it has come to, and so would go from 1/1 to 1/2.
    done, _, known = child.progress.partition("/")
    return f"{done}/{max(int(known), len(operation.spec.all_tasks))}"


def _reference(operation: Operation, child: Child | None) -> WorkflowRef | None:
    if child is None:
        return operation.status.workflow_ref
    return WorkflowRef(api_version=WORKFLOW_API_VERSION, name=child.name, uid=child.uid)
