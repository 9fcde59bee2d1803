"""Running again, and running beside others: on a real cluster."""

import time
from itertools import pairwise

import pytest

from cloudharness_operator.kube.cluster import POD_LABEL
from tests.support import kafka
from tests.support.audit import writes
from tests.support.installation import FULL_KIND, Installation, condition, eventually
from tests.support.kstatus import kstatus
from tests.support.operations import DEAF, Manifest, bash, change, is_deaf, operation, runs
from tests.support.watch import OPERATIONS, watching

pytestmark = pytest.mark.e2e

NONE = {"secondsAfterSuccess": 0}


def again(one: Installation, name: str, run_id: str, **spec: object) -> Manifest:
    """Ask for another run, and wait for its end as a person does; return the status."""
    change(one, name, runId=run_id, **spec)
    return one.wait_for(name)


def span(one: Installation, name: str) -> tuple[str, str]:
    """When the pods of an operation's present run ran."""
    status = one.status(name)
    (task,) = status["tasks"]
    return task["startTime"], task["completionTime"]


def test_another_run_id_runs_it_again_and_the_past_stays(own: Installation) -> None:
    topic, script = own.namespace, "echo first; exit 3"
    own.apply(operation("rerun", bash(script), topic=topic, runId="v1"))
    first = own.wait_for("rerun")
    assert (first["run"], first["runId"], first["phase"]) == (1, "v1", "Failed")
    (old,) = own.workflows("rerun")

    tasks = [bash("echo second", "other")]
    second = again(own, "rerun", "v2", tasks=tasks)
    assert (second["run"], second["runId"], second["phase"]) == (2, "v2", "Succeeded")
    assert [task["name"] for task in second["tasks"]] == ["other"]
    assert "failure" not in second
    assert kstatus(own.get(FULL_KIND, "rerun")) == "Current"
    (past,) = second["history"]
    assert past == {
        "run": 1,
        "runId": "v1",
        "phase": "Failed",
        "reason": "TaskFailed",
        "message": first["message"],
        "startTime": first["startTime"],
        "completionTime": first["completionTime"],
        "workflow": old["metadata"]["name"],
    }
    # The old Workflow is kept for its time, with its pods and their logs.
    names = {one["metadata"]["name"] for one in own.workflows("rerun")}
    assert names == {old["metadata"]["name"], second["workflowRef"]["name"]}
    old_logs = own.kubectl("logs", f"-lworkflows.argoproj.io/workflow={old['metadata']['name']}")
    assert "first" in old_logs

    # Back to where it was is another run too: a rollback runs its hook again.
    third = again(own, "rerun", "v1", ttlStrategy=NONE | {"secondsAfterFailure": 1})
    assert [(one["run"], one["runId"]) for one in third["history"]] == [(2, "v2"), (1, "v1")]
    assert (third["run"], third["phase"]) == (3, "Succeeded")
    eventually(lambda: own.workflows("rerun") == [])
    uid = own.get(FULL_KIND, "rerun")["metadata"]["uid"]
    events = kafka.events(own.kafka, topic, lambda found: len(found) >= 3)
    told = [(event.id, event.data["runId"], event.data["status"]) for event in events]
    assert told == [
        (f"{uid}/1/exit", "v1", "Failed"),
        (f"{uid}/2/exit", "v2", "Succeeded"),
        (f"{uid}/3/exit", "v1", "Succeeded"),
    ]


@pytest.mark.long
def test_the_past_is_bounded(shared: Installation) -> None:
    shared.apply(operation("often", bash("true"), ttlStrategy=NONE))
    shared.wait_for("often")
    for number in range(2, 14):
        status = again(shared, "often", f"n{number}")
        assert (status["run"], status["phase"]) == (number, "Succeeded")
    assert [one["run"] for one in status["history"]] == list(range(12, 2, -1))


def test_a_run_that_goes_on_is_waited_for(shared: Installation) -> None:
    shared.apply(operation("patient", bash("sleep 8")))
    runs(shared, "patient")
    with watching(shared.cluster, OPERATIONS, shared.namespace) as watch:
        # The tasks of the next run are no concern of the one that goes on.
        status = again(shared, "patient", "next", tasks=[bash("true", "quick")])
        last = shared.get(FULL_KIND, "patient")["metadata"]["resourceVersion"]
        eventually(lambda: watch.has_seen("patient", last))
        states = [one for one in watch.states("patient") if one]
    assert (status["phase"], status["run"], status["runId"]) == ("Succeeded", 2, "next")
    assert [(one["run"], one["phase"]) for one in status["history"]] == [(1, "Succeeded")]
    # Nobody who waits for the newest takes the end of the run before for it.
    wanted = [one for one in states if one["spec"]["runId"] == "next"]
    ends = [one["status"]["runId"] for one in wanted if kstatus(one) == "Current"]
    assert set(ends) == {"next"}
    assert {kstatus(one) for one in wanted} == {"InProgress", "Current"}


@pytest.mark.long
def test_a_run_that_goes_on_is_replaced_where_that_is_the_policy(shared: Installation) -> None:
    topic = f"{shared.namespace}-impatient"
    long = bash(DEAF)
    shared.apply(operation("impatient", long, topic=topic, concurrencyPolicy="Replace"))
    eventually(lambda: is_deaf(shared, "impatient"))
    change(shared, "impatient", runId="next", tasks=[bash("true")])
    # The old pod does not want to stop; the next run waits until it has.
    eventually(lambda: _alone(shared, "impatient") and _ran(shared, "impatient", 2), timeout=120)
    status = shared.status("impatient")
    (past,) = status["history"]
    assert (past["phase"], past["reason"]) == ("Cancelled", "Replaced")
    assert past["message"] == "run next replaces it (concurrencyPolicy)"
    events = kafka.events(shared.kafka, topic, lambda found: len(found) >= 2)
    assert [event.data["reason"] for event in events] == ["Replaced", "AllTasksSucceeded"]


def _alone(one: Installation, name: str) -> bool:
    """Check that pods of one Workflow live, at most."""
    living = [pod for pod in one.pods(name) if pod["status"]["phase"] in ("Pending", "Running")]
    assert len({pod["metadata"]["labels"][POD_LABEL] for pod in living}) <= 1
    return True


def _ran(one: Installation, name: str, run: int) -> bool:
    status = one.status(name)
    return (status.get("run"), status["phase"]) == (run, "Succeeded")


def test_what_was_cancelled_runs_again(shared: Installation) -> None:
    shared.apply(operation("changed-mind", bash("true"), cancel="Stop"))
    assert shared.wait_for("changed-mind")["phase"] == "Cancelled"
    status = again(shared, "changed-mind", "now", cancel=None)
    assert (status["phase"], status["run"]) == ("Succeeded", 2)
    assert [one["reason"] for one in status["history"]] == ["Cancelled"]


def grouped(
    name: str, source: str, group: str, policy: str = "Forbid", *, suspend: bool = False
) -> Manifest:
    spec = {"concurrencyPolicy": policy, "concurrencyGroup": group}
    return operation(name, bash(source), **spec, suspend=suspend)


@pytest.mark.long
def test_no_two_of_a_group_run_together_and_they_run_in_order(vacant: Installation) -> None:
    """Also while the operator is doubled, killed and started again."""
    vacant.everyone_acts(2)
    names = [f"q{number}" for number in range(6)]
    for name in names:
        vacant.apply(grouped(name, "sleep 3", "line"))
        time.sleep(1.1)  # Kubernetes' times have whole seconds.
    waiting = vacant.status("q5")
    assert (waiting["phase"], waiting["reason"]) == ("Pending", "GroupBusy")
    assert "concurrencyGroup line" in waiting["message"]
    assert kstatus(vacant.get(FULL_KIND, "q5")) == "InProgress"
    assert vacant.workflows("q5") == []
    vacant.kill_operator()
    for name in names:
        assert vacant.wait_for(name)["phase"] == "Succeeded"
    spans = [span(vacant, name) for name in names]
    assert spans == sorted(spans)
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start


@pytest.mark.long
def test_two_at_once_do_not_run_together(vacant: Installation) -> None:
    """Whatever two operators think: the lock is Argo's."""
    vacant.everyone_acts(2)
    names = [f"once{number}" for number in range(5)]
    vacant.apply(*(grouped(name, "sleep 2", "once") for name in names))
    for name in names:
        assert vacant.wait_for(name)["phase"] == "Succeeded"
    spans = sorted(span(vacant, name) for name in names)
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start
    created = [
        n
        for verb, what, n in writes(vacant.cluster, vacant.namespace, "")
        if verb == "create" and what == "workflows"
    ]
    assert len(set(created)) == 5


@pytest.mark.long
def test_the_group_goes_on_whatever_becomes_of_its_members(shared: Installation) -> None:
    shared.apply(grouped("g-first", "sleep 300", "busy"))
    runs(shared, "g-first")
    for name in ("g-deleted", "g-cancelled", "g-asleep", "g-last"):
        shared.apply(grouped(name, "true", "busy", suspend=name == "g-asleep"))
        time.sleep(1.1)
    shared.apply(grouped("g-beside", "true", "busy", "Allow"), grouped("g-other", "true", "quiet"))
    assert shared.wait_for("g-beside")["phase"] == "Succeeded"
    assert shared.wait_for("g-other")["phase"] == "Succeeded"
    eventually(lambda: shared.status("g-last").get("reason") == "GroupBusy")
    shared.kubectl("delete", FULL_KIND, "g-deleted")
    change(shared, "g-cancelled", cancel="Stop")
    assert shared.wait_for("g-cancelled")["phase"] == "Cancelled"
    assert shared.workflows("g-last") == []
    change(shared, "g-first", cancel="Terminate")
    assert shared.wait_for("g-last")["phase"] == "Succeeded"
    change(shared, "g-asleep", suspend=False)
    assert shared.wait_for("g-asleep")["phase"] == "Succeeded"


@pytest.mark.long
def test_the_newest_replaces_all_that_are_older(shared: Installation) -> None:
    shared.apply(grouped("r-runs", "sleep 300", "latest"))
    runs(shared, "r-runs")
    shared.apply(grouped("r-waits", "true", "latest"))
    eventually(lambda: shared.status("r-waits").get("reason") == "GroupBusy")
    time.sleep(1.1)
    shared.apply(grouped("r-new", "true", "latest", "Replace"))
    assert shared.wait_for("r-new")["phase"] == "Succeeded"
    for name in ("r-runs", "r-waits"):
        status = shared.wait_for(name)
        assert (status["phase"], status["reason"]) == ("Cancelled", "Replaced")
        assert "r-new" in condition(status, "Finished")["message"]
    assert shared.workflows("r-waits") == []
    assert span(shared, "r-runs")[1] <= span(shared, "r-new")[0]
