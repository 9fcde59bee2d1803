"""Candidates for a Lease that a small API server of our own keeps, by a clock of our own."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudharness_operator.errors import ApiError
from cloudharness_operator.leader.elector import ElectionConfig, Elector, ElectorThread
from cloudharness_operator.leader.fence import Fence
from cloudharness_operator.leader.lease import DEADLINE, DURATION, RENEW, RETRY
from tests.support.builders import until

PATH = "/apis/coordination.k8s.io/v1/namespaces/lab/leases"
WALL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Manifest = dict[str, Any]


class Server:
    """One Lease, versions, and failures on demand."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.version = 0
        self.asked: list[str] = []
        self.fails: BaseException | None = None
        self.loses_answers = False

    async def get(self, path: str) -> Manifest:
        self._ask("get")
        assert path == f"{PATH}/lead"
        if self.lease is None:
            raise ApiError(404, "NotFound", "none")
        return copy.deepcopy(self.lease)

    async def post(self, path: str, body: Manifest) -> Manifest:
        self._ask("post")
        assert path == PATH
        if self.lease is not None:
            raise ApiError(409, "AlreadyExists", "there is one")
        return self._store(body)

    async def put(self, path: str, body: Manifest) -> Manifest:
        self._ask("put")
        assert path == f"{PATH}/lead"
        if self.lease is None:
            raise ApiError(404, "NotFound", "none")
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "it has changed")
        return self._store(body)

    def _ask(self, what: str) -> None:
        if self.fails:
            raise self.fails
        self.asked.append(what)

    def _store(self, body: Manifest) -> Manifest:
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.lease = {**copy.deepcopy(body), "metadata": metadata}
        if self.loses_answers:
            raise TimeoutError
        return copy.deepcopy(self.lease)

    @property
    def holder(self) -> str:
        return self.lease["spec"]["holderIdentity"] if self.lease else ""


class World:
    """A server, candidates and their clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.server = Server()
        self.fences: dict[str, Fence] = {}
        self.gained: list[str] = []

    def candidate(self, me: str) -> Elector:
        fence = self.fences[me] = Fence(lambda: self.now)
        my = ElectionConfig("lab", "lead", me, lambda: self.now, lambda: WALL, lambda: 0.0)
        return Elector(self.server, my, fence, lambda: self.gained.append(me))

    @property
    def acting(self) -> list[str]:
        return [me for me, fence in self.fences.items() if fence.is_open()]


def test_the_first_leads_and_renews() -> None:
    async def run() -> None:
        world = World()
        one = world.candidate("one")
        await one.turn()
        assert (world.acting, world.gained, one.pause()) == (["one"], ["one"], RENEW)
        for _ in range(20):
            world.now += RENEW
            await one.turn()
            assert world.acting == ["one"]
        assert world.gained == ["one"]
        # Who leads knows what it has written.
        assert world.server.asked == ["get", "post", *["put"] * 20]
        assert world.server.lease
        assert world.server.lease["spec"]["leaseTransitions"] == 0

    asyncio.run(run())


def test_the_second_waits_and_writes_nothing() -> None:
    async def run() -> None:
        world = World()
        one, two = world.candidate("one"), world.candidate("two")
        await one.turn()
        world.server.asked.clear()
        for _ in range(30):
            world.now += RETRY
            await two.turn()
            assert world.server.asked == ["get"]
            await one.turn()
            world.server.asked.clear()
        assert (world.acting, world.gained, two.pause()) == (["one"], ["one"], RETRY)

    asyncio.run(run())


def test_a_dead_leader_is_followed_when_its_time_is_over() -> None:
    async def run() -> None:
        world = World()
        one, two = world.candidate("one"), world.candidate("two")
        await one.turn()
        died = world.now
        world.now += 0.9
        while world.gained == ["one"]:
            await two.turn()
            assert len(world.acting) <= 1
            world.now += two.pause()
        assert world.acting == ["two"]
        assert DURATION <= world.now - died <= DURATION + 2 * RETRY + RENEW
        assert world.server.lease
        assert world.server.lease["spec"]["leaseTransitions"] == 1

    asyncio.run(run())


def test_a_leader_that_stops_is_followed_at_the_next_look() -> None:
    async def run() -> None:
        world = World()
        one, two = world.candidate("one"), world.candidate("two")
        await one.turn()
        await two.turn()
        await one.release()
        assert (world.acting, world.server.holder) == ([], "")
        await two.turn()
        assert (world.acting, world.server.holder) == (["two"], "two")
        # What was never held is not given back.
        await one.release()
        assert world.server.holder == "two"

    asyncio.run(run())


@pytest.mark.parametrize("frozen", [DEADLINE, DURATION, 1000.0])
def test_a_leader_that_was_frozen_acts_no_more(frozen: float) -> None:
    async def run() -> None:
        world = World()
        one, two = world.candidate("one"), world.candidate("two")
        await one.turn()
        await two.turn()
        world.now += frozen
        assert world.acting == []
        await two.turn()
        taken = frozen >= DURATION
        assert world.server.holder == ("two" if taken else "one")
        await one.turn()
        await one.turn()
        assert world.acting == (["two"] if taken else ["one"])
        # Who was shut out for a moment and leads again has missed something, too.
        assert world.gained == (["one", "two"] if taken else ["one", "one"])

    asyncio.run(run())


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("gone"),
        TimeoutError(),
        ApiError(503, "ServiceUnavailable", "later"),
        ApiError(403, "Forbidden", "no"),
    ],
    ids=["connection", "time", "unavailable", "forbidden"],
)
def test_a_leader_that_cannot_renew_acts_until_its_deadline(error: Exception) -> None:
    async def run() -> None:
        world = World()
        one = world.candidate("one")
        await one.turn()
        world.server.fails = error
        world.now += DEADLINE - 0.1
        await one.turn()
        assert (world.acting, one.pause()) == (["one"], RETRY)
        world.now += 0.1
        await one.turn()
        assert world.acting == []
        world.server.fails = None
        await one.turn()
        assert (world.acting, world.gained) == (["one"], ["one", "one"])

    asyncio.run(run())


def test_a_renewal_without_an_answer_does_not_count_and_is_read_again() -> None:
    async def run() -> None:
        world = World()
        one = world.candidate("one")
        await one.turn()
        world.now += RENEW
        world.server.loses_answers = True
        await one.turn()
        world.now += DEADLINE - RENEW
        assert world.acting == []
        world.server.loses_answers = False
        await one.turn()
        assert world.acting == ["one"]

    asyncio.run(run())


def test_of_two_that_take_it_at_once_one_does() -> None:
    async def run() -> None:
        world = World()
        old = world.candidate("old")
        await old.turn()
        rivals = [world.candidate(name) for name in ("one", "two")]
        for rival in rivals:
            await rival.turn()
        world.now += DURATION
        gate = asyncio.Barrier(2)
        put = world.server.put

        async def together(path: str, body: Manifest) -> Manifest:
            await gate.wait()
            return await put(path, body)

        world.server.put = together  # type: ignore[method-assign]
        await asyncio.gather(*(rival.turn() for rival in rivals))
        assert len(world.acting) == 1
        assert world.acting == [world.server.holder]

    asyncio.run(run())


def test_a_container_that_is_started_again_goes_on_with_its_lease() -> None:
    async def run() -> None:
        world = World()
        await world.candidate("pod").turn()
        after = world.candidate("pod")
        await after.turn()
        assert world.gained == ["pod", "pod"]

    asyncio.run(run())


@pytest.mark.parametrize("change", ["taken away", "deleted"])
def test_a_lease_that_somebody_else_changes_is_no_longer_ones_own(change: str) -> None:
    async def run() -> None:
        world = World()
        one = world.candidate("one")
        await one.turn()
        assert world.server.lease
        if change == "deleted":
            world.server.lease = None
        else:
            world.server.lease["spec"]["holderIdentity"] = "two"
            world.server.lease["metadata"]["resourceVersion"] = "99"
        world.now += RENEW
        await one.turn()
        assert world.acting == []
        await one.turn()
        assert world.acting == (["one"] if change == "deleted" else [])

    asyncio.run(run())


def in_thread(server: Server, me: str = "one") -> ElectorThread:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Server]:
        yield server

    my = ElectionConfig("lab", "lead", me, time.monotonic, lambda: WALL, lambda: 0.0)
    return ElectorThread(connect, my)


def test_its_thread_tells_the_loop_and_gives_back_at_the_end() -> None:
    async def run() -> None:
        server, fence, told = Server(), Fence(time.monotonic), []
        elector = in_thread(server)
        elector.start(fence, lambda: told.append(threading.current_thread()))
        failure = asyncio.create_task(elector.failure())
        await until(lambda: told)
        assert told == [threading.main_thread()]
        assert fence.is_open()
        assert server.holder == "one"
        await elector.stop()
        assert (server.holder, fence.is_open()) == ("", False)
        await elector.stop()
        # Its end is not the end of the process, which has more to do.
        assert not failure.done()
        failure.cancel()

    asyncio.run(run())


def test_a_defect_ends_it_and_shuts_the_fence() -> None:
    async def run() -> None:
        server, fence = Server(), Fence(time.monotonic)
        server.fails = KeyError("a defect")
        elector = in_thread(server)
        fence.open(time.monotonic() + 100)
        elector.start(fence, lambda: None)
        with pytest.raises(KeyError):
            await elector.failure()
        assert not fence.is_open()
        await elector.stop()

    asyncio.run(run())


def test_a_busy_loop_does_not_lose_the_lease() -> None:
    async def run() -> None:
        server, fence = Server(), Fence(time.monotonic)
        elector = in_thread(server)
        elector.start(fence, lambda: None)
        begun = len(server.asked)
        time.sleep(RENEW + 0.5)  # noqa: ASYNC251 - as bad as a loop can be.
        assert len(server.asked) > begun
        assert fence.is_open()
        await elector.stop()

    asyncio.run(run())
