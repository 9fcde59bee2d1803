"""The work queue, with time that is a thousandth of what it is in life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from cloudharness_operator.errors import ApiError
from cloudharness_operator.loop.queue import FIRST_BACKOFF, LAST_BACKOFF, Handler, WorkQueue
from tests.support.builders import until


def whole() -> float:
    """Return the jitter that takes nothing off a delay."""
    return 1.0


async def worked(
    queue: WorkQueue, handler: Handler, enough: Callable[[], object], workers: int = 1
) -> None:
    """Have a handler work until there is enough."""
    tasks = [asyncio.create_task(queue.work(handler)) for _ in range(workers)]
    try:
        await until(enough)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


class Recorder:
    """A handler that notes what it handles, and asks for what it is told to."""

    def __init__(self, then: Callable[[str], Awaitable[float | None]] | None = None) -> None:
        self.handled: list[str] = []
        self.times: list[float] = []
        self._then = then

    async def __call__(self, key: str) -> float | None:
        self.handled.append(key)
        self.times.append(asyncio.get_running_loop().time())
        return await self._then(key) if self._then else None

    def count(self, number: int) -> Callable[[], bool]:
        return lambda: len(self.handled) >= number


async def order(steps: str) -> list[str]:
    """Add the keys of a text; return them in the order in which they are handled.

    Those with a question mark can wait; capital letters are urgent; numbers are seconds.
    """
    now, patient, added = 0.0, set[str](), set[str]()
    queue = WorkQueue(can_wait=lambda key: key in patient, clock=lambda: now)
    handler = Recorder()
    for step in steps.split():
        if step[0].isdigit():
            now += float(step)
            continue
        key = step.strip("?").lower()
        added.add(key)
        patient |= {key} if step.startswith("?") else set()
        (queue.add_urgent if step.isupper() else queue.add)(key)
    assert len(queue) == len(added)
    await worked(queue, handler, lambda: not len(queue))
    await asyncio.sleep(0)
    return handler.handled


def test_a_key_that_is_added_often_is_handled_once() -> None:
    async def run() -> None:
        queue, handler = WorkQueue(), Recorder()
        for key in "abaab":
            queue.add(key)
        assert len(queue) == 2
        await worked(queue, handler, lambda: not len(queue))
        assert handler.handled == ["a", "b"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("a b C", "c a b"),
        ("a b B", "b a"),
        ("A b a", "a b"),
        ("a B C", "b c a"),
        ("b A a B", "a b"),
    ],
    ids=[
        "what is urgent overtakes",
        "what waits already can become urgent, and is handled once",
        "what is urgent stays so",
        "of the urgent the first is first",
        "all urgent, in the order in which they became it",
    ],
)
def test_what_is_urgent_is_first(steps: str, expected: str) -> None:
    assert asyncio.run(order(steps)) == expected.split()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("?a b ?c d", "b d a c"),
        ("?a b A", "a b"),
        ("?a b a", "b a"),
        ("?a 9.9 b ?c", "b a c"),
        ("?a 10.1 b ?c", "a b c"),
    ],
    ids=[
        "all others overtake, and those that can wait keep their order",
        "what can wait can become urgent",
        "adding it again does not move it",
        "within the patience",
        "but not for ever",
    ],
)
def test_what_can_wait_is_overtaken(steps: str, expected: str) -> None:
    assert asyncio.run(order(steps)) == expected.split()


def test_what_waits_and_can_wait_no_more_moves_forward() -> None:
    async def run() -> None:
        patient = {"a"}
        queue, handler = WorkQueue(can_wait=lambda key: key in patient), Recorder()
        queue.add("a")
        queue.add("b")
        patient.clear()
        queue.add("a")
        queue.add("c")
        await worked(queue, handler, handler.count(3))
        assert handler.handled == ["b", "a", "c"]

    asyncio.run(run())


def test_what_becomes_urgent_while_it_is_handled_is_next() -> None:
    async def run() -> None:
        queue = WorkQueue()

        async def add_urgent(key: str) -> None:
            if handler.handled == ["a"]:
                queue.add(key)
                queue.add_urgent(key)

        handler = Recorder(add_urgent)
        queue.add("a")
        queue.add("b")
        await worked(queue, handler, handler.count(3))
        assert handler.handled == ["a", "a", "b"]

    asyncio.run(run())


def test_a_key_is_never_handled_twice_at_the_same_time() -> None:
    async def run() -> None:
        queue, now, most = WorkQueue(), 0, 0

        async def slow(_: str) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.003)
            now -= 1

        handler = Recorder(slow)
        queue.add("a")

        def poke() -> bool:
            queue.add("a")
            return len(handler.handled) >= 4

        await worked(queue, handler, poke, workers=4)
        assert most == 1

    asyncio.run(run())


def test_different_keys_are_handled_at_the_same_time() -> None:
    async def run() -> None:
        queue, met = WorkQueue(), asyncio.Barrier(3)

        async def meet(_: str) -> None:
            await met.wait()

        handler = Recorder(meet)
        for key in "abc":
            queue.add(key)
        await worked(queue, handler, lambda: handler.count(3)() and not met.n_waiting, workers=3)
        assert sorted(handler.handled) == ["a", "b", "c"]

    asyncio.run(run())


def test_a_key_that_is_added_while_it_is_handled_is_handled_once_more() -> None:
    async def run() -> None:
        queue = WorkQueue()

        async def add_again(key: str) -> None:
            if len(handler.handled) == 1:
                for _ in range(5):
                    queue.add(key)

        handler = Recorder(add_again)
        queue.add("a")
        await worked(queue, handler, handler.count(2))
        await worked(queue, handler, lambda: not len(queue))
        assert handler.handled == ["a", "a"]

    asyncio.run(run())


@pytest.mark.parametrize(
    "delays",
    [(0.01, 30.0), (30.0, 0.01), (30.0, 0.01, 30.0)],
    ids=["first", "last", "in the middle"],
)
def test_of_several_times_the_earliest_holds(delays: tuple[float, ...]) -> None:
    async def run() -> None:
        queue, handler = WorkQueue(), Recorder()
        for delay in delays:
            queue.add_after("a", delay)
        assert len(queue) == 0
        begun = asyncio.get_running_loop().time()
        await worked(queue, handler, handler.count(1))
        assert handler.handled == ["a"]
        assert handler.times[0] - begun >= 0.009

    asyncio.run(run())


def test_what_is_handled_now_says_itself_when_to_come_back() -> None:
    async def run() -> None:
        queue, handler = WorkQueue(), Recorder()
        queue.add_after("a", 0.01)
        queue.add("a")
        await worked(queue, handler, handler.count(1))
        await asyncio.sleep(0.02)
        assert len(queue) == 0

    asyncio.run(run())


def test_a_handler_says_when_to_come_back() -> None:
    async def run() -> None:
        async def soon(_: str) -> float | None:
            return 0.01 if len(handler.handled) == 1 else None

        queue, handler = WorkQueue(), Recorder(soon)
        queue.add("a")
        await worked(queue, handler, handler.count(2))
        assert handler.times[1] - handler.times[0] >= 0.009
        await asyncio.sleep(0.02)
        assert len(queue) == 0

    asyncio.run(run())


class Loop:
    """A loop whose timers only note how long they are to wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.delays: list[float] = []
        real = asyncio.get_running_loop
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)
        self._real = real

    def time(self) -> float:
        return self._real().time()

    def call_later(
        self, delay: float, ring: Callable[[str], None], key: str
    ) -> asyncio.TimerHandle:
        self.delays.append(round(delay, 6))
        return self._real().call_later(0, ring, key)


@pytest.mark.parametrize(
    ("jitter", "factor"), [(1.0, 1.0), (0.0, 0.5), (0.5, 0.75)], ids=["most", "least", "half"]
)
def test_failures_are_retried_ever_later(
    monkeypatch: pytest.MonkeyPatch, jitter: float, factor: float
) -> None:
    async def run() -> list[float]:
        async def fail(_: str) -> None:
            raise ApiError(503, "ServiceUnavailable", "later")

        queue, handler = WorkQueue(lambda: jitter), Recorder(fail)
        loop = Loop(monkeypatch)
        queue.add("a")
        task = asyncio.create_task(queue.work(handler))
        await until(lambda: len(loop.delays) >= 40)
        task.cancel()
        return loop.delays[:40]

    plain = [FIRST_BACKOFF * 2**n for n in range(11)] + [LAST_BACKOFF] * 29
    assert asyncio.run(run()) == pytest.approx([delay * factor for delay in plain], abs=1e-5)


def test_a_success_ends_the_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[float]:
        async def fail_twice_in_three(_: str) -> None:
            if len(handler.handled) % 3:
                raise OSError("no route")

        queue, handler = WorkQueue(whole), Recorder(fail_twice_in_three)
        loop = Loop(monkeypatch)
        task = asyncio.create_task(queue.work(handler))
        while len(handler.handled) < 6:
            if not len(queue) and not loop.delays[len(handler.handled) :]:
                queue.add("a")
            await asyncio.sleep(0)
        task.cancel()
        return loop.delays

    assert asyncio.run(run()) == [0.05, 0.1, 0.05, 0.1]


def test_keys_fail_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[float]:
        async def fail_once(key: str) -> None:
            if handler.handled.count(key) == 1:
                raise OSError("no route")

        queue, handler = WorkQueue(whole), Recorder(fail_once)
        loop = Loop(monkeypatch)
        queue.add("a")
        queue.add("b")
        task = asyncio.create_task(queue.work(handler))
        await until(handler.count(4))
        task.cancel()
        return loop.delays

    assert asyncio.run(run()) == [0.05, 0.05]


@pytest.mark.parametrize(
    ("error", "traceback"),
    [
        (ApiError(503, "ServiceUnavailable", "later"), False),
        (ConnectionResetError("reset"), False),
        (TimeoutError(), False),
        (KeyError("metadata"), True),
    ],
    ids=["server", "connection", "time", "defect"],
)
def test_only_a_defect_logs_its_traceback(
    caplog: pytest.LogCaptureFixture, error: Exception, traceback: bool
) -> None:
    async def run() -> None:
        async def fail_once(_: str) -> None:
            if len(handler.handled) == 1:
                raise error

        queue, handler = WorkQueue(lambda: 0.0), Recorder(fail_once)
        queue.add("a")
        await worked(queue, handler, handler.count(2))

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    (entry,) = caplog.records
    assert bool(entry.exc_info) is traceback
    assert entry.getMessage().startswith("a: ")


def test_one_key_that_fails_holds_up_no_other() -> None:
    async def run() -> None:
        async def fail(key: str) -> None:
            if key == "bad":
                raise OSError("no route")

        queue, handler = WorkQueue(whole), Recorder(fail)
        queue.add("bad")
        queue.add("good")
        await worked(queue, handler, lambda: "good" in handler.handled)

    asyncio.run(run())


def test_drained_waits_for_what_is_handled() -> None:
    async def run() -> None:
        queue, go = WorkQueue(), asyncio.Event()

        async def wait(_: str) -> None:
            await go.wait()

        handler = Recorder(wait)
        await queue.drained(0.01)
        queue.add("a")
        task = asyncio.create_task(queue.work(handler))
        await until(handler.count(1))
        waiting = asyncio.create_task(queue.drained(5.0))
        await asyncio.sleep(0.005)
        assert not waiting.done()
        go.set()
        await asyncio.wait_for(waiting, 1.0)
        task.cancel()

    asyncio.run(run())


def test_drained_does_not_wait_for_ever() -> None:
    async def run() -> None:
        queue = WorkQueue()

        async def hang(_: str) -> None:
            await asyncio.sleep(60)

        handler = Recorder(hang)
        queue.add("a")
        task = asyncio.create_task(queue.work(handler))
        await until(handler.count(1))
        await asyncio.wait_for(queue.drained(0.01), 1.0)
        assert not task.done()
        task.cancel()

    asyncio.run(run())


def test_the_time_of_a_key_counts_from_when_it_became_due() -> None:
    async def run() -> None:
        now, waits = 0.0, list[float]()
        queue = WorkQueue(clock=lambda: now, waited=waits.append)
        assert queue.oldest() == 0.0
        for key in ("a", "b"):
            queue.add(key)
            now += 2
        queue.add_urgent("a")  # It overtakes, and has been due since the beginning.
        assert queue.oldest() == 4.0
        now += 1
        await worked(queue, Recorder(), lambda: len(waits) == 2)
        assert waits == [5.0, 3.0]
        assert queue.oldest() == 0.0

    asyncio.run(run())


def test_a_key_that_is_not_retried_any_more_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudharness_operator.loop.queue.FIRST_BACKOFF", 0.0)

    async def fail(_: str) -> float | None:
        raise ApiError(422, "Invalid", "never")

    async def run() -> None:
        abandoned: list[bool] = []
        queue = WorkQueue(abandoned=lambda: abandoned.append(True))
        queue.add("a")
        await worked(queue, Recorder(fail), lambda: abandoned)
        assert len(abandoned) == 1

    asyncio.run(run())
