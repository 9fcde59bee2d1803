"""Makes the cluster agree with one operation: observe, decide, apply."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Any, Final

from cloudharness_operation.names import child_name
from cloudharness_operation.record import OperationStatus
from cloudharness_operation.render import Defaults
from cloudharness_operator import leftovers, news, status
from cloudharness_operator.child import Child, Note
from cloudharness_operator.cleanup import CleanUp
from cloudharness_operator.effects import Plan
from cloudharness_operator.errors import ApiError
from cloudharness_operator.observe import Observer
from cloudharness_operator.plan import decide
from cloudharness_operator.ports import Cluster, Publisher
from cloudharness_operator.post import post
from cloudharness_operator.seen import Refusal, Seen
from cloudharness_operator.store import Record, Store

LOG_PATIENCE: Final = 2.5
"""Seconds that the end of an operation waits for a log, at most."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Handles the keys of the work queue, which are uids of operations."""

    store: Store
    cluster: Cluster
    publisher: Publisher
    defaults: Defaults
    observer: Observer
    clean_up: CleanUp

    async def __call__(self, uid: str) -> float | None:
        """Do what is to be done about an operation; return when to look at it again.

        What other runs have left behind waits for nothing of the present run, nor that for it.
        """
        children = self.store.children(uid)
        steps = (self._present(uid), *(self._former(uid, child.run) for child in children))
        done = await asyncio.gather(*steps, return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return min((one for one in done if isinstance(one, float | int)), default=None)

    async def _former(self, uid: str, run: int) -> float | None:
        if (seen := self.observer.former(uid, run)) is None:
            return None
        plan = leftovers.decide(seen, self.defaults.give_up)
        if plan.confirm:
            await self._confirm(uid, seen.child)
            # The operation may be there after all, and with it its key in the queue.
            if (now := self.observer.former(uid, run)) is None:
                return None
            seen = replace(now, certain=True)
            plan = leftovers.decide(seen, self.defaults.give_up)
        return await self._apply(seen, plan)

    async def _present(self, uid: str) -> float | None:
        seen = self.observer.present(uid)
        plan = decide(seen, self.defaults)
        if plan.confirm:
            await self._confirm(uid, seen.child)
            seen = replace(self.observer.present(uid), certain=True)
            plan = decide(seen, self.defaults)
        if plan.learn and seen.operation:
            namespace = seen.operation.metadata.namespace
            facts = await self.cluster.learn(namespace, plan.learn, self.defaults.catalogue)
            seen = replace(seen, facts=facts)
            plan = decide(seen, self.defaults)
        if plan.inspect and seen.child:
            said = await self._log(seen.child.namespace, plan.inspect)
            seen = replace(self.observer.present(uid), certain=seen.certain, log=said)
            plan = decide(seen, self.defaults)
        return await self._apply(seen, plan)

    async def _log(self, namespace: str, pod: str) -> str:
        """Return the end of a pod's log, or nothing where that is not to be had soon."""
        try:
            async with asyncio.timeout(LOG_PATIENCE):
                return await self.cluster.read_log(namespace, pod)
        except (ApiError, OSError, TimeoutError) as error:
            log.info("log of pod %s: %r", pod, error)
            return ""

    async def _confirm(self, uid: str, child: Child | None) -> None:
        """Ask the API server for the operation and the child, and believe it."""
        record = self.store.operation(uid)
        namespace, name = _place(record, child)
        operation = await self.cluster.get_operation(namespace, name)
        if operation is None or operation["metadata"]["uid"] != uid:
            self.store.lost_operation(uid)
        else:
            self.store.saw_operation(operation)
        if child is None and (known := self.store.operation(uid)):
            reference = _referenced(known) or child_name(name, uid, known.run)
            if found := await self._get(namespace, reference, uid):
                self.store.saw_child(found)

    async def _get(self, namespace: str, name: str, uid: str) -> Child | None:
        found = await self.cluster.get_workflow(namespace, name)
        return found if found and found.owner_uid == uid else None

    async def _apply(self, seen: Seen, plan: Plan) -> float | None:
        if plan.create:
            await self._create(seen, plan.create)
        if plan.steer:
            await self._steer(*plan.steer)
        if plan.publish:
            self.publisher.publish(plan.publish)
        if plan.give_up:
            self.publisher.give_up(plan.give_up)
        if plan.status:
            await self._write(seen, plan.status)
        if plan.release:
            await self._release(plan.release)
        if plan.forget:
            self.publisher.forget(plan.forget)
        return await self.clean_up(seen.uid, plan)

    async def _create(self, seen: Seen, manifest: dict[str, Any]) -> None:
        try:
            self.store.saw_child(await self.cluster.create_workflow(manifest))
        except ApiError as error:
            if error.code == 409 and error.reason == "AlreadyExists":
                await self._adopt(seen, manifest)
                return
            await self._refuse(seen, status.SUBMISSION_FAILED, error.message, final=error.is_final)
            if not error.is_final:
                raise

    async def _adopt(self, seen: Seen, manifest: dict[str, Any]) -> None:
        """Take what has the child's name already for the child, if it is ours."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        found = await self.cluster.get_workflow(namespace, name)
        if found is None:
            raise ApiError(409, "Conflict", f"Workflow {name} was there, and then was not")
        if found.owner_uid == seen.uid:
            self.store.saw_child(found)
            return
        message = f"a Workflow {name} that is not this operation's exists already: remove it"
        await self._refuse(seen, status.NAME_TAKEN, message, final=True)

    async def _refuse(self, seen: Seen, reason: str, message: str, *, final: bool) -> None:
        refused = replace(seen, refusal=Refusal(Note(reason, message), final))
        await self._apply(refused, decide(refused, self.defaults))

    async def _write(self, seen: Seen, changes: dict[str, Any]) -> None:
        uid, record = seen.uid, self.store.operation(seen.uid)
        if record is None:
            return
        try:
            reply = await self.cluster.patch_status(
                record.namespace, record.name, str(record.version), changes
            )
        except ApiError as error:
            if error.code == 404:
                self.store.lost_operation(uid)
                return
            if error.code == 409:
                await self._confirm(uid, seen.child)
            raise
        self.store.wrote_operation(reply)
        await self._tell(seen.status, reply)

    async def _tell(self, old: OperationStatus, reply: dict[str, Any]) -> None:
        """Tell people what a write of the status was news of."""
        new = OperationStatus.model_validate(reply["status"], extra="ignore")
        await post(
            self.cluster, news.manifests(reply, news.news(old, new), self.observer.clocks.wall())
        )

    async def _steer(self, child: Child, changes: dict[str, Any]) -> None:
        try:
            self.store.saw_child(await self.cluster.patch_workflow(child, changes))
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            # Gone, or changed: what is to be done may be another thing now.
            await self._refresh(child)

    async def _release(self, child: Child) -> None:
        try:
            left = await self.cluster.release(child)
        except ApiError as error:
            if error.code == 422:  # Its finalizers are not what they were.
                await self._refresh(child)
            raise
        if left is None:
            self.store.lost_child(child)
        else:
            self.store.saw_child(left)

    async def _refresh(self, child: Child) -> None:
        found = await self.cluster.get_workflow(child.namespace, child.name)
        if found is None or found.uid != child.uid:
            self.store.lost_child(child)
        else:
            self.store.saw_child(found)


def _place(record: Record | None, child: Child | None) -> tuple[str, str]:
    if record is not None:
        return record.namespace, record.name
    if child is None:
        raise ValueError("nothing is left to ask for")
    return child.namespace, child.operation


def _referenced(record: Record | None) -> str | None:
    if record is None or record.manifest is None:
        return None
    reference = (record.manifest.get("status") or {}).get("workflowRef") or {}
    return reference.get("name")
