"""What becomes a Kubernetes Event."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operation.record import OperationStatus
from cloudharness_operator.news import MAX_NOTE, News, cleaned_up, kept, manifests, news
from tests.builders import NOW, on_record, operation_manifest, task

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


CREATED = News("WorkflowCreated", "Workflow sums-060de carries it out")
COMPLETE = News("Complete", "AllTasksSucceeded: all tasks succeeded")
NOTIFIED = News("Notified", "it has it")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(EMPTY, WAITING, [CREATED], id="the child is there"),
        pytest.param(EMPTY, RUNNING, [CREATED], id="and runs"),
        pytest.param(WAITING, RUNNING, [News("TasksRunning", "the Workflow runs")], id="runs"),
        pytest.param(RUNNING, RUNNING, [], id="nothing"),
        pytest.param(
            RUNNING, STUCK, [News("Unschedulable", "task a: no node", warning=True)], id="trouble"
        ),
        pytest.param(STUCK, STUCK, [], id="the same trouble"),
        pytest.param(STUCK, RUNNING, [], id="trouble is over"),
        pytest.param(
            EMPTY,
            STUCK,
            [CREATED, News("Unschedulable", "task a: no node", warning=True)],
            id="trouble from the start",
        ),
        pytest.param(
            EMPTY, REFUSED, [News("SubmissionFailed", "quota", warning=True)], id="refused"
        ),
        pytest.param(RUNNING, WELL, [COMPLETE], id="success"),
        pytest.param(
            EMPTY, BADLY, [News("Failed", "TaskFailed: task a: exit", warning=True)], id="failure"
        ),
        pytest.param(WELL, WELL, [], id="success again"),
        pytest.param(RUNNING, ASLEEP, [News("Suspended", "later")], id="suspended"),
        pytest.param(ASLEEP, RUNNING, [News("Resumed", "it goes on")], id="resumed"),
        pytest.param(RUNNING, CANCELLING, [News("Cancelling", "now")], id="being cancelled"),
        pytest.param(CANCELLING, CANCELLED, [News("Cancelled", "now")], id="cancelled"),
        pytest.param(
            RUNNING,
            told(ACKED, True),
            [News("Complete", "AllTasksSucceeded: all")],
            id="success and its event",
        ),
        pytest.param(
            RUNNING,
            told(AWAY, False),
            [
                News("Complete", "AllTasksSucceeded: all"),
                News("NotificationFailed", "BrokerUnavailable: no answer", warning=True),
            ],
            id="success, but no broker",
        ),
        pytest.param(told(AWAY, False), told(ACKED, True), [NOTIFIED], id="a late event"),
        pytest.param(
            RUNNING,
            told(ON_ITS_WAY, False),
            [News("Complete", "AllTasksSucceeded: all")],
            id="success, and its event is on its way",
        ),
        pytest.param(told(ON_ITS_WAY, False), told(ACKED, True), [], id="which soon is there"),
        pytest.param(
            told(ON_ITS_WAY, False),
            told(AWAY, False),
            [News("NotificationFailed", "BrokerUnavailable: no answer", warning=True)],
            id="or is not",
        ),
        pytest.param(EMPTY, QUEUED, [News("GroupBusy", "runs after a")], id="waits for others"),
        pytest.param(QUEUED, RUNNING, [CREATED], id="and begins"),
        pytest.param(RUNNING, REPLACED, [News("Replaced", "by b")], id="replaced"),
        pytest.param(BADLY, AGAIN, [News("RunRequested", "run 2")], id="another run"),
        pytest.param(told(AWAY, False), told(AWAY, False), [], id="still no broker"),
        pytest.param(
            told(AWAY, False),
            told(DENIED, False),
            [News("NotificationFailed", "PublishFailed: not allowed", warning=True)],
            id="another hindrance",
        ),
        pytest.param(
            tasks(RUNNING, "Running", "Failed"),
            tasks(RUNNING, "Error", "Failed", "Pending"),
            [News("TaskFailed", "task t0: exit code 3", warning=True)],
            id="a task fails while others run",
        ),
    ],
)
def test_what_is_news(old: OperationStatus, new: OperationStatus, expected: list[News]) -> None:
    assert list(news(old, new)) == expected


def test_each_has_its_name_and_no_more_words_than_it_may() -> None:
    what = (News("A", "x" * 5000), News("B", "short", warning=True))
    found = manifests(operation_manifest(version=255), what, NOW)
    names: list[Any] = [one["metadata"]["name"] for one in found]
    assert names == ["sums.ff-0", "sums.ff-1"]
    assert [len(one["note"]) for one in found] == [MAX_NOTE, 5]
    assert [one["type"] for one in found] == ["Normal", "Warning"]


def test_news_of_the_clean_up_have_names_of_their_own() -> None:
    what = (News("A", "a"), cleaned_up("sums-1"), kept("Flux"))
    found = manifests(operation_manifest(version=255), what, NOW)
    names: list[Any] = [one["metadata"]["name"] for one in found]
    assert names == ["sums.ff-0", "sums.ff-cleaned-1", "sums.ff-kept-2"]
    assert [one["reason"] for one in found] == ["A", "CleanedUp", "TTLDeletionSkipped"]
    assert "sums-1" in found[1]["note"]
    assert "Flux owns it" in found[2]["note"]
