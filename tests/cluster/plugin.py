"""pytest: a session fixture `cluster`, started by the first test that asks for it.

The cluster ends with the session, and with the session's process even if that is killed: its
lifeline is a named pipe that only that process writes to. With xdist the workers find the
pipe by its path; whichever is first starts the cluster, the others wait and join.
A cluster that runs already is used and left running.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from tests.cluster import embedded
from tests.cluster.base import Cluster
from tests.cluster.choice import Backend, choose, from_environment, open_cluster
from tests.cluster.embedded import EmbeddedCluster, Place

INPUT = "cluster_lifeline"
LIFELINE = pytest.StashKey[Path]()
WRITER = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which cluster to use."""
    group = parser.getgroup("cluster")
    group.addoption("--kubeconfig", help="use the cluster that this kubeconfig points to")
    group.addoption(
        "--cluster-backend",
        default="auto",
        choices=get_args(Backend),
        help="what the cluster is made of (default: what this machine can do)",
    )
    group.addoption(
        "--cluster-name",
        default=os.environ.get("CLUSTER_NAME", "default"),
        help="the embedded cluster's name",
    )
    group.addoption("--keep-cluster", action="store_true", help="leave the cluster running")


def pytest_configure(config: pytest.Config) -> None:
    """Make the lifeline, in the process whose end is the session's."""
    given = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[LIFELINE] = Path(given[INPUT])
        return
    path = Path(tempfile.mkdtemp(prefix="cluster-")) / "lifeline"
    os.mkfifo(path, 0o600)
    config.stash[LIFELINE] = path
    # Opened for reading too, since opening for writing alone would wait for a reader.
    config.stash[WRITER] = os.open(path, os.O_RDWR | os.O_CLOEXEC)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker where the lifeline is."""
    # A WorkerController: xdist has no types, and need not be installed.
    worker = cast("Any", node)
    worker.workerinput[INPUT] = str(worker.config.stash[LIFELINE])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the lifeline, and wait until a cluster that hung on it is gone."""
    writer = config.stash.get(WRITER, None)
    if writer is None:
        return
    lifeline = config.stash[LIFELINE]
    if config.getoption("--keep-cluster"):
        os.write(writer, b"detach\n")
    os.close(writer)
    started = lifeline.with_name("started")
    if started.exists() and not config.getoption("--keep-cluster"):
        embedded.end(_place(config).state)
    shutil.rmtree(lifeline.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A running cluster whose addresses this process can reach."""
    with contextlib.ExitStack() as stack:
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            found = _open(pytestconfig, stack)
        found.join()
        yield found


def _open(config: pytest.Config, stack: contextlib.ExitStack) -> Cluster:
    given = config.getoption("--kubeconfig")
    kubeconfig = Path(given) if given else None
    backend = config.getoption("--cluster-backend")
    if choose(backend, kubeconfig, os.environ) != "embedded":
        return stack.enter_context(open_cluster(backend, _name(config), kubeconfig))
    place, lifeline = _place(config), config.stash[LIFELINE]
    # Nothing else may write, or the pipe would not end with the session.
    reader = os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(reader, True)
    try:
        process = embedded.up(place, from_environment(os.environ), reader)
        if process is not None:
            embedded.abandon(process)
            lifeline.with_name("started").touch()
    finally:
        os.close(reader)
    return EmbeddedCluster(place)


def _name(config: pytest.Config) -> str:
    return str(config.getoption("--cluster-name"))


def _place(config: pytest.Config) -> Place:
    return Place.default(_name(config))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the cluster's logs are when something failed."""
    config = terminalreporter.config
    logs = _place(config).state.logs
    if terminalreporter.stats.get("failed") and logs.is_dir():
        terminalreporter.write_line(f"Logs of the cluster's components: {logs}")
