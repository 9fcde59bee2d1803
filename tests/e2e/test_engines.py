"""What must hold on every supported Argo: `make test-engines` runs this on a cluster of each.

The other end-to-end tests run on one of them.
"""

import json
import os
import re
from collections.abc import Iterator

import pytest

from cloudharness_operation.render.restricted import CONTAINER
from tests.cluster import Cluster
from tests.cluster.choice import from_environment
from tests.support import kafka
from tests.support.installation import (
    CHART,
    DEPLOYMENT,
    FULL_KIND,
    RELEASE,
    Installation,
    condition,
    eventually,
)
from tests.support.operations import DEAF, Manifest, bash, is_deaf, operation

# One process: the operations run at the same time, on one operator.
pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("engines")]

MEET = """
touch /mnt/shared/$HOSTNAME
for _ in $(seq 60); do
  [ "$(ls /mnt/shared | wc -l)" = 3 ] && exit 0
  sleep 1
done
exit 1
"""
ADD = {
    "name": "add",
    "python": {
        "source": "def add(a, b):\n    return {'sum': a + b}",
        "function": "add",
        "args": {"a": 2, "b": 3},
    },
}


def topic(one: Installation, name: str) -> str:
    return f"{one.namespace}-{name}"


def operations(one: Installation) -> list[Manifest]:
    priority = f"{one.namespace}-high"
    groups = [("late", 7), ("first", 0), ("second", 0)]
    return [
        operation("argo-single", ADD, topic=topic(one, "argo-single"), priorityClassName=priority),
        operation("argo-pipeline", bash("true", "one"), bash("true", "two")),
        operation(
            "argo-parallel",
            *(bash(MEET, f"t{number}") for number in range(3)),
            type="Parallel",
            sharedVolumes=[{"mountPath": "/mnt/shared", "size": "1Mi"}],
        ),
        operation(
            "argo-dag",
            *(bash("sleep 2", name, group=group) for name, group in groups),
            type="SimpleDag",
        ),
        operation(
            "argo-failing", bash("true", "good"), bash("exit 3", "bad"), topic=topic(one, "bad")
        ),
        operation("argo-deleted", bash("sleep 300"), topic=topic(one, "argo-deleted")),
        operation("argo-newer", bash("true", templatePatch={"pendingTimeout": "1m"})),
    ]


@pytest.fixture(scope="module")
def engine(installation: Installation) -> Iterator[Installation]:
    """The installation, with all operations of this module on their way."""
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": f"{installation.namespace}-high"},
        "value": 1000,
    }
    installation.apply(priority, *operations(installation))
    yield installation
    installation.kubectl("delete", "priorityclass", f"{installation.namespace}-high")


def has_full_crds(cluster: Cluster) -> bool:
    crd = json.loads(cluster.kubectl("get", "crd", "workflows.argoproj.io", "-o", "json"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "properties" in schema["properties"]["spec"]


def test_the_cluster_has_the_argo_that_was_asked_for(cluster: Cluster) -> None:
    if cluster.backend == "existing":
        return  # Nothing was asked for: its Argo is whatever it is.
    wanted = from_environment(os.environ)
    there = ("exec", "deployment/workflow-controller", "--namespace=argo", "--")
    version = (*there, "workflow-controller", "version")
    # Another test may be killing it just now.
    eventually(lambda: f" {wanted.argo}+" in cluster.kubectl(*version, check=False))
    if cluster.backend == "embedded":
        assert has_full_crds(cluster) == (wanted.argo_crds == "full")


def test_a_function_gives_its_result_and_the_end_is_told(engine: Installation) -> None:
    status = engine.wait_for("argo-single")
    assert (status["phase"], status["progress"]) == ("Succeeded", "1/1")
    eventually(lambda: "finalizers" not in engine.workflows("argo-single")[0]["metadata"])
    (child,) = engine.workflows("argo-single")
    (node,) = [n for n in child["status"]["nodes"].values() if n["type"] == "Pod"]
    (result,) = [p for p in node["outputs"]["parameters"] if p["name"] == "result"]
    assert json.loads(result["value"]) == {"sum": 5}
    (pod,) = engine.pods("argo-single")
    assert pod["spec"]["priorityClassName"] == f"{engine.namespace}-high"
    (event,) = told(engine, "argo-single")
    assert event.attributes["ce_type"] == "io.cloudharness.operation.succeeded.v1"
    assert (event.data["status"], event.data["reason"]) == ("Succeeded", "AllTasksSucceeded")


def told(one: Installation, name: str) -> list[kafka.Event]:
    return kafka.events(one.kafka, topic(one, name), bool)


def times(one: Installation, name: str) -> dict[str, tuple[str, str]]:
    """When each task began and ended."""
    status = one.wait_for(name)
    assert status["phase"] == "Succeeded", status
    (child,) = one.workflows(name)
    nodes = [node for node in child["status"]["nodes"].values() if node["type"] == "Pod"]
    return {node["displayName"]: (node["startedAt"], node["finishedAt"]) for node in nodes}


def test_a_pipeline_runs_in_order(engine: Installation) -> None:
    ran = times(engine, "argo-pipeline")
    assert ran["one"][1] <= ran["two"][0]


def test_parallel_tasks_meet_on_a_volume_that_goes_afterwards(engine: Installation) -> None:
    times(engine, "argo-parallel")
    assert len({pod["spec"]["nodeName"] for pod in engine.pods("argo-parallel")}) == 1
    (child,) = engine.workflows("argo-parallel")
    name = child["metadata"]["name"]
    eventually(
        lambda: (
            not [
                c
                for c in engine.find("persistentvolumeclaims")
                if c["metadata"]["name"].startswith(name)
            ]
        )
    )


def test_groups_run_in_order(engine: Installation) -> None:
    ran = times(engine, "argo-dag")
    assert max(ran["first"][1], ran["second"][1]) <= ran["late"][0]


def test_a_failing_task_is_told_with_its_exit_code(engine: Installation) -> None:
    status = engine.wait_for("argo-failing")
    assert (status["phase"], status["reason"]) == ("Failed", "TaskFailed")
    assert "bad" in status["message"]
    assert "exit code 3" in status["message"]
    (event,) = told(engine, "bad")
    assert (event.data["status"], event.data["message"]) == ("Failed", status["message"])


def test_a_running_operation_can_be_deleted(engine: Installation) -> None:
    eventually(
        lambda: [p for p in engine.pods("argo-deleted") if p["status"]["phase"] == "Running"]
    )
    engine.kubectl("delete", "cho", "argo-deleted", "--timeout=30s")
    eventually(lambda: not engine.workflows("argo-deleted"))
    eventually(lambda: not engine.pods("argo-deleted"), timeout=90)
    (event,) = told(engine, "argo-deleted")
    assert (event.data["status"], event.data["reason"]) == ("Error", "Deleted")


def test_what_not_every_argo_knows_is_not_sent(engine: Installation) -> None:
    status = engine.wait_for("argo-newer")
    assert (status["phase"], status["reason"]) == ("Error", "InvalidSpec")
    said = condition(status, "Accepted")["message"]
    assert said.startswith("spec.tasks[0].templatePatch.pendingTimeout: Argo 3.6 has no such field")
    assert "argo.version" in said
    assert engine.workflows("argo-newer") == []


def test_an_argo_that_is_older_than_it_was_said_to_be(own: Installation, cluster: Cluster) -> None:
    """With full CRDs the API server then refuses; with minimal ones Argo drops the field."""
    if cluster.backend == "existing":
        return  # Its Argo may be as new as that.
    setting = ("--reuse-values", "--set-string", "argo.version=4.1")
    cluster.helm("upgrade", RELEASE, str(CHART), f"--namespace={own.namespace}", *setting)
    own.rolled_out()
    release = from_environment(os.environ).argo.removeprefix("v").rpartition(".")[0]
    said = (
        f"argo.version is 4.1, but the CRDs of Argo are those of release {release}"
        if has_full_crds(cluster)
        else "the installed release of Argo is unknown: its CRDs are minimal"
    )
    eventually(lambda: said in own.kubectl("logs", f"deployment/{DEPLOYMENT}"))
    own.apply(operation("argo-newer", bash("true", templatePatch={"pendingTimeout": "1m"})))
    status = own.wait_for("argo-newer")
    if not has_full_crds(cluster):
        assert status["phase"] == "Succeeded"
        (child,) = own.workflows("argo-newer")
        assert "pendingTimeout" not in child["spec"]["templates"][1]
        return
    assert (status["phase"], status["reason"]) == ("Error", "SubmissionFailed")
    assert 'unknown field "spec.templates[1].pendingTimeout"' in status["message"]
    assert condition(status, "Accepted")["status"] == "False"
    assert own.workflows("argo-newer") == []


def test_tasks_may_report_to_argo_and_nothing_else(engine: Installation) -> None:
    """The rights of the pods' account, besides those that Kubernetes gives to everybody."""
    (pod,) = engine.pods("argo-single") if engine.wait_for("argo-single") else []
    account = f"system:serviceaccount:{engine.namespace}:{pod['spec']['serviceAccountName']}"
    everybody = f"system:serviceaccount:{engine.namespace}:default"
    mine = rights(engine, account) - rights(engine, everybody)
    assert mine == {("workflowtaskresults.argoproj.io", "create patch")}
    assert not [right for right in rights(engine, everybody) if "argoproj" in right[0]]


def rights(one: Installation, account: str) -> set[tuple[str, str]]:
    """What an account may do in the namespace: resources (or URLs) with the verbs."""
    listed = one.kubectl("auth", "can-i", "--list", f"--as={account}", "--no-headers")
    lines = [re.split(r"\s{2,}", line.strip()) for line in listed.splitlines()]
    return {(line[0], line[-1].strip("[]")) for line in lines}


def test_tasks_conform_to_restricted_with_argos_own_containers(restricted: Installation) -> None:
    restricted.apply(operation("argo-restricted", ADD))
    status = restricted.wait_for("argo-restricted")
    assert [one["value"] for one in status["outputs"]] == ['{"sum": 5}']
    (pod,) = restricted.pods("argo-restricted")
    containers = [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]
    assert {one["name"]: one["securityContext"] for one in containers} == dict.fromkeys(
        ("init", "wait", "main"), CONTAINER
    )


def test_nothing_hangs_while_argo_is_away(own: Installation) -> None:
    """What Argo does not begin or end, the operator does."""
    if "PYTEST_XDIST_WORKER" in os.environ or own.cluster.backend == "existing":
        pytest.skip("others need its Argo: make test-engines runs this on clusters of their own")
    own.apply(
        operation("argo-left", bash(DEAF), topic=topic(own, "left")),
        operation("argo-kept", bash(DEAF), ttlStrategy={}),
    )
    eventually(lambda: is_deaf(own, "argo-left") and is_deaf(own, "argo-kept"))
    argo = ("--namespace=argo", "scale", "deployment/workflow-controller")
    own.cluster.kubectl(*argo, "--replicas=0")
    # A controller that is being stopped still acts for some seconds.
    controller = ("--namespace=argo", "get", "pods", "--selector=app=workflow-controller")
    eventually(lambda: not own.cluster.kubectl(*controller, "-o", "name"))
    try:
        own.apply(operation("argo-unseen", bash("true"), pendingDeadlineSeconds=5))
        for name in ("argo-left", "argo-kept"):
            own.server.patch(FULL_KIND, name, {"spec": {"cancel": "Terminate"}})
        unseen = own.wait_for("argo-unseen")
        assert (unseen["phase"], unseen["reason"]) == ("Failed", "PendingDeadlineExceeded")
        assert "is its workflow controller running" in unseen["message"]
        left = own.wait_for("argo-left")
        assert (left["phase"], left["reason"]) == ("Cancelled", "Cancelled")
        eventually(lambda: not own.pods("argo-left"), timeout=90)
        eventually(lambda: not own.pods("argo-kept"), timeout=90)
        assert own.workflows("argo-kept")
        (event,) = told(own, "left")
        assert (event.data["status"], event.data["reason"]) == ("Failed", "Cancelled")
        # A Workflow that is deleted while nobody looks after it goes as any other.
        own.apply(operation("argo-lost", bash("true")))
        eventually(lambda: own.status("argo-lost").get("workflowRef"))
        own.kubectl("delete", "workflow", "-l", "cloudharness.io/operation=argo-lost")
        assert own.wait_for("argo-lost")["reason"] == "WorkflowLost"
    finally:
        own.cluster.kubectl(*argo, "--replicas=1")
