"""Every type of operation and every kind of task, as their pods see it."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.support.installation import Installation, eventually
from tests.support.operations import Manifest, bash, operation

pytestmark = pytest.mark.e2e


def config_map(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def said(one: Installation, name: str) -> dict[str, str]:
    """What each task's own process said, by the task's name."""
    (workflow,) = one.workflows(name)
    nodes = [n for n in workflow["status"]["nodes"].values() if n["type"] == "Pod"]
    pods = {
        pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"]: pod
        for pod in one.pods(name)
    }
    logs = {}
    for node in nodes:
        pod = pods[node["id"]]["metadata"]["name"]
        lines = one.kubectl("logs", pod, "-c", "main").splitlines()
        logs[node["displayName"]] = "\n".join(line for line in lines if " argo=true" not in line)
    return logs


def spans(one: Installation, name: str) -> dict[str, tuple[str, str]]:
    """When each task's pod ran."""
    (workflow,) = one.workflows(name)
    return {
        node["displayName"]: (node["startedAt"], node["finishedAt"])
        for node in workflow["status"]["nodes"].values()
        if node["type"] == "Pod"
    }


def test_a_simple_dag_runs_its_groups_in_order(shared: Installation) -> None:
    tasks = [
        bash("sleep 2", "last", group=7),
        bash("sleep 2", "first-a", group=0),
        bash("sleep 2", "first-b", group=0),
        bash("sleep 2", "middle", group=3),
    ]
    shared.apply(operation("dag", *tasks, type="SimpleDag"))
    status = shared.wait_for("dag")
    assert (status["phase"], status["progress"]) == ("Succeeded", "4/4")
    when = spans(shared, "dag")
    first = [when["first-a"], when["first-b"]]
    assert max(start for start, _ in first) < min(end for _, end in first)
    assert max(end for _, end in first) <= when["middle"][0]
    assert when["middle"][1] <= when["last"][0]


@pytest.mark.long
def test_parallelism_bounds_how_many_run_at_once(shared: Installation) -> None:
    tasks = [bash("sleep 1", f"t{number}") for number in range(3)]
    shared.apply(operation("narrow", *tasks, type="Parallel", parallelism=1))
    assert shared.wait_for("narrow")["phase"] == "Succeeded"
    when = sorted(spans(shared, "narrow").values())
    assert all(before[1] <= after[0] for before, after in pairwise(when))


def test_one_failing_task_of_many_lets_the_others_end(shared: Installation) -> None:
    tasks = [bash("exit 4", "bad"), bash("sleep 3", "good")]
    shared.apply(operation("mixed", *tasks, type="Parallel"))
    status = shared.wait_for("mixed")
    assert (status["phase"], status["reason"]) == ("Failed", "TaskFailed")
    assert "bad" in status["message"]
    assert "good" in spans(shared, "mixed")


CODE = """
import os

def area(width, height=2, labels=None):
    print("seen", width, height, labels, os.environ["UNIT"])
    return {"area": width * height, "labels": labels}
"""


@pytest.mark.parametrize("origin", ["source", "map"])
def test_a_function_takes_arguments_and_its_return_value_is_the_result(
    shared: Installation, origin: str
) -> None:
    name = f"area-{origin}"
    shared.apply(config_map("areas", **{"area.py": CODE}))
    code = {"source": CODE}
    if origin == "map":
        code = {"sourceFrom": {"name": "areas", "key": "area.py"}}  # type: ignore[dict-item]
    arguments: dict[str, Any] = {"width": 3.5, "labels": ["ü", None, {"a": True}]}
    task = {"name": "task", "python": {**code, "function": "area", "args": arguments}}
    shared.apply(operation(name, {**task, "env": [{"name": "UNIT", "value": "m²"}]}))
    assert shared.wait_for(name)["phase"] == "Succeeded"
    assert said(shared, name)["task"] == "seen 3.5 2 ['ü', None, {'a': True}] m²"
    (workflow,) = shared.workflows(name)
    (node,) = [n for n in workflow["status"]["nodes"].values() if n["type"] == "Pod"]
    (result,) = [p for p in node["outputs"]["parameters"] if p["name"] == "result"]
    assert json.loads(result["value"]) == {"area": 7.0, "labels": ["ü", None, {"a": True}]}


BRACES = "{{workflow.name}} {{pod.x}} {{ jinja }} {{=1 + 1}} {{"


def test_double_braces_in_a_source_are_its_own(shared: Installation) -> None:
    """Argo would replace the first, refuse the second, and not find the end of the last."""
    function = {
        "source": f"def f(a): print('{BRACES}' == a, a)",
        "function": "f",
        "args": {"a": BRACES},
    }
    tasks: list[Manifest] = [
        bash(f"echo '{BRACES}'", "bash"),
        {"name": "script", "python": {"source": f"print('{BRACES}')"}},
        {"name": "function", "python": function},
    ]
    shared.apply(operation("braces", *tasks))
    assert shared.wait_for("braces")["phase"] == "Succeeded"
    assert said(shared, "braces") == {
        "bash": BRACES,
        "script": BRACES,
        "function": f"True {BRACES}",
    }


def test_a_script_of_a_config_map_is_run(shared: Installation) -> None:
    shared.apply(config_map("scripts", **{"hello.py": "print('hello from a map')"}))
    task = {"name": "task", "python": {"sourceFrom": {"name": "scripts", "key": "hello.py"}}}
    shared.apply(operation("mapped", task))
    assert shared.wait_for("mapped")["phase"] == "Succeeded"
    assert said(shared, "mapped")["task"] == "hello from a map"


def test_a_command_runs_in_the_default_image(shared: Installation) -> None:
    command = {"name": "task", "command": {"command": ["echo", "two words", "$HOME"]}}
    shared.apply(operation("command", command))
    assert shared.wait_for("command")["phase"] == "Succeeded"
    assert said(shared, "command")["task"] == "two words $HOME"


def test_variables_come_from_where_it_is_said(shared: Installation) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"token": "s3cret"},
    }
    shared.apply(secret, config_map("words", GREETING="hello", WORD="w"))
    env = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {
            "name": "NONE",
            "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}},
        },
        {"name": "EMPTY"},
    ]
    task = bash(
        'echo "$TOKEN $P_GREETING ${EMPTY-unset} ${NONE-unset} $NODE"',
        env=env,
        envFrom=[{"configMapRef": {"name": "words"}, "prefix": "P_"}],
    )
    shared.apply(operation("variables", task))
    assert shared.wait_for("variables")["phase"] == "Succeeded"
    (pod,) = shared.pods("variables")
    assert said(shared, "variables")["task"] == f"s3cret hello  unset {pod['spec']['nodeName']}"


def test_settings_reach_the_pod(shared: Installation) -> None:
    limits = {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "1Gi"}
    task = bash(
        "id -u; id -G",
        resources={"requests": {"cpu": "10m"}, "limits": limits},
        securityContext={"runAsUser": 1234, "capabilities": {"drop": ["ALL"]}},
        tolerations=[{"key": "example.com/none", "operator": "Exists"}],
        templatePatch={"metadata": {"annotations": {"example.com/patched": "yes"}}},
    )
    spec: dict[str, Any] = {
        "securityContext": {"supplementalGroups": [4321]},
        "nodeSelector": {"kubernetes.io/hostname": "node2"},
    }
    shared.apply(operation("settings", task, **spec))
    assert shared.wait_for("settings")["phase"] == "Succeeded"
    assert said(shared, "settings")["task"] == "1234\n0 4321"
    (pod,) = shared.pods("settings")
    (main,) = [c for c in pod["spec"]["containers"] if c["name"] == "main"]
    assert main["resources"]["limits"] == limits
    assert main["resources"]["requests"]["cpu"] == "10m"
    assert pod["spec"]["nodeName"] == "node2"
    assert {"key": "example.com/none", "operator": "Exists"} in pod["spec"]["tolerations"]
    assert pod["metadata"]["annotations"]["example.com/patched"] == "yes"


def test_a_device_that_no_node_has_is_waited_for(shared: Installation) -> None:
    task = bash("true", resources={"limits": {"nvidia.com/gpu": 1}})
    shared.apply(operation("gpu", task))
    eventually(lambda: shared.status("gpu").get("reason") == "Unschedulable")
    assert "nvidia.com/gpu" in shared.status("gpu")["message"]
    shared.kubectl("delete", "cho", "gpu", "--timeout=30s")


@pytest.mark.long
def test_an_image_is_found_in_the_catalogue(vacant: Installation) -> None:
    images = config_map("images", **{"myapp-mytask": vacant.cluster.python_image})
    vacant.apply(images)
    vacant.install(
        f"kafka.bootstrapServers={vacant.kafka}",
        "tasks.catalogue=images",
        "tasks.imagePullPolicy=Never",
    )
    task = {"name": "task", "custom": {"image": "myapp-mytask", "command": ["echo", "found"]}}
    vacant.apply(operation("listed", task))
    assert vacant.wait_for("listed")["phase"] == "Succeeded"
    assert said(vacant, "listed")["task"] == "found"
    (pod,) = vacant.pods("listed")
    (main,) = [c for c in pod["spec"]["containers"] if c["name"] == "main"]
    assert (main["image"], main["imagePullPolicy"]) == (vacant.cluster.python_image, "Never")
