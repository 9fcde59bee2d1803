"""Kubernetes Events about an operation, which `kubectl describe` shows.

They repeat what the status says. As the Events of Kubernetes' own controllers they are created
after the status was written, once, and not again if that fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from cloudharness_operation import reasons
from cloudharness_operation.names import API_VERSION, KIND, MANAGER
from cloudharness_operation.status import Condition, OperationStatus, Phase, TaskPhase
from cloudharness_operator.decide import status

Manifest = dict[str, Any]

MAX_NOTE: Final = 1024
"""Characters of an Event's note (`events.k8s.io/v1`, field note)."""

_QUIET: Final = frozenset({reasons.TASKS_RUNNING, reasons.WORKFLOW_CREATED, "Pending"})
_ASKED_FOR: Final = frozenset(
    {reasons.SUSPENDED, reasons.CANCELLING, reasons.GROUP_BUSY, reasons.RUN_REQUESTED}
)
_FAILED: Final = (TaskPhase.FAILED, TaskPhase.ERROR)


class EventMessage(NamedTuple):
    """The text of one Event."""

    reason: str
    note: str
    warning: bool = False
    prefix: str = ""
    """Distinguishes its name from those of other Events about the same resource version."""


def pods_deleted(pods: tuple[str, ...]) -> EventMessage:
    """Return the Event of pods that still ran after their run was terminated."""
    note = f"deleted, since they still ran after the run was terminated: {', '.join(pods)}"
    return EventMessage("PodsDeleted", note, warning=True, prefix="stopped-")


def deletion_skipped(owner: str) -> EventMessage:
    """Return the Event of an expired operation that a GitOps tool owns."""
    note = (
        f"not deleted after ttlSecondsAfterFinished: {owner} owns it and would create it again; "
        f"remove it there, or remove ttlSecondsAfterFinished"
    )
    return EventMessage("TTLDeletionSkipped", note, prefix="kept-")


def between(old: OperationStatus, new: OperationStatus) -> tuple[EventMessage, ...]:
    """Return the Events of a change of the status."""
    return (*_on_the_way(old, new), *_failed_tasks(old, new), *_end(old, new))


def _on_the_way(old: OperationStatus, new: OperationStatus) -> Iterator[EventMessage]:
    if new.is_true("Finished"):
        return
    if new.workflow_ref and not old.workflow_ref:
        yield EventMessage(reasons.WORKFLOW_CREATED, f"Workflow {new.workflow_ref.name} runs it")
    elif new.phase is Phase.RUNNING and old.phase not in (Phase.RUNNING, Phase.SUSPENDED):
        yield EventMessage(reasons.TASKS_RUNNING, "the Workflow runs")
    if new.reason and new.reason != old.reason and new.reason not in _QUIET:
        yield EventMessage(new.reason, new.message or "", warning=new.reason not in _ASKED_FOR)
    elif old.is_true("Suspended") and not new.is_true("Suspended"):
        yield EventMessage(reasons.RESUMED, "it continues")


def _failed_tasks(old: OperationStatus, new: OperationStatus) -> Iterator[EventMessage]:
    before = {task.name for task in old.tasks if task.phase in _FAILED}
    for task in new.tasks:
        if task.phase in _FAILED and task.name not in before:
            yield EventMessage(
                reasons.TASK_FAILED, f"task {task.name}: {task.message}", warning=True
            )


def _end(old: OperationStatus, new: OperationStatus) -> Iterator[EventMessage]:
    if new.has_become("Finished", old):
        failed = not new.is_true("Complete")
        if new.phase is Phase.CANCELLED:
            yield EventMessage(new.reason or reasons.CANCELLED, new.message or "")
        else:
            yield EventMessage(
                "Failed" if failed else "Complete", f"{new.reason}: {new.message}", failed
            )
    before, after = _notified(old), _notified(new)
    if after is None or after.reason == status.PUBLISHING.reason:
        return
    if before and (before.status, before.reason) == (after.status, after.reason):
        return
    if after.status == "False":
        yield EventMessage("NotificationFailed", f"{after.reason}: {after.message}", warning=True)
    elif before and before.reason != status.PUBLISHING.reason:
        # Soon after the end it is what everybody expects, and needs no Event.
        yield EventMessage("Notified", after.message)


def _notified(of: OperationStatus) -> Condition | None:
    return next((one for one in of.conditions if one.type == "Notified"), None)


def to_manifests(
    operation: Manifest, what: tuple[EventMessage, ...], now: datetime
) -> list[Manifest]:
    """Return the Events as manifests.

    Their names follow from the operation's resource version, so that two writers cannot create one
    twice.
    """
    meta = operation["metadata"]
    version = int(meta["resourceVersion"])
    regarding = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    return [
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "namespace": meta["namespace"],
                "name": f"{meta['name']}.{version:x}-{one.prefix}{number}",
            },
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": MANAGER,
            "reportingInstance": MANAGER,
            "action": "Reconcile",
            "type": "Warning" if one.warning else "Normal",
            "reason": one.reason,
            "note": one.note[:MAX_NOTE],
            "regarding": regarding,
        }
        for number, one in enumerate(what)
    ]
