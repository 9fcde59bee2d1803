"""Operations in a notebook: what their HTML says, a case a row."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from typing_extensions import override

from cloudharness.workflows import operations, tasks
from cloudharness.workflows._api import Connection
from cloudharness.workflows._html import HtmlStatus, manifest_html, operation_html, summary_html
from cloudharness.workflows._snapshots import Workflow
from cloudharness.workflows.attach import AttachedOperation
from cloudharness.workflows.errors import ClusterUnavailable
from cloudharness_operation.model import Operation
from tests.support.builders import NAME, NOW, operation_manifest, stamp

Manifest = dict[str, Any]


class Page(HTMLParser):
    """Texts of a page by element; fails if an element is not closed, or does more than show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.boxes: list[list[str]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "span", "strong", "table", "thead", "tbody", "tr", "th", "td"}
        assert {name for name, _ in attrs} <= {"style", "title"}
        assert "url(" not in str(attrs)
        style = dict(attrs).get("style") or ""
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if "column" in style:
            self.boxes.append([])
        if "white-space:nowrap" in style:
            self.boxes[-1].append("")
        self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data
        elif self.boxes and self.boxes[-1] and data != "→":
            self.boxes[-1][-1] += data


def bash(name: str, **more: Any) -> Manifest:
    return {"name": name, "bash": {"source": "true"}, **more}


def state(type_: str, written: list[Manifest], /, **status: Any) -> Operation:
    found = operation_manifest()
    found["spec"] |= {"type": type_, "tasks": written}
    found["status"] = status
    return Operation.parse(found)


START = {"startTime": stamp(NOW - timedelta(seconds=100))}
GROUPS = [bash("a", group=0), bash("b", group=1), bash("c", group=1)]
RUNNING = {
    **START,
    "phase": "Running",
    "progress": "1/3",
    "tasks": [
        {"name": "a", "phase": "Succeeded", **START, "completionTime": stamp(NOW), "nodeName": "n"},
        {"name": "b", "phase": "Running", "startTime": stamp(NOW - timedelta(seconds=5))},
    ],
}
CASES: list[tuple[str, Operation, str, list[list[str]], list[list[str]]]] = [
    (
        "not observed yet",
        state("Parallel", [bash("a"), bash("b")]),
        f"{NAME} · Pending · Parallel",
        [["Task", "Phase"], ["· a", "Pending"], ["· b", "Pending"]],
        [["· a", "· b"]],
    ),
    (
        "groups run",
        state("SimpleDag", GROUPS, **RUNNING),
        f"{NAME} · Running · SimpleDag · 1/3 · started "
        f"{NOW - timedelta(seconds=100):%Y-%m-%d %H:%M:%S} UTC · 100s",
        [
            ["Task", "Phase", "Start (UTC)", "Duration", "Node"],
            ["✔ a", "Succeeded", f"{NOW - timedelta(seconds=100):%H:%M:%S}", "100s", "n"],
            ["▶ b", "Running", f"{NOW - timedelta(seconds=5):%H:%M:%S}", "5s", ""],
            ["· c", "Pending", "", "", ""],
        ],
        [["✔ a"], ["▶ b", "· c"]],
    ),
    (
        "a message of a user's own",
        state(
            "SingleTask",
            [bash("a")],
            phase="Failed",
            reason="TaskFailed",
            message="<script>alert('&')</script>",
            tasks=[{"name": "a", "phase": "Failed", "reason": "Error", "message": '<b title="x">'}],
        ),
        f"{NAME} · Failed · SingleTaskTaskFailed: <script>alert('&')</script>",
        [["Task", "Phase", "Message"], ["✖ a", "Failed", 'Error: <b title="x">']],
        [["✖ a"]],
    ),
]


@pytest.mark.parametrize(
    ("found", "head", "table", "graph"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_an_operation_is_a_graph_and_a_table(
    found: Operation, head: str, table: list[list[str]], graph: list[list[str]]
) -> None:
    for html in (operation_html(found, NOW), HtmlStatus.of(found)._repr_html_()):
        assert html.count("<script") == 0
    page = Page(operation_html(found, NOW))
    assert page.text.startswith(head)
    assert page.cells == table
    assert page.boxes == graph


def test_a_wide_group_is_cut_in_the_graph() -> None:
    page = Page(operation_html(state("Parallel", [bash(f"t{n}") for n in range(100)]), NOW))
    assert len(page.cells) == 101
    assert len(page.boxes[0]) == 12
    assert "… 88 more" in page.text


def add(one: int) -> int:
    return one


def test_what_is_not_submitted_is_a_summary() -> None:
    op = operations.PipelineOperation(
        "sums-",
        [
            tasks.PythonTask("add", add, one=1),
            tasks.BashTask("say", "echo '<i>' && true\nexit"),
            tasks.CommandBasedTask("list", ["ls", "-l"]),
            tasks.CustomTask("own", "image:1", retry_limit=0, volume_mounts=["/data"]),
        ],
        shared_directory="claim:/mnt/shared",
        active_deadline_seconds=300,
        on_exit_notify={"queue": "ends"},
    )
    page = Page(op._repr_html_())
    facts = "Pipeline · not submitted · volume /mnt/shared · deadline 5m · publishes to ends"
    assert page.text.startswith(f"{op.name} · {facts}")
    assert page.cells == [
        ["Task", "Kind", "Runs", "Retries", "Volumes"],
        ["add", "python", "add()", "", ""],
        ["say", "bash", "echo '<i>' && true", "", ""],
        ["list", "command", "ls -l", "10", ""],
        ["own", "image", "image:1", "", "/data"],
    ]
    assert page.boxes == [["add"], ["say"], ["list"], ["own"]]
    fixed = {**op.to_manifest(), "metadata": {"name": "sums"}}
    assert Page(manifest_html(fixed)).text.startswith("sums · ")


class Cluster(Connection):
    """Answers reads, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.namespace = "n"

    @override
    def get(self, path: str, name: str = "", query: Any = None) -> Manifest:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: Manifest = answer
        return found


def test_a_submitted_operation_is_read_anew_or_says_why_not() -> None:
    before = operation_manifest(status={"phase": "Running"})
    after = operation_manifest(status={"phase": "Succeeded"})
    op = AttachedOperation(Cluster(after, ClusterUnavailable("<away>"), after), before)
    assert f"{NAME} · Succeeded" in Page(op._repr_html_()).text
    assert "last known state: <away>" in Page(op._repr_html_()).text
    assert "Succeeded" in Page(getattr(op.status, "_repr_html_")()).text  # noqa: B009 - not typed.


def test_a_status_is_what_it_was() -> None:
    found = state("SimpleDag", GROUPS, **RUNNING)
    shown = HtmlStatus.of(found)
    assert repr(shown) == repr(found.status)
    assert shown.model_dump() == found.status.model_dump()


def test_a_workflow_is_a_line() -> None:
    found = operation_manifest(status={"phase": "Failed", "message": "a < b"})
    assert Page(Workflow(found)._repr_html_()).text == f"{NAME} · Faileda < b"
    assert Page(summary_html("a&b", None, "")).text == "a&b · Pending"


def luminance(colour: tuple[int, ...]) -> float:
    """As WCAG 2.2 has it."""
    parts = [value / 255 for value in colour]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["ffffff", "111111"], ids=["light", "dark"])
def test_phases_can_be_read_in_every_theme(theme: str) -> None:
    phases = ("Succeeded", "Running", "Pending", "Failed", "Error", "Cancelled", "Suspended")
    ground = luminance(tuple(bytes.fromhex(theme)))
    for phase in phases:
        (colour,) = re.findall(r"color:#(\w+)", summary_html("a", phase, ""))
        light, dark = sorted([ground, luminance(tuple(bytes.fromhex(colour)))], reverse=True)
        # What WCAG asks of bold text and of graphics; each phase has its name beside it too.
        assert (light + 0.05) / (dark + 0.05) >= 3
