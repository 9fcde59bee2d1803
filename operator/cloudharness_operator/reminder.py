"""Argo is told once more what it may have missed.

Its controller writes its own last update back into its cache (workflow/controller/operator.go,
writeBackToInformer). Where it is slow, that puts an older Workflow over a newer one, and what was
written in between it does not see until something else changes: hours later, or never.
So who changes what Argo is to do writes down when, and touches the Workflow again, ever more
rarely, for as long as nothing shows that Argo has seen it (docs/decisions/0021-reminders.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from cloudharness_operation.record import TaskPhase
from cloudharness_operator.child import Child

_AT_WORK: Final = (TaskPhase.PENDING, TaskPhase.RUNNING)


def due(child: Child) -> datetime | None:
    """Return when Argo is to be reminded, or None: it has answered, or no answer is needed."""
    if child.steered is None or not child.phase or child.has_ended or child.deleted:
        return None
    if child.shutdown:
        return child.steered.next
    if child.suspended:
        # What is not begun shows nothing, so this is told twice.
        return None if child.steered.reminders else child.steered.next
    idle = not any(task.phase in _AT_WORK for task in child.tasks)
    return child.steered.next if idle else None


def patch(child: Child, now: datetime) -> dict[str, Any] | None:
    """Return the merge patch that reminds Argo, or None while that is not due."""
    at = due(child)
    if child.steered is None or at is None or now < at:
        return None
    return {"metadata": {"annotations": child.steered.again.to_annotations()}}


def wait(child: Child, now: datetime) -> float | None:
    """Return the seconds until Argo is to be reminded, or None."""
    at = due(child)
    return max((at - now).total_seconds(), 0.0) if at else None
