"""Explain why an operation failed or waits, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cloudharness_operation import reasons
from cloudharness_operation.model import Operation
from cloudharness_operation.status import Failure, Phase, TaskPhase, TaskStatus

_FIXES: Final = {
    # Reasons of tasks.
    "OOMKilled": "give the task more memory: resources.limits.memory",
    reasons.EVICTED: "the node ran out of a resource: set resources.requests (memory, "
    "ephemeral-storage) of the task, or retry it: retry",
    reasons.POD_DELETED: "the pod was deleted, for example because its node was drained: retry the "
    "task with retry",
    reasons.EXECUTOR_FAILED: "a container of Argo failed, not the task's; the message has the "
    "cause. If it mentions permissions, check the roles of the task's service account",
    reasons.IMAGE_PULL_FAILED: "check the image's name and tag, and imagePullSecrets",
    "Unschedulable": "no node has enough resources or matches: "
    "check resources.requests, nodeSelector, tolerations, and the nodes",
    "CreateContainerConfigError": "an object that the pod refers to does not exist, such as a "
    "Secret or ConfigMap",
    "CreateContainerError": "the container cannot be created: check its command and its volumes",
    "RunContainerError": "the container cannot be started: check its command",
    # Reasons of operations.
    reasons.DEADLINE_EXCEEDED: "the run exceeded activeDeadlineSeconds: increase it, or find the "
    "slow task in the logs",
    reasons.PENDING_DEADLINE_EXCEEDED: "a pod was pending for too long: fix its cause, or increase "
    "pendingDeadlineSeconds",
    reasons.INVALID_SPEC: "correct the field that the message names, and apply the operation with "
    "another runId",
    reasons.SUBMISSION_FAILED: "the API server rejects the Workflow: the message gives the reason",
    reasons.NAME_TAKEN: "delete the Workflow of that name, or choose another name",
    reasons.WORKFLOW_LOST: "the Workflow was deleted while it was running: set another runId to "
    "run again",
    reasons.WORKFLOW_ERROR: "Argo could not process the Workflow: the message gives the reason, "
    "the log of Argo's controller has details",
    reasons.GROUP_BUSY: "it starts after the earlier operations of its concurrencyGroup have ended",
    reasons.SUSPENDED: "set spec.suspend to false: `cloudharness-operation resume {name}`",
}
_EXIT_CODES: Final = {
    126: "the command cannot be executed: is it executable?",
    127: "the command was not found: is it in the image, and on its PATH?",
    137: "it was killed (SIGKILL): often for its memory, or because it ignored SIGTERM",
    139: "it crashed (SIGSEGV)",
    143: "it was terminated (SIGTERM)",
}
_BAD: Final = (TaskPhase.FAILED, TaskPhase.ERROR)


def lines(state: Operation) -> Iterator[str]:
    """Yield why an operation has failed or waits, as lines."""
    status, name = state.status, state.metadata.name
    phase = status.phase or Phase.PENDING
    if phase is Phase.SUCCEEDED:
        yield f"{name} has not failed: it succeeded"
        return
    yield f"{name} {'is' if status.completion_time is None else 'ended'} {phase.value}" + (
        f": {status.reason}" if status.reason else ""
    )
    if status.message:
        yield from _indented(status.message)
    if status.failure:
        yield from _failure(state, status.failure)
    explained = {status.failure.reason if status.failure else None}
    for task in status.tasks:
        if task.phase is TaskPhase.PENDING and task.reason:
            yield f"task {task.name} waits: {task.reason}"
            yield from _indented(task.message or "")
            yield from _fix(task.reason, name)
            explained.add(task.reason)
    if status.reason not in explained:
        yield from _fix(status.reason, name)
    yield from _unpublished(state)


def _failure(state: Operation, failure: Failure) -> Iterator[str]:
    task = next((one for one in state.status.tasks if one.name == failure.task), None)
    code = "" if failure.exit_code is None else f", exit code {failure.exit_code}"
    yield f"task {failure.task} failed first: {failure.reason or 'Error'}{code}{_where(task)}"
    if failure.message:
        yield from _indented(failure.message)
    if failure.reason in _FIXES:
        yield from _fix(failure.reason, state.metadata.name)
    elif failure.exit_code in _EXIT_CODES:
        yield f"  -> {_EXIT_CODES[failure.exit_code]}"
    if failure.log_tail:
        yield "the end of its log:"
        yield from (f"  | {line}" for line in failure.log_tail)
    others = [one.name for one in state.status.tasks if one.phase in _BAD and one is not task]
    if others:
        yield f"failed too: {', '.join(others)}"
    if skipped := [one.name for one in state.status.tasks if one.phase is TaskPhase.SKIPPED]:
        yield f"never run: {', '.join(skipped)}"


def _where(task: TaskStatus | None) -> str:
    if task is None:
        return ""
    attempts = f", attempt {task.attempts}" if task.attempts and task.attempts > 1 else ""
    node = f", on {task.node_name}" if task.node_name else ""
    return f"{attempts}{node}" + (f", pod {task.pod_name}" if task.pod_name else "")


def _unpublished(state: Operation) -> Iterator[str]:
    for one in state.status.conditions:
        if one.type == "Notified" and one.status == "False" and state.status.completion_time:
            yield f"the exit event is not published to Kafka: {one.reason}"
            yield from _indented(one.message or "")


def _fix(reason: str | None, name: str) -> Iterator[str]:
    if reason in _FIXES:
        yield f"  -> {_FIXES[reason].format(name=name)}"


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}" for line in text.splitlines())
