"""Decisions in sequence, in a small world that crashes, lags and loses things at any step.

The world keeps what a cluster and a broker keep; the operator's memory is lost in a crash.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cloudharness_operation.event import ExitEvent, event_id
from cloudharness_operation.model import Cancel, Operation
from cloudharness_operation.names import (
    ANNOTATION_EXIT_EVENT,
    ANNOTATION_INTERVENTION,
    ANNOTATION_RUN_ID,
    LABEL_RUN,
)
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.delivery import Delivery, DeliveryState
from cloudharness_operator.decide.expiry import FOR_EVER, Expiry, Retention
from cloudharness_operator.decide.intervention import from_annotation
from cloudharness_operator.decide.plan import NOTHING, FetchFacts, Plan, ReadLog, Reread
from cloudharness_operator.decide.state import ObservedState
from tests.support.builders import CHILD_UID, DEFAULTS, NOW, TOPIC, UID, child, operation


class Crash(Exception):
    """The operator's process ends here."""


CRASHED = Plan(requeue_after=0.0)

MISSING = 0.3
"""How often Argo does not see what it is to do."""


@dataclass
class Memory:
    """What a process knows, and a crash loses."""

    since: float
    operation: Operation | None = None
    children: dict[int, Child] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    flying: dict[str, ExitEvent] = field(default_factory=dict)
    written: float | None = None
    swept: set[str] = field(default_factory=set)


@dataclass
class World:
    """A cluster with one operation, and a broker."""

    topic: str
    rng: random.Random
    crashing: float
    keep: int | None = None
    """Seconds for which a Workflow is kept."""
    clock: float = 0.0
    broker: bool = True
    operation: Operation | None = None
    children: dict[int, Child] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    created: Counter[int] = field(default_factory=Counter)
    """How often the Workflow of a run was made."""
    missed: dict[int, int] = field(default_factory=dict)
    """The version of the Workflow of a run that Argo does not see before it changes again."""
    version: int = 100
    asked: int = 1
    ended: dict[int, tuple[object, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with a new operation that the operator has just seen."""
        self.operation = operation(topic=self.topic)
        self.memory = Memory(self.clock, self.operation)

    @property
    def now(self) -> datetime:
        """The time on the wall, in whole seconds."""
        return NOW + timedelta(seconds=int(self.clock))

    # What the operator does.

    def reconcile(self) -> Plan:
        """Look at what the memory holds, decide, and do it; perhaps crash on the way."""
        try:
            plans = [self._present(), *map(self._former, self._formers())]
        except Crash:
            self.restart()
            return CRASHED
        return next((plan for plan in plans if plan != NOTHING), NOTHING)

    def _present(self) -> Plan:
        known: dict[str, Any] = {}
        while not isinstance(step := decide(replace(self.observed(), **known), DEFAULTS), Plan):
            match step:
                case Reread():
                    self.see_operation()
                    if self.observed().child is None:
                        self.see_children()
                    assert known.setdefault("certain", True)
                case FetchFacts():
                    assert "facts" not in known
                    known["facts"] = ClusterFacts(occupants=self._occupants())
                case ReadLog():
                    assert "log" not in known
                    known["log"] = ""
        return self._carried_out(step)

    def _occupants(self) -> tuple[str, ...]:
        assert self.memory.operation is not None
        living = (one.name for one in self.children.values() if one.phase == "Running")
        return tuple(living) if self.memory.operation.run > 1 else ()

    def _formers(self) -> list[int]:
        known = self.memory.operation
        return [run for run in self.memory.children if known is None or run < known.run]

    def _former(self, run: int) -> Plan:
        if run not in self.memory.children:
            return NOTHING
        step = decide(self._seen_of_former(run), DEFAULTS)
        if step == Reread():
            self.see_operation()
            if run not in self._formers():
                return Plan(requeue_after=0.0)
            step = decide(replace(self._seen_of_former(run), certain=True), DEFAULTS)
        assert isinstance(step, Plan)
        return self._carried_out(step)

    def _carried_out(self, plan: Plan) -> Plan:
        steps: tuple[tuple[object, Callable[[Plan], None]], ...] = (
            (plan.create_workflow, self._create),
            (plan.patch_workflow, self._steer),
            (plan.publish, self._publish),
            (plan.status, self._write),
            (plan.remove_finalizer, self._release),
            (plan.drop_delivery, self._forget),
            (plan.delete_pods, self._sweep),
            (plan.delete_workflow, self._expire),
        )
        for wanted, step in steps:
            if wanted:
                self.perhaps_crash()
                step(plan)
                self.perhaps_crash()
        return plan

    def observed(self) -> ObservedState:
        """Return what the process sees of the present run, which may be old."""
        known = self.memory
        settled = known.operation is not None and _is_settled(known.operation)
        run = known.operation.run if known.operation else 1
        at = self._at(run)
        if known.operation is None and known.children:
            at = replace(at, delivery=None)
        return replace(
            at,
            operation=None if settled else known.operation,
            gone=known.operation is None,
            settled=settled,
            child=known.children.get(run) if known.operation else None,
            pods_deleted=run in known.children and known.children[run].uid in known.swept,
            since=known.since,
            written=known.written,
            expiry=self._expiry() if settled else None,
        )

    def _seen_of_former(self, run: int) -> ObservedState:
        known = self.memory
        kept = Retention(self.keep, self.keep) if known.operation else FOR_EVER
        return replace(
            self._at(run),
            gone=known.operation is None,
            child=known.children[run],
            pods_deleted=known.children[run].uid in known.swept,
            retention=kept,
            former=True,
        )

    def _at(self, run: int) -> ObservedState:
        delivery = self.memory.deliveries.get(event_id(UID, run))
        server = self.now.timestamp()
        return ObservedState(UID, self.now, self.clock, run=run, delivery=delivery, server=server)

    def _expiry(self) -> Expiry | None:
        known = self.memory.operation
        if self.keep is None or known is None or known.status.completion_time is None:
            return None
        return Expiry(known.status.completion_time.timestamp(), Retention(self.keep, self.keep))

    def _create(self, plan: Plan) -> None:
        assert plan.create_workflow is not None
        meta = plan.create_workflow["metadata"]
        run = int(meta["labels"][LABEL_RUN])
        if run not in self.children:
            if self.operation is None:
                return  # The API server takes it; the garbage collector takes it away.
            recorded = self.operation.run == run and self.operation.status.workflow_ref
            assert not recorded, "a Workflow that is on record was created again"
            self.created[run] += 1
            self.children[run] = child(
                name=meta["name"],
                uid=f"{CHILD_UID}-{run}-{self.created[run]}",
                run=run,
                run_id=meta["annotations"][ANNOTATION_RUN_ID],
                finalizers=tuple(meta.get("finalizers", ())),
                exit_event=meta["annotations"].get(ANNOTATION_EXIT_EVENT, ""),
                resource_version=self.tick(),
            )
        self.see_children()

    def _steer(self, plan: Plan) -> None:
        assert plan.patch_workflow is not None
        state, changes = plan.patch_workflow
        known = self.children.get(state.run)
        if known is None or known.resource_version != state.resource_version:
            self.see_children()
            return
        spec, meta = changes.get("spec", {}), changes.get("metadata", {})
        notes = meta.get("annotations", {})
        self.children[state.run] = replace(
            known,
            suspended=bool(spec.get("suspend", known.suspended)),
            shutdown=spec.get("shutdown", known.shutdown),
            intervention=from_annotation(notes.get(ANNOTATION_INTERVENTION, ""))
            or known.intervention,
            resource_version=self.tick(),
        )
        if known.phase and self.rng.random() < MISSING:
            self.missed[state.run] = self.version
        self.see_children()

    def _publish(self, plan: Plan) -> None:
        assert plan.publish is not None
        event = plan.publish
        known = self.memory.deliveries.get(event.id)
        if known and known.state is not DeliveryState.FAILED:
            return
        first = Delivery(DeliveryState.PENDING, self.clock, self.clock)
        self.memory.deliveries[event.id] = known.again(self.clock) if known else first
        self.memory.flying[event.id] = event

    def _write(self, plan: Plan) -> None:
        state = self.memory.operation
        if self.operation is None or state is None:
            self.see_operation()
            return
        if self.operation.metadata.resource_version != state.metadata.resource_version:
            self.see_operation()
            raise Crash  # A conflict ends the attempt, as a crash does.
        old = self.operation.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        patched = {k: v for k, v in (old | (plan.status or {})).items() if v is not None}
        self._change(OperationStatus.model_validate(patched))
        self.see_operation()
        self.memory.written = self.clock

    def _change(self, status: OperationStatus) -> None:
        assert self.operation is not None
        run = status.run or 1
        assert run - self.operation.run in (0, 1), "a run was left out"
        if run == self.operation.run + 1:
            self._check_next(status)
        end = (status.phase, status.reason, status.message, status.completion_time)
        if status.is_true("Finished"):
            assert self.ended.get(run, end) == end, "an end on record has changed"
            self.ended[run] = end
            assert status.run_id == self.operation.spec.run_id or (
                status.observed_generation != self.operation.metadata.generation
            ), "whoever waits for the run that was asked for would take this for its end"
        else:
            assert run not in self.ended, "an end on record was taken back"
        if status.is_true("Notified"):
            assert self.has_heard(run), "told, and nobody has heard it"
        meta = self.operation.metadata.model_copy(update={"resource_version": str(self.tick())})
        self.operation = self.operation.model_copy(update={"status": status, "metadata": meta})

    def _check_next(self, status: OperationStatus) -> None:
        assert self.operation is not None
        run, held = self.operation.run, self.children.get(self.operation.run)
        begun = held is not None and held.owner_uid == UID
        assert run in self.ended or not begun, "a run was left before its end"
        assert not status.is_true("Finished")
        if self.topic and run in self.ended:
            assert self.has_heard(run) or (held and held.is_held), "nobody will be told"

    def has_heard(self, run: int) -> bool:
        """Whether the broker has the event of a run."""
        return event_id(UID, run) in [id_ for id_, _ in self.log]

    def _release(self, plan: Plan) -> None:
        assert plan.remove_finalizer is not None
        run = plan.remove_finalizer.run
        known = self.children.get(run)
        if known is None or plan.remove_finalizer.uid != known.uid:
            self.see_children()
            return
        if known.is_held:
            if self.operation is not None and self.operation.run == run:
                assert run in self.ended, "let go before the end is on record"
            assert self.has_heard(run), "let go before the end is told"
        self.children[run] = replace(known, finalizers=(), resource_version=self.tick())
        if known.deleted:
            del self.children[run]
        self.see_children()

    def _expire(self, plan: Plan) -> None:
        assert plan.delete_workflow is not None
        run = plan.delete_workflow.run
        known = self.children.get(run)
        if known is None or plan.delete_workflow.resource_version != known.resource_version:
            self.see_children()
            raise Crash  # A conflict ends the attempt, as a crash does.
        former = self.operation is None or run < self.operation.run
        assert former or (self.operation is not None and self.operation.status.is_settled)
        assert known.has_ended
        assert not known.is_held, "deleted before its end is told"
        assert self.keep is not None
        finished = known.finished
        assert finished is not None
        assert (self.now - finished).total_seconds() >= self.keep, "deleted too early"
        del self.children[run]
        self.see_children()

    def _sweep(self, plan: Plan) -> None:
        assert plan.delete_pods is not None
        assert plan.delete_pods.shutdown, "pods of a run that was not ended"
        self.memory.swept.add(plan.delete_pods.uid)

    def _forget(self, plan: Plan) -> None:
        assert plan.drop_delivery is not None
        self.memory.deliveries.pop(plan.drop_delivery, None)
        self.memory.flying.pop(plan.drop_delivery, None)

    def perhaps_crash(self) -> None:
        """End the process, at times."""
        if self.rng.random() < self.crashing:
            raise Crash

    def restart(self) -> None:
        """Lose the memory, and list everything."""
        self.memory = Memory(self.clock, self.operation, dict(self.children))

    # What happens around it.

    def see_operation(self) -> None:
        """Have the operator see the operation as it is."""
        self.memory.operation = self.operation

    def see_children(self) -> None:
        """Have the operator see the Workflows as they are."""
        self.memory.children = dict(self.children)

    def wait(self) -> None:
        """Let some time pass."""
        self.clock += self.rng.choice((0.05, 0.5, 1.0, 3.0, 20.0))

    def argo(self) -> None:
        """Have Argo take each Workflow one phase on, unless it is being deleted."""
        for run, known in self.children.items():
            if known.deleted or known.has_ended or (known.suspended and known.phase):
                continue
            if self.missed.get(run) == known.resource_version:
                continue
            phase = "Running" if known.phase == "" else self.rng.choice(("Succeeded", "Failed"))
            phase = "Failed" if known.shutdown else phase
            self.children[run] = replace(
                known,
                phase=phase,
                started=known.started or self.now,
                finished=None if phase == "Running" else self.now,
                resource_version=self.tick(),
            )

    def take(self) -> None:
        """Have the broker take the events, and its word not come back yet."""
        for event in self.memory.flying.values() if self.broker else ():
            self.log.append((event.id, event.outcome.status))

    def answer(self) -> None:
        """Have the publisher learn what became of the events."""
        self.take()
        for id_ in list(self.memory.flying):
            known = self.memory.deliveries[id_]
            away = known.failed(self.clock, "BrokerUnavailable", "away")
            self.memory.deliveries[id_] = known.acked(self.clock) if self.broker else away
            del self.memory.flying[id_]

    def turn_broker(self) -> None:
        """Have the broker go away, or come back."""
        self.broker = not self.broker

    def delete_children(self) -> None:
        """Have a person delete the Workflows."""
        for run, known in list(self.children.items()):
            if known.deleted:
                continue
            kept = replace(known, deleted=self.now, resource_version=self.tick())
            if kept.is_held:
                self.children[run] = kept
            else:
                del self.children[run]

    def delete_operation(self) -> None:
        """Have a person delete the operation, which takes its Workflow along."""
        self.operation = None
        self.delete_children()

    def change_spec(self, **fields: object) -> None:
        """Have a person change the operation's spec."""
        if self.operation is None:
            return
        spec = self.operation.spec.model_copy(update=fields)
        meta = self.operation.metadata.model_copy(
            update={
                "resource_version": str(self.tick()),
                "generation": self.operation.metadata.generation + 1,
            }
        )
        self.operation = self.operation.model_copy(update={"spec": spec, "metadata": meta})

    def suspend(self) -> None:
        """Have a person suspend the operation."""
        self.change_spec(suspend=True)

    def resume(self) -> None:
        """Have a person resume it."""
        self.change_spec(suspend=False)

    def cancel(self) -> None:
        """Have a person cancel it."""
        self.change_spec(cancel=self.rng.choice(list(Cancel)))

    def run_again(self) -> None:
        """Have a person ask for another run."""
        self.asked += 1
        self.change_spec(run_id=f"r{self.asked}", cancel=None)

    def replace_run(self) -> None:
        """Have a person ask for another run at once."""
        self.change_spec(concurrency_policy=ConcurrencyPolicy.REPLACE)
        self.run_again()

    def tick(self) -> int:
        """Return the next resource version."""
        self.version += 1
        return self.version

    def come_to_rest(self) -> None:
        """Let everything work until the operator has nothing left to do."""
        self.broker, self.crashing = True, 0.0
        for _ in range(100):
            self.see_operation()
            self.see_children()
            plan = self.reconcile()
            self.see_operation()
            self.see_children()
            if plan == NOTHING and not self.memory.flying and self._is_over():
                return
            self.answer()
            self.argo()
            self.clock += 3.0
        pytest.fail(f"never at rest: {plan}")

    def _is_over(self) -> bool:
        return all(one.has_ended or one.deleted for one in self.children.values())


def _is_settled(operation: Operation) -> bool:
    state = operation.status.observed_generation == operation.metadata.generation
    present = operation.status.run_id in (None, operation.spec.run_id)
    return state and present and operation.status.is_settled


AROUND: dict[str, Callable[[World], object]] = {
    "reconcile": World.reconcile,
    "see operation": World.see_operation,
    "see children": World.see_children,
    "wait": World.wait,
    "argo": World.argo,
    "take": World.take,
    "answer": World.answer,
    "broker": World.turn_broker,
    "restart": World.restart,
}
WEIGHTS = (8, 3, 3, 3, 2, 1, 3, 1, 1)
DELETIONS: dict[str, Callable[[World], object]] = {
    "nothing is deleted": lambda _: None,
    "the Workflow is deleted": World.delete_children,
    "the operation is deleted": World.delete_operation,
}


@pytest.mark.parametrize("topic", [TOPIC, ""], ids=["told", "not told"])
@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize("seed", range(120))
def test_nothing_is_lost_whatever_happens(topic: str, deletion: str, seed: int) -> None:
    rng = random.Random(f"{topic} {deletion} {seed}")  # noqa: S311 - repeatable by intent.
    world = World(topic, rng, crashing=0.15, keep=rng.choice((None, 0, 2, 30)))
    steps = rng.choices(list(AROUND.values()), WEIGHTS, k=40)
    steps.insert(rng.randrange(40), DELETIONS[deletion])
    for step in steps:
        step(world)
    world.come_to_rest()
    check(world, deletion)


STEERED: dict[str, tuple[Callable[[World], object], ...]] = {
    "suspended and resumed": (World.suspend, World.resume),
    "suspended and cancelled": (World.suspend, World.cancel),
    "cancelled": (World.cancel,),
    "all at once": (World.suspend, World.resume, World.suspend, World.cancel),
    "run again": (World.run_again,),
    "run again and again": (World.run_again, World.run_again, World.run_again),
    "replaced": (World.replace_run, World.run_again),
    "cancelled and run again": (World.cancel, World.run_again),
    "suspended, run again and resumed": (World.suspend, World.run_again, World.resume),
}


@pytest.mark.parametrize("topic", [TOPIC, ""], ids=["told", "not told"])
@pytest.mark.parametrize("deletion", DELETIONS)
@pytest.mark.parametrize("how", STEERED)
@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_whoever_changes_their_mind(
    topic: str, deletion: str, how: str, seed: int
) -> None:
    rng = random.Random(f"{topic} {deletion} {how} {seed}")  # noqa: S311 - repeatable by intent.
    world = World(topic, rng, crashing=0.15)
    steps = rng.choices(list(AROUND.values()), WEIGHTS, k=40)
    for place, step in zip(
        sorted(rng.sample(range(40), len(STEERED[how]))), STEERED[how], strict=True
    ):
        steps.insert(place, step)
    steps.insert(rng.randrange(40), DELETIONS[deletion])
    for step in steps:
        step(world)
    world.come_to_rest()
    check(world, deletion)
    if world.operation is not None:
        meta, status = world.operation.metadata, world.operation.status
        last = world.children.get(world.operation.run)
        assert status.observed_generation == meta.generation
        if last is not None and last.termination and last.has_ended:
            assert (status.phase, status.reason) == ("Cancelled", last.termination.reason)
        unmade = not world.created and deletion == "nothing is deleted"
        if world.operation.spec.cancel and unmade:
            assert status.phase == "Cancelled"
    for one in world.children.values():
        assert one.deleted or one.has_ended or one.shutdown


def check(world: World, deletion: str) -> None:
    """Check what holds at rest."""
    told = bool(world.topic)
    said: dict[str, set[str]] = {}
    for id_, word in world.log:
        said.setdefault(id_, set()).add(word)
    if world.operation is not None:
        status, run = world.operation.status, world.operation.run
        assert status.run_id == world.operation.spec.run_id
        assert status.is_true("Finished")
        assert status.is_true("Notified") == told
        past = [(one.run, one.phase) for one in status.history]
        ends = sorted(world.ended, reverse=True)
        assert past == [(one, world.ended[one][0]) for one in ends if one < run]
    if told:
        # Each repeat tells what the record says.
        for run, (phase, *_) in world.ended.items():
            if world.operation is None and run not in world.created:
                continue  # Its record is gone, and there never was a Workflow to tell it.
            assert said[event_id(UID, run)] == {"Failed" if phase == "Cancelled" else phase}
        assert set(map(event_id, [UID] * len(world.created), world.created)) <= set(said)
        runs = range(1, world.asked + 1)
        assert set(said) <= {event_id(UID, run) for run in runs}
    assert told or not world.log
    assert not any(one.is_held for one in world.children.values())
    if world.keep is not None and world.operation is not None:
        assert not any(one.has_ended for one in world.children.values())
    if told or deletion != "the Workflow is deleted":
        assert set(world.created.values()) <= {1}
    assert not world.memory.deliveries


@pytest.mark.parametrize("crash", range(12))
@pytest.mark.parametrize("topic", [TOPIC, ""], ids=["told", "not told"])
def test_a_crash_at_any_one_step_changes_nothing(topic: str, crash: int) -> None:
    world = World(topic, random.Random(0), crashing=0.0)  # noqa: S311 - not used.
    passed = iter(range(1000))

    def perhaps() -> None:
        if next(passed) == crash:
            raise Crash

    world.perhaps_crash = perhaps  # type: ignore[method-assign]
    world.come_to_rest()
    check(world, "nothing is deleted")
    assert world.created == {1: 1}
    assert len(world.log) in ((1, 2) if topic else (0,))
