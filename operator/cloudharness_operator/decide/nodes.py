"""What Argo says of a Workflow's tasks: `status.nodes`, read into our own words.

Argo keeps a node for each thing it steps through: the list of steps, each step, each attempt
of a step that may be retried. Those of one task have its template's name, which is the task's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from cloudharness_operation import argo, reasons
from cloudharness_operation.bounds import MAX_TASK_MESSAGE, shortened
from cloudharness_operation.model import MAX_TASKS
from cloudharness_operation.outputs import MAX_OUTPUTS, RESULT, STDOUT
from cloudharness_operation.render import ENTRYPOINT
from cloudharness_operation.status import OutputReference, OutputStatus, TaskPhase, TaskStatus

Manifest = dict[str, Any]

_IMAGE_TROUBLE: Final = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"),
    }
)
"""The kubelet's reasons, pkg/kubelet/images/types.go. It goes to and fro between the first two."""

_CONTAINER_TROUBLE: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)

_EXECUTOR: Final = re.compile(r"^(wait|init): ")
"""Argo's own containers in a task's pod (workflow/common/common.go): what they died of says nothing
of the task, which may have done well."""
_TERMINATED: Final = re.compile(r"^[-a-z0-9]+: (?P<reason>[A-Za-z]+) \(exit code \d+\)")
_NOT_STARTED: Final = re.compile(r"^Pod failed before \S+ container starts due to (?P<reason>\w+)")
"""Argo's words for a pod that failed (workflow/controller/operator.go, inferFailedReason)."""

_CUT_OFF: Final = (
    ("workflow shutdown with strategy", reasons.STOPPED),
    ("Stopped with strategy", reasons.STOPPED),
    ("Step exceeded its deadline", reasons.DEADLINE_EXCEEDED),
    ("Pod was active on the node longer than the specified deadline", reasons.DEADLINE_EXCEEDED),
)
"""How the messages of tasks begin that Argo (workflow/controller/exec_control.go) or the kubelet
(pkg/kubelet/active_deadline.go) has ended."""
_EVICTED: Final = re.compile(
    r"The node was low on resource: |The node had condition: |"
    r"Pod ephemeral local storage usage exceeds |Usage of EmptyDir volume |"
    r"Container \S+ exceeded its local ephemeral storage limit "
)
"""The kubelet's words (pkg/kubelet/eviction), which Argo hands on in place of its own."""

MAX_VALUE: Final = 4 * 1024
"""Bytes of a value that stands in the status, at most."""
MAX_VALUES: Final = 32 * 1024
"""Bytes of all that do."""
MAX_READ_OUTPUTS: Final = 2 * MAX_OUTPUTS
"""Outputs of a task that are read, at most. Anybody with the right to write Workflows can
write any number."""
MAX_OUTPUT_NAME: Final = 63

MAX_TASK_NAME: Final = 63
MAX_NODE_NAME: Final = 253
MAX_FOUND: Final = 2 * MAX_TASKS
"""Tasks that are read of a Workflow, at most. A templatePatch may bring in templates of its own,
and anybody with the right to write Workflows can add any number of them."""

_FAILED: Final = (TaskPhase.FAILED, TaskPhase.ERROR)
_PHASES: Final = {"Omitted": TaskPhase.SKIPPED, **{phase.value: phase for phase in TaskPhase}}


class Wait(NamedTuple):
    """A pod that waits to start."""

    task: str
    since: datetime
    message: str
    """The pod's own, as `Reason: message`, or empty."""


def moment(text: str | None) -> datetime | None:
    """Read a Kubernetes timestamp."""
    return datetime.fromisoformat(text) if text else None


def by_task(manifest: Manifest) -> dict[str, list[Manifest]]:
    """Return the nodes of each task of a Workflow that Argo has come to, in no order.

    are none here): the details are missing then, and nothing else.
    """
    found: dict[str, list[Manifest]] = {}
    for node in argo.nodes(manifest.get("status") or {}).values():
        name = node.get("templateName") or ""
        if name in ("", ENTRYPOINT) or len(name) > MAX_TASK_NAME:
            continue
        if name in found or len(found) < MAX_FOUND:
            found.setdefault(name, []).append(node)
    return found


def last_attempt(nodes: Sequence[Manifest]) -> Manifest | None:
    """Return the node of the last attempt of a task that has ended, or None while it runs."""
    attempts, whole = _attempts(nodes)
    top = whole or (attempts[-1] if attempts else {})
    over = _PHASES.get(top.get("phase") or "") in (TaskPhase.SUCCEEDED, *_FAILED)
    return attempts[-1] if attempts and over else None


def tasks(
    manifest: Manifest, found: dict[str, list[Manifest]] | None = None
) -> tuple[TaskStatus, ...]:
    """Return the tasks of a Workflow that Argo has come to, by their nodes, in no order."""
    found = by_task(manifest) if found is None else found
    return tuple(_task(name, nodes, manifest) for name, nodes in found.items())


def waits(found: Mapping[str, Sequence[Manifest]]) -> tuple[Wait, ...]:
    """Return the pods that wait to start, by the nodes of each task, in no order.

    Not those that wait for a lock of Argo's: there is no pod yet, and a lock is meant to hold up.
    """
    return tuple(
        Wait(name, datetime.fromisoformat(node["startedAt"]), _said(node))
        for name, nodes in found.items()
        for node in nodes
        if node.get("type") == "Pod" and node.get("phase") == "Pending"
        if node.get("startedAt") and not node.get("synchronizationStatus")
    )


def _said(node: Manifest) -> str:
    return shortened(node.get("message") or "", MAX_TASK_MESSAGE)


def waiting(found: Iterable[TaskStatus]) -> TaskStatus | None:
    """Return a task that cannot start without a person's help, or None."""
    return next((one for one in found if one.phase is TaskPhase.PENDING and one.reason), None)


def first_failed(found: Iterable[TaskStatus]) -> TaskStatus | None:
    """Return the task that failed first, or None."""
    bad = [one for one in found if one.phase in _FAILED]
    return min(
        bad, key=lambda one: (one.completion_time is None, one.completion_time), default=None
    )


def _attempts(nodes: Sequence[Manifest]) -> tuple[list[Manifest], Manifest | None]:
    """Return the nodes of the attempts in order, and that of the whole if there may be several."""
    attempts = sorted((n for n in nodes if n.get("type") != "Retry"), key=_order)
    return attempts, next((n for n in nodes if n.get("type") == "Retry"), None)


def _task(name: str, nodes: Sequence[Manifest], workflow: Manifest) -> TaskStatus:
    attempts, whole = _attempts(nodes)
    last = attempts[-1] if attempts else whole
    assert last is not None  # noqa: S101 - for the type checker: there is a node.
    top = whole or last
    phase = _phase(top)
    if whole and phase is TaskPhase.RUNNING:
        phase = _phase(last)  # Argo calls it running while its attempt's pod still waits.
        phase = TaskPhase.PENDING if phase is TaskPhase.PENDING else TaskPhase.RUNNING
    message = last.get("message") or top.get("message") or ""
    reason = _why_failed(message) if phase in _FAILED else None
    if phase is TaskPhase.PENDING:
        reason = _why_waiting(message)
    is_shown = phase in _FAILED or (phase is TaskPhase.PENDING and reason)
    pods = [node for node in attempts if node.get("type") == "Pod"]
    code = (last.get("outputs") or {}).get("exitCode")
    return TaskStatus(
        name=name,
        phase=phase,
        pod_name=argo.pod_name(workflow, pods[-1]) if pods else None,
        node_name=(last.get("hostNodeName") or "")[:MAX_NODE_NAME] or None,
        start_time=moment(top.get("startedAt")),
        completion_time=moment(top.get("finishedAt")),
        attempts=len(pods) or None,
        exit_code=int(code) if code else None,
        reason=reason,
        message=shortened(message or phase.value, MAX_TASK_MESSAGE) if is_shown else None,
    )


def _phase(node: Manifest) -> TaskPhase:
    return _PHASES.get(node.get("phase") or "", TaskPhase.PENDING)


def _order(node: Manifest) -> tuple[str, int]:
    # Two attempts may begin in one second; a name ends in the attempt's number: `task(10)`.
    number = re.search(r"\((\d+)\)$", node.get("name") or "")
    return node.get("startedAt") or "~", int(number[1]) if number else 0


def _why_waiting(message: str) -> str | None:
    # Argo writes a waiting pod's trouble into its node as "Reason: message"
    # (workflow/controller/operator.go, getPendingReason).
    reason = message.partition(": ")[0]
    if reason in _IMAGE_TROUBLE:
        return reasons.IMAGE_PULL_FAILED
    if reason == "Unschedulable" or reason in _CONTAINER_TROUBLE:
        return reason
    return None


def _why_failed(message: str) -> str | None:
    if _EVICTED.match(message):
        return reasons.EVICTED
    if message == "pod deleted":
        return reasons.POD_DELETED
    if _EXECUTOR.match(message):
        return reasons.EXECUTOR_FAILED
    found = _TERMINATED.match(message) or _NOT_STARTED.match(message)
    if found:
        return found["reason"]
    return next((reason for words, reason in _CUT_OFF if message.startswith(words)), None)


def outputs(workflow: str, found: Mapping[str, Sequence[Manifest]]) -> tuple[OutputStatus, ...]:
    """Return the outputs of the tasks that have ended, from each task's nodes, as they ended.

    In this order, what once stood in the status stays there.
    """
    last = [(name, node) for name, some in found.items() if (node := last_attempt(some))]
    last.sort(key=lambda one: (one[1].get("finishedAt") or "", one[0]))
    return tuple(_limited(one for name, node in last for one in _outputs(workflow, name, node)))


def _outputs(workflow: str, task: str, node: Manifest) -> Iterator[OutputStatus]:
    left = node.get("outputs") or {}
    where = OutputReference(workflow=workflow, node=node.get("id") or "")
    parameters = (left.get("parameters") or ())[:MAX_READ_OUTPUTS]
    found = {one["name"][:MAX_OUTPUT_NAME]: one.get("value") for one in parameters}
    if node.get("phase") != "Succeeded":
        found.pop(RESULT, None)  # What stands there is not what the function returned.
    if "result" in left:
        found[STDOUT] = left["result"]
    for name, value in found.items():
        if value is not None:
            size = len(value.encode(errors="replace"))
            yield OutputStatus(task=task, name=name, size=size, value=value, value_from=where)


def _limited(outputs: Iterator[OutputStatus]) -> Iterator[OutputStatus]:
    """Yield outputs with a value, or with where it is."""
    room = MAX_VALUES
    for output in outputs:
        if output.size > min(MAX_VALUE, room):
            yield output.model_copy(update={"value": None})
            continue
        room -= output.size
        yield output.model_copy(update={"value_from": None})
