"""The summary of a failure: which task, how, and the end of its log.

The log is read once, when the end is about to be written. If it cannot be read, the summary has no
lines of it.
"""

from __future__ import annotations

from typing import Any, Final

from cloudharness_operation import reasons
from cloudharness_operation.logs import own, readable
from cloudharness_operation.status import Failure, OperationStatus, TaskStatus
from cloudharness_operator.decide import nodes
from cloudharness_operator.decide.state import ObservedState

MAX_LINES: Final = 20
MAX_SIZE: Final = 4 * 1024
"""Bytes of all lines."""
MAX_LINE: Final = 16 * 1024
"""Characters of a line that are read: the end of a longer one, where the executor's text is."""


def missing_log(state: ObservedState, changes: dict[str, Any] | None) -> str | None:
    """Return the pod whose log must be read before the status is written, or None."""
    if state.log is not None or not changes or not changes.get("failure"):
        return None
    failed = _failed(state)
    return failed.pod_name if failed else None


def with_summary(status: OperationStatus, state: ObservedState) -> OperationStatus:
    """Return the status of an end with the failure in it, if a task failed."""
    return status.model_copy(update={"failure": _recorded(state) or _summary(status, state)})


def _recorded(state: ObservedState) -> Failure | None:
    # At the second write of an end, the pod may be gone.
    return state.status.failure if state.status.is_true("Finished") else None


def _failed(state: ObservedState) -> TaskStatus | None:
    if state.child is None or state.child.phase == "Succeeded":
        return None
    return nodes.first_failed(state.child.tasks)


def _summary(status: OperationStatus, state: ObservedState) -> Failure | None:
    failed = _failed(state)
    if failed is None:
        return _without_pod(status)
    return Failure(
        task=failed.name,
        exit_code=failed.exit_code,
        reason=failed.reason,
        message=failed.message,
        log_tail=tail(state.log or ""),
    )


def _without_pod(status: OperationStatus) -> Failure | None:
    """Return the failure of a task for which Argo cannot create a pod, or None.

    An example is an image whose program Argo cannot look up. Argo marks the step as failed, and
    leaves the task's own node as it was (workflow/controller/steps.go, executeStepGroup).
    """
    for task in status.tasks:
        _, named, message = (status.message or "").partition(f".{task.name} error: ")
        if named and task.reason == reasons.TASK_FAILED:
            return Failure(task=task.name, message=message)
    return None


def tail(log: str) -> tuple[str, ...]:
    """Return the last lines that the task itself wrote, without control characters."""
    ends = (line[-MAX_LINE:] for line in log.removesuffix("\n").split("\n"))
    lines = [readable(line) for line in own(ends)]
    while lines and not lines[-1]:
        lines.pop()
    kept: list[str] = []
    room = MAX_SIZE
    for line in reversed(lines[-MAX_LINES:]):
        data = line.encode()
        if len(data) > room:
            # Of a line that is too long, the end is kept.
            if not kept:
                kept.append(data[-room:].decode(errors="ignore"))
            break
        room -= len(data) + 1
        kept.append(line)
    return tuple(reversed(kept))
