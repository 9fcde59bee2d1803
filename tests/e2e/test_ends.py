"""Every end of an operation is told to Kafka: one distinct event, of the right outcome."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from cloudharness_operation.names import resource_path
from tests.support import kafka
from tests.support.installation import FULL_KIND, Installation, eventually
from tests.support.operations import Manifest, bash, operation

pytestmark = pytest.mark.e2e

LONG = bash("exec sleep 600")
NO_SECRET = {"secretKeyRef": {"name": "no-such-secret", "key": "k"}}
STUCK = bash("true", env=[{"name": "A", "valueFrom": NO_SECRET}])
NEWER = bash("true", templatePatch={"pendingTimeout": "1m"})
"""What Argo knows since 4.1 alone, so that only the operator can refuse it."""
GAVE_UP = {"status": {"phase": "Error", "message": "a test", "finishedAt": "2026-01-02T03:04:05Z"}}
"""What Argo writes of a Workflow that it cannot carry out."""

Act = Callable[[Installation, str], None]


class End(NamedTuple):
    """A way to end: the task, what is done when it runs, and what Kafka hears."""

    task: Manifest
    status: str
    reason: str
    act: Act | None = None
    spec: Manifest | None = None


def cancel(one: Installation, name: str) -> None:
    runs(one, name)
    one.server.patch(FULL_KIND, name, {"spec": {"cancel": "Stop"}})


def delete(one: Installation, name: str) -> None:
    runs(one, name)
    one.server.delete(FULL_KIND, name)


def lose(one: Installation, name: str) -> None:
    runs(one, name)
    (child,) = one.workflows(name)
    one.server.delete("workflows", child["metadata"]["name"])


def give_up(one: Installation, name: str) -> None:
    runs(one, name)
    (child,) = one.workflows(name)
    one.server.patch("workflows", child["metadata"]["name"], GAVE_UP)


def runs(one: Installation, name: str) -> None:
    eventually(lambda: one.status(name).get("phase") == "Running")


ENDS = {
    "success": End(bash("true"), "Succeeded", "AllTasksSucceeded"),
    "failure": End(bash("false"), "Failed", "TaskFailed"),
    "error": End(LONG, "Error", "WorkflowError", give_up),
    "cancel": End(LONG, "Failed", "Cancelled", cancel),
    "deadline": End(LONG, "Failed", "DeadlineExceeded", spec={"activeDeadlineSeconds": 5}),
    "pending": End(STUCK, "Failed", "PendingDeadlineExceeded", spec={"pendingDeadlineSeconds": 5}),
    "refusal": End(NEWER, "Error", "InvalidSpec"),
    "deletion": End(LONG, "Error", "Deleted", delete),
    "loss": End(LONG, "Error", "WorkflowLost", lose),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_told(shared: Installation, name: str) -> None:
    end, topic = ENDS[name], f"{shared.namespace}-end-{name}"
    shared.apply(operation(name, end.task, topic=topic, **end.spec or {}))
    uid = shared.get(FULL_KIND, name)["metadata"]["uid"]
    if end.act:
        end.act(shared, name)
    is_told(shared, topic, {uid: (name, end.status, end.reason)})
    eventually(lambda: not any("finalizers" in w["metadata"] for w in shared.workflows(name)))


def test_the_ends_that_no_operator_sees_are_told(own: Installation) -> None:
    """One operation ends, and another is deleted, while none runs."""
    topic = own.namespace
    own.apply(operation("ended", bash("sleep 3"), topic=topic))
    own.apply(operation("deleted", LONG, topic=topic))
    uids = {name: own.get(FULL_KIND, name)["metadata"]["uid"] for name in ("ended", "deleted")}
    for name in uids:
        runs(own, name)
    own.scale_operator(0)
    own.server.delete(FULL_KIND, "deleted")
    eventually(lambda: "deletionTimestamp" in own.workflows("deleted")[0]["metadata"])
    eventually(lambda: own.workflows("ended")[0]["status"]["phase"] == "Succeeded")
    own.scale_operator(1)
    expected = {
        uids["ended"]: ("ended", "Succeeded", "AllTasksSucceeded"),
        uids["deleted"]: ("deleted", "Error", "Deleted"),
    }
    is_told(own, topic, expected)


def is_told(one: Installation, topic: str, ends: dict[str, tuple[str, str, str]]) -> None:
    """See that Kafka has one distinct event of each operation: its name, status and reason."""
    told = kafka.events(one.kafka, topic, lambda all_: {event.key for event in all_} == set(ends))
    assert {(event.attributes["ce_source"], event.id) for event in told} == {
        (resource_path(one.namespace, name), f"{uid}/1/exit") for uid, (name, _, _) in ends.items()
    }
    assert {(event.key, event.data["status"], event.data["reason"]) for event in told} == {
        (uid, status, reason) for uid, (_, status, reason) in ends.items()
    }
