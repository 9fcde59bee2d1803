"""What is said of a failure, and of the log only its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudharness_operation.status import Failure, OperationStatus
from cloudharness_operator.decide import failure
from cloudharness_operator.decide.decision import decide
from cloudharness_operator.decide.plan import ReadLog
from tests.support.builders import (
    DEFAULTS,
    FINISHED,
    STARTED,
    child,
    observed,
    on_record,
    operation,
    plan,
    task,
)

BAD = task(
    "add",
    "Failed",
    pod_name="sums-add-1",
    exit_code=3,
    reason="Error",
    message="main: Error (exit code 3)",
    completion_time=FINISHED,
)
FIRST = BAD.model_copy(update={"name": "early", "completion_time": STARTED, "pod_name": "p0"})


def failed(*tasks: Any, phase: str = "Failed", **more: Any) -> Any:
    return observed(operation=operation(), child=child(phase, tasks=tasks), **more)


EXECUTOR = 'time="2026-01-02T03:04:05.123Z" level=info msg="capturing logs" argo=true'


@pytest.mark.parametrize(
    ("log", "lines"),
    [
        ("", ()),
        ("\n\n", ()),
        ("one\n\ntwo\n", ("one", "", "two")),
        (f"one\n{EXECUTOR}\n", ("one",)),
        (f"one\n{EXECUTOR} error=null\ntwo", ("one", "two")),
        (f"one\n{EXECUTOR} error=null\nError: exit status 3\n", ("one",)),
        (f"no newline{EXECUTOR} error=null\nError: signal: killed\n", ("no newline",)),
        ("one\nError: exit status 3\nunended", ("one", "unended")),
        ("Error: exit status 3\n1\n2", ("Error: exit status 3", "1", "2")),
        ("Error: exit status 3\n", ()),
        ("one\nunendedError: exit status 7\n", ("one", "unended")),
        (f"unended{EXECUTOR}Error: signal: killed", ("unended",)),
        ("aError: exit status 7\nb\nc", ("aError: exit status 7", "b", "c")),
        ("aError: exit status 7\nError: exit status 7", ("aError: exit status 7",)),
        ("make: Error: exit status 2\n", ("make: Error: exit status 2",)),
        ("time=1 level=INFO msg=x argo=true\n", ()),
        ("I say argo=true\n", ("I say argo=true",)),
        ("\x1b[31mred\x1b[0m\x07 é 😀\ttab\n", ("red é 😀\ttab",)),
        ("10%\r50%\r100%\r\n", ("100%",)),
        ("windows\r\nlines\r\n", ("windows", "lines")),
        ("".join(f"{n}\n" for n in range(50)), tuple(str(n) for n in range(30, 50))),
        ("x" * 5000 + "end\n", ("x" * 4093 + "end",)),
        ("a" * 3000 + "\n" + "b" * 3000, ("b" * 3000,)),
        ("é" * 3000, ("é" * 2048,)),
        ("x" + "é" * 2048 + "y", ("é" * 2047 + "y",)),
    ],
)
def test_the_end_of_a_log(log: str, lines: tuple[str, ...]) -> None:
    assert failure.tail(log) == lines


def test_the_log_is_asked_for_when_the_end_is_to_be_written() -> None:
    assert decide(failed(BAD), DEFAULTS) == ReadLog("sums-add-1")
    found = plan(failed(BAD, log="no\n"), DEFAULTS)
    assert found.status is not None
    assert found.status["failure"] == {
        "task": "add",
        "exitCode": 3,
        "reason": "Error",
        "message": "main: Error (exit code 3)",
        "logTail": ["no"],
    }


@pytest.mark.parametrize("order", [(BAD, FIRST), (FIRST, BAD)])
def test_of_two_failures_the_first_is_told(order: tuple[Any, ...]) -> None:
    assert decide(failed(*order), DEFAULTS) == ReadLog("p0")
    found = plan(failed(*order, log=""), DEFAULTS)
    assert found.status is not None
    assert found.status["failure"]["task"] == "early"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param(failed(BAD, log=""), (), id="no word"),
        pytest.param(failed(BAD.model_copy(update={"pod_name": None})), (), id="no pod"),
        pytest.param(failed(BAD, phase="Error", log="x"), ("x",), id="an error of Argo"),
    ],
)
def test_a_log_that_is_not_there_costs_its_lines_only(what: Any, expected: tuple[str, ...]) -> None:
    found = plan(what, DEFAULTS)
    assert found.status is not None
    assert found.status["failure"].get("logTail", []) == list(expected)
    assert found.status["phase"] in ("Failed", "Error")


@pytest.mark.parametrize(
    "what",
    [
        failed(task("add", "Succeeded"), phase="Succeeded"),
        failed(BAD, phase="Succeeded"),
        failed(),
        failed(BAD, phase="Running"),
    ],
)
def test_without_a_failure_there_is_nothing_to_read(what: Any) -> None:
    found = plan(what, DEFAULTS)
    assert "failure" not in (found.status or {})


def test_a_task_without_a_pod_is_named() -> None:
    why = 'failed to look-up entrypoint/cmd for image "mine:1"'
    said = f"step group deemed errored due to child x-1[0].add error: {why}"
    tasks = (task("other", "Running", pod_name="p1"), task("add", "Running", pod_name="p2"))
    ended = child("Failed", tasks=tasks, message=said)
    named = [{"name": name, "bash": {"source": "true"}} for name in ("other", "add")]
    found = plan(observed(operation=operation(*named), child=ended), DEFAULTS)
    assert found.status is not None
    assert found.status["failure"] == {"task": "add", "message": why, "logTail": []}


def test_what_is_on_record_stays_when_the_pod_is_gone() -> None:
    holds = {"Accepted": True, "Reconciling": False, "Failed": True, "Finished": True}
    kept = Failure(task="add", log_tail=("words",))
    record = on_record("Failed", "TaskFailed", holds=holds).model_copy(update={"failure": kept})
    again = replace(failed(BAD), operation=operation(status=record))
    assert failure.with_summary(OperationStatus(), again).failure == kept
    assert failure.missing_log(again, {"failure": None}) is None
