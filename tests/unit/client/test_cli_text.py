"""What the command line says: text of what is known, a case a row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloudharness.workflows._format import coloured, duration
from cloudharness.workflows.cli import explain, tables, tree
from cloudharness_operation.model import Operation
from tests.support.builders import NOW, operation_manifest, stamp

Manifest = dict[str, Any]


def at(seconds: float) -> str:
    """A time, as seconds after the start of the operation, which is 100 s ago."""
    return stamp(NOW - timedelta(seconds=100 - seconds))


def task(
    name: str, phase: str, begin: float | None = None, end: float | None = None, **more: Any
) -> Manifest:
    times = {"startTime": begin, "completionTime": end}
    told = {key: at(value) for key, value in times.items() if value is not None}
    return {"name": name, "phase": phase, **told, **more}


def bash(name: str, **more: Any) -> Manifest:
    return {"name": name, "bash": {"source": "true"}, **more}


def state(type_: str, written: list[Manifest], /, **status: Any) -> Operation:
    found = operation_manifest()
    found["metadata"]["name"] = "sums"
    found["spec"] |= {"type": type_, "tasks": written}
    found["status"] = {"startTime": at(0), **status}
    return Operation.parse(found)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0, "0s"),
        (9.9, "9s"),
        (119, "119s"),
        (120, "2m"),
        (190, "3m10s"),
        (599, "9m59s"),
        (660, "11m"),
        (3600, "60m"),
        (10799, "179m"),
        (10800, "3h"),
        (10860, "3h1m"),
        (36000, "10h"),
        (86400, "24h"),
        (2 * 86400, "2d"),
        (2 * 86400 + 3 * 3600, "2d3h"),
        (30 * 86400, "30d"),
    ],
)
def test_a_time_is_as_kubectl_writes_it(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def listed(name: str, seconds: float, **status: Any) -> Manifest:
    found = operation_manifest(metadata={"creationTimestamp": at(seconds)}, status=status)
    found["metadata"] |= {"name": name, "namespace": "lab"}
    return found


RUNS = listed("runs", 0, phase="Running", startTime=at(5), progress="1/2")
FAILED = listed(
    "failed",
    50,
    phase="Failed",
    reason="TaskFailed",
    message="task 'a':\nno",
    startTime=at(55),
    completionTime=at(95),
    progress="0/1",
    runId="1",
    workflowRef={"name": "failed-1a2b3"},
)


def test_operations_are_listed() -> None:
    assert tables.listed([RUNS, FAILED, listed("new", 99)], NOW) == [
        "NAME    TYPE        PHASE    PROGRESS  DURATION  AGE",
        "runs    SingleTask  Running  1/2       95s       100s",
        "failed  SingleTask  Failed   0/1       40s       50s",
        "new     SingleTask  Pending                      1s",
    ]


def test_with_more_columns() -> None:
    head, line = tables.listed([FAILED], NOW, wide=True, everywhere=True)
    assert head.split() == [
        *("NAMESPACE", "NAME", "TYPE", "PHASE", "PROGRESS", "DURATION", "AGE"),
        *("REASON", "RUN", "WORKFLOW", "MESSAGE"),
    ]
    assert line.split("  ")[0] == "lab"
    assert line.endswith("TaskFailed  1    failed-1a2b3  task 'a': no")


def test_one_that_nobody_can_read_is_listed_all_the_same() -> None:
    found = {"metadata": {"name": "odd", "creationTimestamp": at(0)}, "spec": {"type": "Future"}}
    assert tables.listed([found], NOW)[1].split() == ["odd", "Future", "Pending", "100s"]


def test_tasks_that_follow_each_other_are_a_list() -> None:
    found = state(
        "Pipeline",
        [bash("get"), bash("add"), bash("put")],
        phase="Running",
        progress="1/3",
        message="one waits",
        tasks=[
            task("get", "Succeeded", 10, 20, nodeName="node1"),
            task("add", "Running", 40, nodeName="node2", attempts=2, message="again"),
        ],
    )
    assert tree.lines(found, NOW) == [
        "sums  Pipeline  Running  1/3  100s",
        "  one waits",
        "├─ ✔ get  Succeeded  10s  node1",
        "├─ ▶ add  Running    60s  node2  attempt 2; again",
        "└─ · put  Pending",
    ]


def test_groups_are_branches() -> None:
    found = state(
        "SimpleDag",
        [bash("b", group=1), bash("a", group=0), bash("c", group=1)],
        tasks=[task("a", "Failed", 0, 5, reason="OOMKilled", message="no\nroom")],
        phase="Failed",
        completionTime=at(5),
    )
    assert tree.lines(found, NOW) == [
        "sums  SimpleDag  Failed  5s",
        "├─┬ 1 of 2",
        "│ └─ ✖ a    Failed   5s    OOMKilled: no room",
        "└─┬ 2 of 2",
        "  ├─ · b    Pending",
        "  └─ · c    Pending",
    ]


def test_another_run_is_told_as_such() -> None:
    found = state("SingleTask", [bash("a")], phase="Running", run=2, runId="v2")
    assert tree.lines(found, NOW)[0] == "sums  SingleTask  Running  100s  run v2"


def test_bars_show_when_each_task_ran() -> None:
    found = state(
        "Pipeline",
        [bash("get"), bash("add"), bash("put"), bash("end")],
        phase="Running",
        tasks=[
            task("get", "Succeeded", 0, 50),
            task("add", "Running", 50),
            task("put", "Pending", 100),
        ],
    )
    assert tree.gantt(found, NOW)[1:] == [
        "        0s                                  100s",
        f"✔  get  {'█' * 20}{' ' * 20}  50s",
        f"▶  add  {' ' * 20}{'▒' * 20}  50s",
        f"·  put  {' ' * 39}░  0s",
        "·  end",
    ]


def test_nothing_that_has_begun_has_no_bars() -> None:
    found = Operation.parse(operation_manifest())
    assert len(tree.gantt(found, NOW)) == 3


def test_what_is_left_of_it_is_told_on_demand() -> None:
    found = state(
        "SingleTask",
        [bash("a")],
        outputs=[
            {"task": "a", "name": "result", "size": 2, "value": "42"},
            {
                "task": "a",
                "name": "all",
                "size": 9000,
                "valueFrom": {"workflow": "sums-1", "node": "x"},
            },
        ],
        claims=[{"name": "data", "ephemeral": True, "mountPaths": ["/a", "/b"]}],
        history=[
            {
                "run": 1,
                "runId": "1",
                "phase": "Failed",
                "reason": "TaskFailed",
                "startTime": at(0),
                "completionTime": at(30),
            }
        ],
    )
    assert tree.more(found) == [
        "outputs:",
        "  a.result  42",
        "  a.all     9000 bytes, in Workflow sums-1",
        "volumes:",
        "  data  created for the run  /a /b",
        "previous runs:",
        "  1  Failed  TaskFailed  30s",
    ]
    assert tree.more(state("SingleTask", [bash("a")])) == []


EXPLAINED: list[tuple[str, Operation, list[str]]] = [
    (
        "it succeeded",
        state("SingleTask", [bash("a")], phase="Succeeded", completionTime=at(5)),
        ["sums has not failed: it succeeded"],
    ),
    (
        "a task was killed for memory",
        state(
            "Pipeline",
            [bash("a"), bash("b")],
            phase="Failed",
            reason="TaskFailed",
            message="task a: main: OOMKilled (exit code 137)",
            completionTime=at(5),
            tasks=[
                task("a", "Failed", 0, 5, nodeName="node1", podName="sums-a", attempts=3),
                task("b", "Skipped"),
            ],
            failure={
                "task": "a",
                "exitCode": 137,
                "reason": "OOMKilled",
                "message": "main: OOMKilled (exit code 137)",
                "logTail": ["one", "two"],
            },
        ),
        [
            "sums ended Failed: TaskFailed",
            "  task a: main: OOMKilled (exit code 137)",
            "task a failed first: OOMKilled, exit code 137, attempt 3, on node1, pod sums-a",
            "  main: OOMKilled (exit code 137)",
            "  -> give the task more memory: resources.limits.memory",
            "the end of its log:",
            "  | one",
            "  | two",
            "never run: b",
        ],
    ),
    (
        "a command is not there",
        state(
            "Parallel",
            [bash("a"), bash("b")],
            phase="Failed",
            reason="TaskFailed",
            completionTime=at(5),
            tasks=[task("a", "Failed", 0, 5), task("b", "Error", 0, 5)],
            failure={"task": "a", "exitCode": 127, "reason": "Error"},
        ),
        [
            "sums ended Failed: TaskFailed",
            "task a failed first: Error, exit code 127",
            "  -> the command was not found: is it in the image, and on its PATH?",
            "failed too: b",
        ],
    ),
    (
        "a pod waits for its image",
        state(
            "SingleTask",
            [bash("a")],
            phase="Running",
            reason="ImagePullFailed",
            message="task a: no such image",
            tasks=[task("a", "Pending", 1, reason="ImagePullFailed", message="no such image")],
        ),
        [
            "sums is Running: ImagePullFailed",
            "  task a: no such image",
            "task a waits: ImagePullFailed",
            "  no such image",
            "  -> check the image's name and tag, and imagePullSecrets",
        ],
    ),
    (
        "somebody has suspended it",
        state("SingleTask", [bash("a")], phase="Suspended", reason="Suspended"),
        [
            "sums is Suspended: Suspended",
            "  -> set spec.suspend to false: `cloudharness-operation resume sums`",
        ],
    ),
    (
        "its end is told to nobody",
        state(
            "SingleTask",
            [bash("a")],
            phase="Cancelled",
            reason="Cancelled",
            completionTime=at(9),
            conditions=[
                {
                    "type": "Notified",
                    "status": "False",
                    "reason": "BrokerUnavailable",
                    "message": "no broker",
                    "lastTransitionTime": at(9),
                }
            ],
        ),
        [
            "sums ended Cancelled: Cancelled",
            "the exit event is not published to Kafka: BrokerUnavailable",
            "  no broker",
        ],
    ),
]


@pytest.mark.parametrize(
    ("found", "expected"), [row[1:] for row in EXPLAINED], ids=[row[0] for row in EXPLAINED]
)
def test_a_failure_is_explained(found: Operation, expected: list[str]) -> None:
    assert list(explain.lines(found)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a  Running  x", "a  \x1b[36mRunning\x1b[0m  x"),
        ("└─ ✖ b  Failed", "└─ \x1b[31m✖\x1b[0m b  \x1b[31mFailed\x1b[0m"),
        ("✔  a  ██  2s", "\x1b[32m✔\x1b[0m  a  \x1b[32m██\x1b[0m  2s"),
        ("a-Running  TaskFailed  █", "a-Running  TaskFailed  █"),
        ("nothing", "nothing"),
    ],
)
def test_phases_have_colours(line: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured(line) == expected
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured(line) == line
