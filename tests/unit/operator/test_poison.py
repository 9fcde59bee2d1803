"""Objects that make the operator's code fail harm themselves alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cloudharness_operation.model import Operation
from cloudharness_operation.names import KIND
from cloudharness_operator.bounded_json import LARGE
from cloudharness_operator.decide import control, decision, details, expiry, invalid
from cloudharness_operator.decide.child import Child
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube import http
from cloudharness_operator.kube.handlers import passed_on, responses
from cloudharness_operator.kube.http import PAGE, Api
from cloudharness_operator.loop import intake, queue, reconcile
from cloudharness_operator.loop.queue import MAX_FAILURES, WorkQueue
from cloudharness_operator.loop.served import Served
from cloudharness_operator.loop.store import Store
from tests.support.bench import Bench
from tests.support.builders import (
    CHILD,
    NAME,
    OTHER_UID,
    TOPIC,
    UID,
    child,
    operation_manifest,
    until,
    workflow_manifest,
)

FINAL = ApiError(422, "Invalid", "too long")
TOO_LARGE = ApiError(500, "InternalError", "etcdserver: request is too large")
OPERATIONS = "/apis/cloudharness.io/v1alpha1/namespaces/lab/cloudharnessoperations"

LARGE_TASK = {"name": "t", "bash": {"source": "#" * LARGE}}


def failing(error: Exception) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails


def condition(bench: Bench, kind: str) -> dict[str, Any]:
    found = bench.cluster.operations[NAME]["status"]["conditions"]
    return next(one for one in found if one["type"] == kind)


ERRORS = [RecursionError("too deep"), OverflowError("date value out of range"), KeyError("x")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["parse", "decide"])
def test_an_operation_that_cannot_be_processed_is_ended(
    monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    bench = Bench().has(topic=TOPIC)
    target, name = {"parse": (Operation, "parse"), "decide": (decision, "needs")}[where]
    monkeypatch.setattr(target, name, failing(error))
    asyncio.run(bench.reconciler(UID))
    finished = condition(bench, "Finished")
    assert (finished["status"], finished["reason"]) == ("True", "InternalError")
    assert f"cannot process this operation: {type(error).__name__}: " in finished["message"]
    assert "create" not in " ".join(bench.calls)


def test_one_that_cannot_be_processed_while_it_runs_is_terminated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench().has().runs()
    monkeypatch.setattr(control, "workflow_patch", failing(OverflowError("too long")))
    asyncio.run(bench.reconciler(UID))
    assert bench.calls[0] == "steer {'suspend': None, 'shutdown': 'Terminate'}"
    assert condition(bench, "Finished")["reason"] == "InternalError"


def test_the_end_of_a_run_is_not_lost_for_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().has().runs("Succeeded")
    whole = details.ended

    def ended(operation: Any, found: Child, outcome: Any) -> Any:
        if outcome.message != "Succeeded":
            raise RecursionError
        return whole(operation, found, outcome)

    monkeypatch.setattr(details, "ended", ended)
    asyncio.run(bench.reconciler(UID))
    assert condition(bench, "Complete")["status"] == "True"


def test_where_nothing_can_be_done_nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().has()
    for module, name in ((decision, "_decide"), (invalid, "decide")):
        monkeypatch.setattr(module, name, failing(RecursionError()))
    assert asyncio.run(bench.reconciler(UID)) is None
    assert bench.calls == []


@pytest.mark.parametrize("error", [FINAL, TOO_LARGE], ids=["invalid", "too large"])
def test_a_status_that_is_not_stored_is_written_without_details(error: ApiError) -> None:
    bench = Bench().has()
    node = {"templateName": "add", "type": "Pod", "phase": "Succeeded", "name": "x", "id": "x"}
    status = {"phase": "Succeeded", "nodes": {"x": node}}
    bench.store.upsert_workflow(Child.read(workflow_manifest(status=status)))
    bench.cluster.fails["status"] = [error]
    asyncio.run(bench.reconciler(UID))
    assert bench.calls == ["status AllTasksSucceeded", "status AllTasksSucceeded"]
    found = bench.cluster.operations[NAME]["status"]
    assert (found["phase"], "tasks" in found) == ("Succeeded", False)


def test_a_workflow_that_is_too_large_ends_its_operation() -> None:
    bench = Bench().has()
    bench.cluster.fails["create"] = [TOO_LARGE]
    asyncio.run(bench.reconciler(UID))
    assert condition(bench, "Failed")["reason"] == "SubmissionFailed"


def large(**settings: Any) -> Bench:
    bench = Bench().has(spec={"tasks": [LARGE_TASK]}, **settings)
    record = bench.store.operation(UID)
    assert record is not None
    assert record.text is not None
    assert (record.is_large, len(record.text) < 1000) == (True, True)
    return bench


def test_a_large_operation_is_read_when_it_is_needed() -> None:
    bench = large()
    asyncio.run(bench.reconciler(UID))
    assert bench.calls == [f"get operation lab/{NAME}", f"create {CHILD}"]
    script = bench.cluster.workflows[CHILD]["spec"]["templates"][1]["script"]
    assert script["source"] == LARGE_TASK["bash"]["source"]  # type: ignore[index]


def test_a_large_operation_that_is_gone_is_forgotten() -> None:
    bench = large()
    del bench.cluster.operations[NAME]
    asyncio.run(bench.reconciler(UID))
    assert bench.store.operation(UID) is None


def test_large_operations_are_handled_one_at_a_time() -> None:
    async def run() -> float | None:
        bench = large()
        async with bench.reconciler.large:
            after = await bench.reconciler(UID)
            assert bench.calls == []
        await bench.reconciler(UID)
        assert len(bench.calls) == 2
        return after

    assert asyncio.run(run()) == reconcile.LARGE_RETRY


def test_an_operation_that_leaves_no_room_for_its_status_is_refused() -> None:
    tasks = [{"name": f"t{n}", "bash": {"source": "#" * 60_000}} for n in range(18)]
    bench = Bench().has(spec={"tasks": tasks, "type": "Parallel"})
    asyncio.run(bench.reconciler(UID))
    finished = condition(bench, "Finished")
    assert finished["reason"] == "InvalidSpec"
    assert "bytes as JSON, at most 1048576" in finished["message"]


def test_what_is_kept_of_a_workflow_is_bounded_whoever_wrote_it() -> None:
    nodes = {
        str(n): {
            "templateName": f"task-{n}",
            "type": "Pod",
            "phase": "Succeeded",
            "id": str(n),
            "name": "x",
            "hostNodeName": "n" * 9000,
            "outputs": {"parameters": [{"name": "p" * 9000, "value": "v"}] * 500},
        }
        for n in range(1000)
    }
    status = {"phase": "Failed", "progress": "1" * 9000, "nodes": nodes}
    claims = [{"persistentVolumeClaim": {"claimName": f"c{n}"}} for n in range(5000)]
    manifest = workflow_manifest(status=status, spec={"volumes": claims})
    manifest["metadata"]["finalizers"] = ["f"] * 5000
    found = Child.read(manifest)
    assert (found.phase, len(found.tasks), len(found.claims)) == ("Failed", 200, 1010)
    assert len(found.outputs) <= 200 * 32
    assert len(found.finalizers) == 64
    assert max(len(one.node_name or "") for one in found.tasks) == 253
    assert len(found.progress) == 64


def test_an_operation_that_has_ended_well_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().has().runs("Succeeded")
    asyncio.run(bench.reconciler(UID))
    asyncio.run(bench.reconciler(UID))
    monkeypatch.setattr(expiry, "due", failing(OverflowError()))
    bench.calls.clear()
    assert asyncio.run(bench.reconciler(UID)) is None
    assert bench.calls == []
    assert condition(bench, "Complete")["status"] == "True"


STORED = [
    ("no metadata", {"spec": {}}),
    ("no uid", {"metadata": {"name": "x"}}),
    ("a version that is no number", {"metadata": {"uid": "x", "resourceVersion": "?"}}),
    ("a status that is a list", {**operation_manifest(), "status": [1]}),
    ("a spec that is a text", {**operation_manifest(), "spec": "x"}),
    ("a list", []),
]


@pytest.mark.parametrize("manifest", [one for _, one in STORED], ids=[name for name, _ in STORED])
@pytest.mark.parametrize("kind", intake.KINDS)
def test_what_cannot_be_read_is_skipped_and_counted(kind: str, manifest: Any) -> None:
    skipped: list[tuple[str, str]] = []
    changed: list[str] = []
    store, served = Store(changed.append, lambda: 0.0), Served((), intake.KINDS)
    operations = intake.operations(store, served, lambda *what: skipped.append(what))
    workflows = intake.workflows(store, served, lambda *what: skipped.append(what))
    (operations if kind == KIND else workflows).upsert(manifest)
    operations.remove(manifest)
    operations.upsert(operation_manifest(uid=OTHER_UID, name="next", version=11))
    assert changed[-1] == OTHER_UID
    assert {one for one, _ in skipped} <= set(intake.KINDS)


def test_a_child_of_another_namespace_is_none() -> None:
    def store() -> Store:
        return Store(lambda _: None, lambda: 0.0)

    own, forged = child(), child(namespace="elsewhere", uid="forged", resource_version=99)
    first = store()
    first.upsert_operation(operation_manifest())
    for one in (forged, own, forged):
        first.upsert_workflow(one)
    assert first.children(UID) == (own,)
    later = store()
    for one in (forged, own):
        later.upsert_workflow(one)
    later.upsert_operation(operation_manifest())
    assert later.children(UID) == (own,)


@pytest.mark.parametrize(
    "changes",
    [
        {"owner_uid": ""},
        {"owner_uid": OTHER_UID},
        {"operation": "other"},
        {"run": 2},
    ],
)
def test_what_does_not_agree_with_itself_is_no_child(changes: dict[str, Any]) -> None:
    store = Store(lambda _: None, lambda: 0.0)
    store.upsert_workflow(child(**changes))
    assert store.counts() == (0, 0)


@pytest.mark.parametrize(
    "owner",
    [
        {"apiVersion": "example.org/v1", "kind": "CloudHarnessOperation", "name": NAME},
        {"apiVersion": "cloudharness.io/v1alpha1", "kind": "Other", "name": NAME},
        {"apiVersion": "cloudharness.io/v1alpha1", "kind": "CloudHarnessOperation", "name": "x"},
    ],
)
def test_an_owner_is_an_operation_of_the_labels_name(owner: dict[str, Any]) -> None:
    manifest = workflow_manifest()
    assert Child.read(manifest).owner_uid == UID
    manifest["metadata"]["ownerReferences"] = [{**owner, "uid": UID}]
    assert Child.read(manifest).owner_uid == ""


@pytest.mark.parametrize(
    ("status", "tasks"),
    [
        ({"message": "x" * 100_000}, 0),
        ({"nodes": {"a": {"templateName": "t", "type": "Pod", "message": "x" * 100_000}}}, 0),
        ({"compressedNodes": "eJ"}, 0),
        ({"nodes": [1]}, 0),
    ],
)
def test_a_workflow_is_read_whatever_its_status_is(status: dict[str, Any], tasks: int) -> None:
    found = Child.read(workflow_manifest(status={"phase": "Failed", **status}))
    assert (found.phase, len(found.tasks)) == ("Failed", tasks)
    assert len(found.message) <= 4096


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (RecursionError(), True),
        (FINAL, True),
        (TOO_LARGE, True),
        (ApiError(403, "Forbidden", "no"), False),
        (ApiError(500, "InternalError", "busy"), False),
        (ConnectionResetError(), False),
    ],
    ids=["a defect", "invalid", "too large", "forbidden", "an error", "the network"],
)
def test_what_will_not_pass_is_not_tried_without_an_end(
    monkeypatch: pytest.MonkeyPatch, error: Exception, ends: bool
) -> None:
    monkeypatch.setattr(queue, "FIRST_BACKOFF", 0.0001)
    monkeypatch.setattr(queue, "LAST_BACKOFF", 0.001)
    handled: list[str] = []

    async def handler(key: str) -> float | None:
        handled.append(key)
        raise error

    async def run() -> None:
        waiting = WorkQueue()
        waiting.add("a")
        task = asyncio.create_task(waiting.work(handler))
        if ends:
            await until(lambda: len(handled) == MAX_FAILURES)
            await asyncio.sleep(0.05)
            assert len(handled) == MAX_FAILURES
            waiting.add("a")  # It has changed.
        await until(lambda: len(handled) > MAX_FAILURES + 3)
        task.cancel()

    asyncio.run(run())


def listing(request: web.Request, size: int) -> web.Response:
    """Return a page of objects of such a size, of which there are 30."""
    begin, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
    items = [operation_manifest(uid=str(n)) | {"x": "x" * size} for n in range(30)]
    page = items[begin : begin + limit]
    token = {"continue": str(begin + limit)} if begin + limit < len(items) else {}
    return web.json_response({"metadata": {"resourceVersion": "77", **token}, "items": page})


@pytest.mark.parametrize(("size", "limits"), [(10, {PAGE}), (1000, {PAGE, 62, 7, 14, 28})])
def test_a_list_of_large_objects_is_read_in_small_pages(
    monkeypatch: pytest.MonkeyPatch, size: int, limits: set[int]
) -> None:
    monkeypatch.setattr(http, "PAGE_BYTES", 20_000)
    asked: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(int(request.query["limit"]))
        return listing(request, size)

    async def run() -> None:
        app = web.Application()
        app.router.add_get(OPERATIONS, handler)
        async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as http:
            pages = Api(str(server.make_url("/")).rstrip("/"), http).pages(OPERATIONS)
            found = [item["metadata"]["uid"] async for page in pages for item in page.items]
        assert found == [str(n) for n in range(30)]

    asyncio.run(run())
    assert set(asked) <= limits


class NotedSink:
    """Notes what it is passed."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, str]] = []

    def upsert(self, manifest: dict[str, Any]) -> str:
        self.passed.append(("upsert", manifest["metadata"]["resourceVersion"]))
        return ""

    def remove(self, manifest: dict[str, Any]) -> None:
        self.passed.append(("remove", manifest["metadata"]["resourceVersion"]))

    def listed(self, namespace: str, found: set[str], version: int) -> None:
        self.passed.append(("listed", f"{namespace} {found} {version}"))

    def failed(self, namespace: str, error: Exception) -> None:
        self.passed.append(("failed", f"{namespace} {error}"))

    def heard(self, namespace: str) -> None:
        self.passed.append(("heard", namespace))


def a_change(kind: str, version: int, **fields: Any) -> bytes:
    return json.dumps(
        {"type": kind, "object": operation_manifest(version=version) | fields}
    ).encode()


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


EXPIRED = {"type": "ERROR", "object": {"code": 410}}
DEEP = a_change("MODIFIED", 8, spec="DEEP").replace(b'"DEEP"', b"[" * 10_000 + b"]" * 10_000)


@pytest.mark.parametrize(
    ("line", "passed", "rest"),
    [
        (a_change("ADDED", 7), [("upsert", "7")], bookmark("7")),
        (a_change("MODIFIED", 8), [("upsert", "8")], bookmark("8")),
        (a_change("DELETED", 9), [("remove", "9")], bookmark("9")),
        (DEEP, [("upsert", "8")], bookmark("8")),
        (json.dumps(bookmark("10")).encode(), [], bookmark("10")),
        (json.dumps(EXPIRED).encode(), [], EXPIRED),
        # kopf would end the process.
        (b'{"type": "ERROR", "object": {"code": 500, "message": "no etcd"}}', [], EXPIRED),
        (b'{"type": "NEW", "object": {}}', [], {"type": "NEW", "object": {}}),
        (b"[1]", [], [1]),
        (b"<html>", [], None),
    ],
)
def test_the_sink_gets_the_changes_and_kopf_their_versions(
    line: bytes, passed: list[tuple[str, str]], rest: object
) -> None:
    sink = NotedSink()
    found = passed_on(line, sink)
    assert sink.passed == passed
    if rest is None:
        assert found == line
    else:
        assert json.loads(found) == rest


def test_kopf_gets_bookmarks_and_the_version_of_a_list() -> None:
    deep = operation_manifest() | {"spec": {"deep": json.loads("[" * 400 + "]" * 400)}}
    listed: list[str] = []
    sink = NotedSink()

    async def handler(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            meta = {"resourceVersion": "77", "continue": "more"}
            return web.json_response({"metadata": meta, "items": [deep]})
        reply = web.StreamResponse()
        await reply.prepare(request)
        for version in (78, 79):
            await reply.write(a_change("MODIFIED", version, spec={"tasks": [LARGE_TASK]}) + b"\n")
        return reply

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        kind = responses(sink, listed.append)
        async with (
            TestServer(app, host="127.0.0.1") as server,
            aiohttp.ClientSession(server.make_url("/"), response_class=kind) as http,
        ):
            async with http.get(OPERATIONS, params={"limit": "1"}) as reply:
                assert (await reply.json()) == {"metadata": {"resourceVersion": "77"}, "items": []}
            assert listed == ["lab"]
            async with http.get("/apis/cloudharness.io/v1alpha1/cloudharnessoperations") as reply:
                await reply.json()
            assert listed == ["lab", ""]
            async with http.get("/apis/cloudharness.io/v1alpha1") as reply:
                assert (await reply.json())["items"]
            assert listed == ["lab", ""]
            async with http.get(OPERATIONS, params={"watch": "true"}) as reply:
                lines = [json.loads(line) async for line in reply.content.iter_chunked(1024)]
        assert lines == [bookmark("78"), bookmark("79")]
        heard = ("heard", "lab")
        assert sink.passed == [heard, ("upsert", "78"), heard, ("upsert", "79")]

    asyncio.run(run())
