"""Several Argo controllers in one cluster, each with an `instanceID` of its own."""

import json
from collections.abc import Iterator

import pytest

from cloudharness_operation.names import LABEL_ARGO_INSTANCE
from tests.cluster.addons import ARGO_NAMESPACE
from tests.support.installation import Installation, eventually
from tests.support.operations import Manifest, bash, operation

pytestmark = [pytest.mark.e2e, pytest.mark.long]

CONTROLLER = "workflow-controller"
THERE = f"--namespace={ARGO_NAMESPACE}"


def another_controller(one: Installation) -> tuple[Manifest, Manifest]:
    """Argo's controller once more, with an instance ID, and its ConfigMap."""
    found = one.cluster.kubectl(THERE, "get", "deployment", CONTROLLER, "-o", "json")
    settings = one.cluster.kubectl(
        THERE, "get", "configmap", f"{CONTROLLER}-configmap", "-o", "json", "--ignore-not-found"
    )
    data = json.loads(settings or "{}").get("data", {})
    name, labels = one.namespace, {"app": one.namespace}
    meta = {"name": name, "namespace": ARGO_NAMESPACE}
    spec = json.loads(found)["spec"]
    spec["selector"] = {"matchLabels": labels}
    spec["template"]["metadata"] = {"labels": labels}
    (container,) = spec["template"]["spec"]["containers"]
    container["args"] = [*container.get("args", ()), "--configmap", name]
    return (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta,
            "data": {**data, "instanceID": name},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
    )


@pytest.fixture
def two_controllers(vacant: Installation) -> Iterator[Installation]:
    """An installation whose Workflows are for an Argo controller of their own."""
    vacant.install(f"argo.instanceId={vacant.namespace}")
    manifests = another_controller(vacant)
    try:
        for manifest in manifests:
            vacant.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
        yield vacant
    finally:
        names = [f"{one['kind'].lower()}/{vacant.namespace}" for one in manifests]
        vacant.cluster.kubectl(THERE, "delete", "--ignore-not-found", *names)


def test_each_controller_runs_the_workflows_that_are_for_it(
    two_controllers: Installation, shared: Installation
) -> None:
    theirs, deployment = two_controllers, f"deployment/{two_controllers.namespace}"
    theirs.apply(operation("first", bash("true")))
    assert theirs.wait_for("first")["phase"] == "Succeeded"
    (workflow,) = theirs.workflows("first")
    assert workflow["metadata"]["labels"][LABEL_ARGO_INSTANCE] == theirs.namespace
    theirs.cluster.kubectl(THERE, "scale", deployment, "--replicas=0")
    pods = ("pods", f"--selector=app={theirs.namespace}")
    eventually(lambda: not theirs.cluster.kubectl(THERE, "get", *pods, "-o", "name"), timeout=90)
    theirs.apply(operation("second", bash("true")))
    eventually(lambda: theirs.workflows("second"))
    # The other controller sees all namespaces, and runs what is for none.
    shared.apply(operation("other", bash("true")))
    assert shared.wait_for("other")["phase"] == "Succeeded"
    assert not theirs.workflows("second")[0].get("status", {}).get("phase")
    theirs.cluster.kubectl(THERE, "scale", deployment, "--replicas=1")
    assert theirs.wait_for("second")["phase"] == "Succeeded"
