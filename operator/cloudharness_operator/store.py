"""What the operator knows of the cluster: the last seen state of each operation and child.

Fed by watches, by lists and by the replies to our own writes, in any order. An object only
ever replaces an older version of itself (versions are ordered numbers: Kubernetes
enhancement 5504), and one that was seen to go never comes back, since a uid is not used twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cloudharness_operation.names import FIRST_RUN, child_name
from cloudharness_operator import expiry, turns
from cloudharness_operator.cached import CachedOperation, is_settled, kept
from cloudharness_operator.child import Child
from cloudharness_operator.turns import Group, Member, Place

Manifest = dict[str, Any]

REMEMBERED_GONE: Final = 10_000


class Store:
    """The last seen state. `changed` is told the uid of each operation to look at."""

    def __init__(
        self,
        changed: Callable[[str], None],
        clock: Callable[[], float],
        ended: Callable[[str], None] | None = None,
        later: Callable[[Callable[[], None]], object] = lambda call: call(),
    ) -> None:
        """Start empty.

        `ended` is called in place of `changed` when an exit event waits for an end; `later` calls
        what it is given when the changes at hand are over, so that many at once count as one.
        """
        self._changed = changed
        self._ended = ended or changed
        self._clock = clock
        self._operations: dict[str, CachedOperation] = {}
        self._children: dict[str, tuple[Child, ...]] = {}
        self._groups: dict[Place, dict[str, Member]] = {}
        self._views: dict[Place, Group] = {}
        self._moved: dict[Place, Group] = {}
        self._stirred: set[Place] = set()
        self._later = later
        self._swept: set[str] = set()
        self._gone: OrderedDict[str, None] = OrderedDict()

    def operation(self, uid: str) -> CachedOperation | None:
        """Return an operation by its uid."""
        return self._operations.get(uid)

    def children(self, operation_uid: str) -> tuple[Child, ...]:
        """Return the children of an operation by the operation's uid: one of each run."""
        return self._children.get(operation_uid, ())

    def child(self, operation_uid: str, run: int) -> Child | None:
        """Return the child of one run of an operation."""
        return next((one for one in self.children(operation_uid) if one.run == run), None)

    def current(self, child: Child) -> Child | None:
        """Return a child as it was seen last, or None if it is gone."""
        known = self.children(child.operation_uid)
        return next((one for one in known if one.uid == child.uid), None)

    def namespace(self, uid: str) -> str | None:
        """Return the namespace of an operation, or of what is left of it, or None if none is."""
        if record := self._operations.get(uid):
            return record.namespace
        return next((one.namespace for one in self.children(uid)), None)

    def member(self, uid: str) -> Member | None:
        """Return an operation as a member of its concurrency group, or None if it is in none."""
        record = self._operations.get(uid)
        found = self._groups.get(record.place, {}).get(uid) if record and record.place else None
        return self._as_begun(uid, found) if found else None

    def group(self, place: Place) -> Group:
        """Return a concurrency group: all of it that has not ended."""
        if (view := self._views.get(place)) is None:
            known = self._groups.get(place, {}).items()
            view = self._views[place] = Group([self._as_begun(*one) for one in known])
        return view

    def _as_begun(self, uid: str, member: Member) -> Member:
        # A child is there before the status says so.
        living = any(not child.has_ended for child in self.children(uid))
        return replace(member, begun=True) if living else member

    def counts(self) -> tuple[int, int]:
        """Return how many operations and children there are."""
        return len(self._operations), sum(map(len, self._children.values()))

    def look_at_all(self, where: str = "") -> None:
        """Have everything of a namespace (`""`: of all) looked at that is not over and done with.

        As after a restart.
        """
        looked_at = {uid for uid, record in self._operations.items() if record.needs_a_look}
        for uid in looked_at | self._children.keys():
            if where in ("", self.namespace(uid)):
                self._changed(uid)

    def saw_operation(self, manifest: Manifest) -> None:
        """Take in an operation, wherever it was read."""
        meta = manifest["metadata"]
        uid, version = meta["uid"], int(meta["resourceVersion"])
        old = self._operations.get(uid)
        if uid in self._gone or (old is not None and old.version >= version):
            return
        settled = is_settled(manifest)
        place = turns.place(manifest)
        text, is_large = (None, False) if settled else kept(manifest)
        record = self._operations[uid] = CachedOperation(
            namespace=meta["namespace"],
            name=meta["name"],
            version=version,
            text=text,
            since=old.since if old else self._clock(),
            written=old.written if old else None,
            expiry=expiry.read(manifest) if settled else None,
            run=(manifest.get("status") or {}).get("run") or FIRST_RUN,
            place=place,
            is_large=is_large,
        )
        if old is None:
            self._disown(uid, record)
        self._joined(uid, old.place if old else None, place, turns.read(manifest))
        # Thousands of finished operations that nothing is left of cost nothing at a restart.
        if record.needs_a_look or old is not None or uid in self._children:
            self._changed(uid)

    def wrote_operation(self, manifest: Manifest) -> None:
        """Take in the reply to our own write."""
        self.saw_operation(manifest)
        if record := self._operations.get(manifest["metadata"]["uid"]):
            record.written = self._clock()

    def lost_operation(self, uid: str) -> None:
        """Take in that an operation is gone."""
        self._forget(uid)
        if (old := self._operations.pop(uid, None)) is not None:
            self._joined(uid, old.place, None, None)
            self._changed(uid)

    def _joined(
        self, uid: str, before: Place | None, now: Place | None, member: Member | None
    ) -> None:
        """Take in where an operation belongs, and tell those whom that may move."""
        old = self._groups.get(before, {}).get(uid) if before else None
        if old == member and before == now:
            return
        if before:
            group = self._groups.get(before, {})
            group.pop(uid, None)
            if not group:
                self._groups.pop(before, None)
        if now and member:
            self._groups.setdefault(now, {})[uid] = member
        for place in {one for one in (before, now) if one}:
            self._stir(place)

    def _stir(self, place: Place) -> None:
        """Queue the members that a change of a group may affect, once for all changes at hand."""
        self._views.pop(place, None)
        is_first = not self._stirred
        self._stirred.add(place)
        if is_first:
            self._later(self._look_at_stirred)

    def _look_at_stirred(self) -> None:
        stirred, self._stirred = self._stirred, set()
        for place in stirred:
            before = self._moved.pop(place, None)
            if known := self._groups.get(place):
                now = self._moved[place] = self.group(place)
                moved = now.moved_since(before)
                for uid in [one for one, member in known.items() if member.name in moved]:
                    self._changed(uid)

    def _disown(self, uid: str, record: CachedOperation) -> None:
        """Drop what was taken for a child of an operation before the operation was seen."""
        known = self._children.pop(uid, ())
        if own := tuple(one for one in known if _is_of(one, record)):
            self._children[uid] = own

    def saw_child(self, child: Child) -> None:
        """Take in a child, wherever it was read.

        Whoever may create Workflows can write any label. So it is a child only if all that names
        its operation agrees, and never one of an operation of another namespace.
        """
        key = child.operation_uid
        if child.name != child_name(child.operation, key, child.run):
            return  # `argo resubmit` copies labels, owner and annotations to another Workflow.
        record = self._operations.get(key)
        if child.owner_uid != key or (record and not _is_of(child, record)):
            return
        known = self.children(key)
        same = [one for one in known if (one.namespace, one.run) == (child.namespace, child.run)]
        old = same[0] if same else None
        if child.uid in self._gone or (old and old.resource_version >= child.resource_version):
            return
        if old != child:
            others = (one for one in known if one is not old)
            self._children[key] = tuple(sorted((*others, child), key=_run))
            if record and record.place:
                self._views.pop(record.place, None)
            over = child.is_held and child.has_ended and not (old and old.has_ended)
            (self._ended if over else self._changed)(key)

    def swept(self, child: Child) -> None:
        """Take in that a child's pods have been seen to."""
        self._swept.add(child.uid)

    def is_swept(self, child: Child) -> bool:
        """Whether a child's pods have been seen to. A restart forgets it, and once more is safe."""
        return child.uid in self._swept

    def lost_child(self, child: Child) -> None:
        """Take in that a child is gone."""
        self._forget(child.uid)
        self._swept.discard(child.uid)
        known = self.children(child.operation_uid)
        left = tuple(one for one in known if one.uid != child.uid)
        if left == known:
            return
        if left:
            self._children[child.operation_uid] = left
        else:
            del self._children[child.operation_uid]
        record = self._operations.get(child.operation_uid)
        if record and record.place:
            self._views.pop(record.place, None)
        self._changed(child.operation_uid)

    def listed_operations(self, seen: set[str], version: int, where: str) -> None:
        """Take in that no other operations of a namespace (`""`: of all) were there at a version.

        `seen` has the uid of each that was; they are taken in one by one, by `saw_operation`.
        """
        for uid, record in list(self._operations.items()):
            if uid not in seen and record.version <= version and where in ("", record.namespace):
                self.lost_operation(uid)

    def listed_children(self, seen: set[str], version: int, where: str) -> None:
        """Take in the same of children, which `saw_child` takes in one by one."""
        for child in [one for some in self._children.values() for one in some]:
            gone = child.uid not in seen and child.resource_version <= version
            if gone and where in ("", child.namespace):
                self.lost_child(child)

    def _forget(self, uid: str) -> None:
        self._gone[uid] = None
        while len(self._gone) > REMEMBERED_GONE:
            self._gone.popitem(last=False)


def _run(child: Child) -> int:
    return child.run


def _is_of(child: Child, record: CachedOperation) -> bool:
    return (child.namespace, child.operation) == (record.namespace, record.name)
