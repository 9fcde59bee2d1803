"""When Argo is told once more what it may have missed: one situation a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloudharness_operator import control, reminder, steered
from cloudharness_operator.child import Child
from cloudharness_operator.cut import Cut
from cloudharness_operator.steered import FIRST, MOST, Steered
from tests.builders import FINISHED, NOW, child, operation, task


def ago(seconds: float, reminders: int = 0) -> Steered:
    return Steered(NOW - timedelta(seconds=seconds), reminders)


def running(*tasks: Any, **fields: Any) -> Child:
    return child("Running", tasks=tasks, **fields)


@pytest.mark.parametrize(
    ("found", "left"),
    [
        # Ended, as is wanted, and does not end.
        (running(task(), shutdown="Stop", steered=ago(0)), 10),
        (running(task(), shutdown="Stop", steered=ago(10)), 0),
        (running(task(), shutdown="Terminate", steered=ago(15)), 0),
        (running(shutdown="Stop", steered=ago(9)), 1),
        (running(task(), shutdown="Stop", steered=ago(15, 1)), 5),
        (running(task(), shutdown="Stop", steered=ago(15, 2)), 25),
        (running(task(), shutdown="Stop", steered=ago(0, MOST - 1)), 20480),
        (running(task(), shutdown="Stop", steered=ago(99999, MOST)), None),
        # It has answered, or cannot any more, or has not met it yet.
        (child("Failed", shutdown="Stop", steered=ago(99)), None),
        (child("Failed", steered=ago(99)), None),
        (running(task(), shutdown="Stop", steered=ago(99), deleted=FINISHED), None),
        (child(shutdown="Stop", steered=ago(99)), None),
        # Somebody else has ended it; nobody knows when.
        (running(task(), shutdown="Stop"), None),
        # It goes on, and nothing is done.
        (running(steered=ago(4)), 6),
        (running(task("a", "Succeeded"), steered=ago(10)), 0),
        (running(task("a", "Succeeded"), task("b"), steered=ago(99)), None),
        (running(task("a", "Succeeded"), task("b", "Pending"), steered=ago(99)), None),
        # It is held.
        (running(task(), steered=ago(7), suspended=True), 3),
        (running(steered=ago(10), suspended=True), 0),
        (running(task(), steered=ago(99, 1), suspended=True), None),
        (running(), None),
    ],
)
def test_when_argo_is_reminded(found: Child, left: float | None) -> None:
    assert reminder.wait(found, NOW) == left
    patch = reminder.patch(found, NOW)
    assert (patch is not None) == (left == 0)
    assert control.patch(*wanted(found), NOW, 0) == patch


def wanted(found: Child) -> tuple[Any, Child]:
    """The operation that wants of a child what it is made to do already."""
    spec = {"suspend": found.suspended} | ({"cancel": found.shutdown} if found.shutdown else {})
    why = Cut("Cancelled", "by a person", NOW - timedelta(days=-9)) if found.shutdown else None
    return operation(spec=spec), replace(found, cut=why)


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (running(task(), shutdown="Stop", steered=ago(3)), 7),
        (running(task(), shutdown="Terminate", steered=ago(3)), 7),
        (running(steered=ago(3)), 7),
        (running(task(), steered=ago(3)), None),
    ],
)
def test_that_is_when_to_look_again(found: Child, left: float | None) -> None:
    assert control.next_look(*wanted(found), NOW, 0) == left


def test_each_reminder_counts_itself() -> None:
    patch = reminder.patch(running(shutdown="Stop", steered=ago(25, 1)), NOW)
    assert patch is not None
    (text,) = patch["metadata"]["annotations"].values()
    assert steered.from_annotation(text) == ago(25, 2)


def test_what_changes_begins_the_count_anew() -> None:
    patch = control.patch(
        operation(spec={"cancel": "Terminate"}),
        running(task(), shutdown="Stop", steered=ago(999, 4), cut=Cut("Cancelled", "m", NOW)),
        NOW,
        0,
    )
    assert patch is not None
    assert patch["spec"] == {"shutdown": "Terminate"}
    assert patch["metadata"]["annotations"] == Steered(NOW).to_annotations()


def test_there_is_an_end_to_reminders() -> None:
    one, count = Steered(NOW), 0
    while (due := one.next) is not None:
        one, count, last = one.again, count + 1, due
    assert (count, last - NOW) == (MOST, FIRST * 2 ** (MOST - 1))


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
    assert steered.from_annotation(text) is None
