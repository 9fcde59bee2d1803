"""What is done about children that no operation answers for any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operator.decide import orphans
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.decide.expiry import Retention
from cloudharness_operator.decide.intervention import Intervention
from cloudharness_operator.decide.plan import Reread
from cloudharness_operator.decide.state import ObservedState
from tests.support.builders import (
    CHILD,
    CLOCK,
    EVENT_ID,
    FINISHED,
    NOW,
    OTHER_UID,
    TOPIC,
    child,
    delivery,
    destination,
    observed,
    plan,
)
from tests.support.steps import in_short

END = FINISHED.timestamp()
LIMIT = 600
REFUSED = f"exit event of Workflow lab/{CHILD} is not published: {orphans.FORGED}"
DEFAULTS = Defaults(task_image="python:3.13", give_up=LIMIT, topics=(TOPIC, "one", "two"))
"""Seconds for which events are tried."""
SHUTDOWN = {"spec": {"suspend": None, "shutdown": "Terminate"}}


def row(sentence: str, what: ObservedState, **expected: Any) -> Any:
    return pytest.param(replace(what, former=True), expected, id=sentence)


def gone(**fields: Any) -> ObservedState:
    """What is seen of a child whose operation is gone."""
    return observed(gone=True, **fields)


ORPHANS = [
    row("a free Workflow without its operation is nobody's", gone(child=child("Succeeded"))),
    row(
        "a held Workflow without its operation has it asked for",
        gone(child=child("Succeeded", held=True)),
        question=Reread(),
    ),
    row(
        "a held Workflow without its operation tells its end itself",
        gone(child=child("Succeeded", held=True), certain=True),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "one that was cut short tells that",
        gone(child=child("Running", held=True, deleted=NOW), certain=True),
        publish=(EVENT_ID, "Error", "Deleted"),
        requeue_after=2.0,
    ),
    row(
        "one that runs and is not being deleted yet goes on",
        gone(child=child("Running", held=True), certain=True),
    ),
    row(
        "its event is waited for as long as it takes",
        gone(
            child=child("Succeeded", held=True),
            certain=True,
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 900, changed=CLOCK, attempts=4),
        ),
        requeue_after=8.0,
    ),
    row(
        "its event is published again after the back-off",
        gone(
            child=child("Succeeded", held=True),
            certain=True,
            delivery=delivery(
                DeliveryState.FAILED, begun=CLOCK - 900, changed=CLOCK - 8, attempts=4
            ),
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
    ),
    row(
        "it is let go when its event is told",
        gone(
            child=child("Succeeded", held=True),
            certain=True,
            delivery=delivery(DeliveryState.ACKED),
        ),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "or when its time is over and it fails once more",
        gone(
            child=child("Succeeded", held=True),
            certain=True,
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 900, changed=CLOCK, attempts=4),
            now=FINISHED + timedelta(seconds=LIMIT),
        ),
        give_up=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "one whose annotation is gone is let go",
        gone(child=child("Succeeded", held=True, exit_event=""), certain=True),
        reject=REFUSED,
        remove_finalizer=CHILD,
    ),
    row(
        "one whose annotation is mangled is let go",
        gone(child=child("Succeeded", held=True, exit_event='{"uid": 1}'), certain=True),
        reject=REFUSED,
        remove_finalizer=CHILD,
    ),
    *(
        row(
            f"one whose annotation names {what} is not believed",
            gone(
                child=child("Succeeded", held=True, exit_event=other.to_annotation()), certain=True
            ),
            reject=REFUSED,
            remove_finalizer=CHILD,
        )
        for what, other in (
            ("another namespace", destination(namespace="secret")),
            ("another operation", destination(operation="other")),
            ("another run", destination(run="2")),
            ("a topic that is not allowed", destination(topics=("payroll",))),
        )
    ),
    row(
        "one whose annotation is another operation's is let go",
        gone(
            child=child(
                "Succeeded",
                held=True,
                exit_event=destination(uid=OTHER_UID).to_annotation(),
            ),
            certain=True,
        ),
        reject=REFUSED,
        remove_finalizer=CHILD,
    ),
]
FORMER = [
    row(
        "one of a former run that was not told of tells its end itself",
        observed(child=child("Failed", held=True)),
        publish=(EVENT_ID, "Failed", "TaskFailed"),
        requeue_after=2.0,
    ),
    row(
        "and is let go when that is told",
        observed(child=child("Failed", held=True), delivery=delivery(DeliveryState.ACKED)),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "one that was deleted before its end is lost, since its operation stays",
        observed(child=child("Running", held=True, deleted=NOW)),
        publish=(EVENT_ID, "Error", "WorkflowLost"),
        requeue_after=2.0,
    ),
    row(
        "one that still runs is ended: the operation has gone on",
        observed(child=child("Running")),
        patch_workflow=SHUTDOWN,
    ),
    row("once", observed(child=child("Running", shutdown="Terminate"))),
    row(
        "and once more, should Argo have missed it",
        observed(child=child("Running", shutdown="Terminate", intervention=Intervention(NOW))),
        requeue_after=10.0,
    ),
    row(
        "one is kept for its time",
        observed(child=child("Failed"), retention=Retention(5, 60), server=END + 10),
        requeue_after=50.0,
    ),
    row(
        "by its own outcome",
        observed(child=child("Succeeded"), retention=Retention(5, 60), server=END + 10),
        delete_workflow=CHILD,
    ),
    row("or for ever", observed(child=child("Succeeded"), server=END + 1e6)),
    row(
        "one that is being deleted is not deleted again",
        observed(child=child("Failed", deleted=NOW), retention=Retention(0, 0), server=END + 10),
    ),
]


@pytest.mark.parametrize(("what", "expected"), [*ORPHANS, *FORMER])
def test_a_decision(what: ObservedState, expected: dict[str, Any]) -> None:
    assert in_short(decide(what, DEFAULTS)) == expected


def test_an_orphan_tells_what_its_annotation_says() -> None:
    noted = destination(topics=("one", "two"), payload="kept")
    orphan = child("Succeeded", held=True, exit_event=noted.to_annotation())
    found = plan(gone(child=orphan, certain=True, former=True), DEFAULTS)
    assert found.publish is not None
    assert found.publish.destination == noted
