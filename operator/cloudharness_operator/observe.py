"""From what the operator knows to what a decision rests on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloudharness_operation.bounds import MAX_OBJECT_SIZE
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.event import event_id
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operator import bounded, expiry
from cloudharness_operator.cached import CachedOperation
from cloudharness_operator.child import Child
from cloudharness_operator.expiry import Keep
from cloudharness_operator.ports import Publisher
from cloudharness_operator.seen import Seen, Unreadable, unexpected
from cloudharness_operator.status import INTERNAL_ERROR
from cloudharness_operator.store import Store

Manifest = dict[str, Any]

log = logging.getLogger(__name__)


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

    def present(self, uid: str, whole: Manifest | None = None) -> Seen:
        """Return what is known of an operation and its present run.

        `whole` is the operation as it was read just now, where it is too large to be kept.
        """
        record = self.store.operation(uid)
        if record is None:
            seen = replace(self._of_run(uid, FIRST_RUN), gone=True, child=None)
            # What is left of it sees to its own delivery.
            return replace(seen, delivery=None) if self.store.children(uid) else seen
        seen = self._of_run(uid, record.run)
        if record.settled:
            return replace(seen, settled=True, expiry=record.expiry)
        seen = replace(seen, since=record.since, written=record.written)
        manifest = whole or record.manifest or {}
        try:
            if whole:
                _check_size(whole)
            operation = Operation.parse(manifest)
        except InvalidOperation as error:
            return replace(seen, unreadable=Unreadable.of(manifest, error))
        except Exception as error:  # One operation must not be tried for ever.
            log.exception("operation %s cannot be read", uid)
            bad = Unreadable.of(manifest, unexpected(error), INTERNAL_ERROR)
            return replace(seen, unreadable=bad)
        return self._among_others(replace(seen, operation=operation))

    def former(self, child: Child) -> Seen | None:
        """Return what is known of the child that a former run has left behind, or None."""
        uid, run = child.operation_uid, child.run
        record, left = self.store.operation(uid), self.store.current(child)
        # Of a later run is the child where the operation was seen too early.
        if left is None or (record is not None and run >= record.run):
            return None
        seen = self._with_child(uid, run, left)
        return replace(seen, gone=record is None, keep=_keep(record))

    def _of_run(self, uid: str, run: int) -> Seen:
        return self._with_child(uid, run, self.store.child(uid, run))

    def _with_child(self, uid: str, run: int, child: Child | None) -> Seen:
        """Return what is seen of any run: the time, its child, and what became of its event."""
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
        record, me = self.store.operation(seen.uid), self.store.member(seen.uid)
        if me is None or record is None or record.place is None:
            return seen
        group = self.store.group(record.place)
        ahead, successor = group.ahead(me), group.successor(me)
        return replace(seen, ahead=ahead, successor=successor.name if successor else "")


def _keep(record: CachedOperation | None) -> Keep:
    if record is None:
        return expiry.FOR_EVER
    if (manifest := record.manifest) is None:
        return record.expiry.keep if record.expiry else expiry.FOR_EVER
    return expiry.kept(manifest)


def _check_size(manifest: Manifest) -> None:
    text = bounded.encoded(manifest.get("spec"))
    if isinstance(text, bytes) and len(text) > MAX_OBJECT_SIZE:
        raise InvalidOperation(
            f"spec: {len(text)} bytes as JSON, at most {MAX_OBJECT_SIZE}: put code and data into "
            "an image, a volume or a ConfigMap"
        )
