"""What becomes a Kubernetes Event."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operation.status import OperationStatus
from cloudharness_operator.decide.k8s_events import (
    MAX_NOTE,
    EventMessage,
    between,
    deletion_skipped,
    pods_deleted,
    to_manifests,
)
from tests.support.builders import NOW, on_record, operation_manifest, task

UNDER_WAY = {"Accepted": True, "Reconciling": True, "Finished": False}
GOOD = {"Accepted": True, "Reconciling": False, "Complete": True, "Finished": True}
BAD = {"Accepted": True, "Reconciling": False, "Failed": True, "Finished": True}
ACKED = ("EventAcknowledged", "it has it")
ON_ITS_WAY = ("Publishing", "the exit event is on its way")
AWAY = ("BrokerUnavailable", "no answer")
DENIED = ("PublishFailed", "not allowed")

EMPTY = OperationStatus()
WAITING = on_record("Pending", "WorkflowCreated", "waiting", holds=UNDER_WAY)
RUNNING = on_record("Running", "TasksRunning", holds=UNDER_WAY)
STUCK = on_record("Running", "Unschedulable", "task a: no node", holds=UNDER_WAY)
REFUSED = on_record("Pending", "SubmissionFailed", "quota", holds=UNDER_WAY, referenced=False)
ASLEEP = on_record("Suspended", "Suspended", "later", holds=UNDER_WAY | {"Suspended": True})
QUEUED = on_record("Pending", "GroupBusy", "runs after a", holds=UNDER_WAY, referenced=False)
REPLACED = on_record("Cancelled", "Replaced", "by b", holds=BAD)
AGAIN = on_record("Pending", "RunRequested", "run 2", holds=UNDER_WAY, referenced=False)
CANCELLING = on_record("Running", "Cancelling", "now", holds=UNDER_WAY)
CANCELLED = on_record("Cancelled", "Cancelled", "now", holds=BAD)
WELL = on_record("Succeeded", "AllTasksSucceeded", "all tasks succeeded", holds=GOOD)
BADLY = on_record("Failed", "TaskFailed", "task a: exit", holds=BAD)


def told(said: tuple[str, str], held: bool) -> OperationStatus:
    return on_record(
        "Succeeded", "AllTasksSucceeded", "all", holds=GOOD | {"Notified": held}, told=said
    )


def tasks(status: OperationStatus, *phases: str) -> OperationStatus:
    found = tuple(
        task(f"t{number}", phase, message="exit code 3") for number, phase in enumerate(phases)
    )
    return status.model_copy(update={"tasks": found})


CREATED = EventMessage("WorkflowCreated", "Workflow sums-060de runs it")
COMPLETE = EventMessage("Complete", "AllTasksSucceeded: all tasks succeeded")
NOTIFIED = EventMessage("Notified", "it has it")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(EMPTY, WAITING, [CREATED], id="the child is there"),
        pytest.param(EMPTY, RUNNING, [CREATED], id="and runs"),
        pytest.param(
            WAITING, RUNNING, [EventMessage("TasksRunning", "the Workflow runs")], id="runs"
        ),
        pytest.param(RUNNING, RUNNING, [], id="nothing"),
        pytest.param(
            RUNNING,
            STUCK,
            [EventMessage("Unschedulable", "task a: no node", warning=True)],
            id="trouble",
        ),
        pytest.param(STUCK, STUCK, [], id="the same trouble"),
        pytest.param(STUCK, RUNNING, [], id="trouble is over"),
        pytest.param(
            EMPTY,
            STUCK,
            [CREATED, EventMessage("Unschedulable", "task a: no node", warning=True)],
            id="trouble from the start",
        ),
        pytest.param(
            EMPTY, REFUSED, [EventMessage("SubmissionFailed", "quota", warning=True)], id="refused"
        ),
        pytest.param(RUNNING, WELL, [COMPLETE], id="success"),
        pytest.param(
            EMPTY,
            BADLY,
            [EventMessage("Failed", "TaskFailed: task a: exit", warning=True)],
            id="failure",
        ),
        pytest.param(WELL, WELL, [], id="success again"),
        pytest.param(RUNNING, ASLEEP, [EventMessage("Suspended", "later")], id="suspended"),
        pytest.param(ASLEEP, RUNNING, [EventMessage("Resumed", "it continues")], id="resumed"),
        pytest.param(
            RUNNING, CANCELLING, [EventMessage("Cancelling", "now")], id="being cancelled"
        ),
        pytest.param(CANCELLING, CANCELLED, [EventMessage("Cancelled", "now")], id="cancelled"),
        pytest.param(
            RUNNING,
            told(ACKED, True),
            [EventMessage("Complete", "AllTasksSucceeded: all")],
            id="success and its event",
        ),
        pytest.param(
            RUNNING,
            told(AWAY, False),
            [
                EventMessage("Complete", "AllTasksSucceeded: all"),
                EventMessage("NotificationFailed", "BrokerUnavailable: no answer", warning=True),
            ],
            id="success, but no broker",
        ),
        pytest.param(told(AWAY, False), told(ACKED, True), [NOTIFIED], id="a late event"),
        pytest.param(
            RUNNING,
            told(ON_ITS_WAY, False),
            [EventMessage("Complete", "AllTasksSucceeded: all")],
            id="success, and its event is on its way",
        ),
        pytest.param(told(ON_ITS_WAY, False), told(ACKED, True), [], id="which soon is there"),
        pytest.param(
            told(ON_ITS_WAY, False),
            told(AWAY, False),
            [EventMessage("NotificationFailed", "BrokerUnavailable: no answer", warning=True)],
            id="or is not",
        ),
        pytest.param(
            EMPTY, QUEUED, [EventMessage("GroupBusy", "runs after a")], id="waits for others"
        ),
        pytest.param(QUEUED, RUNNING, [CREATED], id="and begins"),
        pytest.param(RUNNING, REPLACED, [EventMessage("Replaced", "by b")], id="replaced"),
        pytest.param(BADLY, AGAIN, [EventMessage("RunRequested", "run 2")], id="another run"),
        pytest.param(told(AWAY, False), told(AWAY, False), [], id="still no broker"),
        pytest.param(
            told(AWAY, False),
            told(DENIED, False),
            [EventMessage("NotificationFailed", "PublishFailed: not allowed", warning=True)],
            id="another hindrance",
        ),
        pytest.param(
            tasks(RUNNING, "Running", "Failed"),
            tasks(RUNNING, "Error", "Failed", "Pending"),
            [EventMessage("TaskFailed", "task t0: exit code 3", warning=True)],
            id="a task fails while others run",
        ),
    ],
)
def test_what_is_news(
    old: OperationStatus, new: OperationStatus, expected: list[EventMessage]
) -> None:
    assert list(between(old, new)) == expected


def test_each_has_its_name_and_no_more_words_than_it_may() -> None:
    what = (EventMessage("A", "x" * 5000), EventMessage("B", "short", warning=True))
    found = to_manifests(operation_manifest(version=255), what, NOW)
    names: list[Any] = [one["metadata"]["name"] for one in found]
    assert names == ["sums.ff-0", "sums.ff-1"]
    assert [len(one["note"]) for one in found] == [MAX_NOTE, 5]
    assert [one["type"] for one in found] == ["Normal", "Warning"]


def test_news_of_the_clean_up_have_names_of_their_own() -> None:
    what = (EventMessage("A", "a"), pods_deleted(("sums-1",)), deletion_skipped("Flux"))
    found = to_manifests(operation_manifest(version=255), what, NOW)
    names: list[Any] = [one["metadata"]["name"] for one in found]
    assert names == ["sums.ff-0", "sums.ff-stopped-1", "sums.ff-kept-2"]
    assert [one["reason"] for one in found] == ["A", "PodsDeleted", "TTLDeletionSkipped"]
    assert "sums-1" in found[1]["note"]
    assert "Flux owns it" in found[2]["note"]
