"""Nothing is written by who does not know that it leads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cloudharness_operator.errors import NotLeading
from cloudharness_operator.kafka.null_publisher import NullPublisher
from cloudharness_operator.kube.http import MERGE_PATCH, Api
from cloudharness_operator.leader.fence import Fence, FencedPublisher, LeaderOnlyHandler
from tests.support.builders import EVENT_ID, exit_event


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def looked(fence: Fence) -> None:
    fence.is_open()


def passed_over(_: Fence) -> None:
    return


@pytest.mark.parametrize("between", [looked, passed_over])
def test_time_shuts_it(between: Callable[[Fence], None]) -> None:
    clock = Clock()
    fence = Fence(clock)
    assert not fence.is_open()
    assert fence.open(until=107.0)
    clock.now = 106.9
    assert fence.is_open()
    assert not fence.open(until=108.0)
    clock.now = 108.0
    between(fence)
    assert fence.open(until=115.0)
    assert fence.is_open()
    fence.shut()
    assert not fence.is_open()


def test_who_was_turned_away_is_known_to_who_opens_it() -> None:
    """Even where it had not yet expired when that one looked at the clock."""
    clock = Clock()
    fence = Fence(clock, until=101.0)
    clock.now = 101.0
    assert not fence.is_open()
    clock.now = 100.9
    assert fence.open(until=107.0)


async def _post(api: Api) -> object:
    return await api.post("/things", {})


async def _patch(api: Api) -> object:
    return await api.patch("/things/a", {}, MERGE_PATCH)


async def _delete(api: Api) -> object:
    return await api.delete("/things/a", {})


async def _put(api: Api) -> object:
    return await api.put("/things/a", {})


async def _get(api: Api) -> object:
    return await api.get("/things/a")


@pytest.mark.parametrize("request_", [_post, _patch, _delete, _put])
@pytest.mark.parametrize("connected", [True, False])
def test_only_reads_go_out_while_it_is_shut(
    request_: Callable[[Api], Awaitable[object]], connected: bool
) -> None:
    asyncio.run(_only_reads(request_, connected))


async def _only_reads(request_: Callable[[Api], Awaitable[object]], connected: bool) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.json_response({"kind": "Thing"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    fence = Fence(Clock())
    async with (
        TestServer(app, host="127.0.0.1") as server,
        aiohttp.ClientSession(trace_configs=[fence.trace()]) as http,
    ):
        api = Api(str(server.make_url("/")).rstrip("/"), http)
        if connected:
            await _get(api)
        seen.clear()
        with pytest.raises(NotLeading):
            await request_(api)
        await _get(api)
        assert seen == ["GET"]
        fence.open(until=200.0)
        await request_(api)
        assert len(seen) == 2


def test_it_is_asked_after_the_connection_is_made() -> None:
    async def run() -> list[str]:
        seen: list[str] = []

        async def handler(request: web.Request) -> web.Response:
            seen.append(request.method)
            return web.json_response({})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        clock = Clock()
        fence = Fence(clock, until=101.0)
        slow = aiohttp.TraceConfig()

        async def sleep(*_: object) -> None:
            clock.now = 101.0

        slow.on_connection_create_end.append(sleep)
        async with (
            TestServer(app, host="127.0.0.1") as server,
            aiohttp.ClientSession(trace_configs=[slow, fence.trace()]) as http,
        ):
            api = Api(str(server.make_url("/")).rstrip("/"), http)
            with pytest.raises(NotLeading):
                await api.post("/things", {})
        return seen

    assert asyncio.run(run()) == []


def test_no_event_is_published_while_it_is_shut() -> None:
    clock = Clock()
    fence = Fence(clock)
    publisher = FencedPublisher(NullPublisher(clock), fence)
    with pytest.raises(NotLeading):
        publisher.publish(exit_event())
    assert publisher.delivery(EVENT_ID) is None
    fence.open(until=200.0)
    publisher.publish(exit_event())
    assert publisher.delivery(EVENT_ID)
    publisher.drop(EVENT_ID)
    assert publisher.delivery(EVENT_ID) is None


@pytest.mark.parametrize(
    ("until", "ended", "expected"),
    [
        pytest.param(200.0, False, ["a"], id="leads"),
        pytest.param(0.0, False, [], id="stands by"),
        pytest.param(200.0, True, [], id="stops"),
    ],
)
def test_keys_are_handled_by_who_leads(until: float, ended: bool, expected: list[str]) -> None:
    handled: list[str] = []

    async def handle(key: str) -> float | None:
        handled.append(key)
        return 5.0

    handler = LeaderOnlyHandler(handle, Fence(Clock(), until))
    if ended:
        handler.end()
    assert asyncio.run(handler("a")) == (5.0 if expected else None)
    assert handled == expected


def test_what_was_stopped_at_the_fence_is_not_tried_again() -> None:
    clock = Clock()
    fence = Fence(clock, until=200.0)

    async def handle(_: str) -> float | None:
        clock.now = 200.0
        fence.check()
        return 5.0

    assert asyncio.run(LeaderOnlyHandler(handle, fence)("a")) is None
