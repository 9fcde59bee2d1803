"""The controllers that are compared, and how each is built and started."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.accounts import Account
from benchmarks.lifecycles.shapes import IMAGE, JOBSET, OPERATION, Shape, workflow
from tests.cluster import ClusterError, build, pki
from tests.cluster.cache import Entry
from tests.cluster.embedded import Place
from tests.cluster.progress import Step
from tests.support.brokers import free_port

GO: Final = Path(__file__).with_name("go")
OWN_PROCESSOR: Final = ("chrt", "--fifo", "1")
"""What a controller is started by: it runs as soon as it has something to do. Otherwise one with a
single thread waits up to 250 ms for a processor, each time that the API server's garbage collector
uses both; in a cluster, the API server has machines of its own."""
GO_VERSION: Final = (1, 25)
"""The oldest that compiles both."""
JOBSET_MODULE: Final = "sigs.k8s.io/jobset"
JOBSET_VERSION: Final = "v0.12.0"
JOBSET_CRD: Final = "config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml"
# As it comes, but for what one process on a loopback does not need.
JOBSET_CONFIG: Final = """
apiVersion: config.jobset.x-k8s.io/v1alpha1
kind: Configuration
health: {healthProbeBindAddress: "127.0.0.1:0"}
metrics: {bindAddress: "127.0.0.1:0"}
webhook: {port: %d}
leaderElection: {leaderElect: false}
internalCertManagement: {enable: false}
"""


@dataclass(frozen=True)
class Run:
    """One run of a controller."""

    account: Account
    namespace: str
    place: Path
    """A directory of its own."""
    ttl: int | None
    """Seconds after which the child of an ended parent is deleted."""

    @property
    def log(self) -> Path:
        """What the controller prints."""
        return self.place / "log"

    async def until(
        self, process: subprocess.Popen[bytes], what: Callable[[], bool], seconds: float
    ) -> None:
        """Wait until something holds, while the controller runs.

        Raises:
            ClusterError: the controller has ended, or it takes longer than so many seconds.

        """
        deadline = time.monotonic() + seconds
        while not what():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ClusterError(f"it has ended, or takes too long:\n{self.log_tail()}")
            await asyncio.sleep(0.02)

    def log_tail(self) -> str:
        """Return what it has printed last."""
        return self.log.read_text(errors="replace")[-3000:]


@dataclass(frozen=True)
class Arm:
    """A controller."""

    name: str
    shape: Shape
    command: Callable[[Run], Sequence[str]]
    environment: Callable[[Run], Mapping[str, str]] = field(default=lambda _: {})

    @contextmanager
    def running(self, run: Run) -> Iterator[subprocess.Popen[bytes]]:
        """Start it as a process of its own, which prints into the run's log, and end it."""
        environment = {**os.environ, "KUBECONFIG": str(run.account.kubeconfig)}
        with (
            run.log.open("wb") as log,
            subprocess.Popen(
                [*OWN_PROCESSOR, *self.command(run)],
                env={**environment, **self.environment(run)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def turns(controllers: Sequence[Arm], rounds: int) -> Iterator[tuple[int, Arm]]:
    """Yield each controller with the number of its round, in another order in each round."""
    for number in range(rounds):
        first = number % len(controllers)
        for arm in (*controllers[first:], *controllers[:first]):
            yield number + 1, arm


def operator(kafka: str = "", **settings: str) -> Arm:
    """Return this operator, with the chart's settings but for those given."""

    def environment(run: Run) -> dict[str, str]:
        return {
            **run.account.environment,
            "WATCH_NAMESPACES": run.namespace,
            "TASK_IMAGE": IMAGE,
            "HTTP_PORT": str(free_port()),
            **({"KAFKA_BOOTSTRAP_SERVERS": kafka} if kafka else {}),
            **settings,
        }

    name = "operator, Kafka" if kafka else "operator"
    command = (sys.executable, "-m", "cloudharness_operator")
    return Arm(name, OPERATION, lambda _: command, environment)


def peer(program: Path) -> Arm:
    """Return the least that a controller in Go does."""

    def command(run: Run) -> list[str]:
        template = run.place / "workflow.json"
        template.write_text(json.dumps(workflow()))
        given = (f"-template={template}", f"-namespace={run.namespace}", f"-ttl={run.ttl or 0}s")
        return [str(program), *given]

    return Arm("Go peer", OPERATION, command)


def jobset(program: Path) -> Arm:
    """Return JobSet's controller, as it comes, without its admission webhooks."""

    def command(run: Run) -> list[str]:
        config = run.place / "jobset.yaml"
        config.write_text(JOBSET_CONFIG % free_port())
        # It serves its webhooks, though nothing calls them.
        serving = run.place / "k8s-webhook-server" / "serving-certs"
        serving.mkdir(parents=True)
        pki.self_signed(serving, "tls", "IP:127.0.0.1")
        return [str(program), f"--config={config}"]

    # Below $TMPDIR is where controller-runtime looks for the certificate.
    return Arm("JobSet", JOBSET, command, lambda run: {"TMPDIR": str(run.place)})


def obtain(place: Place) -> tuple[Path, Path]:
    """Build the peer and JobSet into the cache, once; return the directories of both."""
    environment = build.go_environment(place.cache, GO_VERSION, place.progress)
    entries = (_peer_entry(environment), _jobset_entry(environment))
    one, other = (place.cache.obtain(entry, place.progress) for entry in entries)
    return one, other


def _peer_entry(environment: dict[str, str]) -> Entry:
    module = GO / "peer"

    def make(place: Path, step: Step) -> None:
        build.go_build(step, module, environment, "", place / "peer", ".")

    return Entry("benchmark-peer", build.contents(module, "go.mod", "go.sum", "main.go"), make, 90)


def _jobset_entry(environment: dict[str, str]) -> Entry:
    module = GO / "jobset"

    def make(place: Path, step: Step) -> None:
        build.go_build(step, module, environment, "", place / "jobset", JOBSET_MODULE)
        what = f"{JOBSET_MODULE}@{JOBSET_VERSION}"
        source = build.module_source(what, module, place / "source", environment)
        shutil.copyfile(source / JOBSET_CRD, place / "crd.yaml")
        shutil.rmtree(source)

    inputs = build.contents(module, "go.mod", "go.sum")
    return Entry(f"benchmark-jobset-{JOBSET_VERSION}", inputs, make, 120)
