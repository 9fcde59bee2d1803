"""What is to be done about an operation, one situation a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.event import Outcome
from cloudharness_operation.render import workflow
from cloudharness_operation.render.facts import ClusterFacts, ClusterQuery
from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide import concurrency
from cloudharness_operator.decide.child import ReasonMessage
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.decide.expiry import FOR_EVER, Expiry, Retention
from cloudharness_operator.decide.intervention import Termination
from cloudharness_operator.decide.nodes import Wait
from cloudharness_operator.decide.plan import FetchFacts, Reread
from cloudharness_operator.decide.state import InvalidManifest, ObservedState, Refusal
from tests.support.builders import (
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
    ended_by,
    observed,
    on_record,
    operation,
    operation_manifest,
    plan,
    task,
)
from tests.support.steps import in_short

TAKEN = Refusal(ReasonMessage("NameTaken", "it is another's"), final=True)
FORBIDDEN = Refusal(ReasonMessage("SubmissionFailed", "not allowed"), final=False)
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


def unreadable(generation: int, status: OperationStatus, topic: str = "") -> InvalidManifest:
    return InvalidManifest(generation, status, UNREADABLE, operation_manifest(topic=topic))


def row(
    sentence: str, what: ObservedState, defaults: Defaults = DEFAULTS, /, **expected: Any
) -> Any:
    return pytest.param(what, defaults, expected, id=sentence)


BEGINNING = [
    row("about nothing, nothing", observed()),
    row(
        "a new operation gets its Workflow, and a second to start",
        observed(operation=operation()),
        create_workflow=CHILD,
        requeue_after=5.0,
    ),
    row(
        "so does one that only has the CRD's initial status",
        observed(operation=operation(status={"phase": "Pending", "conditions": []})),
        create_workflow=CHILD,
        requeue_after=5.0,
    ),
    row("one that is being deleted gets none", observed(operation=operation(deleted=NOW))),
    row(
        "one that is being deleted is not refused either",
        observed(operation=operation(deleted=NOW), refusal=TAKEN),
    ),
    row(
        "a Workflow of which no pod runs is given five seconds, which saves a write",
        observed(operation=operation(), child=child(), since=CLOCK - 0.4),
        requeue_after=4.6,
    ),
    row(
        "so is one that Argo has begun",
        observed(
            operation=operation(),
            child=child("Running", tasks=(task(phase="Pending"),)),
            since=CLOCK - 1.5,
        ),
        requeue_after=3.5,
    ),
    row(
        "after these seconds Pending is written",
        observed(operation=operation(), child=child(), since=CLOCK - 5.0),
        status=("Pending", "WorkflowCreated", UNDER_WAY),
    ),
    row(
        "they count from the latest write, such as that it is to run again",
        observed(operation=operation(), child=child(), since=CLOCK - 90.0, written=CLOCK - 1.0),
        requeue_after=4.0,
    ),
    row(
        "they count from the creation of the Workflow, if it came late",
        observed(
            operation=operation(),
            child=child(created=NOW),
            since=CLOCK - 90.0,
            server=NOW.timestamp() + 1.5,
        ),
        requeue_after=3.5,
    ),
    row(
        "and are over by the API server's clock",
        observed(
            operation=operation(),
            child=child(created=NOW),
            since=CLOCK - 90.0,
            server=NOW.timestamp() + 5.0,
        ),
        status=("Pending", "WorkflowCreated", UNDER_WAY),
        requeue_after=600.0,
    ),
    row(
        "and Running, where Argo has begun",
        observed(operation=operation(), child=child("Running"), since=CLOCK - 5.0),
        status=("Running", "TasksRunning", UNDER_WAY),
    ),
    row(
        "a pod that runs is written at once",
        observed(operation=operation(), child=child("Running", tasks=(task(),))),
        status=("Running", "TasksRunning", UNDER_WAY),
    ),
    row(
        "an image that cannot be pulled is told at once",
        observed(operation=operation(), child=child("Running", tasks=(STUCK,))),
        status=("Running", "ImagePullFailed", UNDER_WAY),
    ),
    row(
        "what is on record already is not written again",
        observed(operation=operation(status=RECORDED), child=child("Running")),
    ),
    row(
        "news waits until a second has passed since the last write",
        observed(
            operation=operation(status=RECORDED),
            child=child("Running", tasks=(STUCK,)),
            written=CLOCK - 0.7,
        ),
        requeue_after=0.3,
    ),
    row(
        "and is written then",
        observed(
            operation=operation(status=RECORDED),
            child=child("Running", tasks=(STUCK,)),
            written=CLOCK - 1.0,
        ),
        status=(None, "ImagePullFailed", UNDER_WAY),
    ),
    row(
        "details of tasks wait until five seconds have passed",
        observed(
            operation=operation(BASH, PYTHON, status=RECORDED),
            child=child("Running", tasks=(task(),)),
            written=CLOCK - 1.5,
        ),
        requeue_after=3.5,
    ),
    row(
        "and are written then",
        observed(
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
        observed(operation=operation(status=RECORDED), child=child("Running", progress="1/1")),
        status={"progress": "1/1"},
    ),
    row(
        "the end waits for nothing",
        observed(
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
CUT = Termination("Cancelled", "spec.cancel is Stop", NOW)
AGO = NOW - timedelta(seconds=31)
SLEEPING = on_record("Suspended", "Suspended", "x", holds=PAUSED, referenced=False)

STEERED = [
    row(
        "one that is suspended gets no Workflow, and says so",
        observed(operation=operation(spec=ASLEEP)),
        status=("Suspended", "Suspended", PAUSED),
    ),
    row(
        "it gets one when it is resumed",
        observed(operation=operation(status=SLEEPING)),
        create_workflow=CHILD,
        requeue_after=5.0,
    ),
    row(
        "one that is suspended and wrong is refused all the same",
        observed(operation=operation(spec=ASLEEP, topic=TOPIC)),
        NO_BROKER,
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "before one is called cancelled, its Workflow is asked for",
        observed(operation=operation(spec=CANCEL)),
        question=Reread(),
    ),
    row(
        "one that is cancelled before it has a Workflow has ended",
        observed(operation=operation(spec=CANCEL), certain=True),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "so has one that was suspended, and is not any more",
        observed(operation=operation(spec=CANCEL | ASLEEP, status=SLEEPING), certain=True),
        status=("Cancelled", "Cancelled", FAILED | {"Suspended": False}),
    ),
    row(
        "that is written before it is told, as no Workflow says which run it is the end of",
        observed(operation=operation(spec=CANCEL, topic=TOPIC), certain=True),
        status=("Cancelled", "Cancelled", FAILED | NOT_TOLD),
    ),
    row(
        "a running one is suspended first, and says so afterwards",
        observed(operation=operation(spec=ASLEEP, status=RECORDED), child=child("Running")),
        patch_workflow={"spec": {"suspend": True}},
    ),
    row(
        "which is when Argo has it",
        observed(
            operation=operation(spec=ASLEEP, status=RECORDED),
            child=child("Running", suspended=True),
        ),
        status=("Suspended", "Suspended", PAUSED),
    ),
    row(
        "a running one that is cancelled says so while it ends",
        observed(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Running", shutdown="Stop", intervention=ended_by(CUT)),
        ),
        status=(None, "Cancelling", UNDER_WAY),
    ),
    row(
        "and is cancelled in the end",
        observed(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Failed", shutdown="Stop", intervention=ended_by(CUT)),
        ),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "one that succeeded before it was cancelled has succeeded",
        observed(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Succeeded", shutdown="Stop", intervention=ended_by(CUT)),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "one whose Workflow is deleted while it is cancelled is cancelled",
        observed(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child("Running", shutdown="Stop", intervention=ended_by(CUT), deleted=NOW),
            certain=True,
        ),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "one that Argo does not begin is cancelled without it",
        observed(
            operation=operation(spec=CANCEL, status=RECORDED),
            child=child(shutdown="Stop", intervention=ended_by(replace(CUT, at=AGO))),
        ),
        status=("Cancelled", "Cancelled", FAILED),
    ),
    row(
        "a cancelled one that is on record as not told is told as a failure again",
        observed(
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
        requeue_after=2.0,
    ),
    row(
        "a pod that waits is looked at again when it has waited for too long",
        observed(
            operation=operation(status=RECORDED, spec={"pendingDeadlineSeconds": 60}),
            child=child("Running", waits=(Wait("add", NOW, ""),)),
        ),
        requeue_after=60.0,
    ),
    row(
        "a change of one that has ended is observed, and nothing else",
        observed(
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
        observed(settled=True, child=child()),
        patch_workflow={"spec": {"suspend": None, "shutdown": "Terminate"}},
    ),
]

REFUSALS = [
    row(
        "a refusal for good ends the operation",
        observed(operation=operation(), refusal=TAKEN),
        status=("Error", "NameTaken", REFUSED),
    ),
    row(
        "a refusal for good is written before it is told",
        observed(operation=operation(topic=TOPIC), refusal=TAKEN),
        status=("Error", "NameTaken", REFUSED | NOT_TOLD),
    ),
    row(
        "a refusal for good that is written is told",
        observed(operation=operation(topic=TOPIC, status=REFUSED_ON_RECORD)),
        publish=(EVENT_ID, "Error", "NameTaken"),
        requeue_after=2.0,
    ),
    row(
        "a refusal that may pass shows in the status",
        observed(operation=operation(), refusal=FORBIDDEN),
        status=("Pending", "SubmissionFailed", UNDER_WAY),
    ),
    row(
        "a refusal that shows already is not written again",
        observed(
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
        observed(operation=operation(topic=TOPIC)),
        NO_BROKER,
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "one that cannot be carried out is refused, which is on record before it is told",
        observed(operation=operation(topic=TOPIC, spec=UNMET)),
        status=("Error", "InvalidSpec", REFUSED | NOT_TOLD),
    ),
    row(
        "and is told",
        observed(operation=operation(topic=TOPIC, spec=UNMET, status=UNMET_ON_RECORD)),
        publish=(EVENT_ID, "Error", "InvalidSpec"),
        requeue_after=2.0,
    ),
    row(
        "and that is written",
        observed(
            operation=operation(topic=TOPIC, spec=UNMET, status=UNMET_ON_RECORD),
            delivery=delivery(DeliveryState.ACKED),
        ),
        status=(None, None, REFUSED | TOLD),
        drop_delivery=EVENT_ID,
    ),
    row(
        "without a broker, one that wants none runs",
        observed(operation=operation()),
        NO_BROKER,
        create_workflow=CHILD,
        requeue_after=5.0,
    ),
    row(
        "one that cannot be read is refused",
        observed(invalid=unreadable(3, OperationStatus())),
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "where it says whom to tell, that can be read all the same",
        observed(invalid=unreadable(3, OperationStatus(), TOPIC)),
        status=("Error", "InvalidSpec", REFUSED | NOT_TOLD),
    ),
    row(
        "and is told, when it is on record",
        observed(invalid=unreadable(1, UNMET_ON_RECORD, TOPIC)),
        publish=(EVENT_ID, "Error", "InvalidSpec"),
        requeue_after=2.0,
    ),
    row(
        "and that is written, and nothing else is",
        observed(
            invalid=unreadable(1, UNMET_ON_RECORD, TOPIC), delivery=delivery(DeliveryState.ACKED)
        ),
        status=(None, None, REFUSED | TOLD),
        drop_delivery=EVENT_ID,
    ),
    row(
        "without a broker nobody is told",
        observed(invalid=unreadable(3, OperationStatus(), TOPIC)),
        NO_BROKER,
        status=("Error", "InvalidSpec", REFUSED),
    ),
    row(
        "what was promised before it could not be read any more is kept",
        observed(invalid=unreadable(1, LATE), child=child("Succeeded", held=True)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "and its Workflow let go when it is told",
        observed(
            invalid=unreadable(1, LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.ACKED),
        ),
        status=(None, None, SUCCEEDED | TOLD),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "of one that runs the Workflow knows whom to tell of the refusal",
        observed(invalid=unreadable(2, RECORDED), child=child("Running", held=True)),
        status=("Error", "InvalidSpec", REFUSED | NOT_TOLD),
    ),
    row(
        "one that cannot be read and has ended stays as it is",
        observed(
            invalid=unreadable(1, on_record("Succeeded", "AllTasksSucceeded", holds=SUCCEEDED))
        ),
    ),
    row(
        "but that its spec has changed since is observed, or its clean-up would wait for ever",
        observed(
            invalid=unreadable(3, on_record("Succeeded", "AllTasksSucceeded", holds=SUCCEEDED))
        ),
        status=(None, None, SUCCEEDED),
    ),
]

ENDS_THAT_NOBODY_HEARS = [
    row(
        "success is written",
        observed(operation=operation(status=RECORDED), child=child("Succeeded")),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "failure is written",
        observed(operation=operation(status=RECORDED), child=child("Failed")),
        status=("Failed", "TaskFailed", FAILED),
    ),
    row(
        "Argo's own error is written",
        observed(operation=operation(status=RECORDED), child=child("Error")),
        status=("Error", "WorkflowError", FAILED),
    ),
    row(
        "a Workflow that ended before it was deleted has ended by itself",
        observed(operation=operation(status=RECORDED), child=child("Succeeded", deleted=NOW)),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "an end that is seen first of all is written in one piece",
        observed(operation=operation(), child=child("Succeeded")),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "a Workflow that waited for an event which nobody hears any more is let go",
        observed(operation=operation(status=RECORDED), child=child("Succeeded", held=True)),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
        remove_finalizer=CHILD,
    ),
]

ENDS_THAT_ARE_TOLD = [
    row(
        "the end is published before it is written",
        observed(operation=operation(topic=TOPIC), child=child("Succeeded", held=True)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "it is published for the operator's own topic too",
        observed(operation=operation(), child=child("Failed", held=True)),
        WIDE,
        publish=(EVENT_ID, "Failed", "TaskFailed"),
        requeue_after=2.0,
    ),
    row(
        "the broker is waited for",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.PENDING, begun=CLOCK - 0.5),
        ),
        requeue_after=1.5,
    ),
    row(
        "what the broker has is written, and the Workflow let go",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.ACKED),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | TOLD),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "a failure that the broker has is written, and the Workflow let go",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Failed", held=True),
            delivery=delivery(DeliveryState.ACKED),
        ),
        status=("Failed", "TaskFailed", FAILED | TOLD),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "a Workflow that is not held is not let go",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded"),
            delivery=delivery(DeliveryState.ACKED),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | TOLD),
        drop_delivery=EVENT_ID,
    ),
    row(
        "a failed attempt waits for its back-off",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 0.25),
        ),
        requeue_after=0.75,
    ),
    row(
        "a long back-off does not hold up the status",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 1.5, changed=CLOCK, attempts=2),
        ),
        requeue_after=0.5,
    ),
    row(
        "after its back-off the event is published again",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 1.25),
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=0.75,
    ),
    row(
        "a silent broker holds up the status for two seconds",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.PENDING, begun=CLOCK - 2.0),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | NOT_TOLD),
    ),
    row(
        "a broker that is away holds up the status for two seconds",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 3.0, changed=CLOCK, attempts=3),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | NOT_TOLD),
        requeue_after=4.0,
    ),
    row(
        "the retry and the late status go together",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Succeeded", held=True),
            delivery=delivery(
                DeliveryState.FAILED, begun=CLOCK - 3.0, changed=CLOCK - 2.0, attempts=2
            ),
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED | NOT_TOLD),
    ),
    row(
        "a new process publishes what is on record as not told",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "a retry that fails as before writes nothing",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
        ),
        requeue_after=60.0,
    ),
    row(
        "what fails when its time is over is given up, and the Workflow let go",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
            now=FINISHED + timedelta(seconds=60),
        ),
        replace(DEFAULTS, give_up=60),
        give_up=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        status=(None, None, SUCCEEDED | NOT_TOLD),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "its last attempt is that at which its time is over",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
            now=FINISHED + timedelta(seconds=58),
        ),
        replace(DEFAULTS, give_up=60),
        requeue_after=2.0,
    ),
    row(
        "an attempt that goes on is waited for though its time is over",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.PENDING, begun=CLOCK - 9.0),
            now=FINISHED + timedelta(seconds=60),
        ),
        replace(DEFAULTS, give_up=60),
    ),
    row(
        "what was not tried by this process is tried once, though its time is over",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            now=FINISHED + timedelta(seconds=60),
        ),
        replace(DEFAULTS, give_up=60),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "by 0 nothing is given up",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.FAILED, begun=CLOCK - 9.0, changed=CLOCK, attempts=9),
            now=FINISHED + timedelta(days=1000),
        ),
        replace(DEFAULTS, give_up=0),
        requeue_after=60.0,
    ),
    row(
        "a retry that fails in another way is written",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(
                DeliveryState.FAILED,
                begun=CLOCK - 9.0,
                changed=CLOCK,
                reason="PublishFailed",
                message="topic exits: not allowed",
            ),
        ),
        status=(None, None, SUCCEEDED | NOT_TOLD),
        requeue_after=1.0,
    ),
    row(
        "when the broker is back, that is written, and the Workflow let go",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            delivery=delivery(DeliveryState.ACKED, begun=CLOCK - 90.0),
        ),
        status=(None, None, SUCCEEDED | TOLD),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "an end on record is told without its Workflow too",
        observed(operation=operation(topic=TOPIC, status=LATE)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
]

AFTERWARDS = [
    row("with everything on record, nothing", observed(settled=True)),
    row("a Workflow that is free stays free", observed(settled=True, child=child("Succeeded"))),
    row(
        "a crash before the Workflow was let go is made good",
        observed(settled=True, child=child("Succeeded", held=True)),
        remove_finalizer=CHILD,
    ),
    row(
        "a failure before the delivery was forgotten is made good",
        observed(settled=True, delivery=delivery(DeliveryState.ACKED)),
        drop_delivery=EVENT_ID,
    ),
]

END = FINISHED.timestamp()
EXPIRED = [
    row(
        "a Workflow is kept for its time",
        observed(
            settled=True,
            child=child("Failed"),
            expiry=Expiry(END, Retention(60, 60)),
            server=END + 10,
        ),
        requeue_after=50.0,
    ),
    row(
        "and deleted after it",
        observed(
            settled=True,
            child=child("Failed"),
            expiry=Expiry(END, Retention(60, 60)),
            server=END + 60,
        ),
        delete_workflow=CHILD,
    ),
    row(
        "one that is held is let go first",
        observed(
            settled=True,
            child=child("Failed", held=True),
            expiry=Expiry(END, Retention(0, 0)),
            server=END + 60,
        ),
        remove_finalizer=CHILD,
    ),
    row(
        "an operation whose Workflow had its time has lost nothing",
        observed(settled=True, expiry=Expiry(END, Retention(0, 0)), server=END + 60),
    ),
    row(
        "an operation that is not told of yet keeps all",
        observed(
            operation=operation(topic=TOPIC, status=LATE),
            child=child("Succeeded", held=True),
            expiry=Expiry(END, Retention(0, 0), 1),
            server=END + 60,
        ),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "the record goes after its time, and takes its Workflow along",
        observed(
            settled=True,
            child=child("Succeeded"),
            expiry=Expiry(END, Retention(0, 0), 60),
            server=END + 60,
        ),
        delete_operation=True,
    ),
    row(
        "one that is owned is kept, and that is told",
        observed(settled=True, expiry=Expiry(END, FOR_EVER, 60, "Flux"), server=END + 60),
        retained_by="Flux",
    ),
]

LOST = [
    row(
        "a Workflow that is missing is asked for",
        observed(operation=operation(status=RECORDED)),
        question=Reread(),
    ),
    row(
        "a Workflow that is missing for certain ends the operation",
        observed(operation=operation(status=RECORDED), certain=True),
        status=("Error", "WorkflowLost", FAILED),
    ),
    row(
        "a Workflow that is missing for certain is told first",
        observed(operation=operation(topic=TOPIC, status=RECORDED), certain=True),
        publish=(EVENT_ID, "Error", "WorkflowLost"),
        requeue_after=2.0,
    ),
    row(
        "a Workflow that is missing is not made again while its operation is deleted",
        observed(operation=operation(status=RECORDED, deleted=NOW)),
        question=Reread(),
    ),
    row(
        "when a Workflow is being deleted, its operation is asked for",
        observed(operation=operation(topic=TOPIC), child=child("Running", held=True, deleted=NOW)),
        question=Reread(),
    ),
    row(
        "a Workflow that was deleted alone is lost",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Running", held=True, deleted=NOW),
            certain=True,
        ),
        publish=(EVENT_ID, "Error", "WorkflowLost"),
        requeue_after=2.0,
    ),
    row(
        "a Workflow that was deleted alone is let go when that is told",
        observed(
            operation=operation(topic=TOPIC),
            child=child("Running", held=True, deleted=NOW),
            certain=True,
            delivery=delivery(DeliveryState.ACKED),
        ),
        status=("Error", "WorkflowLost", FAILED | TOLD),
        remove_finalizer=CHILD,
        drop_delivery=EVENT_ID,
    ),
    row(
        "a Workflow that was deleted with its operation is deleted",
        observed(
            operation=operation(topic=TOPIC, deleted=NOW),
            child=child("Running", held=True, deleted=NOW),
            certain=True,
        ),
        publish=(EVENT_ID, "Error", "Deleted"),
        requeue_after=2.0,
    ),
    row(
        "an operation that is being deleted runs on while its Workflow does",
        observed(operation=operation(status=RECORDED, deleted=NOW), child=child("Running")),
    ),
]

AGAIN = {"runId": "two"}
OVER = on_record("Failed", "TaskFailed", "no", holds=FAILED, started=STARTED, finished=FINISHED)
OVER_AND_TOLD = on_record(
    "Failed", "TaskFailed", "no", holds=FAILED | TOLD, started=STARTED, finished=FINISHED
)
NOT_BEGUN = on_record("Suspended", "Suspended", holds=UNDER_WAY, referenced=False)
FIRST = concurrency.GroupMember("first", ConcurrencyPolicy.FORBID, "2026", begun=True)
NEXT = concurrency.GroupMember("next", ConcurrencyPolicy.FORBID, "2026")
GROUPED = {"concurrencyPolicy": "Forbid", "concurrencyGroup": "db"}
RUNS = [
    row(
        "one that has ended begins again as new where another run is wanted",
        observed(operation=operation(status=OVER, spec=AGAIN, generation=2)),
        status=("Pending", "RunRequested", UNDER_WAY),
    ),
    row(
        "its Workflow is let go before",
        observed(
            operation=operation(status=OVER_AND_TOLD, spec=AGAIN, generation=2, topic=TOPIC),
            child=child("Failed", held=True, run_id="1"),
        ),
        remove_finalizer=CHILD,
    ),
    row(
        "but not where nobody has been told yet, which is left to the Workflow",
        observed(
            operation=operation(status=LATE, spec=AGAIN, generation=2, topic=TOPIC),
            child=child("Succeeded", held=True, run_id="1"),
            delivery=delivery(DeliveryState.FAILED),
        ),
        status=("Pending", "RunRequested", UNDER_WAY),
    ),
    row(
        "without a Workflow that can tell it, the broker is waited for",
        observed(operation=operation(status=LATE, spec=AGAIN, generation=2, topic=TOPIC)),
        publish=(EVENT_ID, "Succeeded", "AllTasksSucceeded"),
        requeue_after=2.0,
    ),
    row(
        "one that runs is waited for",
        observed(
            operation=operation(status=RECORDED, spec=AGAIN, generation=2),
            child=child("Running", run_id="1"),
        ),
    ),
    row(
        "or ended, where that is the policy",
        observed(
            operation=operation(
                status=RECORDED, spec=AGAIN | {"concurrencyPolicy": "Replace"}, generation=2
            ),
            child=child("Running", run_id="1"),
        ),
        patch_workflow={
            "spec": {"shutdown": "Terminate"},
            "termination": {
                "reason": "Replaced",
                "message": "run two replaces it (concurrencyPolicy)",
                "at": "2026-01-02T03:04:05Z",
            },
        },
    ),
    row(
        "and is on record as what it was",
        observed(
            operation=operation(status=RECORDED, spec=AGAIN, generation=2),
            child=child("Succeeded", run_id="1"),
        ),
        status=("Succeeded", "AllTasksSucceeded", SUCCEEDED),
    ),
    row(
        "of one that has not begun it is asked for certain",
        observed(operation=operation(status=NOT_BEGUN, spec=AGAIN, generation=2)),
        question=Reread(),
    ),
    row(
        "which then is no run at all",
        observed(operation=operation(status=NOT_BEGUN, spec=AGAIN, generation=2), certain=True),
        status=("Pending", "RunRequested", UNDER_WAY),
    ),
    row(
        "one that is being deleted does not run again",
        observed(operation=operation(status=OVER, spec=AGAIN, generation=2, deleted=NOW)),
    ),
    row(
        "who is first in a group asks whether pods are left of those before",
        observed(operation=operation(spec=GROUPED)),
        question=FetchFacts(ClusterQuery(exclusive="cloudharness.io/concurrency-group=db")),
    ),
    row(
        "waits for them",
        observed(operation=operation(spec=GROUPED), facts=ClusterFacts(occupants=("pod-1",))),
        status=("Pending", "GroupBusy", UNDER_WAY),
        requeue_after=2.0,
    ),
    row(
        "and begins",
        observed(operation=operation(spec=GROUPED), facts=ClusterFacts()),
        create_workflow=CHILD,
        requeue_after=5.0,
    ),
    row(
        "who is second waits",
        observed(operation=operation(spec=GROUPED), blocked_by=FIRST),
        status=("Pending", "GroupBusy", UNDER_WAY),
    ),
    row(
        "a later run asks whether pods are left of the one before",
        observed(operation=operation(status={"run": 2, "runId": "two"}, spec=AGAIN)),
        question=FetchFacts(ClusterQuery(exclusive="cloudharness.io/operation=sums")),
    ),
    row(
        "one that is replaced before it begins is asked for",
        observed(operation=operation(spec=GROUPED), blocked_by=NEXT, replaced_by="next"),
        question=Reread(),
    ),
    row(
        "and has ended",
        observed(
            operation=operation(spec=GROUPED), blocked_by=NEXT, replaced_by="next", certain=True
        ),
        status=("Cancelled", "Replaced", FAILED),
    ),
    row(
        "one that runs is ended by who replaces it",
        observed(
            operation=operation(spec=GROUPED, status=RECORDED),
            child=child("Running", run_id="1"),
            replaced_by="next",
        ),
        patch_workflow={
            "spec": {"shutdown": "Terminate"},
            "termination": {
                "reason": "Replaced",
                "message": "operation next replaces it (concurrencyPolicy)",
                "at": "2026-01-02T03:04:05Z",
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
def test_a_decision(what: ObservedState, defaults: Defaults, expected: dict[str, Any]) -> None:
    assert in_short(decide(what, defaults)) == expected


def test_what_is_created_is_the_whole_workflow() -> None:
    wanted = operation(topic=TOPIC)
    found = plan(observed(operation=wanted), WIDE)
    assert found.create_workflow == workflow(wanted, WIDE)


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
    found = plan(observed(operation=operation(topic=TOPIC), **what), DEFAULTS)
    assert found.publish is not None
    assert found.publish.outcome == expected


def test_an_event_carries_the_payload_and_every_topic() -> None:
    told_once = operation(topic=TOPIC, payload='{"a": 1}')
    found = plan(observed(operation=told_once, child=child("Succeeded", held=True)), WIDE)
    assert found.publish is not None
    assert found.publish.destination == destination(
        topics=(TOPIC, "everything"), payload='{"a": 1}'
    )
    assert found.publish.workflow == CHILD


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        pytest.param(TAKEN, "it is another's", id="for good"),
        pytest.param(FORBIDDEN, "not allowed", id="for now"),
    ],
)
def test_a_refusal_is_shown_in_the_servers_words(refusal: Refusal, message: str) -> None:
    found = plan(observed(operation=operation(), refusal=refusal), DEFAULTS)
    assert found.status is not None
    assert found.status["message"] == message


def test_an_unreadable_operation_shows_why() -> None:
    found = plan(observed(invalid=unreadable(3, OperationStatus())), DEFAULTS)
    assert found.status is not None
    assert found.status["message"] == "spec.tasks: Field required"
    assert found.status["observedGeneration"] == 3


def test_an_operation_without_a_broker_shows_the_way_out() -> None:
    found = plan(observed(operation=operation(topic=TOPIC)), NO_BROKER)
    assert found.status is not None
    assert found.status["message"].startswith("spec.onExit.notify: this operator has no Kafka")


def test_a_topic_that_is_not_allowed_is_refused_and_never_told() -> None:
    defaults = Defaults("x", topics=("team-*",))
    found = plan(observed(operation=operation(topic=TOPIC)), defaults)
    assert found.status is not None
    assert (found.create_workflow, found.status["reason"]) == (None, "InvalidSpec")
    assert found.status["message"].startswith("spec.onExit.notify.topic: ")
    cancelled = operation(topic=TOPIC, spec={"cancel": "Stop"})
    found = plan(observed(operation=cancelled, certain=True), defaults)
    assert (found.publish, found.status is None) == (None, False)
