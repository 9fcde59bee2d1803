"""The states that the docs draw, against those that the code can write.

From the status that the API server gives to a new operation, all that can be seen of one is
handed to the code that decides, until nothing new is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import pytest

from cloudharness_operation import crd
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.reasons import GIVEN_UP
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.status import OperationStatus, Phase
from cloudharness_operator.decide.child import ReasonMessage
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.decide.intervention import Termination
from cloudharness_operator.decide.plan import Plan
from cloudharness_operator.decide.state import InvalidManifest, ObservedState, Refusal
from tests.support.builders import (
    CLOCK,
    DEFAULTS,
    NO_BROKER,
    NOW,
    TOPIC,
    child,
    delivery,
    ended_by,
    observed,
    operation,
    operation_manifest,
)
from tests.support.examples import ROOT
from tests.support.health import health
from tests.support.kstatus import kstatus

TEXT = (ROOT / "docs" / "states.md").read_text()
ARROW = re.compile(r"^    (\S+) --> ([^\s:]+)", re.MULTILINE)
IMPATIENT = replace(DEFAULTS, give_up=1)
LOOKS = {
    ("False", ""): "Unpublished",
    ("True", ""): "Published",
    ("False", GIVEN_UP): "GivenUp",
}
"""The states of the event, by the condition's status and by the reasons that make one."""

Pair = tuple[str, str]
Looks = tuple[str, frozenset[Pair]]
Steps = list[tuple[OperationStatus, OperationStatus]]


@dataclass(frozen=True)
class Drawn:
    """One diagram of the docs, and the tables that follow it."""

    arrows: frozenset[Pair]
    tables: tuple[tuple[tuple[str, ...], ...], ...]


def drawn(title: str) -> Drawn:
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(title))
    tables = re.findall(r"^\| State .*\n\|[ -|]+\n((?:\|.*\n?)+)", text, re.MULTILINE)
    return Drawn(frozenset(ARROW.findall(text)), tuple(map(_rows, tables)))


def _rows(table: str) -> tuple[tuple[str, ...], ...]:
    lines = [line.strip().strip("|") for line in table.strip().splitlines()]
    return tuple(tuple(cell.strip() for cell in line.split("|")) for line in lines)


def states() -> dict[Looks, str]:
    """The table's states by what they look like."""
    (table,) = drawn("The run").tables
    return {(phase, _held(*held)): name for name, phase, *held in table}


def _held(true: str, false: str, unknown: str) -> frozenset[Pair]:
    columns = {"True": true, "False": false, "Unknown": unknown}
    return frozenset(
        (kind, status)
        for status, kinds in columns.items()
        for kind in kinds.split(", ")
        if kind != ""
    )


def looks(status: OperationStatus) -> Looks:
    held = {(one.type, one.status) for one in status.conditions if one.type != "Notified"}
    # That it is not suspended is told of one that once was, whatever its state.
    return str(status.phase), frozenset(held - {("Suspended", "False")})


def told(status: OperationStatus) -> str:
    for one in status.conditions:
        if one.type == "Notified":
            return LOOKS[one.status, one.reason if one.reason == GIVEN_UP else ""]
    return "[*]"


def unseen() -> OperationStatus:
    (version,) = crd.manifest()["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    return OperationStatus.model_validate(found["default"])


CANCEL = Termination("Cancelled", "spec.cancel is Stop", NOW)
AGAIN = {"runId": "again"}
SPECS: tuple[dict[str, Any], ...] = ({}, {"suspend": True}, {"cancel": "Stop"}, AGAIN)
ENDED = 3
# How far a child has come, since none goes back: an argument for `child`, and how far.
CHILDREN: tuple[tuple[dict[str, Any] | None, int], ...] = (
    (None, 0),
    ({"phase": ""}, 1),
    ({"phase": "Pending"}, 1),
    ({"phase": "Running"}, 2),
    ({"phase": "Running", "suspended": True}, 2),
    ({"phase": "Running", "intervention": ended_by(CANCEL)}, 2),
    ({"phase": "Running", "deleted": NOW}, ENDED),
    ({"phase": "Failed", "intervention": ended_by(CANCEL)}, ENDED),
    ({"phase": "Succeeded"}, ENDED),
    ({"phase": "Failed"}, ENDED),
    ({"phase": "Error"}, ENDED),
)
REFUSALS = (
    None,
    Refusal(ReasonMessage("SubmissionFailed", "not allowed"), final=False),
    Refusal(ReasonMessage("NameTaken", "it is another's"), final=True),
)
DELIVERIES = (None, *(delivery(state, begun=CLOCK - 100) for state in DeliveryState))
UNREADABLE = InvalidOperation("spec.tasks: Field required")


def sights(status: OperationStatus, come: int, topic: str) -> Iterator[tuple[ObservedState, int]]:
    """All that can be seen of an operation with this status, and how far its child is then."""
    manifest = operation_manifest(topic=topic)
    # Of what is settled no delivery is asked for any more, and of what has not ended there is none.
    deliveries = DELIVERIES if topic and not status.is_settled else (None,)
    for sent in deliveries:
        bad = InvalidManifest(1, status, UNREADABLE, manifest)
        yield observed(invalid=bad, delivery=sent), come
    operations = [
        (operation(status=status, topic=topic, spec=spec, generation=2), spec) for spec in SPECS
    ]
    children = [(made and child(**made, run_id="1"), rank) for made, rank in CHILDREN]
    for (made, rank), refusal, sent, (read, spec) in product(
        children, REFUSALS, deliveries, operations
    ):
        if sent and max(rank, come) < ENDED and not status.is_true("Finished"):
            continue
        if spec == AGAIN and (refusal or status.run_id is None):
            continue
        if rank < come and made is not None:
            continue
        if refusal and (made is not None or status.workflow_ref):
            continue
        found = observed(
            operation=read,
            child=made,
            refusal=refusal,
            delivery=sent,
            since=CLOCK - 100,
            certain=True,
            facts=ClusterFacts(),
        )
        yield found, max(rank, come)


def steps(topic: str) -> Iterator[tuple[OperationStatus, OperationStatus]]:
    """All writes of one status over another that can come about."""
    begun = (unseen(), 0)
    open_, known = [begun], {(unseen().model_dump_json(), 0)}
    while open_:
        old, come = open_.pop()
        for sight, rank in sights(old, come, topic):
            for new in _written(old, sight):
                yield old, new
                if old.run not in (None, new.run):
                    continue  # The next run is as the first.
                if (key := (new.model_dump_json(), rank)) not in known:
                    known.add(key)
                    open_.append((new, rank))


def _written(old: OperationStatus, sight: ObservedState) -> Iterator[OperationStatus]:
    plain = old.model_dump(mode="json", by_alias=True, exclude_none=True)
    failed = sight.delivery is not None and sight.delivery.state is DeliveryState.FAILED
    # Only what has failed can be given up, and each look is one of many thousand.
    for defaults in (DEFAULTS, NO_BROKER, *([IMPATIENT] if failed else [])):
        step = decide(sight, defaults)
        if isinstance(step, Plan) and (patch := step.status) is not None:
            merged = {key: one for key, one in (plain | patch).items() if one is not None}
            yield _status(json.dumps(merged))


@cache
def _status(text: str) -> OperationStatus:
    return OperationStatus.model_validate_json(text)


@pytest.fixture(scope="module")
def written() -> Steps:
    return [step for topic in ("", TOPIC) for step in steps(topic)]


def test_every_phase_is_drawn() -> None:
    assert {phase for phase, _ in states()} == set(Phase)


def test_every_state_that_is_drawn_comes_about_and_no_other(
    written: Steps,
) -> None:
    assert {looks(unseen()), *(looks(new) for _, new in written)} == set(states())


def test_every_step_that_is_drawn_comes_about_and_no_other(
    written: Steps,
) -> None:
    names = states()
    seen_steps = {(names[looks(old)], names[looks(new)]) for old, new in written}
    ends = {name for (_, held), name in names.items() if ("Finished", "True") in held}
    outside = {("[*]", names[looks(unseen())]), *((end, "[*]") for end in ends)}
    moves = {(old, new) for old, new in seen_steps if old != new}
    assert moves | outside == drawn("The run").arrows


def test_every_step_of_the_event_is_drawn(
    written: Steps,
) -> None:
    diagram = drawn("The exit event")
    moves = {(told(old), told(new)) for old, new in written if told(old) != told(new)}
    assert moves | {("Published", "[*]"), ("GivenUp", "[*]")} == diagram.arrows
    assert {(status, why): name for name, status, why in diagram.tables[0]} == LOOKS


def test_an_event_is_told_of_the_end_alone(
    written: Steps,
) -> None:
    for _, new in written:
        assert told(new) == "[*]" or new.is_true("Finished")


def test_what_others_make_of_each_state(
    written: Steps,
) -> None:
    (table,) = drawn("How clients").tables
    said = {name: tuple(others) for name, *others in table}
    every = {status.model_dump_json(): status for _, status in written}
    for status in (unseen(), *every.values()):
        manifest = operation_manifest(status=status, generation=status.observed_generation or 1)
        waits = "returns" if status.is_true("Finished") else "waits"
        others = (waits, kstatus(manifest), health(manifest).status)
        assert others == said[states()[looks(status)]]
