"""What status and Events say of a run, compared with what its pods say themselves."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.support.audit import audit
from tests.support.installation import Installation, eventually
from tests.support.operations import bash, claim, operation

pytestmark = pytest.mark.e2e


def tasks(one: Installation, name: str) -> dict[str, dict[str, Any]]:
    return {task["name"]: task for task in one.status(name).get("tasks", ())}


def test_each_task_is_told_as_its_pod_was(shared: Installation) -> None:
    steps = [bash("sleep 1", "good"), bash("exit 3", "bad"), bash("true", "never")]
    shared.apply(operation("steps", *steps))
    status = shared.wait_for("steps")
    good, bad, never = status["tasks"]
    pods = {pod["metadata"]["name"]: pod for pod in shared.pods("steps")}
    assert {good["podName"], bad["podName"]} == set(pods)
    for task in (good, bad):
        assert task["nodeName"] == pods[task["podName"]]["spec"]["nodeName"]
        assert task["attempts"] == 1
        assert task["startTime"] <= task["completionTime"]
    assert (good["name"], good["phase"], good["exitCode"]) == ("good", "Succeeded", 0)
    assert (bad["name"], bad["phase"], bad["exitCode"]) == ("bad", "Failed", 3)
    assert (bad["reason"], bad["message"]) == ("Error", "main: Error (exit code 3)")
    assert never == {"name": "never", "phase": "Skipped"}
    assert status["taskCounts"] == {
        "total": 3,
        "pending": 0,
        "running": 0,
        "succeeded": 1,
        "failed": 1,
        "skipped": 1,
    }
    assert status["progress"] == "1/3"


def test_a_running_task_is_told_while_it_runs(shared: Installation) -> None:
    shared.apply(operation("slow", bash("sleep 60", "slow"), bash("true", "next")))
    eventually(lambda: tasks(shared, "slow").get("slow", {}).get("phase") == "Running")
    status = shared.status("slow")
    (pod,) = shared.pods("slow")
    assert status["tasks"][0]["podName"] == pod["metadata"]["name"]
    assert status["tasks"][1] == {"name": "next", "phase": "Pending"}
    assert status["taskCounts"]["running"] == 1
    shared.kubectl("delete", "cho", "slow", "--timeout=30s")


FAIL_TWICE = 'echo x >> /mnt/shared/tries; [ "$(wc -l < /mnt/shared/tries)" = 3 ]'


def test_a_task_that_is_tried_again_is_one_task(shared: Installation) -> None:
    retry = {"limit": 4, "policy": "Always", "backoff": {"duration": "1s", "factor": 2}}
    pods_to_kill = bash(FAIL_TWICE, retry=retry)
    hopeless = bash("exit 5", "task", retry={"limit": 1})
    shared.apply(
        operation("stubborn", pods_to_kill, sharedVolumes=[{"mountPath": "/mnt/shared"}]),
        operation("hopeless", hopeless),
    )
    assert shared.wait_for("stubborn")["phase"] == "Succeeded"
    (task,) = shared.status("stubborn")["tasks"]
    assert (task["phase"], task["attempts"], task["exitCode"]) == ("Succeeded", 3, 0)
    assert len(shared.pods("stubborn")) == 3
    assert shared.status("stubborn")["progress"] == "1/1"
    status = shared.wait_for("hopeless")
    (task,) = status["tasks"]
    assert (task["phase"], task["attempts"], task["exitCode"]) == ("Failed", 2, 5)
    assert task["podName"] in {pod["metadata"]["name"] for pod in shared.pods("hopeless")}
    assert status["message"] == "task task: main: Error (exit code 5)"


HOG = {"source": "hog = 'x' * (512 << 20)\nprint(len(hog))"}


def test_running_out_of_memory_is_told_apart(shared: Installation) -> None:
    task = {"name": "hog", "python": HOG, "resources": {"limits": {"memory": "64Mi"}}}
    shared.apply(operation("hog", task))
    assert shared.wait_for("hog")["phase"] == "Failed"
    (task,) = shared.status("hog")["tasks"]
    assert (task["reason"], task["exitCode"]) == ("OOMKilled", 137)


def test_claims_that_were_found_and_made_are_told(shared: Installation) -> None:
    shared.apply(claim("found"))
    wanted = [
        {"claim": "found", "mountPath": "/mnt/found"},
        {"claim": "missing", "mountPath": "/mnt/made"},
    ]
    shared.apply(operation("claims", bash("df /mnt/found /mnt/made"), sharedVolumes=wanted))
    status = shared.wait_for("claims")
    assert status["phase"] == "Succeeded"
    (workflow,) = shared.workflows("claims")
    assert status["claims"] == [
        {"name": "found", "ephemeral": False, "mountPaths": ["/mnt/found"]},
        {
            "name": f"{workflow['metadata']['name']}-missing",
            "ephemeral": True,
            "mountPaths": ["/mnt/made"],
        },
    ]
    (pod,) = shared.pods("claims")
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert used == {one["name"] for one in status["claims"]}


def test_each_change_is_an_event_that_describe_shows(shared: Installation) -> None:
    shared.apply(operation("well", bash("sleep 1"), topic=f"{shared.namespace}-told"))
    shared.apply(operation("badly", bash("exit 1")))
    shared.wait_for("well")
    shared.wait_for("badly")
    eventually(lambda: shared.events("well")[-1:] == ["Complete"])
    eventually(lambda: shared.events("badly")[-1:] == ["Failed"])
    assert shared.events("well")[0] == "WorkflowCreated"
    assert shared.events("badly")[-2:] == ["TaskFailed", "Failed"]
    assert len(shared.events("well")) <= 3
    described = shared.kubectl("describe", "cho", "badly")
    assert "task task: main: Error (exit code 1)" in described.partition("Events:")[2]


@pytest.mark.long
def test_fifty_tasks_cost_one_status_write_a_second_at_most(shared: Installation) -> None:
    many = [
        bash("sleep 1", f"t{number}", resources={"requests": {"cpu": "1m"}}) for number in range(50)
    ]
    shared.apply(operation("many", *many, type="Parallel", parallelism=10))
    status = shared.wait_for("many", timeout=300)
    assert (status["phase"], status["progress"]) == ("Succeeded", "50/50")
    assert status["taskCounts"]["succeeded"] == 50
    written = [
        datetime.fromisoformat(entry["requestReceivedTimestamp"])
        for entry in audit(shared.cluster, shared.namespace)
        if entry["objectRef"].get("subresource") == "status"
        and entry["objectRef"].get("name") == "many"
        and entry["responseStatus"]["code"] == 200
    ]
    took = (written[-1] - written[0]).total_seconds()
    # The end alone need not wait, whenever the write before it was.
    gaps = [(after - before).total_seconds() for before, after in pairwise(written[:-1])]
    assert len(written) > 3
    assert min(gaps) >= 0.95, gaps
    assert len(written) <= took + 2


def test_a_large_workflow_is_read_though_argo_packs_its_nodes(shared: Installation) -> None:
    """Argo packs the nodes of a Workflow that would be larger than a megabyte."""
    code = {"source": f"def f(): return 1\n# {'x' * 65_450}", "function": "f"}
    tasks = [{"name": f"t{number}", "python": code} for number in range(8)]
    manifest = operation("large", *tasks, type="Parallel")
    # Client-side apply would keep a second copy in an annotation, which may not be as large.
    shared.kubectl("create", "-f", "-", text=yaml.safe_dump(manifest))
    status = shared.wait_for("large", timeout=180)
    assert (status["phase"], status["progress"]) == ("Succeeded", "8/8")
    (workflow,) = shared.workflows("large")
    assert workflow["status"].get("compressedNodes")
    assert not workflow["status"].get("nodes")
    assert {task["podName"] for task in status["tasks"]} == {
        pod["metadata"]["name"] for pod in shared.pods("large")
    }
