"""Waiting for an operation, against a server that does what servers do: answers from a script."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from cloudharness.workflows import _listing, _outputs
from cloudharness.workflows._api import OPERATIONS, WORKFLOWS, Connection, Gone
from cloudharness.workflows._display import Display, rows
from cloudharness.workflows._follower import Follower, Stopped
from cloudharness.workflows._remote import RemoteOperation
from cloudharness.workflows._submission import SubmittedOperation, create_operation
from cloudharness.workflows.attach import AttachedOperation
from cloudharness.workflows.errors import (
    BadParam,
    ClusterUnavailable,
    OperationExists,
    OperationFailed,
    OperationRefused,
    OperationTimeout,
    ResultUnavailable,
    WorkflowNotFound,
)
from cloudharness_operation.model import Operation
from tests.support.builders import NAME, NOW, UID, operation_manifest, stamp

Manifest = dict[str, Any]


def state(phase: str = "Running", version: int = 1, uid: str = UID, **status: Any) -> Manifest:
    """An operation as the API server has it."""
    found = operation_manifest()
    found["metadata"] |= {"resourceVersion": str(version), "uid": uid, "generation": 1}
    over = phase in ("Succeeded", "Failed")
    finished = {"type": "Finished", "status": str(over), "reason": "x", "message": ""}
    conditions = [{**finished, "lastTransitionTime": stamp(NOW)}]
    found["status"] = {"observedGeneration": 1, "phase": phase, "conditions": conditions, **status}
    return found


def event(kind: str, found: Manifest) -> Manifest:
    return {"type": kind, "object": found}


class Script(Connection):
    """Answers in turn: to reads what is no list, to watches lists; errors are raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []
        self.namespace = "n"

    def _next(self) -> Any:
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    @override
    def get(self, path: str, name: str = "", query: Any = None) -> Manifest:
        self.asked.append(("get", name))
        found: Manifest = self._next()
        return found

    @override
    def patch(self, path: str, name: str, changes: Any) -> Manifest:
        self.asked.append(("patch", json.dumps(changes["spec"])))
        assert changes["metadata"] == {"uid": UID}
        found: Manifest = self._next()
        return found

    @override
    def events(
        self, path: str, version: str, seconds: float, query: Any = None
    ) -> Iterator[Manifest]:
        self.asked.append(("watch", version))
        for one in self._next():
            if isinstance(one, Exception):
                raise one
            yield one


def follow(script: Script, timeout: float | None = None, stop: Any = None) -> list[str]:
    found = Follower(script, NAME, UID, timeout, stop).states()
    return [str(one.status.phase) for one in found]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it paused, without the waiting."""
    found: list[float] = []
    monkeypatch.setattr("cloudharness.workflows._follower.time.sleep", found.append)
    return found


AWAY = ClusterUnavailable("away")
GOOD: list[tuple[str, list[Any], list[str], list[tuple[str, str]]]] = [
    ("it has ended", [state("Succeeded")], ["Succeeded"], [("get", NAME)]),
    (
        "it ends",
        [
            state("Pending"),
            [event("MODIFIED", state(version=2)), event("MODIFIED", state("Failed", 3))],
        ],
        ["Pending", "Running", "Failed"],
        [("get", NAME), ("watch", "1")],
    ),
    (
        "a watch ends before",
        [state(), [event("BOOKMARK", state(version=9))], [event("MODIFIED", state("Failed", 10))]],
        ["Running", "Failed"],
        [("get", NAME), ("watch", "1"), ("watch", "9")],
    ),
    (
        "its version is too old",
        [state(), Gone(410, "old"), state(version=5), [event("MODIFIED", state("Failed", 6))]],
        ["Running", "Running", "Failed"],
        [("get", NAME), ("watch", "1"), ("get", NAME), ("watch", "5")],
    ),
    (
        "the server is away for a while",
        [AWAY, AWAY, state(), [AWAY], AWAY, state("Succeeded")],
        ["Running", "Succeeded"],
        [("get", NAME)] * 3 + [("watch", "1")] + [("get", NAME)] * 2,
    ),
    (
        "what is seen is of the run before",
        [state("Succeeded", observedGeneration=0), [event("MODIFIED", state("Failed", 2))]],
        ["Succeeded", "Failed"],
        [("get", NAME), ("watch", "1")],
    ),
]


@pytest.mark.parametrize(
    ("answers", "phases", "asked"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD]
)
def test_states_are_told_until_the_last(
    answers: list[Any], phases: list[str], asked: list[tuple[str, str]]
) -> None:
    script = Script(*answers)
    assert follow(script) == phases
    assert script.asked == asked


BAD: list[tuple[str, list[Any], type[Exception]]] = [
    ("it is gone", [WorkflowNotFound("no")], OperationFailed),
    ("it is deleted", [state(), [event("DELETED", state())]], OperationFailed),
    (
        "another operation has its name",
        [state(), [event("MODIFIED", state(uid="other"))]],
        OperationFailed,
    ),
    ("it may not be read", [ClusterUnavailable("no", is_final=True)], ClusterUnavailable),
]


@pytest.mark.parametrize(
    ("answers", "error"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_what_is_no_use_to_wait_for_is_told_at_once(
    answers: list[Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        follow(Script(*answers))
    if isinstance(caught.value, OperationFailed):
        assert caught.value.reason == "Deleted"


def test_a_server_that_stays_away_is_not_asked_for_ever(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    clock = iter(range(0, 1000, 60))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with pytest.raises(ClusterUnavailable, match="away"):
        follow(Script(*[AWAY] * 20))
    assert pauses[:4] == [0.2, 1.0, 2.0, 5.0]


def test_the_time_is_over_while_the_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    clock = (begun + second for second in range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with pytest.raises(OperationTimeout, match="has not ended within 5 s; it is still running"):
        follow(Script(*[AWAY] * 20), timeout=5)


def test_who_does_not_want_to_wait_any_more_does_not() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        follow(Script(state()), stop=stop)


def test_a_result_that_is_nowhere_is_told() -> None:
    output = {"task": "t", "name": "result", "size": 9}
    where = {"workflow": "w", "node": "n"}
    large = {**output, "valueFrom": where}
    for found, answers, words in (
        (output, [], "does not contain the result"),
        (large, [WorkflowNotFound("no")], "Workflow w has been deleted"),
        (large, [{"status": {}}], "has no output 'result'"),
        ({**output, "value": "{"}, [], "is not JSON"),
    ):
        one = Operation.parse(state("Succeeded", outputs=[found]))
        with pytest.raises(ResultUnavailable, match=words):
            _outputs.return_values(one, Script(*answers))
    packed = {"status": {"nodes": {"n": {"outputs": {"parameters": [PARAMETER]}}}}}
    one = Operation.parse(state("Succeeded", outputs=[large]))
    assert _outputs.return_values(one, Script(packed)) == {"t": [1]}


ORDERS: list[tuple[str, list[str], list[str], list[str]]] = [
    ("as they ended", ["a", "b", "c"], ["c", "a", "b"], ["a", "b", "c"]),
    ("written in another order", ["c", "a", "b"], ["a", "b", "c"], ["c", "a", "b"]),
    ("one has none", ["a", "b", "c"], ["c", "a"], ["a", "c"]),
    ("one is of a former run", ["b", "c"], ["a", "c", "b"], ["b", "c", "a"]),
]


@pytest.mark.parametrize(
    ("tasks", "ended", "expected"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS]
)
def test_results_are_in_the_order_of_the_tasks(
    tasks: list[str], ended: list[str], expected: list[str]
) -> None:
    found = state(
        "Succeeded", outputs=[{"task": one, "name": "result", "value": "1"} for one in ended]
    )
    (task,) = found["spec"]["tasks"]
    found["spec"] |= {"type": "Parallel", "tasks": [{**task, "name": name} for name in tasks]}
    one = AttachedOperation(Script(found, found), found)
    assert list(one.result()) == expected
    assert list(one.outputs()) == expected


PARAMETER = {"name": "result", "value": "[1]"}


def test_large_outputs_are_read_where_they_are() -> None:
    def large(name: str) -> Manifest:
        where = {"workflow": "w", "node": "n"}
        return {"task": "t", "name": name, "size": 9, "valueFrom": where}

    small = {"task": "s", "name": "mean", "size": 1, "value": "3"}
    left = {"result": "printed", "parameters": [PARAMETER, {"name": "all", "value": "x"}]}
    workflow = {"status": {"nodes": {"n": {"outputs": left}}}}
    outputs = [small, large("result"), large("all"), large("stdout")]
    one = Operation.parse(state("Failed", outputs=outputs))
    assert _outputs.output_texts(one, Script(workflow, workflow, workflow)) == {
        "s": {"mean": "3"},
        "t": {"result": "[1]", "all": "x", "stdout": "printed"},
    }


class Pages(Script):
    """Answers lists, and keeps what it was asked."""

    @override
    def get(self, path: str, name: str = "", query: Any = None) -> Manifest:
        kind = {OPERATIONS: "o", WORKFLOWS: "w"}[path]
        self.asked.append((kind, f"{query['limit']} {query.get('continue')}"))
        found: Manifest = self._next()
        return found


def listed(*phases: str, go_on: str = "") -> Manifest:
    items = [{"metadata": {"name": phase}, "status": {"phase": phase}} for phase in phases]
    return {"items": items, "metadata": {"continue": go_on} if go_on else {}}


def test_pages_go_over_operations_and_then_over_workflows() -> None:
    script = Pages(
        listed("Failed", "Running", go_on="x"),
        listed("Running", go_on="y"),
        listed("Running"),
        listed("Running", go_on="z"),
        listed("Running"),
    )
    first, token = _listing.list_page(script, "Running", 2, None, {})
    assert [one["kind"] for one in first] == ["CloudHarnessOperation"] * 2
    assert token == "operations:y"  # noqa: S105
    second, token = _listing.list_page(script, "Running", 2, token, {})
    assert [one["kind"] for one in second] == ["CloudHarnessOperation", "Workflow"]
    assert token == "workflows:z"  # noqa: S105
    third, token = _listing.list_page(script, "Running", 2, token, {})
    assert (len(third), token) == (1, None)
    assert script.asked == [
        *(("o", "2 None"), ("o", "1 x"), ("o", "2 y"), ("w", "1 None"), ("w", "2 z"))
    ]


@pytest.mark.parametrize("token", ["nonsense", "pods:x"])
def test_a_token_of_somebody_elses_is_refused(token: str) -> None:
    with pytest.raises(BadParam) as caught:
        _listing.list_page(Pages(), None, 2, token, {})
    assert caught.value.param == "continue_token"
    with pytest.raises(BadParam, match="expired, start again"):
        _listing.list_page(Pages(Gone(410, "old")), None, 2, "operations:x", {})


TASKS = [
    {"name": "add", "phase": "Succeeded", "nodeName": "node1", "attempts": 2}
    | {"startTime": stamp(NOW), "completionTime": stamp(NOW + timedelta(seconds=7))},
]


def test_a_table_of_the_tasks() -> None:
    one = Operation.parse(state(tasks=TASKS, progress="1/1", message="going on"))
    assert rows(one, NOW + timedelta(seconds=20)) == [
        f"{NAME} Running 1/1: going on",
        "   TASK  PHASE      TIME  NODE",
        "✔  add   Succeeded  7s    node1  attempt 2",
    ]
    bad = {"name": "add", "phase": "Failed", "reason": "OOMKilled", "message": "too much"}
    told = rows(Operation.parse(state(tasks=[bad])), NOW)[-1]
    assert told == "✖  add   Failed              OOMKilled: too much"
    assert rows(Operation.parse(state()), NOW)[-1] == "·  add   Pending"


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_it_is_drawn_anew_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    display = Display.chosen(None, out)
    assert display is not None
    display.show(Operation.parse(state("Pending")))
    display.show(Operation.parse(state("Pending")))
    display.show(Operation.parse(state("Running")))
    first, second = out.getvalue().split("\x1b[3A")
    assert "Pending" in first
    assert second.startswith(f"\r\x1b[2K{NAME} Running")


def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    display = Display(out)
    display.show(Operation.parse(state(message="x" * 100)))
    display.show(Operation.parse(state(message="y" * 100)))
    shown = re.sub(r"\x1b\[\w+", "", out.getvalue())
    assert {len(line.strip("\r")) for line in shown.splitlines()} <= set(range(12))


def test_what_a_terminal_has_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "5")
    out = Terminal()
    display = Display(out, lambda *_: [f"line {number}" for number in range(9)])
    display.show(Operation.parse(state()))
    assert re.findall(r"[l…][^\n]*", out.getvalue()) == ["line 0", "line 1", "line 2", "… 6 more"]


def test_time_is_seen_to_pass_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudharness.workflows._display._SECOND", 0.001)
    drawn = threading.Semaphore(0)

    def draw(_: Operation, now: Any) -> list[str]:
        drawn.release()
        return [str(now)]

    with Display(Terminal(), draw) as display:
        display.show(Operation.parse(state()))
        for _ in range(3):
            assert drawn.acquire(timeout=30)


def test_where_nobody_looks_nothing_is_shown_but_if_it_is_asked_for() -> None:
    assert Display.chosen(None, io.StringIO()) is None
    out = io.StringIO()
    display = Display.chosen(True, out)
    assert display is not None
    for phase in ("Pending", "Running"):
        display.show(Operation.parse(state(phase)))
    assert out.getvalue() == f"{NAME} Pending\n{NAME} Running\n"


def test_in_a_notebook_it_is_shown_in_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what IPython documents of `display`: it is not installed here."""
    shown: list[tuple[str, str | None]] = []

    class Handle:
        def update(self, what: Any) -> None:
            shown.append((repr(what), what._repr_html_()))

    shell = types.SimpleNamespace(kernel=object())
    display = types.SimpleNamespace(
        Pretty=str, display=lambda _, display_id: display_id and Handle()
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    one = Display.chosen(None, io.StringIO())
    assert one is not None
    one.show(Operation.parse(state("Running")))
    text, html = shown[0]
    assert text.startswith(f"{NAME} Running\n")
    assert html is not None
    assert html.endswith("</table></div>")
    # What a caller draws has no HTML.
    Display(io.StringIO(), lambda *_: ["drawn"]).show(Operation.parse(state("Running")))
    assert shown[1] == ("drawn", None)


class Maker(Script):
    """Makes objects; an answer of None is one that was lost after the object was made."""

    made: Manifest | None = None

    @override
    def create(self, path: str, manifest: Any, query: Any = None) -> Manifest:
        self.asked.append(("create", manifest["metadata"]["name"]))
        if self.made is not None:
            raise OperationExists("there is one")
        answer = self._next()
        self.made = manifest
        if answer is None:
            raise AWAY
        return self.made

    @override
    def get(self, path: str, name: str = "", query: Any = None) -> Manifest:
        assert self.made is not None
        return self.made


def test_an_operation_is_made_once_though_the_answer_was_lost(pauses: list[float]) -> None:
    server = Maker(AWAY, None)
    made = create_operation(server, {"metadata": {"name": "a"}})
    assert made == server.made
    assert server.asked == [("create", "a")] * 3
    assert pauses == [0.5, 1.0]
    with pytest.raises(OperationExists, match="or choose another name"):
        create_operation(server, {"metadata": {"name": "a"}})


def test_two_calls_with_one_token_make_one_operation(pauses: list[float]) -> None:
    server = Maker(None)
    for _ in range(2):
        assert create_operation(server, {"metadata": {"name": "a"}}, "token") == server.made
    with pytest.raises(OperationExists):
        create_operation(server, {"metadata": {"name": "a"}}, "another")
    assert pauses == [0.5]


@pytest.mark.parametrize(
    ("answers", "asked"),
    [([AWAY] * 4, 4), ([ClusterUnavailable("no", is_final=True)], 1), ([OperationRefused("x")], 1)],
    ids=["away for long", "may not", "refused"],
)
def test_what_cannot_be_made_is_told(answers: list[Any], asked: int) -> None:
    server = Maker(*answers)
    with pytest.raises(type(answers[0])):
        create_operation(server, {"metadata": {"name": "a"}})
    assert len(server.asked) == asked


class One(RemoteOperation):
    """An operation that has been submitted."""

    name = NAME

    def __init__(self, *answers: Any) -> None:
        self.script = Script(*answers)
        self._submitted = SubmittedOperation(self.script, NAME, UID)

    @override
    def to_manifest(self) -> Manifest:
        raise NotImplementedError

    @property
    def changed(self) -> list[Manifest]:
        """What it has asked for."""
        return [json.loads(what) for how, what in self.script.asked if how == "patch"]


def steered(phase: str, seen: int = 2, **more: Any) -> Manifest:
    """A state after one change, of which so much has been seen."""
    found = state(phase, observedGeneration=seen, **more)
    found["metadata"]["generation"] = 2
    return found


def suspended(phase: str, seen: int, holds: str) -> Manifest:
    found = steered(phase, seen)
    found["status"]["conditions"][0] |= {"type": "Suspended", "status": holds}
    return found


MADE = steered("Running", 1)
STEERED: list[tuple[str, Callable[[One], Any], list[Any], Manifest]] = [
    (
        "cancelled, and ended",
        lambda one: one.cancel(),
        [MADE, MADE, [event("MODIFIED", steered("Failed"))]],
        {"cancel": "Stop"},
    ),
    (
        "ended by force",
        lambda one: one.cancel("Terminate"),
        [MADE, steered("Failed")],
        {"cancel": "Terminate"},
    ),
    (
        "suspended, when that is seen",
        lambda one: one.suspend(),
        [
            MADE,
            suspended("Running", 1, "True"),
            [event("MODIFIED", suspended("Suspended", 2, "True"))],
        ],
        {"suspend": True},
    ),
    (
        "ended before it was suspended",
        lambda one: one.suspend(),
        [MADE, steered("Succeeded")],
        {"suspend": True},
    ),
    (
        "resumed",
        lambda one: one.resume(),
        [
            MADE,
            suspended("Running", 2, "True"),
            [event("MODIFIED", suspended("Running", 2, "False"))],
        ],
        {"suspend": False},
    ),
    (
        "run again, when that run is on record",
        lambda one: one.rerun(),
        [
            state("Succeeded"),
            MADE,
            steered("Succeeded", 1, runId="1"),
            [event("MODIFIED", steered("Pending", 2, runId="2"))],
        ],
        {"runId": "2", "cancel": None},
    ),
    (
        "run again by a name",
        lambda one: one.rerun("v2"),
        [MADE, steered("Pending", 2, runId="v2")],
        {"runId": "v2", "cancel": None},
    ),
]


@pytest.mark.parametrize(
    ("act", "answers", "asked"), [row[1:] for row in STEERED], ids=[row[0] for row in STEERED]
)
def test_its_course_is_changed_and_that_waited_for(
    act: Callable[[One], Any], answers: list[Any], asked: Manifest
) -> None:
    one = One(*answers, state("Failed"))  # It is read once more, to be returned.
    assert act(one) is one.persisted
    assert one.changed == [asked]
    assert one.script.answers == []


def test_what_does_not_come_about_in_time_is_told_by_what_was_asked_for() -> None:
    with pytest.raises(
        OperationTimeout, match=r"\(suspend: True\) has not taken effect within 0 s; it remains"
    ):
        One(MADE, MADE).suspend(timeout=0)


def test_an_operation_of_the_same_name_is_not_steered() -> None:
    with pytest.raises(WorkflowNotFound, match="another operation has its name"):
        One(OperationExists("Precondition failed: UID in precondition")).cancel()


@pytest.mark.parametrize(("before", "after"), [("1", "2"), ("41", "42"), ("v1", "v1-[0-9a-f]{32}")])
def test_the_next_run_has_another_name(before: str, after: str) -> None:
    found = state("Succeeded")
    found["spec"]["runId"] = before
    one = One(found, OperationRefused("enough"))
    with pytest.raises(OperationRefused):
        one.rerun()
    assert re.fullmatch(after, one.changed[0]["runId"])


@pytest.mark.parametrize(("more", "expected"), [([], 3), (["other"], {"add": 3})])
def test_what_was_found_by_its_name_is_as_what_was_submitted(
    more: list[str], expected: Any
) -> None:
    found = state("Succeeded", outputs=[{"task": "add", "name": "result", "value": "3"}])
    (task,) = found["spec"]["tasks"]
    found["spec"] |= {"type": "Parallel", "tasks": [task, *({**task, "name": n} for n in more)]}
    one = AttachedOperation(Script(found, found), found)
    assert (one.name, one.submitted().uid) == (NAME, UID)
    assert one.result() == expected
    again = one.to_manifest()
    assert (again["metadata"], again["spec"]) == ({"name": NAME}, found["spec"])
    assert set(again) == {"apiVersion", "kind", "metadata", "spec"}
