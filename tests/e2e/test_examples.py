"""Every example, run as it stands in its file: some at once, then each is looked at.

Two things are put in for those of the file, in it and in its Workflow alike: the namespace, and
another image for `python:3.13-slim`, where the cluster cannot pull that.
"""

import contextlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from cloudharness_operation.names import KIND, LABEL_OPERATION
from tests import kafka
from tests.examples import NAMESPACE, UID, Example, defaults, names
from tests.installation import FULL_KIND, Installation, condition, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("examples")]

Manifest = dict[str, Any]

GPU = "gpu"
"""The one that does not run: no node here has a GPU."""
RUN = [name for name in names() if name != GPU]
TIMEOUT = 480
"""Seconds for all of them. A free machine of two processors needs less than a quarter."""
AT_ONCE = 9
"""Operations: more would starve what runs beside them, and be no faster."""


@dataclass(frozen=True)
class Lab:
    """A namespace that all examples ran in, and what was in it then."""

    one: Installation
    ssd: str
    """The node with the label disk=ssd."""
    operations: dict[str, Manifest]
    workflows: dict[str, Manifest]
    pods: dict[str, dict[str, Manifest]]
    """Of each operation, by task."""
    logs: dict[str, str]
    """What each pod said, without what Argo's executor says into the same log."""

    def pod(self, name: str) -> Manifest:
        """The only pod of an example."""
        (pod,) = self.pods[name].values()
        return pod

    def nodes(self, name: str) -> set[str]:
        """The nodes that an example ran on."""
        return {pod["spec"]["nodeName"] for pod in self.pods[name].values()}

    def said(self, name: str, task: str) -> str:
        """What a task said."""
        return self.logs[self.pods[name][task]["metadata"]["name"]]

    def span(self, name: str, task: str) -> tuple[str, str]:
        """When a task began and ended."""
        (node,) = (n for n in _pod_nodes(self.workflows[name]) if n["displayName"] == task)
        return node["startedAt"], node["finishedAt"]


@pytest.fixture(scope="module")
def lab(catalogued: Installation) -> Iterator[Lab]:
    """Apply all examples, what they need first, and wait for their ends."""
    texts = [_local(Example(name).path.read_text(), catalogued) for name in names()]
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    node = _any_node(catalogued)
    catalogued.cluster.kubectl("label", "node", node, "disk=ssd", "--overwrite")
    catalogued.apply(*(one for one in documents if one["kind"] != KIND))
    catalogued.kubectl("rollout", "status", "deployment/shop", "--timeout=90s", timeout=100)
    operations = [one for one in documents if one["kind"] == KIND]
    deadline = time.monotonic() + TIMEOUT
    for first in range(0, len(operations), AT_ONCE):
        catalogued.apply(*operations[first : first + AT_ONCE])
        # One that does not finish is told by its own test.
        with contextlib.suppress(AssertionError):
            eventually(lambda: _all_ended(catalogued), deadline - time.monotonic(), every=1)
    yield _look(catalogued, node)
    catalogued.cluster.kubectl("label", "node", node, "disk-")
    catalogued.cluster.kubectl("delete", "priorityclass", "operations-urgent")


def _local(text: str, one: Installation) -> str:
    """Return an example's text as it is for this namespace and this cluster's images."""
    image = one.cluster.python_image
    return text.replace(NAMESPACE, one.namespace).replace(defaults().task_image, image)


def _any_node(one: Installation) -> str:
    """Return the last of the nodes that take any pod."""
    found = one.find("nodes")
    return str([n["metadata"]["name"] for n in found if not n["spec"].get("taints")][-1])


def _all_ended(one: Installation) -> bool:
    found = [op for op in one.find(FULL_KIND) if op["metadata"]["name"] != GPU]
    return all(condition(op["status"], "Finished").get("status") == "True" for op in found)


def _look(one: Installation, ssd: str) -> Lab:
    operations = {op["metadata"]["name"]: op for op in one.find(FULL_KIND)}
    workflows = {w["metadata"]["labels"][LABEL_OPERATION]: w for w in one.find("workflows")}
    pods: dict[str, dict[str, Manifest]] = defaultdict(dict)
    # An attempt of a task that may be tried again is called `task(0)`.
    tasks = {n["id"]: n["templateName"] for w in workflows.values() for n in _pod_nodes(w)}
    for pod in one.find("pods", LABEL_OPERATION):
        task = tasks[pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"]]
        pods[pod["metadata"]["labels"][LABEL_OPERATION]][task] = pod
    names_ = {Example(name).operation_name: name for name in names()}
    return Lab(
        one,
        ssd,
        {names_[key]: value for key, value in operations.items()},
        {names_[key]: value for key, value in workflows.items()},
        {names_[key]: value for key, value in pods.items()},
        _logs(one),
    )


def _pod_nodes(workflow: Manifest) -> list[Manifest]:
    nodes = workflow.get("status", {}).get("nodes", {})
    return [node for node in nodes.values() if node["type"] == "Pod"]


def _logs(one: Installation) -> dict[str, str]:
    said: dict[str, list[str]] = defaultdict(list)
    text = one.kubectl(
        *("logs", "-l", LABEL_OPERATION, "-c", "main", "--prefix", "--tail=-1"),
        *("--max-log-requests=200", "--ignore-errors"),
    )
    for line in text.splitlines():
        if (found := re.fullmatch(r"\[pod/(.*)/main\] ?(.*)", line)) and " argo=true" not in line:
            said[found[1]].append(found[2])
    return {pod: "\n".join(lines) for pod, lines in said.items()}


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
    status = lab.operations[name]["status"]
    assert (status["phase"], status["reason"]) == ("Succeeded", "AllTasksSucceeded")
    tasks = {task["name"] for task in Example(name).operation["spec"]["tasks"]}
    assert lab.pods[name].keys() == tasks


@pytest.mark.parametrize("name", names())
def test_an_example_became_the_workflow_beside_it(lab: Lab, name: str) -> None:
    """As the cluster has stored it, so a field that Argo does not know would be missing."""
    example, made = Example(name), lab.workflows[name]
    text = _local(example.golden.read_text(), lab.one)
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


SAYS = [
    ("single-task", "hello", "hello from Linux"),
    ("pipeline", "compute", "mean word length: 4.8"),
    ("simple-dag", "sum", "lines: 9"),
    ("python-function", "mean", "got 3 values"),
    ("python-from-configmap", "script", "hello script"),
    ("python-from-configmap", "function", "hello function"),
    ("braces", "bash", "Dear {{ item.name }}, {{=1+1}} from {{workflow.name}}"),
    ("braces", "python", "$(HOME) and {{workflow.name}} for $$5 {{ item.name }}"),
    ("command", "list", "two words $HOME"),
    ("custom", "other-command", "total "),
    ("catalogue", "print-file", "PRETTY_NAME="),
    ("image-pull-secret", "work", "Python 3."),
    ("env-from", "show", "blue 3 ada 10 no token"),
    ("resources", "python", "a little"),
    ("shared-directory", "read", "written by shared-directory-"),
    ("existing-claim", "read", "from one task to the next"),
    ("new-claim-by-name", "write", "written"),
    ("read-only", "read", "touch: cannot touch '/opt/archive/mark': Read-only file system"),
    ("volume-of-a-task", "read", "seen at both paths"),
    ("volume-paths", "write", "1\n2\n3"),
    ("service-account", "read", "read kube-root-ca.crt"),
    ("security-context", "work", "uid=1000 gid=1000 groups=1000"),
    ("security-context", "work", "touch: cannot touch '/usr/mark': Read-only file system"),
]


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
    (node,) = _pod_nodes(lab.workflows["python-function"])
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
