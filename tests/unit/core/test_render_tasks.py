"""What each kind of task becomes, and how tasks are arranged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.model import Operation
from cloudharness_operation.render import needs, workflow
from cloudharness_operation.render.containers import RESULT_PATH, RUNNER
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.render.patch import merged
from tests.support.builders import BASH, CHILD, DEFAULTS, operation, operation_manifest
from tests.support.rendering import SETTINGS, run

PATH = "/cloudharness/source/source.py"
IMAGE = "python:3.13"
MAILER = {"mailer": "registry/mailer:1"}


def template(
    task: dict[str, Any], facts: ClusterFacts | None = None, **more: Any
) -> dict[str, Any]:
    defaults = Defaults(task_image=IMAGE, **more)
    made = workflow(operation({"name": "one", **task}), defaults, facts or ClusterFacts())
    found: dict[str, Any] = made["spec"]["templates"][1]
    container = found["script" if "script" in found else "container"]
    # Every task has it; what it says is tested below.
    assert container["env"].pop(0) == {"name": "CH_WORKFLOW_NAME", "value": CHILD}
    if not container["env"]:
        del container["env"]
    return found


OUTPUT = {"parameters": [{"name": "result", "valueFrom": {"path": RESULT_PATH, "default": "null"}}]}
FROM_MAP: dict[str, Any] = {
    "volumes": [
        {
            "name": "source",
            "configMap": {"name": "code", "items": [{"key": "a.py", "path": "source.py"}]},
        }
    ]
}
MOUNT: dict[str, Any] = {
    "volumeMounts": [{"name": "source", "mountPath": "/cloudharness/source", "readOnly": True}]
}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param(
            {"bash": {"source": "ls"}},
            {"script": {"image": IMAGE, "command": ["bash"], "source": "ls"}},
            id="bash",
        ),
        pytest.param(
            {"python": {"source": "x = 1"}},
            {"script": {"image": IMAGE, "command": ["python3"], "source": "x = 1"}},
            id="python",
        ),
        pytest.param(
            {"python": {"source": "def f(): ...", "function": "f", "args": {"a": [1, None]}}},
            {
                "container": {
                    "image": IMAGE,
                    "command": ["python3", "-c", RUNNER, PATH, "f", '{"a": [1, null]}'],
                },
                "inputs": {
                    "artifacts": [{"name": "source", "path": PATH, "raw": {"data": "def f(): ..."}}]
                },
                "outputs": OUTPUT,
            },
            id="a function",
        ),
        pytest.param(
            {"python": {"sourceFrom": {"name": "code", "key": "a.py"}}},
            {"container": {"image": IMAGE, "command": ["python3", PATH], **MOUNT}, **FROM_MAP},
            id="a ConfigMap",
        ),
        pytest.param(
            {"python": {"sourceFrom": {"name": "code", "key": "a.py"}, "function": "f"}},
            {
                "container": {
                    "image": IMAGE,
                    "command": ["python3", "-c", RUNNER, PATH, "f", "{}"],
                    **MOUNT,
                },
                "outputs": OUTPUT,
                **FROM_MAP,
            },
            id="a function of a ConfigMap",
        ),
        pytest.param(
            {"command": {"command": ["echo", "$HOME"]}},
            {"container": {"image": IMAGE, "command": ["echo", "$HOME"]}},
            id="command",
        ),
        pytest.param(
            {"custom": {"image": "busybox", "args": ["x"]}},
            {"container": {"image": "busybox", "args": ["x"]}},
            id="custom",
        ),
    ],
)
def test_each_kind_becomes_this_template(task: dict[str, Any], expected: dict[str, Any]) -> None:
    assert template(task) == {"name": "one", **expected}


@pytest.mark.parametrize(
    ("fields", "container", "pod"), SETTINGS, ids=[next(iter(row[0])) for row in SETTINGS]
)
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ({"bash": {"source": "x"}}, "script"),
        ({"python": {"source": "x"}}, "script"),
        ({"python": {"source": "x", "function": "f"}}, "container"),
        ({"command": {"command": ["x"]}}, "container"),
        ({"custom": {"image": "x"}}, "container"),
    ],
    ids=["bash", "python", "function", "command", "custom"],
)
def test_every_kind_takes_every_setting(
    kind: dict[str, Any],
    place: str,
    fields: dict[str, Any],
    container: dict[str, Any],
    pod: dict[str, Any],
) -> None:
    plain = template(kind)
    assert template(kind | fields) == {**plain, **pod, place: {**plain[place], **container}}


NAMED = {"name": "CH_WORKFLOW_NAME", "value": CHILD}
DATA = {"claim": "data", "mountPath": "/mnt/data", "mode": "ro"}
OWN = {"mountPath": "/mnt/own"}


@pytest.mark.parametrize(
    ("volumes", "env", "expected"),
    [
        pytest.param([], [], [NAMED], id="where it is"),
        pytest.param(
            [DATA, OWN],
            [],
            [NAMED, {"name": "shared_directory", "value": "/mnt/data"}],
            id="the path alone, of the first",
        ),
        pytest.param(
            [OWN],
            [{"name": "shared_directory", "value": "x"}, {"name": "CH_WORKFLOW_NAME"}],
            [
                {"name": "shared_directory", "value": "x"},
                {"name": "CH_WORKFLOW_NAME", "value": ""},
            ],
            id="the user's word counts",
        ),
    ],
)
def test_what_a_task_is_told_of_itself(
    volumes: list[dict[str, Any]], env: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    manifest = operation_manifest({**BASH, "env": env})
    manifest["spec"]["sharedVolumes"] = volumes
    made = workflow(Operation.parse(manifest), DEFAULTS)
    assert made["spec"]["templates"][1]["script"]["env"] == expected


BACKOFF = {"duration": "10s", "factor": 2, "maxDuration": "1h30m"}


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ({"limit": 0}, {"limit": "0"}),
        ({"limit": 3, "policy": "Always"}, {"limit": "3", "retryPolicy": "Always"}),
        ({"limit": 1, "backoff": BACKOFF}, {"limit": "1", "backoff": {**BACKOFF, "factor": "2"}}),
        (
            {"limit": 1, "backoff": {"duration": "5m"}},
            {"limit": "1", "backoff": {"duration": "5m"}},
        ),
    ],
)
@pytest.mark.parametrize("kind", [{"bash": {"source": "x"}}, {"custom": {"image": "x"}}])
def test_a_retry_is_argos_retry_strategy(
    kind: dict[str, Any], retry: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert template({**kind, "retry": retry}) == {**template(kind), "retryStrategy": expected}


def test_settings_of_the_operation_are_the_workflows() -> None:
    manifest = operation_manifest()
    manifest["spec"] |= {
        "parallelism": 2,
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
        "priorityClassName": "high",
        "serviceAccountName": "me",
        "securityContext": {"fsGroup": 0, "runAsNonRoot": True},
        "imagePullSecrets": [{"name": "mine"}, {"name": "ours"}],
    }
    defaults = Defaults(IMAGE, service_account="theirs", image_pull_secrets=("ours", "more"))
    spec = workflow(Operation.parse(manifest), defaults)["spec"]
    plain = workflow(operation(), Defaults(IMAGE))["spec"]
    assert spec == plain | {
        "parallelism": 2,
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
        "podPriorityClassName": "high",
        "serviceAccountName": "me",
        "securityContext": {"fsGroup": 0, "runAsNonRoot": True},
        "imagePullSecrets": [{"name": "mine"}, {"name": "ours"}, {"name": "more"}],
    }


@pytest.mark.parametrize(
    ("kind", "groups", "expected"),
    [
        ("SingleTask", [None], [["t0"]]),
        ("Pipeline", [None] * 3, [["t0"], ["t1"], ["t2"]]),
        ("Parallel", [None] * 3, [["t0", "t1", "t2"]]),
        ("SimpleDag", [1, 0, 1, 7], [["t1"], ["t0", "t2"], ["t3"]]),
    ],
)
def test_how_tasks_are_arranged(
    kind: str, groups: list[int | None], expected: list[list[str]]
) -> None:
    tasks = [
        {"name": f"t{number}", "bash": {"source": "x"}}
        | ({} if group is None else {"group": group})
        for number, group in enumerate(groups)
    ]
    manifest = operation_manifest(*tasks)
    manifest["spec"]["type"] = kind
    steps = workflow(Operation.parse(manifest), DEFAULTS)["spec"]["templates"][0]["steps"]
    assert [[step["name"] for step in group] for group in steps] == expected
    assert all(step["template"] == step["name"] for group in steps for step in group)


def test_the_exit_task_runs_after_the_steps_with_the_volumes_of_the_operation() -> None:
    exit_task = {"name": "bye", "custom": {"image": "mailer", "command": ["send"]}}
    manifest = operation_manifest({"name": "t", "bash": {"source": "x"}})
    manifest["spec"] |= {
        "onExit": {"task": exit_task},
        "sharedVolumes": [{"mountPath": "/data", "claim": "c"}],
    }
    operation = Operation.parse(manifest)
    made = workflow(operation, replace(DEFAULTS, catalogue="c"), ClusterFacts(images=MAILER))
    spec = made["spec"]
    arranged, first, last = spec["templates"]
    assert spec["onExit"] == last["name"] == "bye"
    assert [[step["name"] for step in group] for group in arranged["steps"]] == [["t"]]
    assert {one["name"]: one["value"] for one in last["container"].pop("env")} == {
        "CH_WORKFLOW_NAME": made["metadata"]["name"],
        "shared_directory": "/data",
        "workflow_result": "{{workflow.status}}",
    }
    assert "workflow_result" not in {one["name"] for one in first["script"]["env"]}
    assert last["container"]["image"] == MAILER["mailer"]
    assert last["container"]["volumeMounts"] == first["script"]["volumeMounts"]
    assert last["affinity"] == first["affinity"]


@pytest.mark.parametrize(
    ("image", "asked", "expected"),
    [
        ("myapp-mytask", True, "registry.example.org/myapp/mytask:1"),
        ("busybox", True, "busybox"),
        ("busybox:1.37", False, "busybox:1.37"),
        ("registry.example.org/a", False, "registry.example.org/a"),
    ],
)
def test_an_image_is_looked_up_or_taken_as_it_is(image: str, asked: bool, expected: str) -> None:
    catalogue = {"myapp-mytask": "registry.example.org/myapp/mytask:1"}
    task = {"custom": {"image": image}}
    wanted = needs(operation({"name": "one", **task}), Defaults(IMAGE, catalogue="images"))
    assert wanted.images is asked
    assert not needs(operation({"name": "one", **task}), Defaults(IMAGE)).images
    made = template(task, ClusterFacts(images=catalogue), catalogue="images")
    assert made["container"]["image"] == expected


@pytest.mark.parametrize(
    ("own", "everybodys", "expected"),
    [
        ("", "", None),
        ("", "Always", "Always"),
        ("Never", "Always", "Never"),
        ("Never", "", "Never"),
    ],
)
def test_when_an_image_is_pulled(own: str, everybodys: str, expected: str | None) -> None:
    custom = {"image": "x", **({"imagePullPolicy": own} if own else {})}
    made = template({"custom": custom}, image_pull_policy=everybodys)
    assert made["container"].get("imagePullPolicy") == expected
    script = template({"bash": {"source": "x"}}, image_pull_policy=everybodys)["script"]
    assert script.get("imagePullPolicy") == (everybodys or None)


def test_a_patch_has_the_last_word_but_for_the_name() -> None:
    patch = {
        "name": "other",
        "activeDeadlineSeconds": 5,
        "script": {"command": ["sh"], "imagePullPolicy": "Never", "source": None},
    }
    assert template({"bash": {"source": "x"}, "templatePatch": patch}) == {
        "name": "one",
        "activeDeadlineSeconds": 5,
        "script": {"image": IMAGE, "command": ["sh"], "imagePullPolicy": "Never"},
    }


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    # The examples of RFC 7386, appendix A, that differ in kind.
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, expected: Any) -> None:
    assert merged(target, patch) == expected


@pytest.mark.parametrize(
    "value",
    [
        "$HOME",
        "$(HOME)",
        "a$$b",
        "$",
        "{{workflow.name}}",
        "{{{a}}}",
        "{{",
        "\\$",
        "\\\\{{",
        '"$"',
        "²",
    ],
)
def test_arguments_have_nothing_that_kubernetes_or_argo_would_replace(value: str) -> None:
    given = {value: [value, {"nested": {"deep": value}}]}
    code = {"source": "x", "function": "f", "args": given}
    arguments = template({"python": code})["container"]["command"][-1]
    assert json.loads(arguments) == given
    assert "$" not in arguments
    assert "{{" not in arguments


def test_the_runner_calls_the_function_and_keeps_what_it_returns(tmp_path: Path) -> None:
    code, said, value = run(tmp_path, "double", {"n": 4, "names": ["a"]})
    assert (code, value) == (0, {"n": 8, "names": ["a"]})
    assert said == f"argv ['{tmp_path}/source.py'] name operation\n"


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("triple", {}, "this code has no function triple: define it, or change python.function"),
        ("secret", {}, "the return value of secret is no JSON: "),
        ("double", {"m": 1}, "TypeError: double() got an unexpected keyword argument 'm'"),
    ],
)
def test_the_runner_says_what_is_wrong(
    tmp_path: Path, function: str, arguments: dict[str, Any], message: str
) -> None:
    code, said, value = run(tmp_path, function, arguments)
    assert (code, value) == (1, None)
    assert message in said


def test_one_task_does_not_change_another() -> None:
    before = operation(BASH)
    assert workflow(before, DEFAULTS) == workflow(before, DEFAULTS)
