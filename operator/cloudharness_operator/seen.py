"""What is seen of an operation: all that a decision rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cloudharness_operation.bounds import MAX_TASK_MESSAGE, shortened
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.record import OperationStatus
from cloudharness_operation.render.facts import Facts
from cloudharness_operator.child import Child, Note
from cloudharness_operator.delivery import Delivery
from cloudharness_operator.expiry import FOR_EVER, Expiry, Keep
from cloudharness_operator.runs import is_superseded
from cloudharness_operator.status import INVALID_SPEC
from cloudharness_operator.turns import Member


@dataclass(frozen=True, slots=True)
class Seen:
    """One operation, at one moment."""

    uid: str
    now: datetime
    """The time on the wall, for what is written."""
    clock: float
    """The time of a monotonic clock in seconds, for what is waited for."""
    operation: Operation | None = None
    """None: gone, or settled, or not to be read."""
    gone: bool = False
    """There is no operation of this uid any more, as far as is known."""
    run: int = FIRST_RUN
    """The number of the run that all this is about."""
    settled: bool = False
    """The operation has ended, and everything about it is on record."""
    unreadable: Unreadable | None = None
    child: Child | None = None
    delivery: Delivery | None = None
    refusal: Refusal | None = None
    since: float = 0.0
    """When (by the clock) this process first saw the operation."""
    written: float | None = None
    """When (by the clock) this process last wrote its status."""
    certain: bool = False
    """What is missing above was asked for, and is not there."""
    facts: Facts | None = None
    """What was asked for in order to make the child."""
    expiry: Expiry | None = None
    """The clean-up of a settled operation."""
    server: float = 0.0
    """The API server's time in seconds since 1970, for what is due."""
    swept: bool = False
    """This process has seen to the child's pods that would not stop."""
    keep: Keep = FOR_EVER
    """How long Workflows of former runs are kept."""
    ahead: Member | None = None
    """The operation of its concurrency group that has to go before this one begins."""
    successor: str = ""
    """Name of the operation of its concurrency group that ends this one."""
    log: str | None = None
    """The end of the log of the task that failed first, if it was asked for."""

    @property
    def held(self) -> Child | None:
        """The child, if our finalizer holds it."""
        return self.child if self.child is not None and self.child.is_held else None

    @property
    def superseded(self) -> bool:
        """Whether another run is wanted than the one on record."""
        return self.operation is not None and is_superseded(self.operation, self.child)

    @property
    def status(self) -> OperationStatus:
        """What is on record of the operation."""
        found = self.operation or self.unreadable
        return found.status if found else OperationStatus()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the child could not be created."""

    note: Note
    final: bool
    """Asking again cannot help."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An operation that was stored under another CRD and cannot be understood."""

    generation: int
    status: OperationStatus
    error: InvalidOperation
    manifest: dict[str, Any]
    """What was read, of which parts may be as they should."""
    reason: str = INVALID_SPEC
    """Reason of the end that this makes."""

    @classmethod
    def of(
        cls, manifest: dict[str, Any], error: InvalidOperation, reason: str = INVALID_SPEC
    ) -> Unreadable:
        """Return what is known of an operation that cannot be read, or not be processed."""
        try:
            old = OperationStatus.model_validate(manifest.get("status") or {}, extra="ignore")
        except ValidationError:
            old = OperationStatus()
        generation = manifest["metadata"].get("generation", 1)
        return cls(generation, old, error, manifest, reason)


def unexpected(error: Exception) -> InvalidOperation:
    """Return what is said of an operation that makes the operator's own code fail."""
    said = shortened(f"{type(error).__name__}: {error}", MAX_TASK_MESSAGE)
    return InvalidOperation(f"the operator cannot process this operation: {said}")
