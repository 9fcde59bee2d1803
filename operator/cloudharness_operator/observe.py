"""From what the operator knows to what a decision rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.event import event_id
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.record import OperationStatus
from cloudharness_operator import expiry, turns
from cloudharness_operator.expiry import Keep
from cloudharness_operator.ports import Publisher
from cloudharness_operator.seen import Seen, Unreadable
from cloudharness_operator.store import Record, Store


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from."""

    wall: Callable[[], datetime]
    """The time of day in UTC, for what is written down."""
    monotonic: Callable[[], float]
    """Seconds from an unknown start, for what is waited for."""
    server: Callable[[], float]
    """The API server's time in seconds since 1970, for what is due."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Gathers what is known of an operation, or of a child that a run has left behind."""

    store: Store
    publisher: Publisher
    clocks: Clocks

    def present(self, uid: str) -> Seen:
        """Return what is known of an operation and its present run."""
        record = self.store.operation(uid)
        if record is None:
            seen = replace(self._of_run(uid, FIRST_RUN), gone=True, child=None)
            # What is left of it sees to its own delivery.
            return replace(seen, delivery=None) if self.store.children(uid) else seen
        seen = self._of_run(uid, record.run)
        if record.manifest is None:
            return replace(seen, settled=True, expiry=record.expiry)
        seen = replace(seen, since=record.since, written=record.written)
        try:
            operation = Operation.parse(record.manifest)
        except InvalidOperation as error:
            return replace(seen, unreadable=_unreadable(record.manifest, error))
        return self._among_others(replace(seen, operation=operation))

    def former(self, uid: str, run: int) -> Seen | None:
        """Return what is known of the child that a former run has left behind, or None."""
        record = self.store.operation(uid)
        seen = self._of_run(uid, run)
        # Of a later run is the child where the operation was seen too early.
        if seen.child is None or (record is not None and run >= record.run):
            return None
        return replace(seen, gone=record is None, keep=_keep(record))

    def _of_run(self, uid: str, run: int) -> Seen:
        """Return what is seen of any run: the time, its child, and what became of its event."""
        child = self.store.child(uid, run)
        return Seen(
            uid,
            self.clocks.wall(),
            self.clocks.monotonic(),
            run=run,
            child=child,
            swept=child is not None and self.store.is_swept(child),
            delivery=self.publisher.delivery(event_id(uid, run)),
            server=self.clocks.server(),
        )

    def _among_others(self, seen: Seen) -> Seen:
        group = self.store.group(seen.uid)
        if (me := group.get(seen.uid)) is None:
            return seen
        ahead, successor = turns.ahead(me, group.values()), turns.successor(me, group.values())
        return replace(seen, ahead=ahead, successor=successor.name if successor else "")


def _keep(record: Record | None) -> Keep:
    if record is None:
        return expiry.FOR_EVER
    if record.manifest is None:
        return record.expiry.keep if record.expiry else expiry.FOR_EVER
    return expiry.kept(record.manifest)


def _unreadable(manifest: dict[str, Any], error: InvalidOperation) -> Unreadable:
    try:
        old = OperationStatus.model_validate(manifest.get("status") or {}, extra="ignore")
    except ValidationError:
        old = OperationStatus()
    return Unreadable(manifest["metadata"].get("generation", 1), old, error, manifest)
