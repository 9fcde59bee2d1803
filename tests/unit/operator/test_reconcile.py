"""Decisions put into effect, on a cluster and a publisher that do what a test says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloudharness_operation.names import FINALIZER, child_name
from cloudharness_operation.render import workflow
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.errors import ApiError
from cloudharness_operator.loop import reconcile
from tests.support.bench import (
    BAD,
    BUSY,
    CONFLICT,
    EXISTS,
    FORBIDDEN,
    GONE,
    INVALID,
    RUNNING,
    Bench,
)
from tests.support.builders import (
    CHILD,
    CLOCK,
    DEFAULTS,
    EVENT_ID,
    FINISHED,
    NAME,
    NAMESPACE,
    NO_BROKER,
    OTHER_UID,
    STARTED,
    TOPIC,
    UID,
    child,
    on_record,
    only,
    operation,
    operation_manifest,
    workflow_manifest,
)


def test_a_new_operation_has_its_workflow_made() -> None:
    bench = Bench().has()
    assert bench.handle() == 5.0
    assert bench.calls == [f"create {CHILD}"]
    made = bench.cluster.workflows[CHILD]
    assert {**made, "metadata": None} == {**workflow(operation(), DEFAULTS), "metadata": None}
    assert only(bench.store.children(UID)) == Child.read(made)
    assert bench.changed == [UID]


def test_the_whole_life_of_an_operation_that_is_told() -> None:
    bench = Bench().has(topic=TOPIC)
    bench.handle()
    bench.runs("Running", held=True)
    bench.handle()
    assert bench.calls == ["status TasksRunning"]
    bench.runs("Succeeded", held=True)
    assert bench.handle() == 2.0
    assert bench.calls == ["publish AllTasksSucceeded"]
    bench.delivers(DeliveryState.ACKED)
    assert bench.handle() is None
    assert bench.calls == ["status AllTasksSucceeded", f"release {CHILD}", "forget"]
    assert bench.condition("Notified")[0] == "True"
    assert bench.status.completion_time == FINISHED
    assert bench.publisher.known == {}
    assert bench.handle() == 1195.0
    assert bench.calls == []
    record, left = bench.store.operation(UID), only(bench.store.children(UID))
    assert record is not None
    assert record.settled
    assert left is not None
    assert left.finalizers == ()


def test_a_late_status_and_the_retry_go_in_this_order() -> None:
    bench = Bench().has(topic=TOPIC).runs("Failed", held=True)
    bench.delivers(DeliveryState.FAILED, begun=CLOCK - 5.0)
    bench.handle()
    assert bench.calls == ["publish TaskFailed", "status TaskFailed"]
    assert bench.condition("Notified")[:2] == ("False", "BrokerUnavailable")


def test_what_is_given_up_is_told_before_its_workflow_goes() -> None:
    bench = Bench(replace(DEFAULTS, give_up=1)).has(topic=TOPIC).runs("Failed", held=True)
    bench.delivers(DeliveryState.FAILED, begun=CLOCK - 5.0)
    bench.handle()
    assert bench.calls == [
        "give up TaskFailed",
        "status TaskFailed",
        f"release {CHILD}",
        "forget",
    ]
    status, reason, message = bench.condition("Notified")
    assert (status, reason) == ("False", "GivenUp")
    assert "1 s after the end" in message
    assert "BrokerUnavailable: no answer from the broker yet" in message
    assert {(event["type"], event["reason"]) for event in bench.cluster.events} >= {
        ("Warning", "NotificationFailed")
    }
    # As every end that is on record, it is over.
    record = bench.store.operation(UID)
    assert record is not None
    assert record.settled
    bench.handle()
    assert bench.calls == []


def test_what_a_write_is_news_of_is_told() -> None:
    bench = Bench().has(topic=TOPIC).runs("Running", held=True)
    bench.handle()
    (event,) = bench.cluster.events
    version = int(bench.cluster.operations[NAME]["metadata"]["resourceVersion"])
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": NAMESPACE, "name": f"{NAME}.{version:x}-0"},
        "eventTime": "2026-01-02T03:04:05.000000Z",
        "reportingController": "cloudharness-operator",
        "reportingInstance": "cloudharness-operator",
        "action": "Reconcile",
        "type": "Normal",
        "reason": "WorkflowCreated",
        "note": f"Workflow {CHILD} runs it",
        "regarding": {
            "apiVersion": "cloudharness.io/v1alpha1",
            "kind": "CloudHarnessOperation",
            "namespace": NAMESPACE,
            "name": NAME,
            "uid": UID,
            "resourceVersion": str(version),
        },
    }
    bench.handle()
    assert len(bench.cluster.events) == 1


def test_what_is_not_known_needs_nothing() -> None:
    bench = Bench()
    assert bench.handle() is None
    assert bench.calls == []


def test_an_operation_is_not_written_twice() -> None:
    bench = Bench().has().runs()
    bench.handle()
    bench.handle()
    assert bench.calls == []


class TestCreating:
    """What the API server may say to a Workflow."""

    def test_a_workflow_of_ours_that_exists_is_taken_over(self) -> None:
        bench = Bench().has().failing("create", EXISTS)
        bench.cluster.workflows[CHILD] = workflow_manifest()
        assert bench.handle() == 5.0
        assert bench.calls == [f"create {CHILD}", f"get workflow {NAMESPACE}/{CHILD}"]
        assert only(bench.store.children(UID)) == child()
        assert bench.changed == [UID]

    def test_a_workflow_of_anothers_that_exists_ends_the_operation(self) -> None:
        bench = Bench().has().failing("create", EXISTS)
        bench.cluster.workflows[CHILD] = workflow_manifest(operation_uid=OTHER_UID)
        bench.handle()
        assert bench.calls[-1] == "status NameTaken"
        assert bench.condition("Accepted")[:2] == ("False", "NameTaken")
        assert bench.status.is_true("Failed")
        assert CHILD in (bench.status.message or "")
        assert only(bench.store.children(UID)) is None

    def test_a_workflow_that_exists_and_then_does_not_is_tried_again(self) -> None:
        bench = Bench().has().failing("create", EXISTS)
        with pytest.raises(ApiError, match="existed, and then did not"):
            bench.handle()
        assert not any(call.startswith("status") for call in bench.calls)
        bench.handle()
        assert bench.calls == [f"create {CHILD}"]

    @pytest.mark.parametrize("error", [INVALID, BAD], ids=["422", "400"])
    def test_a_refusal_for_good_ends_the_operation(self, error: ApiError) -> None:
        bench = Bench().has().failing("create", error)
        bench.handle()
        assert bench.calls == [f"create {CHILD}", "status SubmissionFailed"]
        assert bench.condition("Accepted") == ("False", "SubmissionFailed", error.message)
        assert bench.condition("Stalled") == ("True", "SubmissionFailed", error.message)
        assert bench.status.message == error.message
        bench.handle()
        assert bench.calls == []

    def test_a_refusal_for_good_is_written_and_told(self) -> None:
        bench = Bench().has(topic=TOPIC).failing("create", INVALID, INVALID)
        bench.handle()
        assert bench.calls == [f"create {CHILD}", "status SubmissionFailed"]
        assert bench.condition("Notified")[:2] == ("False", "Publishing")
        bench.handle()
        assert bench.calls == ["publish SubmissionFailed"]
        bench.delivers(DeliveryState.ACKED)
        bench.handle()
        assert bench.calls[-2:] == ["status -", "forget"]
        assert bench.condition("Notified")[0] == "True"

    @pytest.mark.parametrize("error", [FORBIDDEN, BUSY], ids=["403", "503"])
    def test_a_refusal_that_may_pass_is_shown_and_tried_again(self, error: ApiError) -> None:
        bench = Bench().has().failing("create", error, error)
        with pytest.raises(ApiError) as caught:
            bench.handle()
        assert caught.value is error
        assert bench.calls == [f"create {CHILD}", "status SubmissionFailed"]
        assert bench.condition("Reconciling") == ("True", "SubmissionFailed", error.message)
        with pytest.raises(ApiError):
            bench.handle()
        assert bench.calls == [f"create {CHILD}"]
        bench.handle()
        assert bench.calls == [f"create {CHILD}"]
        assert only(bench.store.children(UID)) is not None

    @pytest.mark.parametrize("error", [OSError("no route"), TimeoutError()], ids=["off", "late"])
    def test_a_server_that_is_away_is_asked_again(self, error: Exception) -> None:
        bench = Bench().has().failing("create", error)
        with pytest.raises(type(error)):
            bench.handle()
        assert bench.calls == [f"create {CHILD}"]


class TestWriting:
    """What the API server may say to a status."""

    def test_a_conflict_has_the_operation_read_anew(self) -> None:
        bench = Bench().has().runs()
        newer = operation_manifest(version=40, generation=3)
        bench.cluster.operations[NAME] = newer
        with pytest.raises(ApiError, match="409"):
            bench.handle()
        assert bench.calls == ["status TasksRunning", f"get operation {NAMESPACE}/{NAME}"]
        record = bench.store.operation(UID)
        assert record is not None
        assert record.version == 40
        bench.handle()
        assert bench.status.observed_generation == 3

    def test_an_operation_that_is_gone_is_forgotten(self) -> None:
        bench = Bench().has().runs().failing("status", GONE)
        assert bench.handle() is None
        assert bench.store.operation(UID) is None
        assert bench.changed == [UID]

    def test_a_child_is_let_go_though_its_operation_is_gone(self) -> None:
        bench = Bench().has(topic=TOPIC).runs("Succeeded", held=True).delivers(DeliveryState.ACKED)
        bench.failing("status", GONE)
        bench.handle()
        assert bench.calls == ["status AllTasksSucceeded", f"release {CHILD}", "forget"]

    def test_an_end_that_is_not_written_lets_nothing_go(self) -> None:
        bench = Bench().has(topic=TOPIC).runs("Succeeded", held=True).delivers(DeliveryState.ACKED)
        bench.failing("status", BUSY)
        with pytest.raises(ApiError, match="503"):
            bench.handle()
        assert bench.calls == ["status AllTasksSucceeded"]
        bench.handle()
        assert bench.calls == ["status AllTasksSucceeded", f"release {CHILD}", "forget"]

    def test_an_operation_that_goes_while_it_is_written_is_not_asked_for(self) -> None:
        bench = Bench().has().runs().failing("status", GONE)
        bench.cluster.meanwhile["status"] = lambda: bench.store.remove_operation(UID)
        bench.handle()
        assert bench.calls == ["status TasksRunning"]

    def test_what_was_written_counts_as_seen(self) -> None:
        bench = Bench().has().runs()
        bench.handle()
        record = bench.store.operation(UID)
        assert record is not None
        assert (record.version, record.written) == (52, CLOCK)


class TestReleasing:
    """What may be the matter with a finalizer."""

    def test_finalizers_that_have_changed_are_read_anew(self) -> None:
        bench = Bench().has(topic=TOPIC).runs("Succeeded", held=True).delivers(DeliveryState.ACKED)
        bench.failing("release", INVALID)
        bench.cluster.workflows[CHILD]["metadata"]["finalizers"] = ["a/b", FINALIZER]
        bench.cluster.workflows[CHILD]["metadata"]["resourceVersion"] = "66"
        with pytest.raises(ApiError, match="422"):
            bench.handle()
        known = only(bench.store.children(UID))
        assert known is not None
        assert known.finalizers == ("a/b", FINALIZER)
        bench.handle()
        assert bench.calls == [f"release {CHILD}", "forget"]
        assert bench.publisher.known == {}

    @pytest.mark.parametrize("again", [False, True], ids=["gone", "made again"])
    def test_a_workflow_that_is_gone_is_forgotten(self, again: bool) -> None:
        bench = Bench().has(topic=TOPIC).runs("Succeeded", held=True).delivers(DeliveryState.ACKED)
        bench.failing("release", INVALID)
        del bench.cluster.workflows[CHILD]
        if again:
            bench.cluster.workflows[CHILD] = workflow_manifest(uid="another")
        with pytest.raises(ApiError, match="422"):
            bench.handle()
        assert only(bench.store.children(UID)) is None

    def test_a_workflow_that_is_gone_needs_no_release(self) -> None:
        bench = Bench().has(topic=TOPIC).runs("Succeeded", held=True).delivers(DeliveryState.ACKED)
        del bench.cluster.workflows[CHILD]
        bench.handle()
        assert bench.calls == ["status AllTasksSucceeded", f"release {CHILD}", "forget"]
        assert only(bench.store.children(UID)) is None


SECOND = child_name(NAME, UID, 2)
TOLD = on_record(
    "Succeeded",
    "AllTasksSucceeded",
    holds={"Finished": True, "Notified": True},
    started=STARTED,
    finished=FINISHED,
)
ENDED = on_record(
    "Succeeded",
    "AllTasksSucceeded",
    holds={"Finished": True},
    started=STARTED,
    finished=FINISHED,
)


class TestCleaningUp:
    """What has had its time is deleted, at its turn and as it was seen."""

    def ended(self, **spec: Any) -> Bench:
        """Return a bench with an operation that ended 5 s ago, and is settled."""
        bench = Bench()
        manifest = operation_manifest(status=ENDED)
        bench.cluster.operations[NAME] = manifest | {"spec": manifest["spec"] | spec}
        bench.store.upsert_operation(bench.cluster.operations[NAME])
        return bench.runs("Succeeded")

    def test_a_workflow_goes_when_the_server_says_so(self) -> None:
        bench = self.ended(ttlStrategy={"secondsAfterSuccess": 7})
        assert bench.handle() == 2.0
        assert bench.calls == []
        bench.server += 2.0
        assert bench.handle() is None
        assert bench.calls == [f"delete {CHILD}"]
        assert (only(bench.store.children(UID)), bench.cluster.workflows) == (None, {})
        assert bench.cluster.events == []
        assert bench.meter.measured == [("deleted", "Workflow")]
        assert bench.handle() is None
        assert bench.calls == []

    def test_a_workflow_that_another_holds_is_deleted_once(self) -> None:
        bench = self.ended(ttlStrategy={"secondsAfterSuccess": 0})
        bench.cluster.workflows[CHILD]["metadata"]["finalizers"] = ["a/b"]
        bench.handle()
        assert bench.calls == [f"delete {CHILD}"]
        assert bench.handle() is None
        assert bench.calls == []

    def test_a_workflow_that_was_set_to_run_again_stays(self) -> None:
        bench = self.ended(ttlStrategy={"secondsAfterSuccess": 0})
        again = workflow_manifest(status={"phase": "Running"}, version=90)
        bench.cluster.workflows[CHILD] = again
        with pytest.raises(ApiError, match="409"):
            bench.handle()
        assert bench.calls == [f"delete {CHILD}", f"get workflow {NAMESPACE}/{CHILD}"]
        assert bench.handle() is None
        assert (bench.calls, bench.cluster.workflows) == ([], {CHILD: again})

    def test_a_record_goes_and_its_workflow_is_left_to_the_cascade(self) -> None:
        bench = self.ended(ttlSecondsAfterFinished=5, ttlStrategy={"secondsAfterSuccess": 0})
        bench.handle()
        assert bench.calls == [f"erase {NAMESPACE}/{NAME}"]
        assert bench.store.operation(UID) is None
        bench.handle()
        assert bench.calls == []

    def test_a_record_that_another_holds_is_deleted_once(self) -> None:
        bench = self.ended(ttlSecondsAfterFinished=5, ttlStrategy={})
        bench.cluster.operations[NAME]["metadata"]["finalizers"] = ["a/b"]
        bench.handle()
        assert bench.calls == [f"erase {NAMESPACE}/{NAME}"]
        bench.handle()
        assert bench.calls == []

    @pytest.mark.parametrize("uid", [UID, OTHER_UID], ids=["more time", "made again"])
    def test_a_record_that_is_another_now_stays(self, uid: str) -> None:
        bench = self.ended(ttlSecondsAfterFinished=5, ttlStrategy={})
        newer = operation_manifest(status=ENDED, version=99, uid=uid)
        bench.cluster.operations[NAME] = newer
        with pytest.raises(ApiError, match="409"):
            bench.handle()
        bench.handle()
        assert (bench.calls, bench.cluster.operations) == ([], {NAME: newer})

    def test_an_owned_record_stays_and_that_is_told(self) -> None:
        bench = Bench()
        manifest = operation_manifest(
            status=ENDED, metadata={"labels": {"app.kubernetes.io/managed-by": "Helm"}}
        )
        bench.cluster.operations[NAME] = manifest
        manifest["spec"] |= {"ttlSecondsAfterFinished": 5}
        bench.store.upsert_operation(manifest)
        assert bench.handle() is None
        assert bench.calls == []
        (event,) = bench.cluster.events
        assert (event["reason"], event["metadata"]["name"]) == (
            "TTLDeletionSkipped",
            f"{NAME}.a-kept-0",
        )

    def test_whose_turn_has_not_come_comes_again(self) -> None:
        bench = self.ended(ttlStrategy={"secondsAfterSuccess": 0})
        bench.reconciler.clean_up.limiter.delay_for("another")
        assert bench.handle() == 0.5
        assert bench.calls == []
        bench.clock += 0.5
        assert bench.handle() is None
        assert bench.calls == [f"delete {CHILD}"]


class TestRuns:
    """An operation that runs again, and what its former runs have left."""

    def over(self, *, held: bool = False, topic: str = "", **spec: Any) -> Bench:
        """Return a bench with an operation whose first run has failed, and is to run again."""
        bench = Bench()
        manifest = operation_manifest(
            topic=topic, status=TOLD if topic else ENDED, spec={"runId": "two", **spec}
        )
        manifest["metadata"]["generation"] = 2
        bench.cluster.operations[NAME] = manifest
        bench.store.upsert_operation(manifest)
        bench.runs("Succeeded", held=held)
        return bench

    def test_it_begins_as_new(self) -> None:
        bench = self.over()
        bench.handle()
        assert bench.calls == ["status RunRequested"]
        assert (bench.status.run, bench.status.run_id, bench.status.phase) == (2, "two", "Pending")
        (past,) = bench.status.history
        assert (past.run, past.run_id, past.workflow) == (1, "1", CHILD)
        assert bench.status.workflow_ref is None
        bench.handle()
        assert bench.calls == [f"learn {NAMESPACE}/", f"create {SECOND}"]
        assert [one.run for one in bench.store.children(UID)] == [1, 2]

    def test_pods_of_the_run_before_are_waited_for(self) -> None:
        bench = self.over()
        bench.handle()
        bench.cluster.facts = ClusterFacts(occupants=("pod-1",))
        assert bench.handle() == 2.0
        assert bench.calls == [f"learn {NAMESPACE}/", "status GroupBusy"]
        bench.cluster.facts = ClusterFacts()
        bench.handle()
        assert bench.calls[-1] == f"create {SECOND}"

    def test_what_was_told_is_let_go_before(self) -> None:
        bench = self.over(held=True, topic=TOPIC)
        bench.handle()
        assert bench.calls == [f"release {CHILD}"]
        bench.handle()
        assert bench.calls == ["status RunRequested"]

    def test_the_old_workflow_has_its_time(self) -> None:
        bench = self.over(ttlStrategy={"secondsAfterSuccess": 0})
        bench.handle()
        assert bench.calls == ["status RunRequested", f"delete {CHILD}"]
        bench.handle()
        assert [one.run for one in bench.store.children(UID)] == [2]

    def test_one_step_that_fails_does_not_stop_the_other(self) -> None:
        bench = self.over(ttlStrategy={"secondsAfterSuccess": 0})
        bench.handle()
        bench.failing("create", BUSY)
        with pytest.raises(ApiError):
            bench.handle()
        assert [one.run for one in bench.store.children(UID)] == []
        bench.handle()
        assert [one.run for one in bench.store.children(UID)] == [2]

    def test_a_child_that_is_seen_before_its_operation_is_not_taken_for_an_old_one(self) -> None:
        bench = Bench().runs("Running", held=True)
        manifest = operation_manifest(topic=TOPIC)
        bench.cluster.operations[NAME] = manifest

        async def both() -> None:
            # Its operation comes while the key is handled already.
            await asyncio.gather(bench.reconciler(UID), told())

        async def told() -> None:
            bench.store.upsert_operation(manifest)

        asyncio.run(both())
        assert not any(call.startswith("steer") for call in bench.calls)

    def test_pods_that_do_not_stop_are_ended_once(self) -> None:
        bench = Bench()
        bench.cluster.operations[NAME] = operation_manifest(status=ENDED)
        bench.store.upsert_operation(bench.cluster.operations[NAME])
        bench.runs("Failed", shutdown="Terminate")
        bench.server = FINISHED.timestamp() + 4
        assert bench.handle() == 6.0
        assert bench.calls == []
        bench.server += 6
        bench.cluster.pods_to_kill = ("pod-1",)
        bench.handle()
        assert bench.calls == [f"stop {CHILD}"]
        assert [event["reason"] for event in bench.cluster.events] == ["PodsDeleted"]
        bench.handle()
        assert bench.calls == []


class TestConfirming:
    """What seems to be missing is asked for."""

    def test_a_workflow_that_was_only_not_seen_goes_on(self) -> None:
        bench = Bench().has(status=RUNNING)
        bench.cluster.workflows[CHILD] = workflow_manifest(
            status={"phase": "Running", "startedAt": "2026-01-02T03:00:01Z"}
        )
        bench.handle()
        assert bench.calls == [
            f"get operation {NAMESPACE}/{NAME}",
            f"get workflow {NAMESPACE}/{CHILD}",
        ]
        known = only(bench.store.children(UID))
        assert known is not None
        assert known.phase == "Running"

    @pytest.mark.parametrize("taken", [False, True], ids=["gone", "another's"])
    def test_a_workflow_that_is_not_there_is_lost(self, taken: bool) -> None:
        bench = Bench().has(status=RUNNING)
        if taken:
            bench.cluster.workflows[CHILD] = workflow_manifest(operation_uid=OTHER_UID)
        bench.handle()
        assert bench.calls[-1] == "status WorkflowLost"
        assert bench.status.phase == "Error"
        assert bench.status.start_time == STARTED

    def test_an_operation_that_is_gone_too_needs_nothing(self) -> None:
        bench = Bench().has(status=RUNNING)
        bench.cluster.operations.clear()
        bench.handle()
        assert not any(call.startswith(("status", "create")) for call in bench.calls)
        assert bench.store.operation(UID) is None

    def test_an_operation_that_was_only_not_seen_tells_its_end_itself(self) -> None:
        bench = Bench().runs("Succeeded", held=True).delivers(DeliveryState.ACKED)
        bench.cluster.operations[NAME] = operation_manifest(topic=TOPIC)
        bench.handle()
        assert bench.calls == [f"get operation {NAMESPACE}/{NAME}"]
        bench.handle()
        assert bench.calls == ["status AllTasksSucceeded", f"release {CHILD}", "forget"]

    @pytest.mark.parametrize("again", [False, True], ids=["gone", "made again"])
    def test_a_child_without_its_operation_tells_its_end(self, again: bool) -> None:
        bench = Bench().runs("Succeeded", held=True)
        if again:
            bench.cluster.operations[NAME] = operation_manifest(uid=OTHER_UID)
        assert bench.handle() == 2.0
        assert bench.calls == [
            f"get operation {NAMESPACE}/{NAME}",
            "publish AllTasksSucceeded",
        ]
        assert bench.publisher.events[0].id == EVENT_ID
        bench.delivers(DeliveryState.ACKED)
        bench.handle()
        assert bench.calls[1:] == [f"release {CHILD}", "forget"]

    def test_a_server_that_is_away_leaves_it_open(self) -> None:
        bench = Bench().has(status=RUNNING).failing("get operation", OSError("no route"))
        with pytest.raises(OSError, match="no route"):
            bench.handle()
        assert len(bench.calls) == 1


class TestInspecting:
    """The log of what failed, before the end is written."""

    def test_a_failed_tasks_log_is_read_once_and_kept(self) -> None:
        bench = Bench().has(topic=TOPIC).runs("Failed", held=True, broken=True)
        bench.handle()
        assert bench.calls == ["publish TaskFailed"]
        bench.delivers(DeliveryState.PENDING, begun=CLOCK - 3)
        bench.handle()
        assert bench.calls == [f"log {NAMESPACE}/{CHILD}-add-2990334172", "status TaskFailed"]
        bench.delivers(DeliveryState.ACKED)
        bench.handle()
        assert [call.split()[0] for call in bench.calls] == ["status", "release", "forget"]
        assert bench.status.failure is not None
        assert bench.status.failure.log_tail == ("the last words",)

    @pytest.mark.parametrize(
        "error", [GONE, FORBIDDEN, BUSY, BAD, TimeoutError(), ConnectionError("reset")]
    )
    def test_a_log_that_cannot_be_read_holds_up_nothing(self, error: Exception) -> None:
        bench = Bench().has().runs("Failed", broken=True).failing("log", error)
        assert bench.handle() is None
        assert bench.calls[1:] == ["status TaskFailed"]
        assert bench.status.is_true("Finished")
        assert bench.status.failure is not None
        assert bench.status.failure.log_tail == ()

    def test_a_log_that_does_not_come_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reconcile, "LOG_TIMEOUT", 0.01)
        bench = Bench().has().runs("Failed", broken=True)
        bench.cluster.log = None
        bench.handle()
        assert bench.status.is_true("Finished")


class TestReading:
    """Operations that another version of the CRD let through."""

    def test_an_operation_that_cannot_be_read_is_refused(self) -> None:
        bench = Bench().has(generation=4)
        bad = operation_manifest(version=11, generation=4)
        bad["spec"] = {"type": "Cron", "tasks": []}
        bench.cluster.operations[NAME] = bad
        bench.store.upsert_operation(bad)
        bench.handle()
        assert bench.calls == ["status InvalidSpec"]
        assert "spec.type" in (bench.status.message or "")
        assert bench.status.observed_generation == 4
        bench.handle()
        assert bench.calls == []

    @pytest.mark.parametrize(
        "status",
        [{"phase": "Dreaming"}, {"conditions": [{"type": "Finished", "status": "Perhaps"}]}],
        ids=["phase", "conditions"],
    )
    def test_a_status_that_cannot_be_read_is_replaced(self, status: dict[str, Any]) -> None:
        bench = Bench().has(status=status)
        bench.handle()
        assert bench.calls == ["status InvalidSpec"]
        assert bench.status.is_true("Finished")


def test_without_a_broker_an_event_is_refused() -> None:
    bench = Bench(NO_BROKER).has(topic=TOPIC)
    bench.handle()
    assert bench.calls == ["status InvalidSpec"]
    assert bench.condition("Accepted")[0] == "False"


SUSPEND = "steer {'suspend': True}"


def test_a_child_is_made_to_pause_and_then_that_is_told() -> None:
    bench = Bench().has(status=RUNNING, spec={"suspend": True}).runs()
    bench.handle()
    assert bench.calls == [SUSPEND]
    bench.handle()
    assert bench.calls == ["status Suspended"]


@pytest.mark.parametrize("error", [CONFLICT, GONE], ids=["changed", "gone"])
def test_a_child_that_has_changed_is_read_again(error: ApiError) -> None:
    bench = Bench().has(status=RUNNING, spec={"suspend": True}).runs().failing("steer", error)
    bench.handle()
    assert bench.calls == [SUSPEND, f"get workflow {NAMESPACE}/{CHILD}"]
    bench.handle()
    assert bench.calls == ([SUSPEND])


def test_another_refusal_of_a_change_is_an_error() -> None:
    bench = Bench().has(status=RUNNING, spec={"suspend": True}).runs().failing("steer", BUSY)
    with pytest.raises(ApiError, match="later"):
        bench.handle()


def test_a_child_that_nobody_remembers_is_found_before_a_cancel() -> None:
    bench = Bench().has(spec={"cancel": "Stop"})
    bench.cluster.workflows[CHILD] = workflow_manifest(status={"phase": "Running"})
    bench.handle()
    assert bench.calls[:2] == [
        f"get operation {NAMESPACE}/{NAME}",
        f"get workflow {NAMESPACE}/{CHILD}",
    ]
    assert bench.calls[2].startswith("steer ")
    assert bench.cluster.workflows[CHILD]["spec"]["shutdown"] == "Stop"
