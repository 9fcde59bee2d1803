"""The parts of a status about single tasks and claims."""

from __future__ import annotations

from collections import Counter

from cloudharness_operation.event import Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.render.volumes import all_mounts, made_name, volume_name
from cloudharness_operation.status import ClaimStatus, TaskCounts, TaskPhase, TaskStatus
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.runs import is_superseded

_ENDED = frozenset({TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.ERROR, TaskPhase.SKIPPED})


def in_progress(operation: Operation, child: Child | None) -> tuple[TaskStatus, ...]:
    """Return all tasks of an operation, or none if nothing is known of any.

    The kubelet words one problem in changing ways; the first message is kept.
    """
    before = {task.name: task for task in operation.status.tasks}
    return tuple(_steady(task, before.get(task.name)) for task in _known(operation, child))


def ended(operation: Operation, child: Child | None, outcome: Outcome) -> tuple[TaskStatus, ...]:
    """Return all tasks of an operation that has ended, each in a final phase."""
    return tuple(_closed(task, outcome) for task in _known(operation, child))


def counts(tasks: tuple[TaskStatus, ...]) -> TaskCounts | None:
    """Return the number of tasks in each phase, or None if no task is known."""
    if not tasks:
        return None
    of = Counter(task.phase for task in tasks)
    return TaskCounts(
        total=len(tasks),
        pending=of[TaskPhase.PENDING],
        running=of[TaskPhase.RUNNING],
        succeeded=of[TaskPhase.SUCCEEDED],
        failed=of[TaskPhase.FAILED] + of[TaskPhase.ERROR],
        skipped=of[TaskPhase.SKIPPED],
    )


def claims(operation: Operation, child: Child | None) -> tuple[ClaimStatus, ...]:
    """Return the claims of the run and where they are mounted."""
    if child is None or is_superseded(operation, child):
        return operation.status.claims
    paths: dict[str, list[str]] = {claim.name: [] for claim in child.claims}
    for mount in all_mounts(operation.spec):
        found = mount.claim if mount.claim in paths else made_name(child.name, volume_name(mount))
        paths.setdefault(found or "", []).append(mount.mount_path)
    return tuple(
        claim.model_copy(update={"mount_paths": tuple(dict.fromkeys(paths[claim.name]))})
        for claim in child.claims
    )


def _known(operation: Operation, child: Child | None) -> tuple[TaskStatus, ...]:
    found = {task.name: task for task in (child.tasks if child else ())}
    if not found:
        return operation.status.tasks
    known = tuple(task.name for task in operation.status.tasks)
    # The spec may be of the next run already.
    if not (known and is_superseded(operation, child)):
        known = tuple(task.name for task in operation.spec.all_tasks)
    return tuple(found.get(name) or TaskStatus(name=name) for name in known)


def _steady(task: TaskStatus, before: TaskStatus | None) -> TaskStatus:
    waits = task.phase is TaskPhase.PENDING and task.reason is not None
    if waits and before and before.reason == task.reason and before.phase is task.phase:
        return task.model_copy(update={"message": before.message})
    return task


def _closed(task: TaskStatus, outcome: Outcome) -> TaskStatus:
    if task.phase in _ENDED:
        return task
    if task.pod_name is None:
        return task.model_copy(update={"phase": TaskPhase.SKIPPED})
    end = {
        "phase": TaskPhase.ERROR,
        "reason": outcome.reason,
        "message": outcome.message,
        "completion_time": outcome.finished,
    }
    return task.model_copy(update=end)
