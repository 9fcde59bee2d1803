"""What a person sees while the cluster is built, and how long it says that the rest will take."""

import io
import re
import threading
from pathlib import Path

import pytest

from tests.cluster import progress as module
from tests.cluster.forecast import Forecast
from tests.cluster.progress import Progress, Step

SECONDS = {"compiled": 300.0, "linked": 100.0, "collected": 20.0}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def forecast(clock: Clock) -> Forecast:
    one = Forecast(clock=clock)
    one.expect(SECONDS)
    return one


def unknown() -> None:
    return None


def test_at_first_it_takes_what_is_expected(forecast: Forecast) -> None:
    assert forecast.left() == pytest.approx(420)
    assert str(forecast) == "0 of 3 done, about 7 min left"


def test_nothing_expected_says_nothing() -> None:
    assert str(Forecast()) == ""


def test_on_a_machine_as_expected_time_goes_by(forecast: Forecast, clock: Clock) -> None:
    forecast.start("compiled", lambda: clock.now / 300)
    clock.now = 150
    assert forecast.left() == pytest.approx(270)
    clock.now = 300
    forecast.finish("compiled")
    assert forecast.left() == pytest.approx(120)
    assert str(forecast) == "1 of 3 done, about 2 min left"


def test_a_slow_machine_is_expected_to_remain_slow(forecast: Forecast, clock: Clock) -> None:
    forecast.start("compiled", lambda: clock.now / 3000)
    clock.now = 600
    # 60 of 420 are done after 600 s, when a machine as expected had needed 60.
    assert 3 * 360 < forecast.left() < 10 * 360


def test_a_part_without_a_measure_is_never_done_before_it_ends(
    forecast: Forecast, clock: Clock
) -> None:
    forecast.start("linked", unknown)
    clock.now = 10_000
    assert forecast.left() >= 330


def test_what_was_not_expected_changes_nothing(forecast: Forecast) -> None:
    forecast.start("other", unknown)
    forecast.finish("other")
    assert str(forecast) == "0 of 3 done, about 7 min left"


def test_the_end_is_not_far(forecast: Forecast, clock: Clock) -> None:
    for title in ("compiled", "linked"):
        forecast.start(title, unknown)
        clock.now += SECONDS[title]
        forecast.finish(title)
    assert str(forecast) == "2 of 3 done, about a minute left"


def test_a_compiler_counts_its_packages(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("$ go build -v ./x\nk8s.io/api/core/v1\ngo: downloading x/y v1\nfmt\nnet/http\n")
    step = Step("kubernetes", log, 0.0, packages=8)
    assert step.fraction() == 0.25
    assert "2 of 8 packages" in str(step)


def test_what_does_not_compile_has_no_measure(tmp_path: Path) -> None:
    assert Step("kafka", tmp_path / "none", 0.0).fraction() is None
    assert Step("kafka", tmp_path / "none", 0.0, packages=3).fraction() == 0


def test_without_a_terminal_one_line_shows_all_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    seen = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str, /) -> int:  # type: ignore[explicit-override]
            if "one 0 s; two 0 s" in text:
                seen.set()
            return super().write(text)

    stream = Stream()
    progress = Progress(stream, tmp_path)
    progress.forecast.expect({"one": 100.0, "two": 100.0, "three": 1.0})
    with progress.step("one"), progress.step("two"):
        assert seen.wait(30)
    assert re.search(
        r"^  0 of 3 done, about \d min left; one 0 s; two 0 s$", stream.getvalue(), re.MULTILINE
    )
    assert not re.search(r"^  two 0 s", stream.getvalue(), re.MULTILINE)
    assert "one: done" in stream.getvalue()
