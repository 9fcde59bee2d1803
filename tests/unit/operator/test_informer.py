"""Lists and watches against a source that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from cloudharness_operation.names import FIRST_RUN, KIND, child_name
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube import informer
from cloudharness_operator.kube.http import Listing
from cloudharness_operator.kube.informer import Backoff, Operations, Workflows
from cloudharness_operator.loop import intake
from cloudharness_operator.loop.served import Served
from cloudharness_operator.loop.store import Store
from tests.support.builders import (
    NAME,
    OTHER_UID,
    UID,
    only,
    operation_manifest,
    until,
    workflow_manifest,
)

WORKFLOWS = "/apis/argoproj.io/v1alpha1/workflows"
OPERATIONS = "/apis/cloudharness.io/v1alpha1/cloudharnessoperations"
LABEL = "cloudharness.io/operation-uid"

EXPIRED = ApiError(410, "Expired", "too old resource version")
FORBIDDEN = ApiError(403, "Forbidden", "not allowed")
BROKEN = ConnectionResetError("reset")

Step = dict[str, Any] | Exception
Page = Listing | Exception
List = Page | list[Page]


class FakeSource:
    """Gives lists and streams of events one after the other; the last stream stays open."""

    def __init__(self, lists: Sequence[List], streams: list[list[Step]]) -> None:
        self._lists = list(lists)
        self._streams: Iterator[list[Step]] = iter(streams)
        self.listed: list[tuple[str, str]] = []
        self.watched: list[str] = []
        self.asked: list[tuple[str, str, int]] = []
        self.idle = False

    async def pages(self, path: str, selector: str = "") -> AsyncIterator[Listing]:
        self.listed.append((path, selector))
        answer = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        for page in answer if isinstance(answer, list) else [answer]:
            if isinstance(page, Exception):
                raise page
            yield page

    async def watch(
        self, path: str, version: str, selector: str = "", seconds: int = 600
    ) -> AsyncIterator[dict[str, Any]]:
        self.watched.append(version)
        self.asked.append((path, selector, seconds))
        stream = next(self._streams, None)
        if stream is None:
            self.idle = True
            await asyncio.Event().wait()
            return
        for step in stream:
            if isinstance(step, Exception):
                raise step
            yield step


class Bench:
    """A store that notes what it reports."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.store = Store(self.changed.append, lambda: 0.0)
        self.served = Served(("", "lab"), intake.KINDS)
        self.operations = intake.operations(self.store, self.served)
        self.workflows = intake.workflows(self.store, self.served)

    def version(self) -> int | None:
        child = only(self.store.children(UID))
        return child.resource_version if child else None


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "FIRST_BACKOFF", 0.0001)


def workflows(version: int, *versions: int) -> Listing:
    return Listing([workflow_manifest(version=one) for one in versions], str(version))


def another(version: int) -> dict[str, Any]:
    name = child_name(NAME, OTHER_UID, FIRST_RUN)
    return workflow_manifest(name=name, uid="another", operation_uid=OTHER_UID, version=version)


def event(kind: str, version: int, **settings: Any) -> dict[str, Any]:
    return {"type": kind, "object": workflow_manifest(version=version, **settings)}


def bookmark(version: int) -> dict[str, Any]:
    meta = {"resourceVersion": str(version)}
    return {"type": "BOOKMARK", "object": {"kind": "Workflow", "metadata": meta}}


def follow(
    bench: Bench,
    source: FakeSource,
    enough: Callable[[], object] | None = None,
    resync: float = 600.0,
) -> None:
    """Follow the children until the source has no more to say, or until there is enough."""

    async def run() -> None:
        children = Workflows(source, bench.workflows, "", resync)
        task = asyncio.create_task(children.run())
        try:
            await until(lambda: task.done() or (enough() if enough else source.idle))
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_a_list_comes_before_the_watch(bench: Bench) -> None:
    source = FakeSource([workflows(30, 20)], [])
    follow(bench, source)
    assert source.listed == [(WORKFLOWS, LABEL)]
    assert source.asked == [(WORKFLOWS, LABEL, 599)]
    assert source.watched == ["30"]
    assert bench.version() == 20


def test_it_is_synced_when_it_has_listed(bench: Bench) -> None:
    async def run() -> None:
        source = FakeSource([OSError("no route"), workflows(30, 20)], [])
        children = Workflows(source, bench.workflows, "lab", 600.0)
        assert bench.served.text()
        task = asyncio.create_task(children.run())
        await until(lambda: not bench.served.text().count("namespace lab: Workflow"))
        assert len(source.listed) == 2
        assert source.listed[0][0] == "/apis/argoproj.io/v1alpha1/namespaces/lab/workflows"
        task.cancel()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("events", "version"),
    [
        pytest.param([event("ADDED", 31)], 31, id="added"),
        pytest.param([event("ADDED", 31), event("MODIFIED", 32)], 32, id="modified"),
        pytest.param([event("ADDED", 31), event("DELETED", 32)], None, id="deleted"),
        pytest.param([event("ADDED", 31), bookmark(40)], 31, id="a bookmark is no object"),
        pytest.param([event("RENAMED", 31)], None, id="an unknown kind is nothing"),
    ],
)
def test_events(bench: Bench, events: list[Step], version: int | None) -> None:
    follow(bench, FakeSource([workflows(30)], [events]))
    assert bench.version() == version


@pytest.mark.parametrize(
    ("streams", "watched"),
    [
        pytest.param([[event("ADDED", 31), BROKEN]], ["30", "31"], id="broken"),
        pytest.param([[event("ADDED", 31), TimeoutError()]], ["30", "31"], id="silent"),
        pytest.param([[event("ADDED", 31)]], ["30", "31"], id="ended in order"),
        pytest.param([[BROKEN], [BROKEN], []], ["30", "30", "30", "30"], id="nothing heard"),
        pytest.param([[bookmark(90), BROKEN]], ["30", "90"], id="a bookmark counts"),
        pytest.param(
            [[event("ADDED", 31), BROKEN], [event("MODIFIED", 35), BROKEN]],
            ["30", "31", "35"],
            id="again and again",
        ),
    ],
)
def test_a_watch_goes_on_where_it_was(
    bench: Bench, streams: list[list[Step]], watched: list[str]
) -> None:
    source = FakeSource([workflows(30)], streams)
    follow(bench, source)
    assert source.watched == watched
    assert len(source.listed) == 1


@pytest.mark.parametrize("error", [EXPIRED, FORBIDDEN], ids=["too old", "refused"])
def test_a_watch_that_cannot_go_on_has_all_listed_anew(bench: Bench, error: ApiError) -> None:
    source = FakeSource([workflows(30, 20), workflows(60, 50)], [[event("MODIFIED", 31), error]])
    follow(bench, source)
    assert len(source.listed) == 2
    assert source.watched == ["30", "60"]
    assert bench.version() == 50


def test_what_was_deleted_in_a_gap_is_reported(bench: Bench) -> None:
    source = FakeSource([workflows(30, 20), workflows(60)], [[event("MODIFIED", 31), EXPIRED]])
    follow(bench, source)
    assert bench.version() is None
    assert bench.changed == [UID, UID, UID]


def test_what_came_to_be_in_a_gap_is_reported(bench: Bench) -> None:
    follow(bench, FakeSource([workflows(30), workflows(60, 55)], [[EXPIRED]]))
    assert bench.version() == 55
    assert bench.changed == [UID]


def test_all_is_listed_anew_from_time_to_time(bench: Bench) -> None:
    source = FakeSource([workflows(30, 20), workflows(60)], [[] for _ in range(500)])
    follow(bench, source, lambda: len(source.listed) == 2, resync=1.02)
    assert bench.version() is None
    assert {seconds for _, _, seconds in source.asked} == {1}


def test_a_list_that_fails_is_tried_again(bench: Bench) -> None:
    source = FakeSource([FORBIDDEN, BROKEN, TimeoutError(), workflows(30, 20)], [])
    follow(bench, source)
    assert len(source.listed) == 4
    assert bench.version() == 20


@pytest.mark.parametrize("error", [EXPIRED, FORBIDDEN], ids=["too old", "refused"])
def test_a_server_that_lists_well_and_refuses_each_watch_is_asked_ever_less(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: ApiError
) -> None:
    waits: list[int] = []

    async def wait(self: Backoff) -> None:
        waits.append(self._failures)
        self._failures += 1
        await asyncio.sleep(0)

    monkeypatch.setattr(Backoff, "wait", wait)
    streams: list[list[Step]] = [[error], [error], [error], [bookmark(40), error]]
    follow(bench, FakeSource([workflows(30)], streams))
    assert waits == [0, 1, 2, 0]


@pytest.mark.parametrize(
    "damage",
    [
        {"status": {"startedAt": "soon"}},
        {"status": "running"},
        {"status": {"nodes": {"a": None}}},
        {"metadata": {"name": "x", "uid": "u", "resourceVersion": "31", "labels": {}}},
    ],
    ids=["time", "status", "node", "no namespace"],
)
def test_a_workflow_that_cannot_be_read_does_no_harm(bench: Bench, damage: dict[str, Any]) -> None:
    bad = workflow_manifest(uid="bad", operation_uid=OTHER_UID, version=31) | damage
    listing = Listing([bad, workflow_manifest(version=20)], "32")
    stream: list[Step] = [{"type": "ADDED", "object": bad}, event("MODIFIED", 35)]
    source = FakeSource([listing], [stream])
    follow(bench, source)
    assert bench.version() == 35
    assert bench.store.counts() == (0, 1)


def test_what_a_list_has_not_come_to_is_not_gone(bench: Bench) -> None:
    here, there = workflow_manifest(version=20), another(21)
    whole: list[Page] = [Listing([here], "30"), Listing([there], "30")]
    source = FakeSource([whole, [Listing([there], "40"), BROKEN], whole], [[EXPIRED]])
    follow(bench, source)
    assert len(source.listed) == 3
    assert bench.changed == [UID, OTHER_UID]
    assert bench.store.counts() == (0, 2)


def test_what_is_on_no_page_is_gone(bench: Bench) -> None:
    here, there = workflow_manifest(version=20), another(21)
    pages: list[Page] = [Listing([], "40"), Listing([there], "40")]
    follow(bench, FakeSource([Listing([here, there], "30"), pages], [[EXPIRED]]))
    assert bench.store.children(UID) == ()
    assert len(bench.store.children(OTHER_UID)) == 1


def test_operations_are_listed_from_time_to_time(bench: Bench) -> None:
    async def run() -> None:
        source = FakeSource(
            [
                FORBIDDEN,
                Listing([operation_manifest(version=20)], "30"),
                BROKEN,
                Listing([operation_manifest(version=20, uid=OTHER_UID)], "60"),
            ],
            [],
        )
        operations = Operations(source, bench.operations, "", 0.001)
        task = asyncio.create_task(operations.run())
        await until(lambda: f"all namespaces: {KIND}" not in bench.served.text())
        assert bench.store.operation(UID) is not None
        await until(lambda: len(source.listed) >= 5)
        task.cancel()
        assert source.listed[0] == (OPERATIONS, "")
        assert bench.store.operation(UID) is None
        assert bench.store.operation(OTHER_UID) is not None
        assert bench.changed == [UID, OTHER_UID, UID]

    asyncio.run(run())


def test_the_first_list_of_operations_waits_for_the_watch(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(informer, "START", 600.0)

    async def run() -> None:
        source = FakeSource([Listing([operation_manifest(version=20)], "30")], [])
        operations = Operations(source, bench.operations, "", 600.0)
        task = asyncio.create_task(operations.run())
        for _ in range(10):
            await asyncio.sleep(0)
        assert source.listed == []
        operations.list_again()
        await until(lambda: bench.store.operation(UID) is not None)
        task.cancel()
        assert len(source.listed) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        (1.0, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0]),
        (0.0, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 7.5, 7.5]),
    ],
    ids=["most", "least"],
)
def test_waits_grow_up_to_an_end(
    monkeypatch: pytest.MonkeyPatch, jitter: float, expected: list[float]
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def run() -> None:
        backoff = Backoff(lambda: jitter)
        for _ in expected:
            await backoff.wait()
        backoff.reset()
        await backoff.wait()

    monkeypatch.setattr(informer, "FIRST_BACKOFF", 0.1)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(run())
    assert waits == pytest.approx([*expected, expected[0]])
