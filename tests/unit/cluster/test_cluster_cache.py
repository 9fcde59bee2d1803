"""The cache of the embedded cluster: whole entries, whatever happened to their builders."""

import io
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from typing_extensions import override

from tests.cluster.cache import Cache, Entry
from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress, Step

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
fork = multiprocessing.get_context("fork")


def progress(place: Path) -> Progress:
    return Progress(io.StringIO(), place / "logs")


def entry(name: str = "tiny", inputs: tuple[str, ...] = ("1",), text: str = "whole") -> Entry:
    def build(place: Path, _: Step) -> None:
        (place / "file").write_text(text)

    return Entry(name, inputs, build)


def test_an_entry_is_built_once(tmp_path: Path) -> None:
    cache, talk = Cache(tmp_path), progress(tmp_path)
    first = cache.obtain(entry(text="first"), talk)
    second = cache.obtain(entry(text="second"), talk)
    assert first == second
    assert (second / "file").read_text() == "first"


def test_another_input_is_another_entry(tmp_path: Path) -> None:
    cache, talk = Cache(tmp_path), progress(tmp_path)
    assert cache.obtain(entry(), talk) != cache.obtain(entry(inputs=("2",)), talk)


def test_inputs_do_not_run_into_each_other() -> None:
    assert entry(inputs=("ab", "c")).key != entry(inputs=("a", "bc")).key


def test_a_failed_build_leaves_no_entry_and_can_be_repeated(tmp_path: Path) -> None:
    def build(place: Path, step: Step) -> None:
        (place / "half").touch()
        step.run(["sh", "-c", "echo the reason; exit 3"])

    cache, talk = Cache(tmp_path), progress(tmp_path)
    with pytest.raises(ClusterError, match=r"(?s)ended with 3.*the reason.*log"):
        cache.obtain(Entry("tiny", ("1",), build), talk)
    place = cache.obtain(entry(), talk)
    assert [path.name for path in place.iterdir()] == ["file"]


def _build_for_ever(root: Path) -> None:
    def build(place: Path, _: Step) -> None:
        (place / "half").touch()
        (root / "begun").touch()
        time.sleep(60)

    Cache(root).obtain(Entry("tiny", ("1",), build), progress(root))


def test_what_a_killed_builder_left_is_built_again(tmp_path: Path) -> None:
    builder = fork.Process(target=_build_for_ever, args=(tmp_path,))
    builder.start()
    _wait(tmp_path / "begun")
    os.kill(builder.pid or 0, signal.SIGKILL)
    builder.join(10)
    place = Cache(tmp_path).obtain(entry(), progress(tmp_path))
    assert [path.name for path in place.iterdir()] == ["file"]


def _build_slowly(root: Path) -> None:
    def build(place: Path, _: Step) -> None:
        (root / "begun").touch()
        _wait(root / "go-on")
        (place / "file").write_text("of the first run")

    Cache(root).obtain(Entry("tiny", ("1",), build), progress(root))


class Releasing(io.StringIO):
    """Lets the first run go on as soon as the second says that it waits."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    @override
    def write(self, text: str, /) -> int:
        if "another run builds it" in text:
            (self.root / "go-on").touch()
        return super().write(text)


def test_a_second_run_waits_says_so_and_uses_what_the_first_made(tmp_path: Path) -> None:
    builder = fork.Process(target=_build_slowly, args=(tmp_path,))
    builder.start()
    _wait(tmp_path / "begun")
    stream = Releasing(tmp_path)
    place = Cache(tmp_path).obtain(entry(), Progress(stream, tmp_path / "logs"))
    builder.join(10)
    assert (place / "file").read_text() == "of the first run"
    assert "tiny: another run builds it" in stream.getvalue()


def _wait(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.01)
