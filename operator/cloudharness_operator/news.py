"""What a status write is news of: Kubernetes Events, for whoever runs `kubectl describe`.

They are an echo of the status, which is what counts: written after it, once, and not
repeated when that fails, as the Events of Kubernetes' own controllers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from cloudharness_operation.names import API_VERSION, KIND, MANAGER
from cloudharness_operation.record import Condition, OperationStatus, Phase, TaskPhase
from cloudharness_operator import control, runs, status

Manifest = dict[str, Any]

MAX_NOTE: Final = 1024
"""Characters of an Event's note (`events.k8s.io/v1`, field note)."""

_QUIET: Final = frozenset({status.TASKS_RUNNING, status.WORKFLOW_CREATED, "Pending"})
_ASKED_FOR: Final = frozenset(
    {control.SUSPENDED, control.CANCELLING, control.GROUP_BUSY, runs.RUN_REQUESTED}
)
_FAILED: Final = (TaskPhase.FAILED, TaskPhase.ERROR)


class News(NamedTuple):
    """One thing that has happened to an operation."""

    reason: str
    note: str
    warning: bool = False
    mark: str = ""
    """What tells its name from those of other news of the same version."""


def cleaned_up(workflow: str) -> News:
    """Return the news that a child has had its time."""
    return News("CleanedUp", f"Workflow {workflow} is deleted by the ttlStrategy", mark="cleaned-")


def stopped(pods: tuple[str, ...]) -> News:
    """Return the news that pods are deleted which did not stop when their run was ended."""
    note = f"deleted, since they went on after the run was ended: {', '.join(pods)}"
    return News("PodsDeleted", note, warning=True, mark="stopped-")


def kept(owner: str) -> News:
    """Return the news that an operation stays though it has had its time."""
    note = (
        f"not deleted after ttlSecondsAfterFinished: {owner} owns it and would make it again; "
        f"remove it there, or remove ttlSecondsAfterFinished"
    )
    return News("TTLDeletionSkipped", note, mark="kept-")


def news(old: OperationStatus, new: OperationStatus) -> tuple[News, ...]:
    """Return what has happened between two states of an operation."""
    return (*_on_the_way(old, new), *_failed_tasks(old, new), *_end(old, new))


def _on_the_way(old: OperationStatus, new: OperationStatus) -> Iterator[News]:
    if new.is_true("Finished"):
        return
    if new.workflow_ref and not old.workflow_ref:
        yield News("WorkflowCreated", f"Workflow {new.workflow_ref.name} carries it out")
    elif new.phase is Phase.RUNNING and old.phase not in (Phase.RUNNING, Phase.SUSPENDED):
        yield News(status.TASKS_RUNNING, "the Workflow runs")
    if new.reason and new.reason != old.reason and new.reason not in _QUIET:
        yield News(new.reason, new.message or "", warning=new.reason not in _ASKED_FOR)
    elif old.is_true("Suspended") and not new.is_true("Suspended"):
        yield News(control.RESUMED, "it goes on")


def _failed_tasks(old: OperationStatus, new: OperationStatus) -> Iterator[News]:
    before = {task.name for task in old.tasks if task.phase in _FAILED}
    for task in new.tasks:
        if task.phase in _FAILED and task.name not in before:
            yield News(status.TASK_FAILED, f"task {task.name}: {task.message}", warning=True)


def _end(old: OperationStatus, new: OperationStatus) -> Iterator[News]:
    just_ended = new.is_true("Finished") and not old.is_true("Finished")
    if just_ended:
        failed = not new.is_true("Complete")
        if new.phase is Phase.CANCELLED:
            yield News(new.reason or control.CANCELLED, new.message or "")
        else:
            yield News("Failed" if failed else "Complete", f"{new.reason}: {new.message}", failed)
    before, after = _notified(old), _notified(new)
    if after is None or after.reason == status.PUBLISHING.reason:
        return
    if before and (before.status, before.reason) == (after.status, after.reason):
        return
    if after.status == "False":
        yield News("NotificationFailed", f"{after.reason}: {after.message}", warning=True)
    elif before and before.reason != status.PUBLISHING.reason:
        # Told together with the end, or soon after it, it is what everybody expects.
        yield News("Notified", after.message)


def _notified(of: OperationStatus) -> Condition | None:
    return next((one for one in of.conditions if one.type == "Notified"), None)


def manifests(operation: Manifest, what: tuple[News, ...], now: datetime) -> list[Manifest]:
    """Return the Events that tell of an operation what its latest version is news of.

    Their names follow from that version, so that no two writers tell the same twice.
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
                "name": f"{meta['name']}.{version:x}-{one.mark}{number}",
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
