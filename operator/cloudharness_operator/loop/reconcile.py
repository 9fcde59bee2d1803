"""Makes the cluster agree with one operation: observe, decide, apply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from cloudharness_operation import reasons
from cloudharness_operation.defaults import Defaults
from cloudharness_operation.names import child_name
from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide import k8s_events, status, unprocessable
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.plan import FetchFacts, Plan, Question, ReadLog, Reread
from cloudharness_operator.decide.state import ObservedState, Refusal
from cloudharness_operator.errors import ApiError
from cloudharness_operator.loop import measure
from cloudharness_operator.loop.cached import CachedOperation
from cloudharness_operator.loop.cleanup import CleanUp
from cloudharness_operator.loop.observe import Observer
from cloudharness_operator.loop.store import Store
from cloudharness_operator.ports import Cluster, Meter, Publisher, Recorder

LOG_TIMEOUT: Final = 2.5
"""Seconds that the end of an operation waits for a log, at most."""

LARGE_RETRY: Final = 1.0
"""Seconds after which a large operation is reconciled that has met another one."""

MAX_STEPS: Final = 6
"""Decisions in one reconciliation: a plan, after each question and a refusal at most once."""

Observe = Callable[[], Awaitable[ObservedState | None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Handles the keys of the work queue, which are uids of operations."""

    store: Store
    cluster: Cluster
    publisher: Publisher
    recorder: Recorder
    meter: Meter
    defaults: Defaults
    observer: Observer
    clean_up: CleanUp
    large: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a large operation is reconciled: one takes up to 60 MiB as objects."""

    async def __call__(self, uid: str) -> float | None:
        """Reconcile an operation; return the seconds after which to do it again, or None."""
        record = self.store.operation(uid)
        if record and record.is_large:
            if self.large.locked():
                return LARGE_RETRY
            async with self.large:
                return await self._all_runs(uid)
        return await self._all_runs(uid)

    async def _all_runs(self, uid: str) -> float | None:
        """Reconcile the present run and the Workflows of former runs, independently."""
        runs: list[Observe] = [partial(self._present_run, uid)]
        runs += [partial(self._former_run, child) for child in self.store.children(uid)]
        done = await asyncio.gather(*map(self._reconcile, runs), return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return min((one for one in done if isinstance(one, float | int)), default=None)

    async def _reconcile(self, observe: Observe) -> float | None:
        """Observe, decide, and answer questions, until there is a plan; then apply it."""
        failure: ApiError | None = None
        state = await observe()
        for _ in range(MAX_STEPS):
            if state is None:
                return None
            step = self._decide(state)
            if not isinstance(step, Plan):
                state = await self._answered(state, step, observe)
                continue
            if step.create_workflow and (
                failure := await self._create(state, step.create_workflow)
            ):
                state = replace(state, refusal=_refusal(failure))
                continue
            after = await self._apply(state, step)
            if failure and not _refusal(failure).final:
                raise failure  # The queue retries it.
            return after
        raise RuntimeError(f"no plan after {MAX_STEPS} decisions")

    async def _answered(
        self, state: ObservedState, question: Question, observe: Observe
    ) -> ObservedState | None:
        """Return the state with the answer to a question; observe again only if it may differ."""
        match question:
            case Reread():
                await self._reread(state.uid, state.child)
                found = await observe()
                return found and replace(found, certain=True)
            case FetchFacts(query):
                namespace = state.operation.metadata.namespace if state.operation else ""
                catalogue = self.defaults.catalogue
                facts = await self.cluster.fetch_facts(namespace, query, catalogue)
                return replace(state, facts=facts)
            case ReadLog(pod):
                text = await self._read_log(state.child.namespace if state.child else "", pod)
                # The read may take seconds.
                found = await observe()
                return found and replace(found, certain=state.certain, log=text)

    async def _former_run(self, child: Child) -> ObservedState | None:
        return self.observer.former_run(child)

    async def _present_run(self, uid: str) -> ObservedState:
        """Observe an operation's present run; a large operation is read from the API server."""
        record = self.store.operation(uid)
        if record is None or not record.is_large or record.settled:
            return self.observer.present_run(uid)
        whole = await self.cluster.get_operation(record.namespace, record.name)
        self.store.reread_operation(uid, whole)
        is_same = whole is not None and self.store.operation(uid) is not None
        return self.observer.present_run(uid, whole if is_same else None)

    def _decide(self, state: ObservedState) -> Question | Plan:
        """Decide; an operation on which the code fails is ended instead of being retried."""
        try:
            return decide(state, self.defaults)
        except Exception as error:
            if state.former:
                raise
            record, fields = self.store.operation(state.uid), self.store.log_fields(state.uid)
            log.exception("operation %s cannot be processed", state.uid, extra=fields)
            manifest = (record and record.manifest) or {"metadata": {}}
            return unprocessable.decide(state, error, manifest, self.defaults)

    async def _read_log(self, namespace: str, pod: str) -> str:
        """Return the end of a pod's log, or an empty text if it cannot be read soon."""
        try:
            async with asyncio.timeout(LOG_TIMEOUT):
                return await self.cluster.read_log(namespace, pod)
        except (ApiError, OSError, TimeoutError) as error:
            log.info("log of pod %s: %r", pod, error)
            return ""

    async def _reread(self, uid: str, child: Child | None) -> None:
        """Read the operation, and the Workflow if it is missing, into the cache."""
        namespace, name = _location(self.store.operation(uid), child)
        self.store.reread_operation(uid, await self.cluster.get_operation(namespace, name))
        if child is None and (known := self.store.operation(uid)):
            reference = _referenced(known) or child_name(name, uid, known.run)
            found = await self.cluster.get_workflow(namespace, reference)
            if found and found.owner_uid == uid:
                self.store.upsert_workflow(found)

    async def _apply(self, state: ObservedState, plan: Plan) -> float | None:
        if plan.patch_workflow:
            await self._patch_workflow(*plan.patch_workflow)
        self._notify(plan)
        if plan.status:
            await self._write_status(state, plan.status)
        if plan.remove_finalizer:
            await self._remove_finalizer(plan.remove_finalizer)
        if plan.drop_delivery:
            self.publisher.drop(plan.drop_delivery)
        return await self.clean_up(state.uid, plan)

    def _notify(self, plan: Plan) -> None:
        if plan.publish:
            self.publisher.publish(plan.publish)
        if plan.give_up:
            self.publisher.give_up(plan.give_up)
        if plan.reject:
            log.warning("%s", plan.reject)

    async def _create(self, state: ObservedState, manifest: dict[str, Any]) -> ApiError | None:
        """Create a Workflow; return the error if it is refused."""
        try:
            child = await self.cluster.create_workflow(manifest)
        except ApiError as error:
            if error.code == 409 and error.reason == "AlreadyExists":
                return await self._adopt(state, manifest)
            return error
        self.store.upsert_workflow(child)
        measure.workflow_created(self.meter, state, child, self.observer.clocks.monotonic())
        fields = self.store.log_fields(state.uid)
        log.info("Workflow %s/%s created", child.namespace, child.name, extra=fields)
        return None

    async def _adopt(self, state: ObservedState, manifest: dict[str, Any]) -> ApiError | None:
        """Adopt the Workflow that has the name already, if this operation owns it."""
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        found = await self.cluster.get_workflow(namespace, name)
        if found is None:
            raise ApiError(409, "Conflict", f"Workflow {name} existed, and then did not")
        if found.owner_uid == state.uid:
            self.store.upsert_workflow(found)
            if self.store.current(found):
                return None
        message = f"a Workflow {name} that is not this operation's exists already: remove it"
        return ApiError(409, reasons.NAME_TAKEN, message)

    async def _write_status(self, state: ObservedState, changes: dict[str, Any]) -> None:
        uid, record = state.uid, self.store.operation(state.uid)
        if record is None:
            return
        try:
            reply = await self._patch_status(record, changes)
        except ApiError as error:
            if error.code == 404:
                self.store.remove_operation(uid)
                return
            if error.code == 409:
                await self._reread(uid, state.child)
            raise
        self.store.upsert_written_operation(reply)
        new = OperationStatus.model_validate(reply["status"], extra="ignore")
        measure.status_written(self.meter, state.status, new, self.observer.clocks.server())
        self._emit_events(state.status, new, reply)
        if new.has_become("Finished", state.status):
            # Without the message, which may have words of a task.
            name = f"{record.namespace}/{record.name}"
            fields = self.store.log_fields(uid, new.reason)
            log.info("%s ended: %s, %s", name, new.phase, new.reason, extra=fields)

    async def _patch_status(
        self, record: CachedOperation, changes: dict[str, Any]
    ) -> dict[str, Any]:
        key = (record.namespace, record.name, str(record.version))
        try:
            return await self.cluster.patch_status(*key, changes)
        except ApiError as error:
            if not error.is_final or (less := status.essential(changes)) == changes:
                raise
            # How a run has ended must be written even without its details.
            log.warning("%s/%s: status without details: %s", *key[:2], error)
            return await self.cluster.patch_status(*key, less)

    def _emit_events(
        self, old: OperationStatus, new: OperationStatus, reply: dict[str, Any]
    ) -> None:
        """Create the Events of a change of the status."""
        messages = k8s_events.between(old, new)
        now = self.observer.clocks.wall()
        self.recorder.record(k8s_events.to_manifests(reply, messages, now))

    async def _patch_workflow(self, child: Child, changes: dict[str, Any]) -> None:
        try:
            self.store.upsert_workflow(await self.cluster.patch_workflow(child, changes))
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            # Deleted, or changed: the next decision may be another one.
            await self._reread_workflow(child)

    async def _remove_finalizer(self, child: Child) -> None:
        try:
            left = await self.cluster.remove_finalizer(child)
        except ApiError as error:
            if error.code == 422:  # Its finalizers have changed.
                await self._reread_workflow(child)
            raise
        self.store.reread_workflow(child, left)

    async def _reread_workflow(self, child: Child) -> None:
        found = await self.cluster.get_workflow(child.namespace, child.name)
        self.store.reread_workflow(child, found)


def _refusal(error: ApiError) -> Refusal:
    taken = error.reason == reasons.NAME_TAKEN
    reason = reasons.NAME_TAKEN if taken else reasons.SUBMISSION_FAILED
    return Refusal(ReasonMessage(reason, error.message), final=taken or error.is_final)


def _location(record: CachedOperation | None, child: Child | None) -> tuple[str, str]:
    """Return the namespace and the name of an operation."""
    if record is not None:
        return record.namespace, record.name
    if child is None:
        raise ValueError("neither the operation nor a Workflow of it is in the cache")
    return child.namespace, child.operation


def _referenced(record: CachedOperation) -> str | None:
    """Return the name of the Workflow that the status names, or None."""
    if (manifest := record.manifest) is None:
        return None
    reference = (manifest.get("status") or {}).get("workflowRef") or {}
    return reference.get("name")
