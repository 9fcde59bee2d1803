"""Deletes what has had its time, at a bounded rate, and tells of it.

What it deletes is what was decided about: an object that has changed since is read anew, and the
decision taken again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cloudharness_operator import news
from cloudharness_operator.child import Child
from cloudharness_operator.effects import Plan
from cloudharness_operator.errors import ApiError
from cloudharness_operator.pace import Pace
from cloudharness_operator.ports import Cluster
from cloudharness_operator.post import post
from cloudharness_operator.store import Store


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The last part of carrying out a plan."""

    store: Store
    cluster: Cluster
    pace: Pace
    """Of deletions, of which a great many may be due at once."""
    wall: Callable[[], datetime]

    async def __call__(self, uid: str, plan: Plan) -> float | None:
        """Carry out a plan's deletions; return when to look again."""
        if plan.kept_for:
            await self._say(uid, news.kept(plan.kept_for))
        if not (plan.expire or plan.erase or plan.sweep):
            return plan.after
        if (wait := self.pace.wait(uid)) > 0:
            return wait
        if plan.sweep:
            await self._sweep(uid, plan.sweep)
        if plan.erase:
            await self._erase(uid)
        if plan.expire:
            await self._expire(uid, plan.expire)
        return plan.after

    async def _sweep(self, uid: str, child: Child) -> None:
        stopped = await self.cluster.stop_pods(child)
        self.store.swept(child)
        if stopped:
            await self._say(uid, news.stopped(stopped))

    async def _expire(self, uid: str, child: Child) -> None:
        try:
            left = await self.cluster.delete_workflow(child)
        except ApiError as error:
            if error.code == 409:
                left = await self.cluster.get_workflow(child.namespace, child.name)
                self._saw_child(child, left)
            raise
        self._saw_child(child, left)
        await self._say(uid, news.cleaned_up(child.name))

    def _saw_child(self, child: Child, left: Child | None) -> None:
        if left is None or left.uid != child.uid:
            self.store.lost_child(child)
        else:
            self.store.saw_child(left)

    async def _erase(self, uid: str) -> None:
        if (record := self.store.operation(uid)) is None:
            return
        namespace, name, version = record.namespace, record.name, str(record.version)
        try:
            left = await self.cluster.delete_operation(namespace, name, uid, version)
        except ApiError as error:
            if error.code == 409:
                self._saw_operation(uid, await self.cluster.get_operation(namespace, name))
            raise
        self._saw_operation(uid, left)

    def _saw_operation(self, uid: str, left: news.Manifest | None) -> None:
        if left is None or left["metadata"]["uid"] != uid:
            self.store.lost_operation(uid)
        else:
            self.store.saw_operation(left)

    async def _say(self, uid: str, what: news.News) -> None:
        """Tell people of something that is no change of the status."""
        if record := self.store.operation(uid):
            place = {"namespace": record.namespace, "name": record.name, "uid": uid}
            meta = {**place, "resourceVersion": str(record.version)}
            await post(self.cluster, news.manifests({"metadata": meta}, (what,), self.wall()))
