"""The observed state of one run: all that a decision rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cloudharness_operation import reasons
from cloudharness_operation.bounds import MAX_TASK_MESSAGE, shortened
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.event import event_id
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.concurrency import GroupMember
from cloudharness_operator.decide.delivery import Delivery
from cloudharness_operator.decide.expiry import FOR_EVER, Expiry, Retention
from cloudharness_operator.decide.runs import is_superseded


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The state of one run of an operation, at one moment."""

    uid: str
    now: datetime
    """The time of day, for what is written."""
    clock: float
    """The time of a monotonic clock in seconds, for waits."""
    operation: Operation | None = None
    """None: deleted, settled or invalid; or the run is a former one."""
    gone: bool = False
    """The cache has no operation of this uid."""
    run: int = FIRST_RUN
    """The number of the run."""
    former: bool = False
    """The run is one before the operation's present run, or the operation is deleted."""
    settled: bool = False
    """The operation has ended, its status is complete and its exit event is not pending."""
    invalid: InvalidManifest | None = None
    child: Child | None = None
    """The run's Workflow."""
    delivery: Delivery | None = None
    """The delivery state of the run's exit event."""
    refusal: Refusal | None = None
    since: float = 0.0
    """When (by the clock) this process first observed the operation."""
    written: float | None = None
    """When (by the clock) this process last wrote its status."""
    certain: bool = False
    """The API server has confirmed that what is missing above is absent."""
    facts: ClusterFacts | None = None
    """What the new Workflow depends on, if it was read."""
    expiry: Expiry | None = None
    """When a settled operation and its Workflow expire."""
    server: float = 0.0
    """The API server's time in seconds since 1970, for expiry."""
    pods_deleted: bool = False
    """This process has deleted the pods that ran on after the Workflow was terminated."""
    retention: Retention = FOR_EVER
    """How long Workflows of former runs are kept."""
    blocked_by: GroupMember | None = None
    """The operation of the concurrency group that must end before this one begins."""
    replaced_by: str = ""
    """Name of the operation of the concurrency group that replaces this one."""
    log: str | None = None
    """The end of the log of the task that failed first, if it was read."""

    @property
    def held_child(self) -> Child | None:
        """The Workflow, if it has the operator's finalizer."""
        return self.child if self.child is not None and self.child.is_held else None

    @property
    def superseded(self) -> bool:
        """Whether `spec.runId` asks for another run than the one in the status."""
        return self.operation is not None and is_superseded(self.operation, self.child)

    @property
    def status(self) -> OperationStatus:
        """The operation's status as last written."""
        found = self.operation or self.invalid
        return found.status if found else OperationStatus()

    @property
    def delivered_event(self) -> str | None:
        """The id of the run's exit event, if the publisher still holds its delivery state."""
        return event_id(self.uid, self.run) if self.delivery else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the Workflow could not be created."""

    why: ReasonMessage
    final: bool
    """The same request would be refused again."""


@dataclass(frozen=True, slots=True)
class InvalidManifest:
    """An operation that cannot be read. It was stored under another CRD."""

    generation: int
    status: OperationStatus
    error: InvalidOperation
    manifest: dict[str, Any]
    """The manifest, of which some fields may be valid."""
    reason: str = reasons.INVALID_SPEC
    """The reason of the end."""

    @classmethod
    def of(
        cls, manifest: dict[str, Any], error: InvalidOperation, reason: str = reasons.INVALID_SPEC
    ) -> InvalidManifest:
        """Keep what can be read of a manifest. A status that cannot be read counts as empty."""
        try:
            old = OperationStatus.model_validate(manifest.get("status") or {}, extra="ignore")
        except ValidationError:
            old = OperationStatus()
        generation = manifest["metadata"].get("generation", 1)
        return cls(generation, old, error, manifest, reason)


def unexpected(error: Exception) -> InvalidOperation:
    """Return the error that an operation is ended with when the operator's own code fails on it."""
    message = shortened(f"{type(error).__name__}: {error}", MAX_TASK_MESSAGE)
    return InvalidOperation(f"the operator cannot process this operation: {message}")
