"""Starting, watching and ending the components of a cluster; and talking to their keeper."""

import io
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import control, embedded, packages
from tests.cluster.cache import Cache
from tests.cluster.embedded import Place
from tests.cluster.errors import ClusterError
from tests.cluster.process import Component, Processes
from tests.cluster.progress import Progress
from tests.cluster.state import State, start_time, write_json
from tests.cluster.versions import Versions


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def processes(tmp_path: Path, said: list[str]) -> Processes:
    return Processes(tmp_path, said.append)


def touching(path: Path) -> Component:
    script = f"touch {path}; exec sleep 60"
    return Component("one", ("sh", "-c", script), path.exists, timeout=10)


def test_a_component_is_waited_for_by_its_readiness(
    processes: Processes, said: list[str], tmp_path: Path
) -> None:
    processes.start_and_wait(touching(tmp_path / "ready"))
    assert said == ["one ready"]
    assert processes.states() == {"one": "running"}
    processes.stop("one", kill=True)
    assert processes.states() == {"one": "stopped"}


def test_an_early_end_is_an_error_with_the_end_of_its_log(processes: Processes) -> None:
    component = Component("one", ("sh", "-c", "echo no disk; exit 4"), lambda: False)
    with pytest.raises(ClusterError, match=r"one ended with 4\nno disk"):
        processes.start_and_wait(component)


def test_not_ready_in_time_is_an_error(processes: Processes) -> None:
    component = Component("one", ("sleep", "60"), lambda: False, timeout=0.1)
    with pytest.raises(ClusterError, match="one was not ready"):
        processes.start_and_wait(component)
    processes.stop("one")


def test_a_failure_elsewhere_ends_the_waiting(processes: Processes) -> None:
    processes.failed.set()
    with pytest.raises(ClusterError, match="another part"):
        processes.wait("one", lambda: False, 10)


def test_a_stopped_component_can_be_started_again(processes: Processes, tmp_path: Path) -> None:
    processes.start_and_wait(touching(tmp_path / "ready"))
    processes.stop("one")
    processes.restart("one")
    assert processes.states() == {"one": "running"}
    with pytest.raises(ClusterError, match="one is running"):
        processes.restart("one")
    processes.stop("one")


def test_a_component_that_died_can_be_started_again(processes: Processes, tmp_path: Path) -> None:
    process = processes.start_and_wait(touching(tmp_path / "ready"))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert processes.states() == {"one": "ended with -9"}
    processes.restart("one")
    processes.stop("one")


def test_an_unknown_name_is_answered_with_the_known_ones(
    processes: Processes, tmp_path: Path
) -> None:
    processes.start_and_wait(touching(tmp_path / "ready"))
    with pytest.raises(ClusterError, match="there are: one"):
        processes.stop("two")
    processes.stop("one")


def test_control_carries_answers_and_refusals(tmp_path: Path) -> None:
    # Longer than a socket's address may be.
    directory = tmp_path / ("d" * 120)
    directory.mkdir()

    def handle(request: dict[str, Any]) -> object:
        if request["do"] == "refuse":
            raise ClusterError("not now")
        return request["value"]

    control.serve(directory, handle)
    assert control.ask(directory, 5, do="echo", value=7) == 7
    with pytest.raises(ClusterError, match="not now"):
        control.ask(directory, 5, do="refuse")


def test_nobody_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="does not answer"):
        control.ask(tmp_path, 5, do="status")


def test_a_cluster_runs_as_long_as_its_lock_is_held(tmp_path: Path) -> None:
    state = State(tmp_path / "one")
    assert not state.running()
    with state.acquire() as lock:
        assert lock is not None
        assert state.running()
        with state.acquire() as second:
            assert second is None
    assert state.wait_ended(1)


def test_a_process_number_that_was_used_again_is_not_ours(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.record_process(os.getpid())
    assert state.pid() == os.getpid()
    state.process.write_text(f'{{"pid": {os.getpid()}, "started": "1"}}')
    assert state.pid() is None
    assert start_time(2**22 + 1) is None


@pytest.mark.parametrize(
    ("ready", "started", "expected"),
    [
        (False, None, False),
        (False, "now", False),
        (True, None, False),
        # Of a cluster that was killed: the next start holds the lock, and has not swept yet.
        (True, "1", False),
        (True, "now", True),
    ],
)
def test_a_cluster_is_ready_if_its_process_lives(
    tmp_path: Path, ready: bool, started: str | None, expected: bool
) -> None:
    state = State(tmp_path)
    if ready:
        state.ready.write_text("{}")
    if started is not None:
        since = start_time(os.getpid()) if started == "now" else started
        write_json(state.process, {"pid": os.getpid(), "started": since})
    assert state.is_ready() == expected


def test_a_start_waits_for_another_that_has_not_swept_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "require_root", lambda: None)
    monkeypatch.setattr(embedded, "prepare", lambda *_: None)
    monkeypatch.setattr(embedded, "START_TIMEOUT", 0.5)
    place = Place(Cache(tmp_path), Progress(io.StringIO(), tmp_path), "one")
    place.state.directory.mkdir(parents=True)
    place.state.ready.write_text("{}")
    write_json(place.state.process, {"pid": os.getpid(), "started": "1"})
    with (
        place.state.acquire(),
        pytest.raises(ClusterError, match="Another start of the cluster one does not come"),
    ):
        embedded.up(place, Versions())


def test_an_end_takes_nothing_from_a_start_that_has_begun_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_TIMEOUT", 0.0)
    state = State(tmp_path)
    state.data.mkdir()
    with state.acquire() as lock:
        assert lock is not None
        embedded.end(state)
        assert state.data.exists()
    embedded.end(state)
    assert not state.data.exists()
