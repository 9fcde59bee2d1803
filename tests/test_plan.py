"""What is to be done about an operation, one situation a row."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.event import Outcome
from cloudharness_operation.names import ANNOTATION_STEERED
from cloudharness_operation.record import OperationStatus
from cloudharness_operation.render import Defaults, workflow
from cloudharness_operation.render.facts import Facts, Needs
from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operator import turns
from cloudharness_operator.child import Note
from cloudharness_operator.cut import Cut
from cloudharness_operator.delivery import State
from cloudharness_operator.effects import Plan
from cloudharness_operator.expiry import FOR_EVER, Expiry, Keep
from cloudharness_operator.nodes import Wait
from cloudharness_operator.plan import decide
from cloudharness_operator.seen import Refusal, Seen, Unreadable
from tests.builders import (
    BASH,
    CHILD,
    CLOCK,
    DEFAULTS,
    EVENT_ID,
    FINISHED,
    NO_BROKER,
    NOW,
    PYTHON,
    STARTED,
    TOPIC,
    WIDE,
    child,
    delivery,
    destination,
    on_record,
    operation,
    operation_manifest,
    seen,
    task,
)

TAKEN = Refusal(Note("NameTaken", "it is another's"), final=True)
FORBIDDEN = Refusal(Note("SubmissionFailed", "not allowed"), final=False)
UNREADABLE = InvalidOperation("spec.tasks: Field required")

UNDER_WAY = {"Accepted": True, "Reconciling": True, "Finished": False}
SUCCEEDED = {"Accepted": True, "Reconciling": False, "Complete": True, "Finished": True}
FAILED = {
    "Accepted": True,
    "Reconciling": False,
    "Failed": True,
    "Finished": True,
    "Stalled": True,
}
REFUSED = FAILED | {"Accepted": False}
TOLD = {"Notified": True}
NOT_TOLD = {"Notified": False}

STUCK = task(phase="Pending", reason="ImagePullFailed", message="no such image")
RECORDED = on_record("Running", "TasksRunning", holds=UNDER_WAY, started=STARTED)
LATE = on_record(
    "Succeeded",
    "AllTasksSucceeded",
    "all tasks succeeded",
    holds=SUCCEEDED | NOT_TOLD,
    started=STARTED,
    finished=FINISHED,
    told=("BrokerUnavailable", "no answer from the broker yet"),
)


REFUSED_ON_RECORD = on_record(
    "Error",
    "NameTaken",
    holds=REFUSED | NOT_TOLD,
    finished=FINISHED,
    referenced=False,
    told=("Publishing", ""),
)


UNMET = {"tasks": [{**BASH, "templatePatch": {"noSuchField": 1}}]}
"""What no Argo understands, though the API server takes it."""
UNMET_ON_RECORD = on_record(
    "Error",
    "InvalidSpec",
    holds=REFUSED | NOT_TOLD,
    finished=FINISHED,
    referenced=False,
    told=("Publishing", ""),
)


def unreadable(generation: int, status: OperationStatus, topic: str = "") -> Unreadable:
    return Unreadable(generation, status, UNREADABLE, operation_manifest(topic=topic))


def told(plan: Plan) -> dict[str, Any]:
    """Return what a plan does, in short, without what it leaves undone."""
    short = {field.name: getattr(plan, field.name) for field in fields(plan)}
    if plan.create:
        short["create"] = plan.create["metadata"]["name"]
    for name in ("publish", "give_up"):
        if event := getattr(plan, name):
            short[name] = (event.id, event.outcome.status, event.outcome.reason)
    if plan.steer:
        short["steer"] = _told_changes(plan.steer[1])
    short |= {
        name: one.name for name in ("release", "expire") if (one := getattr(plan, name)) is not None
    }
    if plan.status:
        short["status"] = _told_status(plan.status)
    if plan.after is not None:
        short["after"] = round(plan.after, 6)
    return {name: value for name, value in short.items() if value not in (None, False)}


def _told_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes of a Workflow, whose time all of them tell, without it."""
    notes = dict(changes["metadata"]["annotations"])
    assert notes.pop(ANNOTATION_STEERED) == '{"at":"2026-01-02T03:04:05Z","reminders":0}'
    told: dict[str, Any] = {"metadata": {"annotations": notes}} if notes else {}
    return told | ({"spec": changes["spec"]} if "spec" in changes else {})


def _told_status(changes: dict[str, Any]) -> Any:
    if "conditions" not in changes:
        return changes
    holds = {one["type"]: one["status"] == "True" for one in changes["conditions"]}
    return (changes.get("phase"), changes.get("reason"), holds)


def row(sentence: str, what: Seen, defaults: Defaults = DEFAULTS, /, **expected: Any) -> Any:
    return pytest.param(what, defaults, expected, id=sentence)


BEGINNING = [
    row("about nothing, nothing", seen()),
    row(
        "a new operation gets its Workflow, and a second to start",
        seen(operation=operation()),
        create=CHILD,
        after=5.0,
    ),
    row(
        "so does one that only has the CRD's initial status",
        seen(operation=operation(status={"phase": "Pending", "conditions": []})),
        create=CHILD,
        after=5.0,
    ),
    row("one that is being deleted gets none", seen(operation=operation(deleted=NOW))),
    row(
        "one that is being deleted is not refused either",
        seen(operation=operation(deleted=NOW), refusal=TAKEN),
    ),
    row(
        "a Workflow of which no pod runs is given five seconds, which saves a write",
        seen(operation=operation(), child=child(), since=CLOCK - 0.4),
        after=4.6,
    ),
    row(
        "so is one that Argo has begun",
        seen(
            operation=operation(),
            child=child("Running", tasks=(task(phase="Pending"),)),
            since=CLOCK - 1.5,
        ),
        after=3.5,
    ),
    row(
        "after these seconds Pending is written",
        seen(operation=operation(), child=child(), since=CLOCK - 5.0),
        status=("Pending", "WorkflowCreated", UNDER_WAY),
    ),
    row(
        "they count from the latest write, such as that it is to run again",
        seen(operation=operation(), child=child(), since=CLOCK - 90.0, written=CLOCK - 1.0),
        after=4.0,
    ),
    row(
        "and Running, where Argo has begun",
        seen(operation=operation(), child=child("Running"), since=CLOCK - 5.0),
        status=("Running", "TasksRunning", UNDER_WAY),
    ),
    row(
        "a pod that runs is written at once",
        seen(operation=operation(), child=child("Running", tasks=(task(),))),
        status=("Running", "TasksRunning", UNDER_WAY),
    ),
    row(
        "an image that cannot be pulled is told at once",
        seen(operation=operation(), child=child("Running", tasks=(STUCK,))),
        status=("Running", "ImagePullFailed", UNDER_WAY),
    ),
    row(
        "what is on record already is not written again",
        seen(operation=operation(status=RECORDED), child=child("Running")),
    ),
    row(
        "news waits until a second has passed since the last write",
        seen(
            operation=operation(status=RECORDED),
            child=child("Running", tasks=(STUCK,)),
            written=CLOCK - 0.7,
        ),
        after=0.3,
    ),
    row(
        "and is written then",
        seen(
            operation=operation(status=RECORDED),
            child=child("Running", tasks=(STUCK,)),
            written=CLOCK - 1.0,
        ),
        status=(None, "ImagePullFailed", UNDER_WAY),
    ),
    row(
        "details of tasks wait until five seconds have passed",
        seen(
            operation=operation(BASH, PYTHON, status=RECORDED),
            child=child("Running", tasks=(task(),)),
            written=CLOCK - 1.5,
        ),
        after=3.5,
    ),
    row(
        "and are written then",
        seen(
            operation=operation(status=RECORDED),
            child=child("Running", tasks=(task(),)),
            written=CLOCK - 5.0,
        ),
        status={
            "progress": "0/1",
            "taskCounts": {"total": 1, "pending": 0, "running": 1}
            | {"succeeded": 0, "failed": 0, "skipped": 0},
            "tasks": [{"name": "add", "phase": "Running"}],
        },
    ),
    row(
        "details are written at once by a process that has written nothing yet",
        seen(operation=operation(status=RECORDED), child=child("Running", progress="1/1")),
        status={"progress": "1/1"},
    ),
    row(
        "the end waits for nothing",
        seen(
            operation=operation(status=RECORDED),
            child=child("Succeeded"),
            written=CLOCK,
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
]

ASLEEP = {"suspend": True}
CANCEL = {"cancel": "Stop"}
PAUSED = UNDER_WAY | {"Suspended": True}
CUT = Cut("Cancelled", "spec.cancel is Stop", NOW)
AGO = NOW - timedelta(seconds=31)
SLEEPING = on_record("Suspended", "Suspended", "x", holds=PAUSED, referenced=False)

STEERED = [
    row(
        "one that is suspended gets no Workflow, and says so",
        seen(operation=operation(spec=ASLEEP)),
        status=("Suspended", "Suspended", PAUSED),
    ),
    row(
        "it gets one when it is resumed",
        seen(operation=operation(status=SLEEPING)),
        create=CHILD,
        after=5.0,
    ),
    row(
        "one that is suspended and wrong is refused all the same",
        seen(operation=operation(spec=ASLEEP, topic=TOPIC)),
        NO_BROKER,
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "before one is called cancelled, its Workflow is asked for",
        seen(operation=operation(spec=CANCEL)),
        confirm=True,
    ),
    row(
        "one that is cancelled before it has a Workflow has ended",
        seen(operation=operation(spec=CANCEL), certain=True),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "so has one that was suspended, and is not any more",
        seen(operation=operation(spec=CANCEL | ASLEEP, status=SLEEPING), certain=True),
        status=("Cancelled", "Cancelled", FAILED | {"Suspended": False}),
    ),
    row(
        "that is written before it is told, as no Workflow says which run it is the end of",
        seen(operation=operation(spec=CANCEL, topic=TOPIC), certain=True),
        status=("Cancelled", "Cancelled", FAILED | NOT_TOLD),
    ),
    row(
        "a running one is suspended first, and says so afterwards",
        seen(operation=operation(spec=ASLEEP, status=RECORDED), child=child("Running")),
        steer={"spec": {"suspend": True}},
    ),
    row(
        "which is when Argo has it",
        seen(
            operation=operation(spec=ASLEEP, status=RECORDED),
            child=child("Running", suspended=True),
        ),
        status=("Suspended", "Suspended", PAUSED),
    ),
    row(
        "a running one that is cancelled says so while it ends",
        seen(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Running", shutdown="Stop", cut=CUT),
        ),
        status=(None, "Cancelling", UNDER_WAY),
    ),
    row(
        "and is cancelled in the end",
        seen(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Failed", shutdown="Stop", cut=CUT),
        ),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "one that succeeded before it was cancelled has succeeded",
        seen(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Succeeded", shutdown="Stop", cut=CUT),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "one whose Workflow is deleted while it is cancelled is cancelled",
        seen(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Running", shutdown="Stop", cut=CUT, deleted=NOW),
            certain=True,
        ),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "one that Argo does not begin is cancelled without it",
        seen(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child(shutdown="Stop", cut=replace(CUT, at=AGO)),
        ),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "a cancelled one that is on record as not told is told as a failure again",
        seen(
            operation=operation(
                topic=TOPIC,
                status=on_record(
                    "Cancelled",
                    "Cancelled",
                    holds=FAILED | NOT_TOLD,
                    finished=FINISHED,
                    told=("BrokerUnavailable", "away"),
                ),
            ),
            child=child("Failed", held=True),
        ),
        publish=(EVENT_ID, "Failed", "Cancelled"),
        after=2.0,
    ),
    row(
        "a pod that waits is looked at again when it has waited for too long",
        seen(
            operation=operation(status=RECORDED, spec={"pendingDeadlineSeconds": 60}),
            child=child("Running", waits=(Wait("add", NOW, ""),)),
        ),
        after=60.0,
    ),
    row(
        "a change of one that has ended is observed, and nothing else",
        seen(
            operation=operation(
                spec=ASLEEP,
                generation=2,
                status=on_record("Failed", "TaskFailed", holds=FAILED, generation=1),
            ),
        ),
        status=(None, None, FAILED),
    ),
    row(
        "a Workflow that was begun after the end is ended",
        seen(settled=True, child=child()),
        steer={"spec": {"suspend": None, "shutdown": "Terminate"}},
    ),
]

REFUSALS = [
    row(
        "a refusal for good ends the operation",
        seen(operation=operation(), refusal=TAKEN),
        status=("Error", "NameTaken", REFUSED),
    ),
    row(
        "a refusal for good is written before it is told",
        seen(operation=operation(topic=TOPIC), refusal=TAKEN),
        status=("Error", "NameTaken", REFUSED | NOT_TOLD),
    ),
    row(
        "a refusal for good that is written is told",
        seen(operation=operation(topic=TOPIC, status=REFUSED_ON_RECORD)),
        publish=(EVENT_ID, "Error", "NameTaken"),
        after=2.0,
    ),
    row(
        "a refusal that may pass shows in the status",
        seen(operation=operation(), refusal=FORBIDDEN),
        status=("Pending", "SubmissionFailed", UNDER_WAY),
    ),
    row(
        "a refusal that shows already is not written again",
        seen(
            operation=operation(
                status=on_record(
                    "Pending",
                    "SubmissionFailed",
                    "not allowed",
                    holds=UNDER_WAY,
                    referenced=False,
                )
            ),
            refusal=FORBIDDEN,
        ),
    ),
    row(
        "without a broker, one that wants an event is refused",
        seen(operation=operation(topic=TOPIC)),
        NO_BROKER,
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "one that cannot be carried out is refused, which is on record before it is told",
        seen(operation=operation(topic=TOPIC, spec=UNMET)),
        status=("Error", "InvalidSpec", REFUSED | NOT_TOLD),
    ),
    row(
        "and is told",
        seen(operation=operation(topic=TOPIC, spec=UNMET, status=UNMET_ON_RECORD)),
        publish=(EVENT_ID, "Error", "InvalidSpec"),
        after=2.0,
    ),
    row(
        "and that is written",
        seen(
            operation=operation(topic=TOPIC, spec=UNMET, status=UNMET_ON_RECORD),
            delivery=delivery(State.ACKED),
        ),
        status=(None, None, REFUSED | TOLD),
        forget=EVENT_ID,
    ),
    row(
        "without a broker, one that wants none runs",
        seen(operation=operation()),
        NO_BROKER,
        create=CHILD,
        after=5.0,
    ),
    row(
        "one that cannot be read is refused",
        seen(unreadable=unreadable(3, OperationStatus())),
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "where it says whom to tell, that can be read all the same",
        seen(unreadable=unreadable(3, OperationStatus(), TOPIC)),
        status=("Error", "InvalidSpec", REFUSED | NOT_TOLD),
    ),
    row(
        "and is told, when it is on record",
        seen(unreadable=unreadable(1, UNMET_ON_RECORD, TOPIC)),
        publish=(EVENT_ID, "Error", "InvalidSpec"),
        after=2.0,
    ),
    row(
        "and that is written, and nothing else is",
        seen(unreadable=unreadable(1, UNMET_ON_RECORD, TOPIC), delivery=delivery(State.ACKED)),
        status=(None, None, REFUSED | TOLD),
        forget=EVENT_ID,
    ),
    row(
        "without a broker nobody is told",
        seen(unreadable=unreadable(3, OperationStatus(), TOPIC)),
        NO_BROKER,
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "what was promised before it could not be read any more is kept",
        seen(unreadable=unreadable(1, LATE), child=child("Succeeded", held=True)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
    row(
        "and its Workflow let go when it is told",
        seen(
            unreadable=unreadable(1, LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.ACKED),
        ),
        status=(None, None, SUCCEEDED | TOLD),
        release=CHILD,
        forget=EVENT_ID,
    ),
    row(
        "of one that runs the Workflow knows whom to tell of the refusal",
        seen(unreadable=unreadable(2, RECORDED), child=child("Running", held=True)),
        status=("Error", "InvalidSpec", REFUSED | NOT_TOLD),
    ),
    row(
        "one that cannot be read and has ended stays as it is",
        seen(
            unreadable=unreadable(1, on_record("Succeeded", "AllTasksSucceeded", holds=SUCCEEDED))
        ),
    ),
    row(
        "but that its spec has changed since is observed, or its clean-up would wait for ever",
        seen(
            unreadable=unreadable(3, on_record("Succeeded", "AllTasksSucceeded", holds=SUCCEEDED))
        ),
        status=(None, None, SUCCEEDED),
    ),
]

ENDS_THAT_NOBODY_HEARS = [
    row(
        "success is written",
        seen(operation=operation(status=RECORDED), child=child("Succeeded")),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "failure is written",
        seen(operation=operation(status=RECORDED), child=child("Failed")),
        status=("Failed", "TaskFailed", FAILED),
    ),
    row(
        "Argo's own error is written",
        seen(operation=operation(status=RECORDED), child=child("Error")),
        status=("Error", "WorkflowError", FAILED),
    ),
    row(
        "a Workflow that ended before it was deleted has ended by itself",
        seen(operation=operation(status=RECORDED), child=child("Succeeded", deleted=NOW)),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "an end that is seen first of all is written in one piece",
        seen(operation=operation(), child=child("Succeeded")),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "a Workflow that waited for an event which nobody hears any more is let go",
        seen(operation=operation(status=RECORDED), child=child("Succeeded", held=True)),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
        release=CHILD,
    ),
]

ENDS_THAT_ARE_TOLD = [
    row(
        "the end is published before it is written",
        seen(operation=operation(topic=TOPIC), child=child("Succeeded", held=True)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
    row(
        "it is published for the operator's own topic too",
        seen(operation=operation(), child=child("Failed", held=True)),
        WIDE,
        publish=(EVENT_ID, "Failed", "TaskFailed"),
        after=2.0,
    ),
    row(
        "the broker is waited for",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.PENDING, begun=CLOCK - 0.5),
        ),
        after=1.5,
    ),
    row(
        "what the broker has is written, and the Workflow let go",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.ACKED),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | TOLD),
        release=CHILD,
        forget=EVENT_ID,
    ),
    row(
        "a failure that the broker has is written, and the Workflow let go",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Failed", held=True),
            delivery=delivery(State.ACKED),
        ),
        status=("Failed", "TaskFailed", FAILED | TOLD),
        release=CHILD,
        forget=EVENT_ID,
    ),
    row(
        "a Workflow that is not held is not let go",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded"),
            delivery=delivery(State.ACKED),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | TOLD),
        forget=EVENT_ID,
    ),
    row(
        "a failed attempt waits for its back-off",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 0.25),
        ),
        after=0.75,
    ),
    row(
        "a long back-off does not hold up the status",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 1.5, changed=CLOCK, attempts=2),
        ),
        after=0.5,
    ),
    row(
        "after its back-off the event is published again",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 1.25),
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=0.75,
    ),
    row(
        "a silent broker holds up the status for two seconds",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.PENDING, begun=CLOCK - 2.0),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | NOT_TOLD),
    ),
    row(
        "a broker that is away holds up the status for two seconds",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 3.0, changed=CLOCK, attempts=3),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | NOT_TOLD),
        after=4.0,
    ),
    row(
        "the retry and the late status go together",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 3.0, changed=CLOCK - 2.0, attempts=2),
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | NOT_TOLD),
    ),
    row(
        "a new process publishes what is on record as not told",
        seen(operation=operation(topic=TOPIC, status=LATE), child=child("Succeeded", held=True)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
    row(
        "a retry that fails as before writes nothing",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
        ),
        after=60.0,
    ),
    row(
        "what fails when its time is over is given up, and the Workflow let go",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
            now=FINISHED + timedelta(seconds=60),
        ),
        replace(DEFAULTS, give_up=60),
        give_up=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        status=(None, None, SUCCEEDED | NOT_TOLD),
        release=CHILD,
        forget=EVENT_ID,
    ),
    row(
        "its last attempt is that at which its time is over",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
            now=FINISHED + timedelta(seconds=58),
        ),
        replace(DEFAULTS, give_up=60),
        after=2.0,
    ),
    row(
        "an attempt that goes on is waited for though its time is over",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.PENDING, begun=CLOCK - 9.0),
            now=FINISHED + timedelta(seconds=60),
        ),
        replace(DEFAULTS, give_up=60),
    ),
    row(
        "what was not tried by this process is tried once, though its time is over",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            now=FINISHED + timedelta(seconds=60),
        ),
        replace(DEFAULTS, give_up=60),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
    row(
        "by 0 nothing is given up",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
            now=FINISHED + timedelta(days=1000),
        ),
        replace(DEFAULTS, give_up=0),
        after=60.0,
    ),
    row(
        "a retry that fails in another way is written",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(
                State.FAILED,
                begun=CLOCK - 9.0,
                changed=CLOCK,
                reason="PublishFailed",
                message="topic exits: not allowed",
            ),
        ),
        status=(None, None, SUCCEEDED | NOT_TOLD),
        after=1.0,
    ),
    row(
        "when the broker is back, that is written, and the Workflow let go",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(State.ACKED, begun=CLOCK - 90.0),
        ),
        status=(None, None, SUCCEEDED | TOLD),
        release=CHILD,
        forget=EVENT_ID,
    ),
    row(
        "an end on record is told without its Workflow too",
        seen(operation=operation(topic=TOPIC, status=LATE)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
]

AFTERWARDS = [
    row("with everything on record, nothing", seen(settled=True)),
    row("a Workflow that is free stays free", seen(settled=True, child=child("Succeeded"))),
    row(
        "a crash before the Workflow was let go is made good",
        seen(settled=True, child=child("Succeeded", held=True)),
        release=CHILD,
    ),
    row(
        "a failure before the delivery was forgotten is made good",
        seen(settled=True, delivery=delivery(State.ACKED)),
        forget=EVENT_ID,
    ),
]

END = FINISHED.timestamp()
EXPIRED = [
    row(
        "a Workflow is kept for its time",
        seen(
            settled=True, child=child("Failed"), expiry=Expiry(END, Keep(60, 60)), server=END + 10
        ),
        after=50.0,
    ),
    row(
        "and deleted after it",
        seen(
            settled=True, child=child("Failed"), expiry=Expiry(END, Keep(60, 60)), server=END + 60
        ),
        expire=CHILD,
    ),
    row(
        "one that is held is let go first",
        seen(
            settled=True,
            child=child("Failed", held=True),
            expiry=Expiry(END, Keep(0, 0)),
            server=END + 60,
        ),
        release=CHILD,
    ),
    row(
        "an operation whose Workflow had its time has lost nothing",
        seen(settled=True, expiry=Expiry(END, Keep(0, 0)), server=END + 60),
    ),
    row(
        "an operation that is not told of yet keeps all",
        seen(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            expiry=Expiry(END, Keep(0, 0), 1),
            server=END + 60,
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
    row(
        "the record goes after its time, and takes its Workflow along",
        seen(
            settled=True,
            child=child("Succeeded"),
            expiry=Expiry(END, Keep(0, 0), 60),
            server=END + 60,
        ),
        erase=True,
    ),
    row(
        "one that is owned is kept, and that is told",
        seen(settled=True, expiry=Expiry(END, FOR_EVER, 60, "Flux"), server=END + 60),
        kept_for="Flux",
    ),
]

LOST = [
    row(
        "a Workflow that is missing is asked for",
        seen(operation=operation(status=RECORDED)),
        confirm=True,
    ),
    row(
        "a Workflow that is missing for certain ends the operation",
        seen(operation=operation(status=RECORDED), certain=True),
        status=("Error", "WorkflowLost", FAILED),
    ),
    row(
        "a Workflow that is missing for certain is told first",
        seen(operation=operation(topic=TOPIC, status=RECORDED), certain=True),
        publish=(EVENT_ID, "Error", "WorkflowLost"),
        after=2.0,
    ),
    row(
        "a Workflow that is missing is not made again while its operation is deleted",
        seen(operation=operation(status=RECORDED, deleted=NOW)),
        confirm=True,
    ),
    row(
        "when a Workflow is being deleted, its operation is asked for",
        seen(operation=operation(topic=TOPIC), child=child("Running", held=True, deleted=NOW)),
        confirm=True,
    ),
    row(
        "a Workflow that was deleted alone is lost",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Running", held=True, deleted=NOW),
            certain=True,
        ),
        publish=(EVENT_ID, "Error", "WorkflowLost"),
        after=2.0,
    ),
    row(
        "a Workflow that was deleted alone is let go when that is told",
        seen(
            operation=operation(topic=TOPIC),
            child=child("Running", held=True, deleted=NOW),
            certain=True,
            delivery=delivery(State.ACKED),
        ),
        status=("Error", "WorkflowLost", FAILED | TOLD),
        release=CHILD,
        forget=EVENT_ID,
    ),
    row(
        "a Workflow that was deleted with its operation is deleted",
        seen(
            operation=operation(topic=TOPIC, deleted=NOW),
            child=child("Running", held=True, deleted=NOW),
            certain=True,
        ),
        publish=(EVENT_ID, "Error", "Deleted"),
        after=2.0,
    ),
    row(
        "an operation that is being deleted runs on while its Workflow does",
        seen(operation=operation(status=RECORDED, deleted=NOW), child=child("Running")),
    ),
]

AGAIN = {"runId": "two"}
OVER = on_record("Failed", "TaskFailed", "no", holds=FAILED, started=STARTED, finished=FINISHED)
OVER_AND_TOLD = on_record(
    "Failed", "TaskFailed", "no", holds=FAILED | TOLD, started=STARTED, finished=FINISHED
)
NOT_BEGUN = on_record("Suspended", "Suspended", holds=UNDER_WAY, referenced=False)
FIRST = turns.Member("first", ConcurrencyPolicy.FORBID, "2026", begun=True)
NEXT = turns.Member("next", ConcurrencyPolicy.FORBID, "2026")
GROUPED = {"concurrencyPolicy": "Forbid", "concurrencyGroup": "db"}
RUNS = [
    row(
        "one that has ended begins again as new where another run is wanted",
        seen(operation=operation(status=OVER, spec=AGAIN, generation=2)),
        status=("Pending", "RunRequested", UNDER_WAY),
    ),
    row(
        "its Workflow is let go before",
        seen(
            operation=operation(status=OVER_AND_TOLD, spec=AGAIN, generation=2, topic=TOPIC),
            child=child("Failed", held=True, run_id="1"),
        ),
        release=CHILD,
    ),
    row(
        "but not where nobody has been told yet, which is left to the Workflow",
        seen(
            operation=operation(status=LATE, spec=AGAIN, generation=2, topic=TOPIC),
            child=child("Succeeded", held=True, run_id="1"),
            delivery=delivery(State.FAILED),
        ),
        status=("Pending", "RunRequested", UNDER_WAY),
    ),
    row(
        "without a Workflow that can tell it, the broker is waited for",
        seen(operation=operation(status=LATE, spec=AGAIN, generation=2, topic=TOPIC)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        after=2.0,
    ),
    row(
        "one that runs is waited for",
        seen(
            operation=operation(status=RECORDED, spec=AGAIN, generation=2),
            child=child("Running", run_id="1"),
        ),
    ),
    row(
        "or ended, where that is the policy",
        seen(
            operation=operation(
                status=RECORDED, spec=AGAIN | {"concurrencyPolicy": "Replace"}, generation=2
            ),
            child=child("Running", run_id="1"),
        ),
        steer={
            "spec": {"shutdown": "Terminate"},
            "metadata": {
                "annotations": {
                    "cloudharness.io/cut-short": '{"reason":"Replaced","message":'
                    '"run two replaces it (concurrencyPolicy)","at":"2026-01-02T03:04:05Z"}'
                }
            },
        },
    ),
    row(
        "and is on record as what it was",
        seen(
            operation=operation(status=RECORDED, spec=AGAIN, generation=2),
            child=child("Succeeded", run_id="1"),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "of one that has not begun it is asked for certain",
        seen(operation=operation(status=NOT_BEGUN, spec=AGAIN, generation=2)),
        confirm=True,
    ),
    row(
        "which then is no run at all",
        seen(operation=operation(status=NOT_BEGUN, spec=AGAIN, generation=2), certain=True),
        status=("Pending", "RunRequested", UNDER_WAY),
    ),
    row(
        "one that is being deleted does not run again",
        seen(operation=operation(status=OVER, spec=AGAIN, generation=2, deleted=NOW)),
    ),
    row(
        "who is first in a group asks whether pods are left of those before",
        seen(operation=operation(spec=GROUPED)),
        learn=Needs(exclusive="cloudharness.io/concurrency-group=db"),
    ),
    row(
        "waits for them",
        seen(operation=operation(spec=GROUPED), facts=Facts(occupants=("pod-1",))),
        status=("Pending", "GroupBusy", UNDER_WAY),
        after=2.0,
    ),
    row(
        "and begins",
        seen(operation=operation(spec=GROUPED), facts=Facts()),
        create=CHILD,
        after=5.0,
    ),
    row(
        "who is second waits",
        seen(operation=operation(spec=GROUPED), ahead=FIRST),
        status=("Pending", "GroupBusy", UNDER_WAY),
    ),
    row(
        "a later run asks whether pods are left of the one before",
        seen(operation=operation(status={"run": 2, "runId": "two"}, spec=AGAIN)),
        learn=Needs(exclusive="cloudharness.io/operation=sums"),
    ),
    row(
        "one that is replaced before it begins is asked for",
        seen(operation=operation(spec=GROUPED), ahead=NEXT, successor="next"),
        confirm=True,
    ),
    row(
        "and has ended",
        seen(operation=operation(spec=GROUPED), ahead=NEXT, successor="next", certain=True),
        status=("Cancelled", "Replaced", FAILED),
    ),
    row(
        "one that runs is ended by who replaces it",
        seen(
            operation=operation(spec=GROUPED, status=RECORDED),
            child=child("Running", run_id="1"),
            successor="next",
        ),
        steer={
            "spec": {"shutdown": "Terminate"},
            "metadata": {
                "annotations": {
                    "cloudharness.io/cut-short": '{"reason":"Replaced","message":"operation next '
                    'replaces it (concurrencyPolicy)","at":"2026-01-02T03:04:05Z"}'
                }
            },
        },
    ),
]


@pytest.mark.parametrize(
    ("what", "defaults", "expected"),
    [
        *BEGINNING,
        *STEERED,
        *REFUSALS,
        *ENDS_THAT_NOBODY_HEARS,
        *ENDS_THAT_ARE_TOLD,
        *AFTERWARDS,
        *EXPIRED,
        *LOST,
        *RUNS,
    ],
)
def test_a_decision(what: Seen, defaults: Defaults, expected: dict[str, Any]) -> None:
    assert told(decide(what, defaults)) == expected


def test_what_is_created_is_the_whole_workflow() -> None:
    wanted = operation(topic=TOPIC)
    plan = decide(seen(operation=wanted), WIDE)
    assert plan.create == workflow(wanted, WIDE)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param(
            {"child": child("Succeeded", held=True)},
            Outcome("Succeeded", "AllTasksSucceeded", "all tasks succeeded", STARTED, FINISHED),
            id="success has Argo's times",
        ),
        pytest.param(
            {"child": child("Succeeded", held=True, message="stopped early")},
            Outcome("Succeeded", "AllTasksSucceeded", "stopped early", STARTED, FINISHED),
            id="success has Argo's message, where there is one",
        ),
        pytest.param(
            {
                "child": child(
                    "Failed",
                    held=True,
                    message="child failed",
                    tasks=(task(phase="Failed", message="no"),),
                )
            },
            Outcome("Failed", "TaskFailed", "task add: no", STARTED, FINISHED),
            id="failure names the task",
        ),
        pytest.param(
            {"child": child("Failed", held=True, message="child failed")},
            Outcome("Failed", "TaskFailed", "child failed", STARTED, FINISHED),
            id="failure without nodes has Argo's message",
        ),
        pytest.param(
            {"child": child("Error", held=True)},
            Outcome("Error", "WorkflowError", "", STARTED, FINISHED),
            id="an error that Argo says nothing about has no message",
        ),
        pytest.param(
            {"child": child("Succeeded", held=True, finished=None)},
            Outcome("Succeeded", "AllTasksSucceeded", "all tasks succeeded", STARTED, NOW),
            id="an end without a time is now",
        ),
        pytest.param(
            {"child": child("Running", held=True, deleted=FINISHED), "certain": True},
            Outcome(
                "Error",
                "WorkflowLost",
                "the Workflow was deleted before its end",
                STARTED,
                FINISHED,
            ),
            id="a deleted Workflow ends when its deletion was asked for",
        ),
    ],
)
def test_the_published_outcome(what: dict[str, Any], expected: Outcome) -> None:
    plan = decide(seen(operation=operation(topic=TOPIC), **what), DEFAULTS)
    assert plan.publish is not None
    assert plan.publish.outcome == expected


def test_an_event_carries_the_payload_and_every_topic() -> None:
    told_once = operation(topic=TOPIC, payload='{"a": 1}')
    plan = decide(seen(operation=told_once, child=child("Succeeded", held=True)), WIDE)
    assert plan.publish is not None
    assert plan.publish.destination == destination(topics=(TOPIC, "everything"), payload='{"a": 1}')
    assert plan.publish.workflow == CHILD


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        pytest.param(TAKEN, "it is another's", id="for good"),
        pytest.param(FORBIDDEN, "not allowed", id="for now"),
    ],
)
def test_a_refusal_is_shown_in_the_servers_words(refusal: Refusal, message: str) -> None:
    plan = decide(seen(operation=operation(), refusal=refusal), DEFAULTS)
    assert plan.status is not None
    assert plan.status["message"] == message


def test_an_unreadable_operation_shows_why() -> None:
    plan = decide(seen(unreadable=unreadable(3, OperationStatus())), DEFAULTS)
    assert plan.status is not None
    assert plan.status["message"] == "spec.tasks: Field required"
    assert plan.status["observedGeneration"] == 3


def test_an_operation_without_a_broker_shows_the_way_out() -> None:
    plan = decide(seen(operation=operation(topic=TOPIC)), NO_BROKER)
    assert plan.status is not None
    assert plan.status["message"].startswith("spec.onExit.notify: this operator knows no Kafka")


def test_a_topic_that_is_not_allowed_is_refused_and_never_told() -> None:
    defaults = Defaults("x", topics=("team-*",))
    plan = decide(seen(operation=operation(topic=TOPIC)), defaults)
    assert plan.status is not None
    assert (plan.create, plan.status["reason"]) == (None, "InvalidSpec")
    assert plan.status["message"].startswith("spec.onExit.notify.topic: ")
    cancelled = operation(topic=TOPIC, spec={"cancel": "Stop"})
    plan = decide(seen(operation=cancelled, certain=True), defaults)
    assert (plan.publish, plan.status is None) == (None, False)
