"""Outputs: which are there, how they are passed on, and what status says of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.model import Operation
from cloudharness_operation.render import workflow
from cloudharness_operator.decide import nodes
from tests.support.builders import CHILD, DEFAULTS, operation_manifest

Manifest = dict[str, Any]

FUNCTION: Manifest = {"python": {"source": "def f(): return 1", "function": "f"}}
SCRIPT: Manifest = {"bash": {"source": "true"}}


def env(task: str, name: str, variable: str = "X") -> Manifest:
    return {"env": [{"name": variable, "valueFrom": {"taskOutput": {"task": task, "name": name}}}]}


def parsed(kind: str, *tasks: Manifest) -> Operation:
    manifest = operation_manifest(*tasks)
    manifest["spec"]["type"] = kind
    return Operation.parse(manifest)


FIRST: Manifest = {
    "name": "first",
    **FUNCTION,
    "stdout": True,
    "outputs": [{"name": "mean", "path": "/tmp/mean"}],
}


@pytest.mark.parametrize("name", ["result", "stdout", "mean"])
def test_an_output_is_passed_by_its_name(name: str) -> None:
    made = workflow(
        parsed("Pipeline", FIRST, {"name": "next", **SCRIPT, **env("first", name)}), DEFAULTS
    )
    entry, _, template = made["spec"]["templates"]
    place = "result" if name == "stdout" else f"parameters['{name}']"
    escaped = f"replace(steps['first'].outputs.{place}, '$', '$$')"
    assert entry["steps"][1][0]["arguments"]["parameters"] == [
        {
            "name": f"first_{name}",
            "value": f"{{{{=replace({escaped}, '{{'+'{{', '{{$(CH_BRACE)')}}}}",
        }
    ]
    assert template["inputs"]["parameters"] == [{"name": f"first_{name}"}]
    variables = template["script"]["env"]
    # Kubernetes refers back only: the brace comes before the value.
    assert variables[-2:] == [
        {"name": "CH_BRACE", "value": "{"},
        {"name": "X", "value": f"{{{{=inputs.parameters['first_{name}']}}}}"},
    ]


def test_outputs_are_asked_for_in_the_template() -> None:
    made = workflow(parsed("SingleTask", FIRST), DEFAULTS)
    entry, template = made["spec"]["templates"]
    assert [one["name"] for one in template["outputs"]["parameters"]] == ["result", "mean"]
    assert template["outputs"]["parameters"][1]["valueFrom"] == {"path": "/tmp/mean"}
    (kept,) = entry["outputs"]["parameters"]
    assert "steps['first'].outputs.result" in kept["valueFrom"]["expression"]


def test_who_asks_for_nothing_gets_nothing() -> None:
    entry, template = workflow(parsed("SingleTask", {"name": "t", **SCRIPT}), DEFAULTS)["spec"][
        "templates"
    ]
    assert entry.keys() == {"name", "steps"}
    assert entry["steps"] == [[{"name": "t", "template": "t"}]]
    assert template.keys() == {"name", "script"}
    assert [one["name"] for one in template["script"]["env"]] == ["CH_WORKFLOW_NAME"]


def after(kind: str, group: int, **asks: Any) -> tuple[Manifest, Manifest]:
    grouped = {"group": group} if kind == "SimpleDag" else {}
    zero = {"group": 0} if kind == "SimpleDag" else {}
    return {**FIRST, **zero}, {"name": "next", **SCRIPT, **asks, **grouped}


TOO_EARLY = (
    "tasks[1].env[0].valueFrom.taskOutput.task: 'first' has not ended when 'next' begins: name a "
    "task before it in a Pipeline, or of a lower group in a SimpleDag"
)


@pytest.mark.parametrize(
    ("kind", "tasks", "problem"),
    [
        ("Pipeline", after("Pipeline", 0, **env("first", "mean")), None),
        ("SimpleDag", after("SimpleDag", 1, **env("first", "mean")), None),
        ("SimpleDag", after("SimpleDag", 0, **env("first", "mean")), TOO_EARLY),
        ("Parallel", after("Parallel", 0, **env("first", "mean")), TOO_EARLY),
        (
            "Pipeline",
            (({"name": "early", **SCRIPT, **env("first", "mean")}), FIRST),
            "tasks[0].env[0].valueFrom.taskOutput.task: 'first' has not ended when 'early' begins",
        ),
        (
            "Pipeline",
            after("Pipeline", 0, **env("frist", "mean")),
            "tasks[1].env[0].valueFrom.taskOutput.task: there is no task 'frist': name one of",
        ),
        (
            "Pipeline",
            after("Pipeline", 0, **env("first", "median")),
            "tasks[1].env[0].valueFrom.taskOutput.name: task 'first' has no output 'median' "
            "(it has result, stdout, mean): add it to the task's outputs",
        ),
        (
            "Pipeline",
            ({"name": "first", **SCRIPT}, {"name": "next", **SCRIPT, **env("first", "result")}),
            "has no output 'result' (it has none)",
        ),
        (
            "Pipeline",
            after(
                "Pipeline",
                0,
                env=[*env("first", "mean")["env"], {"name": "CH_BRACE", "value": "("}],
            ),
            "tasks[1].env: CH_BRACE is set for tasks that are passed outputs: rename it",
        ),
        ("Pipeline", after("Pipeline", 0, env=[{"name": "CH_BRACE", "value": "("}]), None),
    ],
)
def test_what_is_asked_for_must_be_there(
    kind: str, tasks: tuple[Manifest, ...], problem: str | None
) -> None:
    if problem is None:
        parsed(kind, *tasks)
        return
    with pytest.raises(InvalidOperation, match=re.escape(problem)):
        parsed(kind, *tasks)


def node(
    phase: str = "Succeeded", at: str = "", kind: str = "Pod", name: str = "n", **values: str
) -> Manifest:
    parameters = [{"name": name, "value": value} for name, value in values.items()]
    return {
        "id": f"id-{at}",
        "type": kind,
        "name": name,
        "phase": phase,
        "finishedAt": at,
        "outputs": {"parameters": parameters, "exitCode": "0"},
    }


def read(**found: list[Manifest]) -> list[tuple[str, str, int, str | None, str | None]]:
    return [
        (one.task, one.name, one.size, one.value, one.value_from.node if one.value_from else None)
        for one in nodes.outputs(CHILD, found)
    ]


def test_outputs_are_told_as_tasks_end() -> None:
    printed = node(at="1")
    printed["outputs"] = {"result": "hello"}
    assert read(
        late=[node(at="3", result="[1]")],
        early=[printed],
        same=[node(at="1", mean="4.5", other="")],
        runs=[node("Running", result="2")],
    ) == [
        ("early", "stdout", 5, "hello", None),
        ("same", "mean", 3, "4.5", None),
        ("same", "other", 0, "", None),
        ("late", "result", 3, "[1]", None),
    ]


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_failed_task_has_its_files_and_no_result(phase: str) -> None:
    assert read(bad=[node(phase, "1", result="null", why="full")]) == [
        ("bad", "why", 4, "full", None)
    ]


def test_what_counts_is_the_last_attempt_once_it_is_the_last() -> None:
    tried = [node("Failed", "1", name="t(0)", a="1"), node("Succeeded", "2", name="t(1)", a="2")]
    going = node("Running", kind="Retry", name="t", a="0")
    done = node("Succeeded", "2", kind="Retry", name="t", a="0")
    assert read(t=[*tried, going]) == []
    assert read(t=[*reversed(tried), done]) == [("t", "a", 1, "2", None)]


def test_a_value_with_no_text_is_none() -> None:
    empty = node(at="1")
    empty["outputs"] = {"parameters": [{"name": "a"}]}
    assert read(t=[empty], other=[{**node(at="2"), "outputs": None}]) == []


@pytest.mark.parametrize(
    ("text", "size", "stays"),
    [("x" * 4096, 4096, True), ("x" * 4097, 4097, False), ("é" * 2048, 4096, True)],
)
def test_one_value_has_its_limit(text: str, size: int, stays: bool) -> None:
    (found,) = read(t=[node(at="1", a=text)])
    assert found == ("t", "a", size, text if stays else None, None if stays else "id-1")


def test_all_values_have_a_limit_and_what_is_there_stays() -> None:
    ten = {f"t{n}": [node(at=str(n), a="x" * 4000)] for n in range(9)}
    told = read(**ten)
    assert [bool(value) for *_, value, _ in told] == [True] * 8 + [False]
    # 32,000 of 32,768 bytes are taken: what is small still has room.
    assert read(**ten, t9=[node(at="9", a="x" * 700)])[-1][3] == "x" * 700
    assert read(**ten, t9=[node(at="9", a="x" * 800)])[-1][3] is None
    assert read(**dict(list(ten.items())[:3])) == told[:3]
