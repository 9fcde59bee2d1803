"""The order of the operations of a concurrency group.

It is computed from what the API server stores, so that every operator, also after a restart,
computes the same order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from cloudharness_operation import runs
from cloudharness_operation.runs import FIRST_RUN_ID, ConcurrencyPolicy

Manifest = dict[str, Any]
GroupKey = tuple[str, str]
"""Namespace and name of a group."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """An operation of a group that has not ended."""

    name: str
    policy: ConcurrencyPolicy
    queued: str
    """When its run was requested. Kubernetes' format of times sorts as text."""
    begun: bool = False
    """Whether its Workflow exists."""
    ready: bool = True
    """Whether it would begin if it were the only member."""

    @property
    def order(self) -> tuple[str, str]:
        """The sort key. Times have whole seconds, so the name decides between equal times."""
        return self.queued, self.name

    @property
    def waits(self) -> bool:
        """Whether it is in the queue."""
        return self.ready and not self.begun and self.policy is not ConcurrencyPolicy.ALLOW


def group_key(manifest: Manifest) -> GroupKey | None:
    """Return the group of an operation, or None if it has none."""
    group = (manifest.get("spec") or {}).get("concurrencyGroup")
    return (manifest["metadata"]["namespace"], group) if isinstance(group, str) else None


def read(manifest: Manifest) -> GroupMember | None:
    """Return an operation as a member of its group, or None if it is none, or has ended."""
    meta, spec, status = (manifest.get(part) or {} for part in ("metadata", "spec", "status"))
    if group_key(manifest) is None:
        return None
    finished = _condition(status, "Finished")
    over = finished.get("status") == "True"
    if over and not is_superseded(manifest):
        return None
    first = status.get("run", 1) == 1 and not over
    return GroupMember(
        name=meta["name"],
        policy=_policy(spec),
        queued=str(meta["creationTimestamp"] if first else finished.get("lastTransitionTime", "")),
        begun=bool(status.get("workflowRef")) and not over,
        ready=not (spec.get("suspend") or spec.get("cancel") or meta.get("deletionTimestamp")),
    )


def is_superseded(manifest: Manifest) -> bool:
    """Whether `spec.runId` asks for another run than the one in the status."""
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    return runs.is_superseded(status.get("runId"), spec.get("runId", FIRST_RUN_ID))


def _policy(spec: Manifest) -> ConcurrencyPolicy:
    try:
        return ConcurrencyPolicy(spec.get("concurrencyPolicy") or ConcurrencyPolicy.ALLOW)
    except ValueError:
        return ConcurrencyPolicy.ALLOW  # Invalid, so it will not begin.


def _condition(status: Manifest, kind: str) -> Manifest:
    found = (one for one in status.get("conditions") or () if one.get("type") == kind)
    return next(found, {})


class Group:
    """The members of a group at one moment, in their order. No method searches all of them.

    A user with the right to create operations can put ten thousand of them into one group.
    """

    def __init__(self, members: Collection[GroupMember]) -> None:
        """Take all members that have not ended."""
        found = sorted(members, key=_order)
        self._orders = [one.order for one in found]
        self._names = [one.name for one in found]
        self.first = next((one for one in found if one.waits), None)
        # Two, since one of them may be the member in question.
        self._begun = [one for one in found if one.begun][:2]
        self.newest = next((one for one in reversed(found) if _replaces(one)), None)

    def blocked_by(self, me: GroupMember) -> GroupMember | None:
        """Return the member that must end before this one may begin, or None."""
        if me.policy is ConcurrencyPolicy.ALLOW:
            return None
        first = self.first
        if me.policy is ConcurrencyPolicy.FORBID and first and first.order < me.order:
            return first
        return next((one for one in self._begun if one.name != me.name), None)

    def replaced_by(self, me: GroupMember) -> GroupMember | None:
        """Return the member that replaces this one, or None."""
        if not (me.begun or me.waits):
            return None
        return self.newest if self.newest and self.newest.order > me.order else None

    def affected_since(self, before: Group | None) -> set[str]:
        """Return the names of the members that a change of the group may affect.

        The first in the queue, and the newest that replaces others, may begin. Members between the
        newest one before and the newest one now are replaced now, or are not any more.
        """
        found = {one.name for one in (self.first, self.newest) if one}
        ends = [one.newest.order if one and one.newest else _NEVER for one in (before, self)]
        if ends[0] == ends[1]:
            return found
        begin, end = (bisect_left(self._orders, order) for order in sorted(ends))
        return found | set(self._names[begin:end])


_NEVER: Final = ("", "")


def _order(one: GroupMember) -> tuple[str, str]:
    return one.order


def _replaces(one: GroupMember) -> bool:
    return one.policy is ConcurrencyPolicy.REPLACE and (one.ready or one.begun)
