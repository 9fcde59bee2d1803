"""Turns at a bounded rate."""

from __future__ import annotations

import heapq
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudharness_operator.loop.cleanup import ABANDONED, CATCH_UP, RateLimiter


class Bench:
    def __init__(self, rate: float = 50.0) -> None:
        self.time = 1000.0
        self.pace = RateLimiter(rate, lambda: self.time)


def run(bench: Bench, arrivals: list[tuple[float, str]]) -> list[float]:
    """Have each key ask until its turn has come; return when each had it."""
    asking, had = sorted(arrivals), []
    while asking:
        at, key = heapq.heappop(asking)
        bench.time = max(bench.time, at)
        if wait := bench.pace.delay_for(key):
            heapq.heappush(asking, (bench.time + wait, key))
        else:
            had.append(bench.time)
    return had


def test_one_alone_does_not_wait() -> None:
    bench = Bench()
    assert bench.pace.delay_for("a") == 0.0


def test_a_turn_is_used_once() -> None:
    bench = Bench(2.0)
    assert [bench.pace.delay_for("a"), bench.pace.delay_for("a")] == [0.0, 0.5]


def test_whose_turn_has_not_come_keeps_its_turn() -> None:
    bench = Bench(2.0)
    bench.pace.delay_for("a")
    assert [bench.pace.delay_for("b"), bench.pace.delay_for("c"), bench.pace.delay_for("b")] == [
        0.5,
        1.0,
        0.5,
    ]
    bench.time += 0.5
    assert [bench.pace.delay_for("c"), bench.pace.delay_for("b")] == [0.5, 0.0]


def late_run(bench: Bench, delays: list[float]) -> list[float]:
    """Have keys ask at once, and each again by so many seconds after its slots."""
    late = {f"op{n}": by for n, by in enumerate(delays)}
    asking, had = [(bench.time, key) for key in late], []
    while asking:
        at, key = heapq.heappop(asking)
        bench.time = max(bench.time, at)
        if wait := bench.pace.delay_for(key):
            heapq.heappush(asking, (bench.time + wait + late[key], key))
        else:
            had.append(bench.time)
    return had


def most_in(seconds: float, had: list[float]) -> int:
    return max(sum(first <= at < first + seconds for at in had) for first in had)


@pytest.mark.parametrize("rate", [1.0, 7.0, 50.0, 1000.0])
@pytest.mark.parametrize("late", [0.0, 0.02, 0.1, CATCH_UP])
def test_late_keys_keep_the_rate(rate: float, late: float) -> None:
    # Some are late, as on a busy processor, and some are not.
    had = late_run(Bench(rate), [late * (n % 4) / 3 for n in range(400)])
    assert len(had) == 400
    assert had[-1] - had[0] <= (400 / rate + late) * 1.05


def test_a_long_delay_is_made_up_for_in_part() -> None:
    bench = Bench(50.0)
    keys = [f"op{number}" for number in range(1000)]
    slots = [bench.pace.delay_for(key) for key in keys]
    assert slots == pytest.approx([n / 50 for n in range(1000)])
    bench.time += 60  # No key has asked meanwhile.
    had = run(bench, [(bench.time, key) for key in keys[1:]])
    assert len(had) == 999
    assert most_in(0.001, had) <= 50 * CATCH_UP + 1
    assert had[-1] - had[0] == pytest.approx((999 - 50 * CATCH_UP) / 50, abs=0.1)


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=60),
    st.sampled_from([1.0, 7.0, 50.0]),
    st.sampled_from([0.1, 1.0, 3.0]),
)
def test_never_more_than_the_rate_and_the_burst(
    delays: list[float], rate: float, seconds: float
) -> None:
    had = late_run(Bench(rate), delays)
    assert len(had) == len(delays)
    assert most_in(seconds, had) <= rate * (seconds + CATCH_UP) + 2


def test_a_thousand_at_once_take_twenty_seconds_at_fifty_a_second() -> None:
    had = run(Bench(), [(1000.0, f"op{number}") for number in range(1000)])
    assert len(had) == 1000
    assert had[-1] - had[0] == pytest.approx(999 / 50)
    for second in range(21):
        assert sum(second <= at - had[0] < second + 1 for at in had) <= 51


@given(st.lists(st.floats(1000, 1003), max_size=60), st.sampled_from([1.0, 7.0, 50.0]))
def test_never_more_than_the_rate_and_never_idle(times: list[float], rate: float) -> None:
    had = run(Bench(rate), [(at, f"op{n}") for n, at in enumerate(times)])
    gaps = [b - a for a, b in itertools.pairwise(had)]
    assert all(gap >= 1 / rate - 1e-9 for gap in gaps)
    # The last is never later than if all had come with the last.
    if times:
        assert had[-1] <= max(times) + len(times) / rate


def test_turns_that_nobody_takes_are_forgotten() -> None:
    bench = Bench(1.0)
    for number in range(100):
        bench.pace.delay_for(f"op{number}")
    bench.time += 98 + ABANDONED
    bench.pace.delay_for("another")
    assert list(bench.pace._slots) == ["op98", "op99"]  # noqa: SLF001 - that it keeps no more.
