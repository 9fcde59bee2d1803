"""Whose turn it is among the operations of a concurrency group.

All is computed from what the API server keeps of them, so that every operator, also after a
restart, comes to the same order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cloudharness_operation.runs import FIRST_RUN_ID, ConcurrencyPolicy

Manifest = dict[str, Any]
Place = tuple[str, str]
"""Where a group is: namespace and name."""


@dataclass(frozen=True, slots=True)
class Member:
    """An operation of a group that has not ended."""

    name: str
    policy: ConcurrencyPolicy
    queued: str
    """When its run was asked for, as Kubernetes writes times: these sort as texts."""
    begun: bool = False
    """Whether its Workflow is there."""
    ready: bool = True
    """Whether it would begin if it were alone."""

    @property
    def order(self) -> tuple[str, str]:
        """What members are sorted by. Times have whole seconds, so names part what they do not."""
        return self.queued, self.name

    @property
    def waits(self) -> bool:
        """Whether it stands in the queue."""
        return self.ready and not self.begun and self.policy is not ConcurrencyPolicy.ALLOW


def place(manifest: Manifest) -> Place | None:
    """Return the group of an operation, or None if it has none."""
    group = (manifest.get("spec") or {}).get("concurrencyGroup")
    return (manifest["metadata"]["namespace"], group) if isinstance(group, str) else None


def read(manifest: Manifest) -> Member | None:
    """Return an operation as a member of its group, or None if it is none, or has ended."""
    meta, spec, status = (manifest.get(part) or {} for part in ("metadata", "spec", "status"))
    if place(manifest) is None:
        return None
    finished = _condition(status, "Finished")
    over = finished.get("status") == "True"
    if over and not is_superseded(manifest):
        return None
    first = status.get("run", 1) == 1 and not over
    return Member(
        name=meta["name"],
        policy=_policy(spec),
        queued=meta["creationTimestamp"] if first else finished.get("lastTransitionTime", ""),
        begun=bool(status.get("workflowRef")) and not over,
        ready=not (spec.get("suspend") or spec.get("cancel") or meta.get("deletionTimestamp")),
    )


def is_superseded(manifest: Manifest) -> bool:
    """Whether another run is wanted than the one on record."""
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    wanted = spec.get("runId", FIRST_RUN_ID)
    return bool(status.get("runId", wanted) != wanted)


def _policy(spec: Manifest) -> ConcurrencyPolicy:
    try:
        return ConcurrencyPolicy(spec.get("concurrencyPolicy") or ConcurrencyPolicy.ALLOW)
    except ValueError:
        return ConcurrencyPolicy.ALLOW  # Unreadable, so nothing of it will begin.


def _condition(status: Manifest, kind: str) -> Manifest:
    found = (one for one in status.get("conditions") or () if one.get("type") == kind)
    return next(found, {})


def ahead(me: Member, members: Collection[Member]) -> Member | None:
    """Return who has to go before a member may begin: the first in the queue, or who runs."""
    if me.policy is ConcurrencyPolicy.ALLOW:
        return None
    others = [one for one in members if one.name != me.name]
    before = [one for one in others if one.waits and one.order < me.order]
    if before and me.policy is ConcurrencyPolicy.FORBID:
        return min(before, key=_order)
    return min((one for one in others if one.begun), key=_order, default=None)


def _order(one: Member) -> tuple[str, str]:
    return one.order


def successor(me: Member, members: Collection[Member]) -> Member | None:
    """Return the operation that ends a member, to run in its place, or None."""
    if not (me.begun or me.waits):
        return None
    younger = [one for one in members if _replaces(one) and one.order > me.order]
    return max(younger, key=_order, default=None)


def _replaces(one: Member) -> bool:
    return one.policy is ConcurrencyPolicy.REPLACE and (one.ready or one.begun)


def concerned(members: Collection[Member]) -> set[str]:
    """Return the names of those that a change in the group may move: it is not always all."""
    waiting = [one for one in members if one.waits]
    first = {min(waiting, key=_order).name} if waiting else set()
    replacing = [one for one in members if _replaces(one)]
    if not replacing:
        return first
    newest = max(replacing, key=_order)
    return {one.name for one in members if one.order <= newest.order} | first
