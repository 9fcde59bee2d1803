"""What a child is made to do, and why its run ended before its end: one situation a row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cloudharness_operation.names import ANNOTATION_INTERVENTION
from cloudharness_operation.status import OperationStatus, TaskPhase
from cloudharness_operator.decide import control, intervention
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.intervention import (
    MAX_MESSAGE,
    MAX_REMINDERS,
    Intervention,
    Termination,
)
from cloudharness_operator.decide.nodes import Wait
from tests.support.builders import FINISHED, NOW, STARTED, child, ended_by, operation, task

LIMIT = 600
CANCELLED = Termination("Cancelled", "spec.cancel is Stop", NOW)
STUCK = Termination("PendingDeadlineExceeded", "task add: no image", NOW)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def running(**fields: Any) -> Child:
    return child("Running", **fields)


def waiting(seconds: float, message: str = "ErrImagePull: none", **fields: Any) -> Child:
    return running(waits=(Wait("add", ago(seconds), message),), **fields)


def told(patch: dict[str, Any] | None) -> Any:
    """A patch in short: its spec, and the reason and message of its annotation."""
    if patch is None:
        return None
    assert set(patch) <= {"spec", "metadata"}
    text = patch.get("metadata", {}).get("annotations", {}).get(ANNOTATION_INTERVENTION)
    why = (json.loads(text) if text else {}).get("termination", {})
    return patch.get("spec"), *(why[key] for key in ("reason", "message") if key in why)


def stopped(why: Termination, seconds: float, **fields: Any) -> Child:
    """Return a Workflow with an exit task that was stopped so many seconds ago."""
    cause = replace(why, at=ago(seconds))
    # The last reminder was sent, so that none is due.
    last = replace(ended_by(cause), reminders=MAX_REMINDERS)
    return running(intervention=last, shutdown="Stop", exit_task="bye", **fields)


def leaving(why: Termination, seconds: float) -> Child:
    """Return a stopped Workflow whose exit task has been pending for so many seconds."""
    wait = Wait("bye", ago(seconds), "ErrImagePull: none")
    return stopped(why, seconds, waits=(wait,), tasks=(task("bye", "Pending"),))


STOP = {"shutdown": "Stop"}
END = {"shutdown": "Terminate"}
ON_STOP = ("Cancelled", "spec.cancel is Stop")
ON_END = ("Cancelled", "spec.cancel is Terminate")
PULL = ("PendingDeadlineExceeded", "task add: ErrImagePull: none (pendingDeadlineSeconds: 600)")
LONG = ("DeadlineExceeded", "not done after 30 s (activeDeadlineSeconds)")
ROOM = "Unschedulable: 0/2 nodes"
QUOTA = 'pods "x" is forbidden: exceeded quota: q'
DONE = task("b", "Succeeded", completion_time=ago(100))


UNSEEN = (
    "Argo has not begun the Workflow: is its workflow controller running, and does it serve this "
    "namespace? (pendingDeadlineSeconds: 600)"
)


@pytest.mark.parametrize(
    ("spec", "found", "expected"),
    [
        ({}, running(), None),
        ({"suspend": True}, running(), ({"suspend": True},)),
        ({"suspend": True}, child(), ({"suspend": True},)),
        ({"suspend": True}, running(suspended=True), None),
        ({}, running(suspended=True), ({"suspend": None},)),
        ({"cancel": "Stop"}, running(), (STOP, *ON_STOP)),
        ({"cancel": "Terminate"}, running(), (END, *ON_END)),
        ({"cancel": "Stop"}, child(), (STOP, *ON_STOP)),
        (
            {"cancel": "Stop", "suspend": True},
            running(suspended=True),
            ({"suspend": None, **STOP}, *ON_STOP),
        ),
        ({"cancel": "Stop", "suspend": True}, running(), (STOP, *ON_STOP)),
        ({"cancel": "Stop"}, running(shutdown="Stop", intervention=ended_by(CANCELLED)), None),
        (
            {"cancel": "Terminate"},
            running(shutdown="Stop", intervention=ended_by(CANCELLED)),
            (END, CANCELLED.reason, CANCELLED.message),
        ),
        ({"cancel": "Stop"}, running(shutdown="Terminate", intervention=ended_by(STUCK)), None),
        ({"cancel": "Stop"}, running(shutdown="Stop"), (None, *ON_STOP)),
        ({"cancel": "Stop"}, running(intervention=ended_by(CANCELLED)), (STOP, *ON_STOP)),
        ({}, running(shutdown="Stop", suspended=True), ({"suspend": None},)),
        ({"suspend": True}, running(shutdown="Stop"), None),
        ({}, waiting(599), None),
        ({}, waiting(600), (END, *PULL)),
        ({}, waiting(600, intervention=ended_by(STUCK), shutdown="Terminate"), None),
        ({}, waiting(600, intervention=ended_by(STUCK)), (END, STUCK.reason, STUCK.message)),
        ({"suspend": True}, waiting(600, suspended=True), ({"suspend": None, **END}, *PULL)),
        ({"pendingDeadlineSeconds": 0}, waiting(9999), None),
        ({"pendingDeadlineSeconds": 700}, waiting(650), None),
        ({"pendingDeadlineSeconds": 5}, waiting(4), None),
        (
            {"pendingDeadlineSeconds": 5},
            waiting(5, ""),
            (
                END,
                "PendingDeadlineExceeded",
                "task add: its pod has not started (pendingDeadlineSeconds: 5)",
            ),
        ),
        ({"cancel": "Stop"}, waiting(600), (STOP, *ON_STOP)),
        ({}, waiting(700, ROOM, tasks=(task("b"),)), None),
        ({}, waiting(700, QUOTA, tasks=(task("b"),)), None),
        ({}, waiting(700, ROOM, tasks=(DONE,)), None),
        (
            {},
            waiting(700, ROOM, tasks=(task("b", "Pending"),)),
            (
                END,
                "PendingDeadlineExceeded",
                f"task add: {ROOM} (pendingDeadlineSeconds: 600)",
            ),
        ),
        ({}, waiting(700, tasks=(task("b"), DONE)), (END, *PULL)),
        (
            {"suspend": True},
            running(started=ago(30), deadline=30, suspended=True),
            ({"suspend": None, **END}, *LONG),
        ),
        ({"suspend": True}, running(started=ago(29), deadline=30, suspended=True), None),
        ({}, running(started=ago(119), deadline=30), None),
        ({}, running(started=ago(120), deadline=30), (END, *LONG)),
        ({}, child(created=ago(599)), None),
        ({}, child(created=ago(600)), (END, "PendingDeadlineExceeded", UNSEEN)),
        ({"pendingDeadlineSeconds": 0}, child(created=ago(9999)), None),
        ({}, child("Pending", created=ago(9999)), None),
        # With an exit task, which a Stop runs and a Terminate does not.
        ({}, waiting(600, exit_task="bye"), (STOP, *PULL)),
        ({}, running(started=ago(120), deadline=30, exit_task="bye"), (STOP, *LONG)),
        ({"cancel": "Stop"}, running(exit_task="bye"), (STOP, *ON_STOP)),
        ({"cancel": "Terminate"}, running(exit_task="bye"), (END, *ON_END)),
        ({"cancel": "Terminate"}, leaving(STUCK, 5), (END, STUCK.reason, STUCK.message)),
        ({}, child(created=ago(600), exit_task="bye"), (END, "PendingDeadlineExceeded", UNSEEN)),
        ({}, running(started=ago(900), deadline=30, exit_task="b", tasks=(task("b"),)), None),
        # Argo has not begun it 90 s after the Stop.
        ({}, stopped(STUCK, 89), None),
        ({}, stopped(STUCK, 90), (END, STUCK.reason, STUCK.message)),
        ({"cancel": "Stop"}, stopped(CANCELLED, 9999), None),
        # Its own pod does not start.
        ({}, leaving(STUCK, 599), None),
        ({}, leaving(STUCK, 600), (END, STUCK.reason, STUCK.message)),
        ({"cancel": "Stop"}, leaving(CANCELLED, 600), (END, CANCELLED.reason, CANCELLED.message)),
        ({"pendingDeadlineSeconds": 0}, leaving(STUCK, 9999), None),
    ],
)
def test_what_a_child_is_made_to_do(spec: dict[str, Any], found: Child, expected: Any) -> None:
    assert told(control.workflow_patch(operation(spec=spec), found, NOW, LIMIT)) == expected


def test_nothing_is_counted_where_the_operator_gives_no_limit() -> None:
    assert control.workflow_patch(operation(), waiting(9999), NOW, 0) is None
    assert control.next_deadline(operation(), waiting(9999), NOW, 0) is None


def test_a_pod_that_says_nothing_now_is_told_by_what_it_said_before() -> None:
    before = OperationStatus(tasks=(task(phase="Pending", reason="ImagePullFailed", message="x"),))
    patch = control.workflow_patch(operation(status=before), waiting(600, ""), NOW, LIMIT)
    assert told(patch)[2] == "task add: x (pendingDeadlineSeconds: 600)"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (running(), None),
        (waiting(599), 1.0),
        (waiting(601), 0.0),
        (waiting(700, ROOM, tasks=(DONE,)), 500.0),
        (waiting(700, ROOM, tasks=(task("b"),)), None),
        (running(started=ago(10), deadline=30), 110.0),
        (running(started=ago(10), deadline=30, suspended=True), 20.0),
        (child(created=ago(595)), 5.0),
        (waiting(595, started=ago(10), deadline=30, suspended=True), 5.0),
        (child(intervention=ended_by(CANCELLED)), 30.0),
        (running(intervention=ended_by(CANCELLED), shutdown="Stop"), None),
        (running(intervention=ended_by(CANCELLED), shutdown="Terminate"), 90.0),
        (waiting(599, exit_task="bye"), 1.0),
        (stopped(STUCK, 80), 10.0),
        (stopped(CANCELLED, 80), None),
        (leaving(STUCK, 590), 10.0),
        (running(started=ago(10), deadline=30, exit_task="b", tasks=(task("b"),)), None),
    ],
)
def test_when_to_look_again(found: Child, expected: float | None) -> None:
    assert control.next_deadline(operation(), found, NOW, LIMIT) == expected


def end(phase: str, *tasks: Any, **fields: Any) -> Child:
    return child(phase, tasks=tasks, **fields)


def failed(before_end: float, reason: str | None = None) -> Any:
    return task(
        phase="Failed",
        reason=reason,
        completion_time=STARTED + timedelta(seconds=30 - before_end),
    )


BY_HAND = "Stopped with strategy 'Stop'"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (end("Failed"), None),
        (end("Failed", intervention=ended_by(CANCELLED)), "Cancelled"),
        (end("Error", intervention=ended_by(CANCELLED)), "Cancelled"),
        (end("Succeeded", intervention=ended_by(CANCELLED), shutdown="Stop"), None),
        (end("Failed", intervention=ended_by(STUCK), deadline=30), "PendingDeadlineExceeded"),
        (end("Failed", shutdown="Stop", message=BY_HAND), "Cancelled"),
        (end("Failed", message=BY_HAND), None),
        (end("Failed", shutdown="Stop", message="another"), None),
        (end("Failed", deadline=30), "DeadlineExceeded"),
        (end("Failed", deadline=239), "DeadlineExceeded"),
        (end("Failed", deadline=240), None),
        (end("Failed", deadline=30, finished=None), None),
        (end("Failed", deadline=30, started=None), None),
        (end("Succeeded", deadline=30), None),
        # The deadline does not apply to the exit task, here `add`.
        (end("Failed", failed(0), deadline=30, exit_task="add"), None),
        (
            end("Failed", failed(0), deadline=30, exit_task="bye"),
            "DeadlineExceeded",
        ),
        (
            end("Failed", task("bye", "Succeeded"), failed(0), deadline=30, exit_task="bye"),
            "DeadlineExceeded",
        ),
        (end("Failed", failed(0), deadline=30), "DeadlineExceeded"),
        (end("Failed", failed(1), deadline=30), None),
        (end("Failed", failed(1, "OOMKilled"), deadline=30), None),
        (end("Failed", failed(2, "DeadlineExceeded"), deadline=30), "DeadlineExceeded"),
        (end("Failed", failed(29, "DeadlineExceeded"), deadline=30), "DeadlineExceeded"),
        (
            end("Failed", failed(2, "DeadlineExceeded"), deadline=30, bounded=("add",)),
            "DeadlineExceeded",
        ),
        (end("Failed", failed(3, "DeadlineExceeded"), deadline=30, bounded=("add",)), None),
        (
            end("Failed", failed(3, "DeadlineExceeded"), deadline=30, bounded=("b",)),
            "DeadlineExceeded",
        ),
        (
            end("Failed", task(phase="Failed", reason="DeadlineExceeded"), deadline=30),
            "DeadlineExceeded",
        ),
        (end("Failed", failed(20), failed(0), deadline=30), "DeadlineExceeded"),
        (end("Failed", task(phase="Failed"), deadline=30), None),
    ],
)
def test_why_a_run_ended(found: Child, expected: str | None) -> None:
    why = control.termination_cause(found)
    assert (why and why.reason) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            child(intervention=ended_by(Termination("Cancelled", "m", ago(30)))),
            ReasonMessage("Cancelled", "m"),
        ),
        (child(intervention=ended_by(Termination("Cancelled", "m", ago(29)))), None),
        (
            running(intervention=ended_by(Termination("Cancelled", "m", ago(99))), shutdown="Stop"),
            None,
        ),
        (
            running(
                intervention=ended_by(Termination("Cancelled", "m", ago(89))), shutdown="Terminate"
            ),
            None,
        ),
        (
            running(
                intervention=ended_by(Termination("Cancelled", "m", ago(90))), shutdown="Terminate"
            ),
            ReasonMessage("Cancelled", "m"),
        ),
        (
            # A Stop that became a Terminate five seconds ago.
            running(
                intervention=Intervention(
                    ago(5), termination=Termination("Cancelled", "m", ago(900))
                ),
                shutdown="Terminate",
            ),
            None,
        ),
        (child(), None),
    ],
)
def test_what_argo_does_not_answer(found: Child, expected: ReasonMessage | None) -> None:
    assert control.stop_timed_out(found, NOW) == expected


@pytest.mark.parametrize(
    ("spec", "found", "expected"),
    [
        ({}, None, None),
        ({"suspend": True}, None, "Suspended"),
        ({"suspend": True}, running(), None),
        ({}, running(suspended=True), "Suspended"),
        ({}, running(intervention=ended_by(CANCELLED), suspended=True), "Cancelling"),
        ({}, running(intervention=ended_by(STUCK)), "PendingDeadlineExceeded"),
    ],
)
def test_where_it_stands(spec: dict[str, Any], found: Child | None, expected: str | None) -> None:
    note = control.pending_reason(operation(spec=spec), found)
    assert (note and note.reason) == expected


@pytest.mark.parametrize(
    ("found", "ended"),
    [
        (None, False),
        (child(), True),
        (running(), False),
        (child(shutdown="Stop"), False),
        (child(deleted=FINISHED), False),
    ],
)
def test_what_is_begun_after_the_end_is_ended(found: Child | None, *, ended: bool) -> None:
    assert (control.stop_unstarted(found, NOW) is not None) == ended


def test_a_termination_is_read_as_it_was_written() -> None:
    def written(why: Termination) -> Intervention | None:
        (text,) = Intervention(NOW, 3, why).to_annotations().values()
        return intervention.from_annotation(text)

    assert written(STUCK) == Intervention(NOW, 3, STUCK)
    short = replace(STUCK, message="ü" * MAX_MESSAGE)
    assert written(replace(STUCK, message="ü" * 5000)) == Intervention(NOW, 3, short)


@pytest.mark.parametrize(
    "text",
    [
        '""',
        "[]",
        "null",
        "{}",
        '{"reason": "", "message": "", "at": "2026-01-02T03:04:05Z"}',
        '{"reason": 3, "message": "", "at": "2026-01-02T03:04:05Z"}',
        '{"reason": "a", "message": null, "at": "2026-01-02T03:04:05Z"}',
        '{"reason": "a", "message": "", "at": "yesterday"}',
        '{"reason": "a", "message": "", "at": "2026-01-02T03:04:05"}',
        '{"reason": "a", "message": "", "at": 3}',
    ],
)
def test_what_somebody_else_has_written_is_no_termination(text: str) -> None:
    whole = f'{{"at": "2026-01-02T03:04:05Z", "reminders": 0, "termination": {text}}}'
    assert intervention.from_annotation(whole) == Intervention(NOW)


def test_the_phases_that_count_as_failed() -> None:
    for phase in (TaskPhase.FAILED, TaskPhase.ERROR):
        late = task(phase=phase.value, completion_time=FINISHED)
        assert control.termination_cause(child("Failed", tasks=(late,), deadline=30)) is not None
