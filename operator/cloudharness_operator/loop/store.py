"""The cache: the last read state of each operation and each Workflow of one.

It is fed by watches, lists and the replies to our own writes, in any order. An object only replaces
an older version of itself (resource versions are ordered numbers: Kubernetes enhancement 5504), and
one that was observed as deleted never comes back, since a uid is not used twice.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cloudharness_operation.names import child_name
from cloudharness_operator.decide import concurrency
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.concurrency import Group, GroupKey, GroupMember
from cloudharness_operator.logs import about
from cloudharness_operator.loop.cached import CachedOperation, cached

Manifest = dict[str, Any]

REMEMBERED_GONE: Final = 10_000
"""Deleted objects whose uid is kept, so that a late event of a watch does not bring them back."""


class Store:
    """The cache. It calls `enqueue` with the uid of each operation to reconcile."""

    def __init__(
        self,
        enqueue: Callable[[str], None],
        clock: Callable[[], float],
        enqueue_urgent: Callable[[str], None] | None = None,
        call_soon: Callable[[Callable[[], None]], object] = lambda call: call(),
    ) -> None:
        """Start empty.

        `enqueue_urgent` is called instead of `enqueue` when a run that has an exit event has ended.
        `call_soon` calls a function after the changes at hand, so that many of them count as one.
        """
        self._enqueue = enqueue
        self._enqueue_urgent = enqueue_urgent or enqueue
        self._clock = clock
        self._operations: dict[str, CachedOperation] = {}
        self._children: dict[str, tuple[Child, ...]] = {}
        self._groups: dict[GroupKey, dict[str, GroupMember]] = {}
        self._views: dict[GroupKey, Group] = {}
        self._enqueued_views: dict[GroupKey, Group] = {}
        self._changed_groups: set[GroupKey] = set()
        self._call_soon = call_soon
        self._pods_deleted: set[str] = set()
        self._gone: OrderedDict[str, None] = OrderedDict()

    def operation(self, uid: str) -> CachedOperation | None:
        """Return an operation by its uid."""
        return self._operations.get(uid)

    def is_settled(self, uid: str) -> bool:
        """Whether an operation has ended and its status is complete."""
        record = self._operations.get(uid)
        return record is not None and record.settled

    def children(self, operation_uid: str) -> tuple[Child, ...]:
        """Return the Workflows of an operation by the operation's uid: one of each run."""
        return self._children.get(operation_uid, ())

    def child(self, operation_uid: str, run: int) -> Child | None:
        """Return the Workflow of one run of an operation, or None."""
        return next((one for one in self.children(operation_uid) if one.run == run), None)

    def current(self, child: Child) -> Child | None:
        """Return a Workflow as it was last read, or None if it is deleted."""
        known = self.children(child.operation_uid)
        return next((one for one in known if one.uid == child.uid), None)

    def namespace(self, uid: str) -> str | None:
        """Return the namespace of an operation, or of a Workflow of it, or None."""
        if record := self._operations.get(uid):
            return record.namespace
        return next((one.namespace for one in self.children(uid)), None)

    def member(self, uid: str) -> GroupMember | None:
        """Return an operation as a member of its concurrency group, or None if it has none."""
        record = self._operations.get(uid)
        found = self._groups.get(record.group, {}).get(uid) if record and record.group else None
        return self._as_begun(uid, found) if found else None

    def group(self, key: GroupKey) -> Group:
        """Return a concurrency group: its members that have not ended."""
        if (view := self._views.get(key)) is None:
            known = self._groups.get(key, {}).items()
            view = self._views[key] = Group([self._as_begun(*one) for one in known])
        return view

    def _as_begun(self, uid: str, member: GroupMember) -> GroupMember:
        # The Workflow exists before the status says so.
        living = any(not child.has_ended for child in self.children(uid))
        return replace(member, begun=True) if living else member

    def log_fields(self, uid: str, reason: str | None = None) -> Mapping[str, object]:
        """Return the fields of a log line about an operation."""
        if (record := self._operations.get(uid)) is None:
            return about(uid=uid, reason=reason)
        return about(
            uid=uid,
            namespace=record.namespace,
            operation=record.name,
            run=record.run,
            reason=reason,
        )

    def phases(self) -> Counter[str]:
        """Return the number of operations in each phase."""
        return Counter(record.phase for record in self._operations.values())

    def workflows_without_phase(self, before: float) -> int:
        """Return the number of Workflows without a phase that were created before a time.

        `before` is in seconds since 1970. Argo writes a phase as soon as it has read a Workflow.
        """
        return sum(
            not child.phase and child.created is not None and child.created.timestamp() < before
            for known in self._children.values()
            for child in known
        )

    def counts(self) -> tuple[int, int]:
        """Return the number of operations and of Workflows."""
        return len(self._operations), sum(map(len, self._children.values()))

    def enqueue_all(self, where: str = "") -> None:
        """Enqueue everything unfinished of a namespace (`""`: of all), as after a restart."""
        unfinished = {uid for uid, record in self._operations.items() if record.needs_reconcile}
        for uid in unfinished | self._children.keys():
            if where in ("", self.namespace(uid)):
                self._enqueue(uid)

    def upsert_operation(self, manifest: Manifest) -> None:
        """Put an operation into the cache, unless it has a later version of it."""
        meta = manifest["metadata"]
        uid, version = meta["uid"], int(meta["resourceVersion"])
        old = self._operations.get(uid)
        if uid in self._gone or (old is not None and old.version >= version):
            return
        record = self._operations[uid] = cached(manifest, old, self._clock)
        if old is None:
            self._drop_strangers(uid, record)
        before, member = old.group if old else None, concurrency.read(manifest)
        self._update_group(uid, before, record.group, member)
        # Finished operations without a Workflow, of which there can be thousands, cost nothing at a
        # restart.
        if record.needs_reconcile or old is not None or uid in self._children:
            self._enqueue(uid)

    def upsert_written_operation(self, manifest: Manifest) -> None:
        """Put the reply to our own write into the cache."""
        self.upsert_operation(manifest)
        if record := self._operations.get(manifest["metadata"]["uid"]):
            record.written = self._clock()

    def remove_operation(self, uid: str) -> None:
        """Remove an operation that is deleted."""
        self._forget(uid)
        if (old := self._operations.pop(uid, None)) is not None:
            self._update_group(uid, old.group, None, None)
            self._enqueue(uid)

    def _update_group(
        self, uid: str, before: GroupKey | None, now: GroupKey | None, member: GroupMember | None
    ) -> None:
        """Move an operation to its group, and enqueue the members that this may affect."""
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
        for key in {one for one in (before, now) if one}:
            self._mark_changed(key)

    def _mark_changed(self, key: GroupKey) -> None:
        """Enqueue the members that a change may affect, once for all changes at hand."""
        self._views.pop(key, None)
        is_first = not self._changed_groups
        self._changed_groups.add(key)
        if is_first:
            self._call_soon(self._enqueue_affected)

    def _enqueue_affected(self) -> None:
        changed, self._changed_groups = self._changed_groups, set()
        for key in changed:
            before = self._enqueued_views.pop(key, None)
            if known := self._groups.get(key):
                now = self._enqueued_views[key] = self.group(key)
                affected = now.affected_since(before)
                for uid in [one for one, member in known.items() if member.name in affected]:
                    self._enqueue(uid)

    def _drop_strangers(self, uid: str, record: CachedOperation) -> None:
        """Drop Workflows that were taken for those of an operation before it was read."""
        known = self._children.pop(uid, ())
        if own := tuple(one for one in known if _is_of(one, record)):
            self._children[uid] = own

    def upsert_workflow(self, child: Child) -> None:
        """Put a Workflow into the cache, unless it has a later version of it.

        Anybody with the right to create Workflows can write any label. So a Workflow belongs to an
        operation only if name, labels and owner agree, and never to one of another namespace.
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
            if record and record.group:
                self._views.pop(record.group, None)
            over = child.is_held and child.has_ended and not (old and old.has_ended)
            (self._enqueue_urgent if over else self._enqueue)(key)

    def mark_pods_deleted(self, child: Child) -> None:
        """Note that the pods of a Workflow that ran on were deleted."""
        self._pods_deleted.add(child.uid)

    def are_pods_deleted(self, child: Child) -> bool:
        """Whether they were. A restart forgets it, and deleting them once more is safe."""
        return child.uid in self._pods_deleted

    def remove_workflow(self, child: Child) -> None:
        """Remove a Workflow that is deleted."""
        self._forget(child.uid)
        self._pods_deleted.discard(child.uid)
        known = self.children(child.operation_uid)
        left = tuple(one for one in known if one.uid != child.uid)
        if left == known:
            return
        if left:
            self._children[child.operation_uid] = left
        else:
            del self._children[child.operation_uid]
        record = self._operations.get(child.operation_uid)
        if record and record.group:
            self._views.pop(record.group, None)
        self._enqueue(child.operation_uid)

    def remove_unlisted_operations(self, found: set[str], version: int, where: str) -> None:
        """Remove all operations of a namespace (`""`: of all) that a list has not found.

        `found` are the uids of the list, and `version` is its resource version. Operations that the
        cache has in a later version stay.
        """
        for uid, record in list(self._operations.items()):
            if uid not in found and record.version <= version and where in ("", record.namespace):
                self.remove_operation(uid)

    def remove_unlisted_workflows(self, found: set[str], version: int, where: str) -> None:
        """Remove all Workflows that a list has not found, as `remove_unlisted_operations` does."""
        for child in [one for some in self._children.values() for one in some]:
            gone = child.uid not in found and child.resource_version <= version
            if gone and where in ("", child.namespace):
                self.remove_workflow(child)

    def reread_operation(self, uid: str, found: Manifest | None) -> None:
        """Put the response to a read into the cache: None or another uid means deleted."""
        if found is None or found["metadata"]["uid"] != uid:
            self.remove_operation(uid)
        else:
            self.upsert_operation(found)

    def reread_workflow(self, child: Child, found: Child | None) -> None:
        """Put the response to a read into the cache: None or another uid means deleted."""
        if found is None or found.uid != child.uid:
            self.remove_workflow(child)
        else:
            self.upsert_workflow(found)

    def _forget(self, uid: str) -> None:
        self._gone[uid] = None
        while len(self._gone) > REMEMBERED_GONE:
            self._gone.popitem(last=False)


def _run(child: Child) -> int:
    return child.run


def _is_of(child: Child, record: CachedOperation) -> bool:
    return (child.namespace, child.operation) == (record.namespace, record.name)
