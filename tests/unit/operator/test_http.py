"""HTTP with a real server, which answers as an API server does, or a proxy, or nothing whole."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from cloudharness_operator.errors import ApiError, NotLeading
from cloudharness_operator.kube.http import (
    JSON_PATCH,
    MERGE_PATCH,
    PAGE,
    TOKEN_LIFE,
    Api,
    Token,
    session,
)
from cloudharness_operator.kube.requests import observed, verb_and_resource
from cloudharness_operator.leader.fence import Fence

PATH = "/apis/argoproj.io/v1alpha1/workflows"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, **session_settings: Any) -> AsyncIterator[Api]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        aiohttp.ClientSession(**session_settings) as http,
    ):
        yield Api(str(server.make_url("/")).rstrip("/"), http)


def answering(answer: object, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(answer, status=status)

    return handler


def streaming(*chunks: bytes, breaks: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        for chunk in chunks:
            await reply.write(chunk)
            await asyncio.sleep(0.003)
        if breaks:
            assert request.transport is not None
            request.transport.abort()
        return reply

    return handler


async def refused(call: Awaitable[object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value


async def watched(api: Api) -> list[dict[str, Any]]:
    return [event async for event in api.watch(PATH, "5", "a=b", 30)]


def event(version: int, kind: str = "MODIFIED", **more: Any) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"resourceVersion": str(version)}, **more}}


def line(*args: Any, **more: Any) -> bytes:
    return json.dumps(event(*args, **more)).encode() + b"\n"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(lambda api: api.get(PATH), ("GET", "", None), id="get"),
        pytest.param(
            lambda api: api.post(PATH, {"a": "ü"}),
            ("POST", "application/json", {"a": "ü"}),
            id="post",
        ),
        pytest.param(
            lambda api: api.patch(PATH, {"a": None}, MERGE_PATCH),
            ("PATCH", "application/merge-patch+json", {"a": None}),
            id="merge patch",
        ),
        pytest.param(
            lambda api: api.patch(PATH, [{"op": "test"}], JSON_PATCH),
            ("PATCH", "application/json-patch+json", [{"op": "test"}]),
            id="JSON patch",
        ),
    ],
)
def test_a_request(
    call: Callable[[Api], Awaitable[object]], expected: tuple[str, str, object]
) -> None:
    async def handler(request: web.Request) -> web.Response:
        method, kind, body = expected
        assert (request.method, request.path) == (method, PATH)
        text = await request.text()
        if body is not None:
            assert request.headers["Content-Type"] == kind
        return web.json_response({"body": json.loads(text) if text else None})

    async def run() -> None:
        async with serving(handler) as api:
            assert await call(api) == {"body": expected[2]}

    asyncio.run(run())


def test_a_query_goes_with_a_post() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(dict(request.query))

    async def run() -> None:
        async with serving(handler) as api:
            query = {"fieldValidation": "Strict"}
            assert await api.post(PATH, {}, query) == query

    asyncio.run(run())


def test_a_log_is_read_as_text() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.query == {"tailLines": "3"}
        return web.Response(body="é".encode() + b"\xff\n", content_type="text/plain")

    async def read() -> str:
        async with serving(handler) as api:
            return await api.text(PATH, {"tailLines": "3"})

    assert asyncio.run(read()) == "é\ufffd\n"


def test_a_log_that_is_not_there_is_an_error() -> None:
    async def read() -> ApiError:
        async with serving(answering({"reason": "NotFound"}, 404)) as api:
            return await refused(api.text(PATH, {}))

    assert asyncio.run(read()).code == 404


@pytest.mark.parametrize("order", [("metadata", "items"), ("items", "metadata")])
def test_a_list_is_read_page_by_page(order: tuple[str, ...]) -> None:
    asked: list[dict[str, str]] = []
    compressed: list[web.Response] = []
    pages = {"": ([1, 2], "two"), "two": ([3], "three"), "three": ([4], "")}

    def compact(value: object) -> str:
        return json.dumps(value, separators=(",", ":"))

    async def handler(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        items, token = pages[request.query.get("continue", "")]
        metadata = {"continue": token, "resourceVersion": "77"}
        page = {"metadata": metadata, "items": [{"n": n, "metadata": {}} for n in items]}
        reply = web.json_response({part: page[part] for part in order}, dumps=compact)
        if "gzip" in request.headers["Accept-Encoding"]:
            reply.enable_compression(web.ContentCoding.gzip)
            compressed.append(reply)
        return reply

    async def run() -> None:
        async with serving(handler) as api:
            pages = [
                (page.version, *(item["n"] for item in page.items))
                async for page in api.pages(PATH, "a=b")
            ]
            assert pages == [("77", 1, 2), ("77", 3), ("77", 4)]

    asyncio.run(run())
    first = {"limit": str(PAGE), "labelSelector": "a=b"}
    assert asked == [first, first | {"continue": "two"}, first | {"continue": "three"}]
    assert len(compressed) == len(asked)


def test_the_next_page_is_requested_while_a_page_is_used() -> None:
    async def run() -> None:
        requested = asyncio.Event()

        async def handler(request: web.Request) -> web.Response:
            if "continue" in request.query:
                requested.set()
                await asyncio.Event().wait()
            metadata = {"resourceVersion": "77", "continue": "two"}
            return web.json_response({"metadata": metadata, "items": [{"n": 1}]})

        async with (
            serving(handler) as api,
            aclosing(api.pages(PATH)) as pages,
            asyncio.timeout(30),
        ):
            await anext(pages)
            await requested.wait()

    asyncio.run(run())


STATUS = {
    "kind": "Status",
    "code": 409,
    "reason": "AlreadyExists",
    "message": 'workflows "x" already exists',
}


@pytest.mark.parametrize(
    ("code", "body", "reason", "message"),
    [
        pytest.param(
            409,
            json.dumps(STATUS),
            "AlreadyExists",
            'workflows "x" already exists',
            id="the server's own words",
        ),
        pytest.param(502, "<html>Bad</html>", "HTTP502", "<html>Bad</html>", id="a proxy's page"),
        pytest.param(503, "", "HTTP503", "no message", id="nothing"),
        pytest.param(500, '["a list"]', "HTTP500", '["a list"]', id="JSON of another kind"),
        pytest.param(500, '{"message": null}', "HTTP500", "no message", id="an empty message"),
        pytest.param(504, "x" * 900, "HTTP504", "x" * 500, id="a long page, cut"),
    ],
)
def test_a_refusal(code: int, body: str, reason: str, message: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=code, text=body)

    async def run() -> None:
        async with serving(handler) as api:
            for call in (api.get(PATH), api.list(PATH), watched(api)):
                error = await refused(call)
                assert (error.code, error.reason, error.message) == (code, reason, message)
                assert str(error) == f"{code} {reason}: {message}"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "final"),
    [
        *((400, True), (422, True), (401, False), (403, False), (404, False)),
        *((409, False), (429, False), (500, False), (503, False)),
    ],
)
def test_which_refusals_are_for_good(code: int, final: bool) -> None:
    assert ApiError(code, "Reason", "message").is_final is final


def test_a_watch_asks_for_what_it_follows() -> None:
    asked: dict[str, str] = {}

    async def handler(request: web.Request) -> web.Response:
        asked.update(request.query)
        return web.Response(body=line(6))

    async def run() -> None:
        async with serving(handler) as api:
            assert await watched(api) == [event(6)]

    asyncio.run(run())
    assert asked == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "labelSelector": "a=b",
        "timeoutSeconds": "30",
    }


LONG = line(7, "ADDED", spec="x" * 300_000)
TWO = line(6) + line(7)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([line(6), line(7)], [event(6), event(7)], id="a line a chunk"),
        pytest.param([TWO], [event(6), event(7)], id="two lines a chunk"),
        pytest.param([TWO[:30], TWO[30:]], [event(6), event(7)], id="cut in a line"),
        pytest.param(
            [TWO[: len(line(6)) - 1], TWO[len(line(6)) - 1 :]],
            [event(6), event(7)],
            id="cut before the end of a line",
        ),
        pytest.param(
            [TWO[n : n + 1] for n in range(len(TWO))], [event(6), event(7)], id="byte by byte"
        ),
        pytest.param(
            [LONG + line(8)], [event(7, "ADDED", spec="x" * 300_000), event(8)], id="a long line"
        ),
        pytest.param([line(6), line(7)[:20]], [event(6)], id="a half line at the end"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_a_watch_yields_whole_lines(chunks: list[bytes], expected: list[dict[str, Any]]) -> None:
    async def run() -> None:
        async with serving(streaming(*chunks)) as api:
            assert await watched(api) == expected

    asyncio.run(run())


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            {"code": 410, "reason": "Expired", "message": "too old resource version"},
            (410, "Expired", "too old resource version"),
            id="too old",
        ),
        pytest.param({}, (500, "HTTP500", "no message"), id="nothing said"),
    ],
)
def test_an_error_in_a_watch(told: dict[str, Any], expected: tuple[int, str, str]) -> None:
    broken = json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"

    async def run() -> None:
        async with serving(streaming(line(6), broken, line(7))) as api:
            stream = api.watch(PATH, "5")
            assert await anext(stream) == event(6)
            error = await refused(anext(stream))
            assert (error.code, error.reason, error.message) == expected

    asyncio.run(run())


def test_a_watch_that_breaks_is_an_error_of_the_network() -> None:
    async def run() -> None:
        async with serving(streaming(line(6), line(7)[:20], breaks=True)) as api:
            with pytest.raises(OSError, match=r".*"):
                await watched(api)

    asyncio.run(run())


@pytest.mark.parametrize(
    "call",
    [lambda api: api.get(PATH), lambda api: api.list(PATH), lambda api: api.post(PATH, {})],
    ids=["get", "list", "post"],
)
@pytest.mark.parametrize("begun", [False, True], ids=["at once", "half way"])
def test_a_server_that_hangs_up_is_an_error_of_the_network(
    call: Callable[[Api], Awaitable[object]], begun: bool
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        if begun:
            await reply.prepare(request)
            await reply.write(b'{"items": [')
            await asyncio.sleep(0.003)
        assert request.transport is not None
        request.transport.abort()
        return reply

    async def run() -> None:
        async with serving(handler) as api:
            with pytest.raises(OSError, match=r".*"):
                await call(api)

    asyncio.run(run())


def test_a_server_that_is_not_there_is_an_error_of_the_network() -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(OSError, match="Cannot connect"):
                await Api("http://127.0.0.1:1", http).get(PATH)

    asyncio.run(run())


@pytest.mark.parametrize("call", [lambda api: api.get(PATH), watched], ids=["get", "watch"])
def test_an_answer_that_is_no_json_is_the_servers_error(
    call: Callable[[Api], Awaitable[object]],
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="<html>Log in</html>\n")

    async def run() -> None:
        async with serving(handler) as api:
            error = await refused(call(api))
            assert (error.code, error.reason) == (200, "HTTP200")
            assert "<html>Log in</html>" in error.message

    asyncio.run(run())


def test_a_silent_server_is_given_up() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def run() -> None:
        async with serving(handler, timeout=aiohttp.ClientTimeout(total=0.02)) as api:
            with pytest.raises(TimeoutError):
                await api.get(PATH)

    asyncio.run(run())


def test_the_token_is_read_again_before_it_can_have_expired(tmp_path: Path) -> None:
    file, time = tmp_path / "token", [1000.0]
    used: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        used.append(request.headers["Authorization"])
        return web.json_response({})

    async def run() -> None:
        token = Token(file, lambda: time[0])
        async with serving(handler, middlewares=(token,)) as api:
            for text, later in (("first\n", 0.0), ("second", TOKEN_LIFE - 1), ("third", 1.0)):
                file.write_text(text)
                time[0] += later
                await api.get(PATH)

    asyncio.run(run())
    assert used == ["Bearer first", "Bearer first", "Bearer third"]


def test_a_session_without_a_certificate_says_which(tmp_path: Path) -> None:
    async def run() -> None:
        with pytest.raises((FileNotFoundError, ssl.SSLError)):
            session(tmp_path, lambda: 0.0)

    asyncio.run(run())


OPERATIONS = "/apis/cloudharness.io/v1alpha1/namespaces/team/cloudharnessoperations"


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource"),
    [
        ("GET", PATH, "list", "workflows"),
        ("GET", f"{PATH}?watch=1&labelSelector=a", "watch", "workflows"),
        ("GET", f"{OPERATIONS}?limit=1", "list", "cloudharnessoperations"),
        ("GET", f"{OPERATIONS}?watch=true", "watch", "cloudharnessoperations"),
        ("GET", f"{OPERATIONS}/namespaces", "get", "cloudharnessoperations"),
        ("PATCH", f"{OPERATIONS}/a/status", "patch", "cloudharnessoperations/status"),
        ("DELETE", f"{OPERATIONS}/a", "delete", "cloudharnessoperations"),
        ("DELETE", "/api/v1/namespaces/team/pods", "deletecollection", "pods"),
        ("GET", "/api/v1/namespaces/team/pods/a/log", "get", "pods/log"),
        ("GET", "/api/v1/namespaces/team", "get", "namespaces"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/team/leases/a", "update", "leases"),
        ("POST", "/apis/events.k8s.io/v1/namespaces/team/events", "create", "events"),
        ("GET", "/api", "list", "none"),
    ],
)
def test_a_request_has_the_verb_and_the_resource_of_the_audit_log(
    method: str, path: str, verb: str, resource: str
) -> None:
    assert verb_and_resource(method, URL(f"https://server{path}")) == (verb, resource)


def test_each_request_is_reported_with_its_code() -> None:
    reports: list[tuple[str, str, int]] = []

    def report(verb: str, resource: str, code: int, seconds: float) -> None:
        assert seconds >= 0
        reports.append((verb, resource, code))

    async def run() -> None:
        traces = [observed(report)]
        async with serving(answering({"kind": "Pod"}), trace_configs=traces) as api:
            await api.get(f"{PATH}/a")
        async with serving(answering({"message": "no"}, 403), trace_configs=traces) as api:
            with pytest.raises(ApiError):
                await api.post(PATH, {})
        fenced = [observed(report), Fence(lambda: 1.0, until=0.0).trace()]
        async with serving(answering({}), trace_configs=fenced) as api:
            with pytest.raises(NotLeading):
                await api.post(PATH, {})
        with pytest.raises(OSError):  # noqa: PT011 - nothing listens there.
            async with aiohttp.ClientSession(trace_configs=traces) as http:
                await Api("http://127.0.0.1:1", http).get(f"{PATH}/a")

    asyncio.run(run())
    assert reports == [
        ("get", "workflows", 200),
        ("create", "workflows", 403),
        ("get", "workflows", 0),
    ]
