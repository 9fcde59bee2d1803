"""From the cache to the observed state that a decision rests on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloudharness_operation import reasons
from cloudharness_operation.bounds import MAX_OBJECT_SIZE
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.event import event_id
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operator import bounded_json
from cloudharness_operator.decide import expiry
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.expiry import Retention
from cloudharness_operator.decide.state import InvalidManifest, ObservedState, unexpected
from cloudharness_operator.loop.cached import CachedOperation
from cloudharness_operator.loop.store import Store
from cloudharness_operator.ports import Publisher

Manifest = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The sources of the time."""

    wall: Callable[[], datetime]
    """The time of day in UTC, for what is written."""
    monotonic: Callable[[], float]
    """Seconds from an unknown start, for waits."""
    server: Callable[[], float]
    """The API server's time in seconds since 1970, for expiry."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Gathers the observed state of a run."""

    store: Store
    publisher: Publisher
    clocks: Clocks

    def present_run(self, uid: str, whole: Manifest | None = None) -> ObservedState:
        """Return the state of an operation's present run.

        `whole` is the operation as read just now, if it is too large for the cache.
        """
        record = self.store.operation(uid)
        if record is None:
            state = replace(self._of_run(uid, FIRST_RUN), gone=True, child=None)
            # The remaining Workflows handle their own delivery (orphans.py).
            return replace(state, delivery=None) if self.store.children(uid) else state
        state = self._of_run(uid, record.run)
        if record.settled:
            return replace(state, settled=True, expiry=record.expiry)
        state = replace(state, since=record.since, written=record.written)
        manifest = whole or record.manifest or {}
        try:
            if whole:
                _check_size(whole)
            operation = Operation.parse(manifest)
        except InvalidOperation as error:
            return replace(state, invalid=InvalidManifest.of(manifest, error))
        except Exception as error:  # One operation must not be retried for ever.
            fields = self.store.log_fields(uid)
            log.exception("operation %s cannot be read", uid, extra=fields)
            bad = InvalidManifest.of(manifest, unexpected(error), reasons.INTERNAL_ERROR)
            return replace(state, invalid=bad)
        return self._in_group(replace(state, operation=operation))

    def former_run(self, child: Child) -> ObservedState | None:
        """Return the state of the former run that a Workflow is of, or None if it is of none."""
        uid, run = child.operation_uid, child.run
        record, left = self.store.operation(uid), self.store.current(child)
        # The Workflow is of a later run if the operation in the cache is older than it.
        if left is None or (record is not None and run >= record.run):
            return None
        state = self._with_child(uid, run, left)
        return replace(state, former=True, gone=record is None, retention=_retention(record))

    def _of_run(self, uid: str, run: int) -> ObservedState:
        return self._with_child(uid, run, self.store.child(uid, run))

    def _with_child(self, uid: str, run: int, child: Child | None) -> ObservedState:
        """Return the part of the state that every run has."""
        return ObservedState(
            uid,
            self.clocks.wall(),
            self.clocks.monotonic(),
            run=run,
            child=child,
            pods_deleted=child is not None and self.store.are_pods_deleted(child),
            delivery=self.publisher.delivery(event_id(uid, run)),
            server=self.clocks.server(),
        )

    def _in_group(self, state: ObservedState) -> ObservedState:
        record, me = self.store.operation(state.uid), self.store.member(state.uid)
        if me is None or record is None or record.group is None:
            return state
        group = self.store.group(record.group)
        by = group.replaced_by(me)
        return replace(state, blocked_by=group.blocked_by(me), replaced_by=by.name if by else "")


def _retention(record: CachedOperation | None) -> Retention:
    if record is None:
        return expiry.FOR_EVER
    if (manifest := record.manifest) is None:
        return record.expiry.retention if record.expiry else expiry.FOR_EVER
    return expiry.retention(manifest)


def _check_size(manifest: Manifest) -> None:
    text = bounded_json.encoded(manifest.get("spec"))
    if isinstance(text, bytes) and len(text) > MAX_OBJECT_SIZE:
        raise InvalidOperation(
            f"spec: {len(text)} bytes as JSON, at most {MAX_OBJECT_SIZE}: put code and data into "
            "an image, a volume or a ConfigMap"
        )
