"""Why an operation failed, or waits, and what to do about it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cloudharness_operation.model import Operation
from cloudharness_operation.status import Failure, Phase, TaskPhase, TaskStatus

_FIXES: Final = {
    # Of a task.
    "OOMKilled": "give the task more memory: resources.limits.memory",
    "Evicted": "the node ran short of something: ask for what the task needs in resources.requests "
    "(memory, ephemeral-storage), or let it be tried again: retry",
    "PodDeleted": "somebody or something deleted its pod, as a drained node does: let it be tried "
    "again: retry",
    "ExecutorFailed": "Argo's own container failed, not the task: the message says of what; if it "
    "names rights, look at the task's service account",
    "ImagePullFailed": "look at the image's name and tag, and at imagePullSecrets",
    "Unschedulable": "no node has room or fits: look at resources.requests, nodeSelector and "
    "tolerations, and at the nodes",
    "CreateContainerConfigError": "what the pod refers to is not there, as a Secret or ConfigMap",
    "CreateContainerError": "the container cannot be made: look at its command and its volumes",
    "RunContainerError": "the container cannot be started: look at its command",
    # Of the whole.
    "DeadlineExceeded": "it took longer than activeDeadlineSeconds lets it: raise that, or see in "
    "the logs what took the time",
    "PendingDeadlineExceeded": "a pod did not start in time: mend what it waits for, or raise "
    "pendingDeadlineSeconds",
    "InvalidSpec": "correct the field that the message names, and apply it anew with another runId",
    "SubmissionFailed": "the API server does not take the Workflow: the message says why",
    "NameTaken": "delete the Workflow of that name, or choose another name",
    "WorkflowLost": "somebody deleted the Workflow while it ran: run it again with another runId",
    "WorkflowError": "Argo could not go on with it: the message says why; Argo's controller log "
    "says more",
    "GroupBusy": "it begins when those before it in its concurrencyGroup have ended",
    "Suspended": "set spec.suspend to false: `cloudharness-operation resume {name}`",
}
_EXIT_CODES: Final = {
    126: "what it was to run cannot be executed: is it executable?",
    127: "what it was to run is not there: is it in the image, and on its PATH?",
    137: "it was killed (SIGKILL): often for memory, or because it did not stop when asked to",
    139: "it crashed (SIGSEGV)",
    143: "it was asked to stop (SIGTERM)",
}
_BAD: Final = (TaskPhase.FAILED, TaskPhase.ERROR)


def lines(state: Operation) -> Iterator[str]:
    """Yield what is known of why an operation has failed, or of what it waits for."""
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
        yield from _failed(state, status.failure)
    explained = {status.failure.reason if status.failure else None}
    for task in status.tasks:
        if task.phase is TaskPhase.PENDING and task.reason:
            yield f"task {task.name} waits: {task.reason}"
            yield from _indented(task.message or "")
            yield from _fix(task.reason, name)
            explained.add(task.reason)
    if status.reason not in explained:
        yield from _fix(status.reason, name)
    yield from _untold(state)


def _failed(state: Operation, failure: Failure) -> Iterator[str]:
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


def _untold(state: Operation) -> Iterator[str]:
    for one in state.status.conditions:
        if one.type == "Notified" and one.status == "False" and state.status.completion_time:
            yield f"its end is not told to Kafka: {one.reason}"
            yield from _indented(one.message or "")


def _fix(reason: str | None, name: str) -> Iterator[str]:
    if reason in _FIXES:
        yield f"  -> {_FIXES[reason].format(name=name)}"


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}" for line in text.splitlines())
