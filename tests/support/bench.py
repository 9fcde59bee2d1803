"""A reconciler between a fake API server and a fake publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import ExitEvent
from cloudharness_operation.names import FINALIZER
from cloudharness_operation.render.facts import ClusterFacts, ClusterQuery
from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.delivery import Delivery, DeliveryState
from cloudharness_operator.errors import ApiError
from cloudharness_operator.loop.cleanup import CleanUp, RateLimiter
from cloudharness_operator.loop.observe import Clocks, Observer
from cloudharness_operator.loop.reconcile import Reconciler
from cloudharness_operator.loop.store import Store
from tests.support.builders import (
    CHILD,
    CHILD_UID,
    CLOCK,
    DEFAULTS,
    EVENT_ID,
    NAME,
    NAMESPACE,
    NOW,
    STARTED,
    UID,
    delivery,
    destination,
    on_record,
    operation_manifest,
    stamp,
    workflow_manifest,
)

GONE = ApiError(404, "NotFound", "no such operation")


CONFLICT = ApiError(409, "Conflict", "the object has been modified")


EXISTS = ApiError(409, "AlreadyExists", f'workflows "{CHILD}" already exists')


INVALID = ApiError(422, "Invalid", "spec.templates: too long")


BAD = ApiError(400, "BadRequest", "denied by a webhook")


FORBIDDEN = ApiError(403, "Forbidden", "not allowed")


BUSY = ApiError(503, "ServiceUnavailable", "later")


RUNNING = on_record(
    "Running",
    "TasksRunning",
    holds={"Accepted": True, "Reconciling": True, "Finished": False},
    started=STARTED,
)


class FakeCluster:
    """An API server with what it is given, whose answers can be made to fail."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.operations: dict[str, dict[str, Any]] = {}
        self.workflows: dict[str, dict[str, Any]] = {}
        self.facts = ClusterFacts()
        self.pods_to_kill: tuple[str, ...] = ()
        self.log: str | None = "the last words\n"
        self.events: list[dict[str, Any]] = []
        self.fails: dict[str, list[Exception]] = {}
        self.meanwhile: dict[str, Callable[[], None]] = {}
        self.version = 50

    def _begin(self, call: str, detail: str = "") -> None:
        self.calls.append(f"{call} {detail}".strip())
        if then := self.meanwhile.pop(call, None):
            then()
        if self.fails.get(call):
            raise self.fails[call].pop(0)

    def next_version(self) -> str:
        self.version += 1
        return str(self.version)

    async def create_workflow(self, manifest: dict[str, Any]) -> Child:
        self._begin("create", manifest["metadata"]["name"])
        uid = CHILD_UID if manifest["metadata"]["name"] == CHILD else f"{CHILD_UID}-2"
        meta = manifest["metadata"] | {"uid": uid, "resourceVersion": self.next_version()}
        self.workflows[meta["name"]] = manifest | {"metadata": meta}
        return Child.read(self.workflows[meta["name"]])

    async def patch_workflow(self, child: Child, changes: dict[str, Any]) -> Child:
        self._begin("steer", str(changes.get("spec")))
        found = self.workflows[child.name]
        meta = found["metadata"] | {"resourceVersion": self.next_version()}
        meta["annotations"] = meta.get("annotations", {}) | changes.get("metadata", {}).get(
            "annotations", {}
        )
        spec = found["spec"] | changes.get("spec", {})
        self.workflows[child.name] = found | {"metadata": meta, "spec": spec}
        return Child.read(self.workflows[child.name])

    async def get_workflow(self, namespace: str, name: str) -> Child | None:
        self._begin("get workflow", f"{namespace}/{name}")
        found = self.workflows.get(name)
        return Child.read(found) if found else None

    async def get_operation(self, namespace: str, name: str) -> dict[str, Any] | None:
        self._begin("get operation", f"{namespace}/{name}")
        return self.operations.get(name)

    async def fetch_facts(
        self, namespace: str, needs: ClusterQuery, catalogue: str
    ) -> ClusterFacts:
        self._begin("learn", f"{namespace}/{','.join(needs.claims)} {catalogue}")
        return self.facts

    async def read_log(self, namespace: str, pod: str) -> str:
        self._begin("log", f"{namespace}/{pod}")
        if self.log is None:
            await asyncio.sleep(60)
        return self.log or ""

    async def patch_status(
        self, namespace: str, name: str, resource_version: str, changes: dict[str, Any]
    ) -> dict[str, Any]:
        assert namespace == NAMESPACE
        self._begin("status", changes.get("reason", "-"))
        old = self.operations[name]
        if old["metadata"]["resourceVersion"] != resource_version:
            raise CONFLICT
        status = (old.get("status") or {}) | changes
        meta = old["metadata"] | {"resourceVersion": self.next_version()}
        self.operations[name] = old | {
            "metadata": meta,
            "status": {k: v for k, v in status.items() if v is not None},
        }
        return self.operations[name]

    def record(self, manifests: Sequence[dict[str, Any]]) -> None:
        self.events.extend(manifests)

    async def remove_finalizer(self, child: Child) -> Child | None:
        self._begin("release", child.name)
        found = self.workflows.get(child.name)
        if found is None:
            return None
        meta = found["metadata"] | {"finalizers": [], "resourceVersion": self.next_version()}
        self.workflows[child.name] = found | {"metadata": meta}
        return Child.read(self.workflows[child.name])

    async def delete_workflow(self, child: Child) -> Child | None:
        self._begin("delete", child.name)
        found = self.workflows[child.name]
        if found["metadata"]["resourceVersion"] != str(child.resource_version):
            raise CONFLICT
        if not found["metadata"].get("finalizers"):
            del self.workflows[child.name]
            return None
        meta = found["metadata"] | {
            "deletionTimestamp": stamp(NOW),
            "resourceVersion": self.next_version(),
        }
        self.workflows[child.name] = found | {"metadata": meta}
        return Child.read(self.workflows[child.name])

    async def delete_pods(self, child: Child) -> tuple[str, ...]:
        self._begin("stop", child.name)
        return self.pods_to_kill

    async def delete_operation(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> dict[str, Any] | None:
        self._begin("erase", f"{namespace}/{name}")
        found = self.operations.get(name)
        if found is None:
            return None
        if (found["metadata"]["uid"], found["metadata"]["resourceVersion"]) != (
            uid,
            resource_version,
        ):
            raise CONFLICT
        if not found["metadata"].get("finalizers"):
            del self.operations[name]
            return None
        meta = found["metadata"] | {
            "deletionTimestamp": stamp(NOW),
            "resourceVersion": self.next_version(),
        }
        self.operations[name] = found | {"metadata": meta}
        return self.operations[name]


class FakePublisher:
    """A publisher whose events become what a test says."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.events: list[ExitEvent] = []
        self.known: dict[str, Delivery] = {}

    def publish(self, event: ExitEvent) -> None:
        self.calls.append(f"publish {event.outcome.reason}")
        self.events.append(event)
        self.known[event.id] = delivery(DeliveryState.PENDING)

    def give_up(self, event: ExitEvent) -> None:
        self.calls.append(f"give up {event.outcome.reason}")

    def delivery(self, event_id: str) -> Delivery | None:
        return self.known.get(event_id)

    def drop(self, event_id: str) -> None:
        self.calls.append("forget")
        self.known.pop(event_id, None)


class FakeMeter:
    """Notes what is measured, in its order."""

    def __init__(self) -> None:
        self.measured: list[tuple[Any, ...]] = []

    def workflow_created(self, delay: float) -> None:
        self.measured.append(("created", delay))

    def ended(self, phase: str, reason: str, ran: float | None, delay: float) -> None:
        self.measured.append(("ended", phase, reason, ran, delay))

    def acknowledged(self, delay: float) -> None:
        self.measured.append(("acknowledged", delay))

    def deleted(self, kind: str) -> None:
        self.measured.append(("deleted", kind))


class Bench:
    """A reconciler between its fakes."""

    def __init__(self, defaults: Defaults = DEFAULTS) -> None:
        self.calls: list[str] = []
        self.changed: list[str] = []
        self.clock = CLOCK
        self.store = Store(self.changed.append, lambda: self.clock)
        self.cluster = FakeCluster(self.calls)
        self.publisher = FakePublisher(self.calls)
        self.meter = FakeMeter()
        self.server = NOW.timestamp()
        clocks = Clocks(lambda: NOW, lambda: self.clock, lambda: self.server)
        pace = RateLimiter(2.0, lambda: self.clock)
        clean_up = CleanUp(self.store, self.cluster, self.cluster, self.meter, pace, clocks.wall)
        observer = Observer(self.store, self.publisher, clocks)
        self.reconciler = Reconciler(
            self.store,
            self.cluster,
            self.publisher,
            self.cluster,
            self.meter,
            defaults,
            observer,
            clean_up,
        )

    def has(self, **settings: Any) -> Bench:
        """Have an operation, in the cluster and seen."""
        self.cluster.operations[NAME] = operation_manifest(**settings)
        self.store.upsert_operation(self.cluster.operations[NAME])
        return self

    def runs(
        self,
        phase: str = "Running",
        *,
        held: bool = False,
        broken: bool = False,
        shutdown: str = "",
    ) -> Bench:
        """Have a Workflow, in the cluster and seen."""
        status: dict[str, Any] = {"phase": phase, "startedAt": "2026-01-02T03:00:01Z"}
        if phase == "Running":
            node = {"type": "Pod", "name": f"{CHILD}[0].add", "templateName": "add"}
            status["nodes"] = {"n": {**node, "phase": "Running"}}
        if phase in ("Succeeded", "Failed"):
            status["finishedAt"] = "2026-01-02T03:04:00Z"
        if broken:
            node = {"type": "Pod", "name": f"{CHILD}[0].add", "templateName": "add"}
            status["nodes"] = {"n": {**node, "phase": "Failed"}}
        self.cluster.workflows[CHILD] = workflow_manifest(
            finalizers=(FINALIZER,) if held else (),
            event=destination().to_annotation() if held else "",
            status=status,
            spec={"shutdown": shutdown} if shutdown else {},
            version=int(self.cluster.next_version()),
        )
        self.store.upsert_workflow(Child.read(self.cluster.workflows[CHILD]))
        return self

    def delivers(self, state: DeliveryState, **settings: Any) -> Bench:
        """Have an event on its way, or there."""
        self.publisher.known[EVENT_ID] = delivery(state, **settings)
        return self

    def failing(self, call: str, *errors: Exception) -> Bench:
        """Have a call fail."""
        self.cluster.fails[call] = list(errors)
        return self

    def handle(self) -> float | None:
        """Handle the operation once."""
        self.calls.clear()
        self.changed.clear()
        return asyncio.run(self._handle())

    async def _handle(self) -> float | None:
        return await self.reconciler(UID)

    @property
    def status(self) -> OperationStatus:
        """Return the status as last written."""
        found = self.cluster.operations[NAME].get("status") or {}
        return OperationStatus.model_validate(found)

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Return a condition as last written."""
        (found,) = (one for one in self.status.conditions if one.type == kind)
        return found.status, found.reason, found.message
