"""The API server's clock, from answers with whole seconds."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from cloudharness_operator.kube.http import ServerTime

EPOCH = 1_767_323_045


class Bench:
    """A server's clock and ours, which started some time apart."""

    def __init__(self, apart: float = EPOCH) -> None:
        self.clock, self.apart = 100.0, apart
        self.time = ServerTime(lambda: self.clock, lambda: 5.0)

    @property
    def true(self) -> float:
        """The server's time."""
        return self.clock + self.apart

    def ask(self, before: float = 0.0, after: float = 0.0) -> None:
        """Get an answer that was this long on its way, before and after it was written."""
        sent = self.clock
        self.clock += before
        date = formatdate(int(self.true), usegmt=True)
        self.clock += after
        self.time.observe(date, sent)

    def behind(self) -> float:
        """Return how far what is known is behind the truth."""
        return self.true - self.time.now()


def test_before_any_answer_there_is_the_fallback() -> None:
    assert Bench().time.now() == 5.0


@pytest.mark.parametrize("date", ["", "soon", "Wed, 99 Nov 2026 10:00:00 GMT"])
def test_what_is_no_date_is_passed_over(date: str) -> None:
    bench = Bench()
    bench.time.observe(date, 99.0)
    assert bench.time.now() == 5.0


answers = st.lists(st.tuples(*[st.floats(0, 2)] * 3), min_size=1, max_size=30)


@given(answers, st.floats(-1e6, 1e6))
def test_it_is_never_ahead_and_never_a_second_and_the_way_behind(
    ways: list[tuple[float, float, float]], apart: float
) -> None:
    bench = Bench(EPOCH + apart)
    for pause, before, after in ways:
        bench.clock += pause
        bench.ask(before, after)
        assert -1e-5 <= bench.behind() <= 1 + after + 1e-5


def test_many_answers_tell_it_to_some_milliseconds() -> None:
    bench = Bench(EPOCH + 0.4321)
    for _ in range(50):
        bench.clock += 0.337
        bench.ask(0.001, 0.001)
    assert 0 <= bench.behind() < 0.03


@pytest.mark.parametrize("jump", [600.0, -600.0, 1.7, -1.7])
def test_a_clock_that_was_set_is_followed(jump: float) -> None:
    bench = Bench(EPOCH + 0.4321)
    for _ in range(50):
        bench.clock += 0.337
        bench.ask()
    bench.apart += jump
    for _ in range(3):
        bench.clock += 0.337
        bench.ask()
    assert 0 <= bench.behind() <= 1


def test_it_listens_to_every_answer() -> None:
    bench = Bench()

    async def handler(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": formatdate(EPOCH, usegmt=True)})

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/", handler)
        async with (
            TestServer(app, host="127.0.0.1") as server,
            aiohttp.ClientSession(middlewares=(bench.time,)) as http,
            http.get(server.make_url("/")),
        ):
            pass

    asyncio.run(run())
    assert bench.time.now() == EPOCH
