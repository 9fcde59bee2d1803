"""When Argo is told once more what it may have missed: one situation a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloudharness_operator.decide import control, intervention
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.intervention import (
    FIRST_REMINDER,
    MAX_REMINDERS,
    Intervention,
    Termination,
)
from tests.support.builders import FINISHED, NOW, child, ended_by, operation, task

WHY = Termination("Cancelled", "m", NOW)


def ago(seconds: float, reminders: int = 0) -> Intervention:
    return Intervention(NOW - timedelta(seconds=seconds), reminders)


def running(*tasks: Any, **fields: Any) -> Child:
    return child("Running", tasks=tasks, **fields)


@pytest.mark.parametrize(
    ("found", "left"),
    [
        # Ended, as is wanted, and does not end.
        (running(task(), shutdown="Stop", intervention=ago(0)), 10),
        (running(task(), shutdown="Stop", intervention=ago(10)), 0),
        (running(task(), shutdown="Terminate", intervention=ago(15)), 0),
        (running(shutdown="Stop", intervention=ago(9)), 1),
        (running(task(), shutdown="Stop", intervention=ago(15, 1)), 5),
        (running(task(), shutdown="Stop", intervention=ago(15, 2)), 25),
        (running(task(), shutdown="Stop", intervention=ago(0, MAX_REMINDERS - 1)), 20480),
        (running(task(), shutdown="Stop", intervention=ago(99999, MAX_REMINDERS)), None),
        # It has answered, or cannot any more, or has not met it yet.
        (child("Failed", shutdown="Stop", intervention=ago(99)), None),
        (child("Failed", intervention=ago(99)), None),
        (running(task(), shutdown="Stop", intervention=ago(99), deleted=FINISHED), None),
        (child(shutdown="Stop", intervention=ago(99)), None),
        # Somebody else has ended it; nobody knows when.
        (running(task(), shutdown="Stop"), None),
        # It goes on, and nothing is done.
        (running(intervention=ago(4)), 6),
        (running(task("a", "Succeeded"), intervention=ago(10)), 0),
        (running(task("a", "Succeeded"), task("b"), intervention=ago(99)), None),
        (running(task("a", "Succeeded"), task("b", "Pending"), intervention=ago(99)), None),
        # It is held.
        (running(task(), intervention=ago(7), suspended=True), 3),
        (running(intervention=ago(10), suspended=True), 0),
        (running(task(), intervention=ago(99, 1), suspended=True), None),
        (running(), None),
    ],
)
def test_when_argo_is_reminded(found: Child, left: float | None) -> None:
    assert control.next_reminder(found, NOW) == left
    patch = control.reminder(found, NOW)
    assert (patch is not None) == (left == 0)
    operation, known = wanted(found)
    assert control.workflow_patch(operation, known, NOW, 0) == control.reminder(known, NOW)


def wanted(found: Child) -> tuple[Any, Child]:
    """The operation that wants of a child what it is made to do already."""
    spec = {"suspend": found.suspended} | ({"cancel": found.shutdown} if found.shutdown else {})
    if not found.shutdown:
        return operation(spec=spec), found
    why = Termination("Cancelled", "by a person", NOW - timedelta(days=-9))
    last = found.intervention or ended_by(why)
    return operation(spec=spec), replace(found, intervention=replace(last, termination=why))


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (running(task(), shutdown="Stop", intervention=ago(3)), 7),
        (running(task(), shutdown="Terminate", intervention=ago(3)), 7),
        (running(intervention=ago(3)), 7),
        (running(task(), intervention=ago(3)), None),
    ],
)
def test_that_is_when_to_look_again(found: Child, left: float | None) -> None:
    assert control.next_deadline(*wanted(found), NOW, 0) == left


def test_each_reminder_counts_itself() -> None:
    patch = control.reminder(running(shutdown="Stop", intervention=ago(25, 1)), NOW)
    assert patch is not None
    (text,) = patch["metadata"]["annotations"].values()
    assert intervention.from_annotation(text) == ago(25, 2)


def test_what_changes_begins_the_count_anew() -> None:
    patch = control.workflow_patch(
        operation(spec={"cancel": "Terminate"}),
        running(
            task(),
            shutdown="Stop",
            intervention=replace(ago(999, 4), termination=WHY),
        ),
        NOW,
        0,
    )
    assert patch is not None
    assert patch["spec"] == {"shutdown": "Terminate"}
    new = Intervention(NOW, termination=WHY)
    assert patch["metadata"]["annotations"] == new.to_annotations()


def test_there_is_an_end_to_reminders() -> None:
    one, count = Intervention(NOW), 0
    while (due := one.next_reminder) is not None:
        one, count, last = one.reminded, count + 1, due
    assert (count, last - NOW) == (MAX_REMINDERS, FIRST_REMINDER * 2 ** (MAX_REMINDERS - 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        "null",
        '{"at": "2026-01-02T03:04:05Z"}',
        '{"at": "2026-01-02T03:04:05", "reminders": 0}',
        '{"at": 3, "reminders": 0}',
        '{"at": "2026-01-02T03:04:05Z", "reminders": true}',
        '{"at": "2026-01-02T03:04:05Z", "reminders": -1}',
        '{"at": "2026-01-02T03:04:05Z", "reminders": 13}',
        '{"at": "2026-01-02T03:04:05Z", "reminders": "1"}',
    ],
)
def test_what_somebody_else_has_written_is_no_change_of_ours(text: str) -> None:
    assert intervention.from_annotation(text) is None
