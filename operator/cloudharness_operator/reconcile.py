"""Makes the cluster agree with one operation: observe, decide, apply."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloudharness_operation.names import child_name
from cloudharness_operation.record import OperationStatus
from cloudharness_operation.render import Defaults
from cloudharness_operator import leftovers, news, status, unprocessable
from cloudharness_operator.cached import CachedOperation
from cloudharness_operator.child import Child, Note
from cloudharness_operator.cleanup import CleanUp
from cloudharness_operator.effects import Plan
from cloudharness_operator.errors import ApiError
from cloudharness_operator.observe import Observer
from cloudharness_operator.plan import decide
from cloudharness_operator.ports import Cluster, Publisher
from cloudharness_operator.post import post
from cloudharness_operator.seen import Refusal, Seen
from cloudharness_operator.store import Store

LOG_PATIENCE: Final = 2.5
"""Seconds that the end of an operation waits for a log, at most."""

LARGE_RETRY: Final = 1.0
"""Seconds after which a large operation is handled that has met another one."""

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
    large: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a large operation is handled: one as objects can take 60 MiB."""

    async def __call__(self, uid: str) -> float | None:
        """Do what is to be done about an operation; return when to look at it again.

        What other runs have left behind waits for nothing of the present run, nor that for it.
        """
        record = self.store.operation(uid)
        if record and record.is_large:
            if self.large.locked():
                return LARGE_RETRY
            async with self.large:
                return await self._handle(uid)
        return await self._handle(uid)

    async def _handle(self, uid: str) -> float | None:
        steps = (self._present(uid), *map(self._former, self.store.children(uid)))
        done = await asyncio.gather(*steps, return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return min((one for one in done if isinstance(one, float | int)), default=None)

    async def _former(self, child: Child) -> float | None:
        if (seen := self.observer.former(child)) is None:
            return None
        plan = leftovers.decide(seen, self.defaults)
        if plan.confirm:
            await self._confirm(seen.uid, seen.child)
            # The operation may be there after all, and with it its key in the queue.
            if (now := self.observer.former(child)) is None:
                return None
            seen = replace(now, certain=True)
            plan = leftovers.decide(seen, self.defaults)
        return await self._apply(seen, plan)

    async def _present(self, uid: str) -> float | None:
        seen = await self._observe(uid)
        plan = self._decide(seen)
        if plan.confirm:
            await self._confirm(uid, seen.child)
            seen = replace(await self._observe(uid), certain=True)
            plan = self._decide(seen)
        if plan.learn and seen.operation:
            namespace = seen.operation.metadata.namespace
            facts = await self.cluster.learn(namespace, plan.learn, self.defaults.catalogue)
            seen = replace(seen, facts=facts)
            plan = self._decide(seen)
        if plan.inspect and seen.child:
            said = await self._log(seen.child.namespace, plan.inspect)
            seen = replace(await self._observe(uid), certain=seen.certain, log=said)
            plan = self._decide(seen)
        return await self._apply(seen, plan)

    async def _observe(self, uid: str) -> Seen:
        """Return what is known of an operation; a large one is read from the API server."""
        record = self.store.operation(uid)
        if record is None or not record.is_large or record.settled:
            return self.observer.present(uid)
        whole = await self.cluster.get_operation(record.namespace, record.name)
        if whole is None or whole["metadata"]["uid"] != uid:
            self.store.lost_operation(uid)
            return self.observer.present(uid)
        self.store.saw_operation(whole)
        return self.observer.present(uid, whole)

    def _decide(self, seen: Seen) -> Plan:
        """Decide; an operation that makes the code fail is ended instead of being tried again."""
        try:
            return decide(seen, self.defaults)
        except Exception as error:
            log.exception("operation %s cannot be processed", seen.uid)
            record = self.store.operation(seen.uid)
            manifest = (record and record.manifest) or {"metadata": {}}
            return unprocessable.decide(seen, error, manifest, self.defaults)

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
        self._notify(plan)
        if plan.status:
            await self._write(seen, plan.status)
        if plan.release:
            await self._release(plan.release)
        if plan.forget:
            self.publisher.forget(plan.forget)
        return await self.clean_up(seen.uid, plan)

    def _notify(self, plan: Plan) -> None:
        if plan.publish:
            self.publisher.publish(plan.publish)
        if plan.give_up:
            self.publisher.give_up(plan.give_up)
        if plan.reject:
            log.warning("%s", plan.reject)

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
            if self.store.current(found):
                return
        message = f"a Workflow {name} that is not this operation's exists already: remove it"
        await self._refuse(seen, status.NAME_TAKEN, message, final=True)

    async def _refuse(self, seen: Seen, reason: str, message: str, *, final: bool) -> None:
        refused = replace(seen, refusal=Refusal(Note(reason, message), final))
        await self._apply(refused, self._decide(refused))

    async def _write(self, seen: Seen, changes: dict[str, Any]) -> None:
        uid, record = seen.uid, self.store.operation(seen.uid)
        if record is None:
            return
        try:
            reply = await self._patch_status(record, changes)
        except ApiError as error:
            if error.code == 404:
                self.store.lost_operation(uid)
                return
            if error.code == 409:
                await self._confirm(uid, seen.child)
            raise
        self.store.wrote_operation(reply)
        await self._tell(seen.status, reply)

    async def _patch_status(
        self, record: CachedOperation, changes: dict[str, Any]
    ) -> dict[str, Any]:
        place = (record.namespace, record.name, str(record.version))
        try:
            return await self.cluster.patch_status(*place, changes)
        except ApiError as error:
            if not error.is_final or (less := status.essential(changes)) == changes:
                raise
            # How a run has ended is not lost for the sake of its details.
            log.warning("%s/%s: status without details: %s", *place[:2], error)
            return await self.cluster.patch_status(*place, less)

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


def _place(record: CachedOperation | None, child: Child | None) -> tuple[str, str]:
    if record is not None:
        return record.namespace, record.name
    if child is None:
        raise ValueError("nothing is left to ask for")
    return child.namespace, child.operation


def _referenced(record: CachedOperation | None) -> str | None:
    if record is None or (manifest := record.manifest) is None:
        return None
    reference = (manifest.get("status") or {}).get("workflowRef") or {}
    return reference.get("name")
