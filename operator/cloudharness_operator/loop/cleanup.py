"""Deletes what has expired, at a limited rate.

Deletions carry uid and resourceVersion; on a conflict the object is read again and the decision
repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cloudharness_operation.names import KIND, WORKFLOW_KIND
from cloudharness_operator.decide import k8s_events
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.k8s_events import EventMessage
from cloudharness_operator.decide.plan import Plan
from cloudharness_operator.errors import ApiError
from cloudharness_operator.loop.store import Store
from cloudharness_operator.ports import Cluster, Meter, Recorder

ABANDONED: Final = 60.0
"""Seconds after which an unused slot of the rate limiter is dropped."""

CATCH_UP: Final = 0.4
"""Seconds of missed slots that the rate limiter makes up for at once, at most."""

ROUNDING: Final = 1e-6


class RateLimiter:
    """A token bucket that gives each key a slot, so that keys need not ask until theirs.

    Slots are spread evenly over time. Keys that come late for their slots, on a busy processor, use
    the tokens that have accumulated since, so that the rate is kept. The bucket is small: after a
    long delay of the process most of the late keys get later slots.
    """

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._rate = per_second
        self._clock = clock
        self._next = 0.0
        self._tokens = self._capacity = per_second * CATCH_UP
        self._filled = clock()
        self._slots: dict[str, float] = {}

    def __len__(self) -> int:
        """Return the number of keys that wait for their slot."""
        return len(self._slots)

    def delay_for(self, key: str) -> float:
        """Return the seconds until the slot of a key; 0 uses the slot up."""
        now = self._clock()
        self._drop(now - ABANDONED)
        self._fill(now)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._reserve(key, now)
        elif slot <= now and self._tokens < -ROUNDING:
            del self._slots[key]  # Last again: the dict is in the order of the slots.
            slot = self._reserve(key, now)
        if slot > now:
            return slot - now
        # Slots and tokens come at the same rate but not at the same time: one token is lent.
        self._tokens -= 1
        del self._slots[key]
        return 0.0

    def _reserve(self, key: str, now: float) -> float:
        debt = max(0.0, -self._tokens - ROUNDING)
        slot = self._slots[key] = max(now + debt / self._rate, self._next)
        self._next = slot + 1 / self._rate
        return slot

    def _fill(self, now: float) -> None:
        self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
        self._filled = now

    def _drop(self, before: float) -> None:
        while self._slots and (first := next(iter(self._slots.items())))[1] < before:
            del self._slots[first[0]]


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Applies the deletions of a plan."""

    store: Store
    cluster: Cluster
    recorder: Recorder
    meter: Meter
    limiter: RateLimiter
    """Of deletions, of which a great many may be due at once."""
    wall: Callable[[], datetime]

    async def __call__(self, uid: str, plan: Plan) -> float | None:
        """Apply a plan's deletions; return the seconds after which to reconcile again, or None."""
        if plan.retained_by:
            self._emit(uid, k8s_events.deletion_skipped(plan.retained_by))
        if not (plan.delete_workflow or plan.delete_operation or plan.delete_pods):
            return plan.requeue_after
        if (delay := self.limiter.delay_for(uid)) > 0:
            return delay
        if plan.delete_pods:
            await self._delete_pods(uid, plan.delete_pods)
        if plan.delete_operation:
            await self._delete_operation(uid)
        if plan.delete_workflow:
            await self._delete_workflow(plan.delete_workflow)
        return plan.requeue_after

    async def _delete_pods(self, uid: str, child: Child) -> None:
        deleted = await self.cluster.delete_pods(child)
        self.store.mark_pods_deleted(child)
        if deleted:
            self._emit(uid, k8s_events.pods_deleted(deleted))

    async def _delete_workflow(self, child: Child) -> None:
        try:
            left = await self.cluster.delete_workflow(child)
        except ApiError as error:
            if error.code == 409:
                left = await self.cluster.get_workflow(child.namespace, child.name)
                self.store.reread_workflow(child, left)
            raise
        self.store.reread_workflow(child, left)
        self.meter.deleted(WORKFLOW_KIND)

    async def _delete_operation(self, uid: str) -> None:
        if (record := self.store.operation(uid)) is None:
            return
        namespace, name, version = record.namespace, record.name, str(record.version)
        try:
            left = await self.cluster.delete_operation(namespace, name, uid, version)
        except ApiError as error:
            if error.code == 409:
                left = await self.cluster.get_operation(namespace, name)
                self.store.reread_operation(uid, left)
            raise
        self.store.reread_operation(uid, left)
        self.meter.deleted(KIND)

    def _emit(self, uid: str, message: EventMessage) -> None:
        """Create an Event that is about no change of the status."""
        if record := self.store.operation(uid):
            key = {"namespace": record.namespace, "name": record.name, "uid": uid}
            meta = {**key, "resourceVersion": str(record.version)}
            events = k8s_events.to_manifests({"metadata": meta}, (message,), self.wall())
            self.recorder.record(events)
