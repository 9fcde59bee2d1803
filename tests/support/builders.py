"""Small objects that tests of the operator are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import Destination, ExitEvent, Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN, child_name, resource_path
from cloudharness_operation.status import (
    Condition,
    OperationStatus,
    Phase,
    TaskPhase,
    TaskStatus,
    WorkflowRef,
)
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.delivery import Delivery, DeliveryState
from cloudharness_operator.decide.intervention import MAX_REMINDERS, Intervention, Termination
from cloudharness_operator.decide.plan import Plan
from cloudharness_operator.decide.state import ObservedState

NAMESPACE: Final = "lab"
NAME: Final = "sums"
UID: Final = "0c1d2e3f-0000-4000-8000-000000000001"
OTHER_UID: Final = "0c1d2e3f-0000-4000-8000-000000000002"
CHILD: Final = child_name(NAME, UID, FIRST_RUN)
CHILD_UID: Final = "77777777-0000-4000-8000-000000000001"
EVENT_ID: Final = f"{UID}/1/exit"
TOPIC: Final = "exits"
FINALIZER: Final = "cloudharness.io/exit-event"

CREATED: Final = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
STARTED: Final = datetime(2026, 1, 2, 3, 0, 1, tzinfo=UTC)
FINISHED: Final = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)
NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLOCK: Final = 100.0

DEFAULTS: Final = Defaults(task_image="python:3.13")
NO_BROKER: Final = Defaults(task_image="python:3.13", has_broker=False)
WIDE: Final = Defaults(task_image="python:3.13", topic="everything")

BASH: Final = {"name": "add", "bash": {"source": "echo 3"}}
PYTHON: Final = {"name": "show", "python": {"source": "print(3)"}}

Manifest = dict[str, Any]


def stamp(moment: datetime) -> str:
    """Return a time as it stands in a manifest."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def operation_manifest(
    *tasks: Manifest,
    name: str = NAME,
    namespace: str = NAMESPACE,
    uid: str = UID,
    version: int = 10,
    generation: int = 1,
    topic: str = "",
    payload: str = "",
    account: str = "",
    deleted: datetime | None = None,
    spec: Mapping[str, Any] | None = None,
    status: OperationStatus | Manifest | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return an operation as the API server has it: a bash task, and nobody to tell."""
    used = tasks or (BASH,)
    whole: Manifest = {
        "type": "SingleTask" if len(used) == 1 else "Pipeline",
        "tasks": list(used),
        **(spec or {}),
    }
    if topic:
        whole["onExit"] = {"notify": {"topic": topic, "payload": payload}}
    if account:
        whole["serviceAccountName"] = account
    meta: Manifest = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(version),
        "generation": generation,
        "creationTimestamp": stamp(CREATED),
        **(metadata or {}),
    }
    if deleted:
        meta["deletionTimestamp"] = stamp(deleted)
    if isinstance(status, OperationStatus):
        status = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "apiVersion": "cloudharness.io/v1alpha1",
        "kind": "CloudHarnessOperation",
        "metadata": meta,
        "spec": whole,
        **({"status": status} if status is not None else {}),
    }


def operation(*tasks: Manifest, **settings: Any) -> Operation:
    """Return an operation as the operator reads it."""
    return Operation.parse(operation_manifest(*tasks, **settings))


def on_record(
    phase: str,
    reason: str,
    message: str = "",
    *,
    holds: Mapping[str, bool],
    progress: str | None = None,
    started: datetime | None = None,
    finished: datetime | None = None,
    referenced: bool = True,
    generation: int = 1,
    at: datetime = FINISHED,
    told: tuple[str, str] | None = None,
) -> OperationStatus:
    """Return a status; `told` is what its condition `Notified` says."""
    says = dict.fromkeys(holds, (reason, message))
    if holds.get("Accepted"):
        says["Accepted"] = ("Accepted", "")
    if holds.get("Reconciling") is False:
        says["Reconciling"] = (reason, "")
    if told:
        says["Notified"] = told
    return OperationStatus(
        observed_generation=generation,
        run=FIRST_RUN,
        run_id="1",
        phase=Phase(phase),
        reason=reason,
        message=message,
        progress=progress,
        start_time=started,
        completion_time=finished,
        workflow_ref=reference() if referenced else None,
        conditions=tuple(
            Condition(
                type=kind,
                status="True" if held else "False",
                reason=says[kind][0],
                message=says[kind][1],
                last_transition_time=at,
                observed_generation=generation,
            )
            for kind, held in holds.items()
        ),
    )


def reference() -> WorkflowRef:
    """Return the reference to the child."""
    return WorkflowRef(api_version="argoproj.io/v1alpha1", name=CHILD, uid=CHILD_UID)


def workflow_manifest(
    *,
    name: str = CHILD,
    namespace: str = NAMESPACE,
    uid: str = CHILD_UID,
    version: int = 20,
    operation_name: str = NAME,
    operation_uid: str = UID,
    finalizers: tuple[str, ...] = (),
    event: str = "",
    deleted: datetime | None = None,
    spec: Manifest | None = None,
    status: Manifest | None = None,
) -> Manifest:
    """Return a child Workflow as the API server has it."""
    meta: Manifest = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(version),
        "labels": {
            "cloudharness.io/operation": operation_name,
            "cloudharness.io/operation-uid": operation_uid,
            "app.kubernetes.io/managed-by": "cloudharness-operator",
        },
        "ownerReferences": [
            {
                "apiVersion": "cloudharness.io/v1alpha1",
                "kind": "CloudHarnessOperation",
                "name": operation_name,
                "uid": operation_uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
    if finalizers:
        meta["finalizers"] = list(finalizers)
    if event:
        meta["annotations"] = {"cloudharness.io/exit-event": event}
    if deleted:
        meta["deletionTimestamp"] = stamp(deleted)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": meta,
        "spec": spec or {},
        **({"status": status} if status is not None else {}),
    }


def child(phase: str = "", *, held: bool = False, **fields: Any) -> Child:
    """Return a child as the operator keeps it; a held one has our finalizer and annotation."""
    plain = Child(
        namespace=NAMESPACE,
        name=CHILD,
        uid=CHILD_UID,
        resource_version=20,
        operation_uid=UID,
        operation=NAME,
        owner_uid=UID,
        phase=phase,
        started=STARTED if phase else None,
        finished=FINISHED if phase in ("Succeeded", "Failed", "Error") else None,
        finalizers=(FINALIZER,) if held else (),
        exit_event=destination().to_annotation() if held else "",
    )
    return replace(plain, **fields)


def ended_by(why: Termination) -> Intervention:
    """Return a termination of which Argo is not reminded any more."""
    return Intervention(why.at, MAX_REMINDERS, why)


def task(name: str = "add", phase: str = "Running", **fields: Any) -> TaskStatus:
    """Return a task as a child has it."""
    return TaskStatus(name=name, phase=TaskPhase(phase), **fields)


def destination(**fields: Any) -> Destination:
    """Return where the end of the operation's run is published."""
    plain = Destination(
        uid=UID,
        namespace=NAMESPACE,
        operation=NAME,
        run=str(FIRST_RUN),
        run_id="1",
        topics=(TOPIC,),
        payload="",
    )
    return plain.model_copy(update=fields)


def outcome(
    status: str = "Succeeded",
    reason: str = "AllTasksSucceeded",
    message: str = "all tasks succeeded",
    started: datetime | None = STARTED,
    finished: datetime = FINISHED,
) -> Outcome:
    """Return how a run ended: well, if nothing else is said."""
    return Outcome(status, reason, message, started, finished)


def exit_event(end: Outcome | None = None, **fields: Any) -> ExitEvent:
    """Return the exit event of the operation; `fields` are of its destination."""
    return ExitEvent(destination(**fields), end or outcome(), CHILD)


def delivery(state: DeliveryState, *, begun: float = CLOCK, **fields: Any) -> Delivery:
    """Return what became of an event that was published at `begun`."""
    return replace(Delivery(state, begun, begun), **fields)


def observed(**fields: Any) -> ObservedState:
    """Return an observed state: empty, but for the given fields."""
    return replace(ObservedState(UID, NOW, CLOCK, since=CLOCK), **fields)


def plan(state: ObservedState, defaults: Defaults) -> Plan:
    """Return the plan for a state in which nothing has to be read first."""
    step = decide(state, defaults)
    assert isinstance(step, Plan), step
    return step


def holds(status: OperationStatus) -> dict[str, str]:
    """Return the status of each condition by its type."""
    return {condition.type: condition.status for condition in status.conditions}


SOURCE: Final = resource_path(NAMESPACE, NAME)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, on however slow a machine."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells of the end of what is waited for.
            await asyncio.sleep(0.002)


def only(children: tuple[Child, ...]) -> Child | None:
    """Return the one child, or None if there is none."""
    found, *more = children or (None,)
    assert not more
    return found
