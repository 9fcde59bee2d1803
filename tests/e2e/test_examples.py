"""Every example, run as it stands in its file: some at once, then each is looked at.

Two things are put in for those of the file, in it and in its Workflow alike: the namespace, and
another image for `python:3.13-slim`, where the cluster cannot pull that.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cloudharness_operation.names import LABEL_OPERATION
from tests.support import kafka
from tests.support.examples import UID, Example, names
from tests.support.installation import Installation, eventually
from tests.support.lab import GPU, RUN, SAYS, Lab, has_succeeded, local, opened, pod_nodes

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("examples")]

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def lab(catalogued: Installation) -> Iterator[Lab]:
    with opened(catalogued, lambda document: document) as found:
        yield found


def said_in_yaml(spec: Manifest) -> list[str]:
    """Return lines of YAML, in which a difference is found at once."""
    return yaml.safe_dump(_told(spec)).splitlines()


def _told(node: Any) -> Any:
    """Return JSON without what says nothing: Argo writes empty fields into what it has read."""
    if isinstance(node, dict):
        found = {key: _told(value) for key, value in node.items()}
        return {key: value for key, value in found.items() if value not in ({}, "", [], None)}
    return [_told(one) for one in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", RUN)
def test_an_example_succeeds(lab: Lab, name: str) -> None:
    has_succeeded(lab, name)


@pytest.mark.parametrize("name", names())
def test_an_example_became_the_workflow_beside_it(lab: Lab, name: str) -> None:
    """As the cluster has stored it, so a field that Argo does not know would be missing."""
    example, made = Example(name), lab.workflows[name]
    text = local(example.golden.read_text(), lab.one)
    text = text.replace(example.child, made["metadata"]["name"])
    text = text.replace(UID, lab.operations[name]["metadata"]["uid"])
    expected = yaml.safe_load(text)
    for template in made["spec"]["templates"]:
        # Argo copies it from podMetadata to templates that have labels.
        template["metadata"].get("labels", {}).pop(LABEL_OPERATION, None)
    assert said_in_yaml(made["spec"]) == said_in_yaml(expected["spec"])
    assert made["metadata"]["ownerReferences"] == expected["metadata"]["ownerReferences"]
    for field in ("labels", "annotations"):
        wanted = expected["metadata"].get(field, {})
        assert wanted.items() <= made["metadata"].get(field, {}).items()


@pytest.mark.parametrize(("name", "task", "expected"), SAYS, ids=[row[0] for row in SAYS])
def test_what_an_example_says(lab: Lab, name: str, task: str, expected: str) -> None:
    assert expected in lab.said(name, task)


def test_retry_succeeds_at_its_third_attempt(lab: Lab) -> None:
    (task,) = lab.operations["retry"]["status"]["tasks"]
    assert (task["phase"], task["attempts"]) == ("Succeeded", 3)
    assert "attempt 3" in lab.logs[task["podName"]]


@pytest.mark.parametrize(
    "name",
    [
        *("new-claim", "several-claims", "beside-deployment"),
        *("pod-context", "pod-contexts", "context-and-volume"),
    ],
)
def test_what_runs_at_once_runs_on_one_node(lab: Lab, name: str) -> None:
    assert len(lab.pods[name]) > 1
    assert len(lab.nodes(name)) == 1


def test_the_tasks_of_beside_deployment_are_where_its_service_is(lab: Lab) -> None:
    (service,) = lab.one.find("pods", "app=shop")
    assert lab.nodes("beside-deployment") == {service["spec"]["nodeName"]}


def test_many_nodes_may_run_anywhere(lab: Lab) -> None:
    assert all("affinity" not in pod["spec"] for pod in lab.pods["many-nodes"].values())


def test_no_more_than_two_tasks_of_parallel_run_at_once(lab: Lab) -> None:
    times = sorted(lab.span("parallel", task) for task in ("north", "east", "south"))
    assert times[2][0] >= min(end for _, end in times)


def test_the_groups_of_simple_dag_come_one_after_the_other(lab: Lab) -> None:
    tasks = ("split", "count-low", "count-high", "sum")
    split, low, high, total = (lab.span("simple-dag", task) for task in tasks)
    nodes = {lab.pods["simple-dag"][task]["spec"]["nodeName"] for task in tasks[1:3]}
    assert len(nodes) == 1
    assert split[1] <= min(low[0], high[0])
    assert max(low[1], high[1]) <= total[0]


def test_the_result_of_python_function_is_what_it_returns(lab: Lab) -> None:
    (node,) = pod_nodes(lab.workflows["python-function"])
    results = {one["name"]: one["value"] for one in node["outputs"]["parameters"]}
    assert json.loads(results["result"]) == {"mean": 2.5, "unit": "m²"}


def test_outputs_are_kept_and_passed_on(lab: Lab) -> None:
    said = "the mean of 4 numbers is 3.0"
    told = {
        (one["task"], one["name"]): one["value"]
        for one in lab.operations["outputs"]["status"]["outputs"]
    }
    assert told == {
        ("compute", "result"): "3.0",
        ("compute", "note"): "of 4 numbers",
        ("report", "stdout"): said,
    }


def test_the_environment_of_env(lab: Lab) -> None:
    node = lab.pod("env")["spec"]["nodeName"]
    expected = {
        *("TEXT=my variable", "NUMBER=1", "SWITCH=true", 'SETTINGS={"a": [1, null]}'),
        *("EMPTY=", f"NODE={node}"),
    }
    assert expected <= set(lab.said("env", "show").splitlines())


def test_no_variable_comes_from_the_operator_or_from_another_task(lab: Lab) -> None:
    """Bug 29: whatever had CH_ in its name was copied to every task."""
    lines = lab.said("env", "show").splitlines()
    given = {line.partition("=")[0] for line in lines if not line.startswith("ARGO_")}
    assert {name for name in given if "CH_" in name} <= {"CH_WORKFLOW_NAME"}
    assert given >= {"TEXT", "PATH"}
    mounted = [volume for volume in lab.pod("env")["spec"]["volumes"] if "secret" in volume]
    assert mounted == []


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("priority", "priorityClassName", "operations-urgent"),
        ("priority", "priority", 1000),
        ("service-account", "serviceAccountName", "reader"),
        ("single-task", "serviceAccountName", "cloudharness-task"),
        ("image-pull-secret", "imagePullSecrets", [{"name": "registry-login"}]),
        ("single-task", "imagePullSecrets", None),
    ],
)
def test_a_setting_reaches_the_pod(lab: Lab, name: str, field: str, expected: object) -> None:
    assert lab.pod(name)["spec"].get(field) == expected


def test_the_toleration_of_tolerations_reaches_the_pod(lab: Lab) -> None:
    (wanted,) = Example("tolerations").operation["spec"]["tolerations"]
    assert wanted in lab.pod("tolerations")["spec"]["tolerations"]


def test_node_selector_is_followed(lab: Lab) -> None:
    assert lab.nodes("node-selector") == {lab.ssd}


@pytest.mark.parametrize("task", ["python", "custom"])
def test_resources_are_of_every_kind_of_task(lab: Lab, task: str) -> None:
    containers = lab.pods["resources"][task]["spec"]["containers"]
    (main,) = (one for one in containers if one["name"] == "main")
    assert main["resources"] == Example("resources").operation["spec"]["tasks"][0]["resources"]


def test_template_patch_reaches_the_pod(lab: Lab) -> None:
    pod = lab.pod("template-patch")
    assert pod["metadata"]["annotations"]["example.com/cost-center"] == "42"
    assert 0 < pod["spec"]["activeDeadlineSeconds"] <= 300
    assert lab.said("template-patch", "work").endswith(" /scratch")


def test_notify_is_told_with_its_payload_as_it_is(lab: Lab) -> None:
    uid = lab.operations["notify"]["metadata"]["uid"]
    wanted = Example("notify").operation["spec"]["onExit"]["notify"]
    events = kafka.events(
        lab.one.kafka, wanted["topic"], lambda all_: any(e.key == uid for e in all_)
    )
    (event,) = (one for one in events if one.key == uid)
    assert event.data["payload"] == wanted["payload"]
    assert event.data["workflow"] == lab.workflows["notify"]["metadata"]["name"]


def test_gpu_waits_and_says_for_what(lab: Lab) -> None:
    eventually(lambda: lab.one.status(GPU).get("reason") == "Unschedulable")
    assert "nvidia.com/gpu" in lab.one.status(GPU)["message"]
    lab.one.kubectl("delete", "cho", GPU, "--timeout=30s")
    eventually(lambda: not lab.one.pods(GPU))


def test_new_claims_are_gone_and_existing_ones_are_not(lab: Lab) -> None:
    eventually(lambda: not lab.one.find("persistentvolumeclaims", "workflows.argoproj.io/workflow"))
    stay = {
        document["metadata"]["name"]
        for name in names()
        for document in Example(name).documents
        if document["kind"] == "PersistentVolumeClaim"
    }
    assert {claim["metadata"]["name"] for claim in lab.one.find("persistentvolumeclaims")} == stay
