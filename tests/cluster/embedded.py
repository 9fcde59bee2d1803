"""The embedded cluster from the outside: start it, reach it, end it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from typing_extensions import override

from tests.cluster import addons, cgroups, config, control, images, linux, packages
from tests.cluster.base import PROJECT, Cluster
from tests.cluster.cache import Cache, default_root
from tests.cluster.errors import ClusterError
from tests.cluster.port_forward import PortForwards
from tests.cluster.progress import Progress, tail
from tests.cluster.setup import Artifacts, prepare
from tests.cluster.state import State, write_json
from tests.cluster.versions import Versions

START_TIMEOUT = 240.0
STOP_TIMEOUT = 20.0


@dataclass(frozen=True)
class Place:
    """Where clusters live, and how to talk about them."""

    cache: Cache
    progress: Progress
    name: str = "default"

    @classmethod
    def default(cls, name: str, stream: TextIO = sys.stderr) -> "Place":
        """This user's."""
        cache = Cache(default_root())
        return cls(cache, Progress(stream, cache.root / "logs"), name)

    @property
    def state(self) -> State:
        """The named cluster's files."""
        return State(self.cache.root / "clusters" / self.name)


class EmbeddedCluster(Cluster):
    """A running embedded cluster."""

    backend = "embedded"

    def __init__(self, place: Place) -> None:
        self.place = place
        self.state = place.state
        self.kubeconfig = self.state.kubeconfig
        self.logs = self.state.logs
        self.audit_log: Path = self.state.logs / "audit.log"
        self.kafka = config.KAFKA
        self.artifacts = Artifacts(**json.loads(self.state.plan.read_text())["artifacts"])

    @override
    def join(self) -> None:
        """Move the calling thread, and all it starts, into the cluster's network."""
        linux.enter_network(self.state.network())

    @override
    def entering(self) -> list[str]:
        """Only the network: the command sees the files that the caller sees."""
        return ["nsenter", f"--net={self.state.network()}"]

    @override
    def environment(self) -> dict[str, str]:
        """Tools of the cluster's own version first, and their caches with the cluster's data."""
        home = self.state.data / "tools"
        return {
            **super().environment(),
            "PATH": f"{self.tools}:{os.environ.get('PATH', os.defpath)}",
            "KUBECACHEDIR": str(home / "kube"),
            "HELM_CACHE_HOME": str(home / "helm-cache"),
            "HELM_CONFIG_HOME": str(home / "helm-config"),
            "HELM_DATA_HOME": str(home / "helm-data"),
        }

    @override
    def _program(self, name: str) -> str:
        known = {"kubectl": f"{self.artifacts.kubernetes}/kubectl", "helm": self.artifacts.helm}
        return known[name]

    @override
    def operator_image(self) -> str:
        return self._image(images.OPERATOR)

    @override
    def client_image(self) -> str:
        return self._image(images.CLIENT)

    @override
    def samples_image(self) -> str:
        return self._image(images.SAMPLES)

    def _image(self, image: images.ProjectImage) -> str:
        """Built from the working tree."""
        base, place = Path(self.artifacts.python_image), self.place
        tag, archive = images.project_archive(image, place.cache, place.progress, PROJECT, base)
        self.load_image(archive)
        return tag

    @property
    def tools(self) -> str:
        """Where kubectl and helm are, as a part of PATH."""
        return f"{self.artifacts.kubernetes}:{Path(self.artifacts.helm).parent}"

    def outer_environment(self) -> dict[str, str]:
        """What the machine's own programs, outside of the cluster's network, need to find it."""
        kafka = json.loads(self.state.ready.read_text())["kafka"]
        return {"KUBECONFIG": str(self.state.outer_kubeconfig), "KAFKA": kafka}

    def load_image(self, archive: Path) -> None:
        """Import an image archive on all nodes."""
        control.ask(self.state.directory, 300.0, do="load", archive=str(archive))

    def is_ready(self) -> bool:
        """Whether it has come up as a whole."""
        return self.state.is_ready()

    def states(self) -> dict[str, str]:
        """Each component, and whether it runs."""
        return cast("dict[str, str]", control.ask(self.state.directory, 10.0, do="status"))

    @override
    def kill_pod(self, namespace: str, name: str) -> None:
        """By the kernel: the kubelet would ask its processes to end first."""
        for process in process_ids(f"HOSTNAME={name}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        super().kill_pod(namespace, name)

    @override
    def _control(self, verb: str, component: str) -> None:
        if component == "argo":
            self._control_argo(verb)
        else:
            control.ask(self.state.directory, 120.0, do=verb, component=component)

    def _control_argo(self, verb: str) -> None:
        # Argo runs as a pod, so it is stopped as one stops pods.
        namespace = ("--namespace", addons.ARGO_NAMESPACE)
        pods = ("pods", "--selector", "app=workflow-controller")
        if verb == "kill":
            self.kubectl("delete", *pods, *namespace, "--grace-period=0", "--force")
            return
        replicas = {"start": 1, "stop": 0}[verb]
        deployment = "deployment/workflow-controller"
        self.kubectl("scale", deployment, f"--replicas={replicas}", *namespace)
        if verb == "stop":
            self.kubectl("wait", "--for=delete", *pods, *namespace, timeout=90)
        else:
            self.kubectl("rollout", "status", deployment, *namespace, timeout=90)


def process_ids(variable: str) -> list[int]:
    """The processes that have a variable in their environment."""
    found = []
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if directory.name.isdigit():
                environment = (directory / "environ").read_bytes().split(b"\0")
                found += [int(directory.name)] * (variable.encode() in environment)
    return found


def find(place: Place) -> EmbeddedCluster:
    """The cluster that runs in a place.

    Raises:
        ClusterError: none does.
    """
    if not place.state.is_ready():
        raise ClusterError(f"The cluster {place.name} is not up: make cluster-up")
    return EmbeddedCluster(place)


@contextlib.contextmanager
def running(place: Place, versions: Versions) -> Iterator[EmbeddedCluster]:
    """A cluster for a `with`: one that runs already is used and left, else one is started."""
    process = up(place, versions)
    try:
        yield EmbeddedCluster(place)
    finally:
        if process is not None:
            down(place)
            process.wait(STOP_TIMEOUT)


def up(
    place: Place, versions: Versions, lifeline: int | None = None
) -> subprocess.Popen[bytes] | None:
    """Bring the cluster up; None if it was already there.

    It lives as long as its lifeline, the write end of a pipe: the one given, or else the
    returned process's standard input, which the caller holds.
    """
    packages.require_root()
    artifacts = prepare(place.cache, versions, place.progress)
    state = place.state
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        # Left before waiting, so that only the cluster itself holds its lock.
        with state.acquire() as lock:
            process = _spawn(place, artifacts, lock, lifeline) if lock is not None else None
        if process is not None:
            _await_start(place, process)
            return process
        if _await_other(place, deadline):
            return None
    raise ClusterError(f"Another start of the cluster {place.name} does not come to an end")


def _await_other(place: Place, deadline: float) -> bool:
    """Wait for a start in another process; whether it succeeded."""
    if not place.state.is_ready():
        place.progress.say(f"Another process starts the cluster {place.name}; waiting for it")
    while place.state.running() and time.monotonic() < deadline:
        if place.state.is_ready():
            return True
        time.sleep(0.1)
    return False


def _spawn(
    place: Place, artifacts: Artifacts, lock: int, lifeline: int | None
) -> subprocess.Popen[bytes]:
    state = place.state
    _sweep(state)
    shutil.rmtree(state.logs, ignore_errors=True)
    state.logs.mkdir()
    state.data.mkdir()
    # Here, and not within: a process namespace hides the processes that may have to be moved.
    cgroups.create(cgroups.name(state.directory), [node.name for node in config.NODES])
    forwards = PortForwards.open()
    plan = {
        "cache": str(place.cache.root),
        "artifacts": artifacts.to_dict(),
        "forwards": forwards.descriptors(),
    }
    write_json(state.plan, plan)
    with contextlib.closing(forwards), (state.logs / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                *("--mount-proc", sys.executable, "-m", "tests.cluster.supervisor"),
                str(state.directory),
            ],
            cwd=PROJECT,
            stdin=subprocess.PIPE if lifeline is None else lifeline,
            stdout=log,
            stderr=log,
            pass_fds=(lock, *forwards.descriptors().values()),
            start_new_session=True,
        )
    state.record_process(process.pid)
    return process


def _await_start(place: Place, process: subprocess.Popen[bytes]) -> None:
    try:
        _follow(place, process)
    except BaseException:
        end(place.state)
        process.wait(STOP_TIMEOUT)
        raise


def _follow(place: Place, process: subprocess.Popen[bytes]) -> None:
    """Pass on what the supervisor says until the cluster is ready."""
    state = place.state
    deadline = time.monotonic() + START_TIMEOUT
    with (state.logs / "supervisor.log").open() as log:
        while True:
            ended = process.poll() is not None
            for line in log:
                place.progress.say(line.rstrip())
            if state.ready.exists():
                return
            if ended or time.monotonic() > deadline:
                raise ClusterError(f"The cluster did not start.\n{failures(state)}")
            time.sleep(0.05)


def failures(state: State) -> str:
    """The end of each component's log, for a start that failed."""
    logs = sorted(state.logs.glob("*.log"))
    parts = [f"--- {log.name}\n{tail(log, 8)}" for log in logs if log.name != "audit.log"]
    return "\n".join([*parts, f"All logs: {state.logs}"])


def down(place: Place) -> bool:
    """End the cluster and leave nothing of it but its logs; whether there was one."""
    was_running = place.state.running()
    end(place.state)
    return was_running


def end(state: State) -> None:
    """Ask the supervisor; kill the outer process if it does not answer."""
    if state.running():
        with contextlib.suppress(ClusterError):
            control.ask(state.directory, 5.0, do="down")
        pid = state.pid()
        if not state.wait_ended(STOP_TIMEOUT) and pid is not None:
            os.kill(pid, signal.SIGKILL)
            state.wait_ended(STOP_TIMEOUT)
    # What is there may be of a start that has begun since, which has swept before it.
    for _ in range(20):
        with state.acquire() as lock:
            if lock is not None:
                _sweep(state)
                return
        # To look whether it is held is to hold it for a moment, too.
        time.sleep(0.05)


def _sweep(state: State) -> None:
    """Remove what a cluster leaves when it was killed."""
    # First, and at once: the rest can take seconds, and these would say that it is up.
    files = (state.ready, state.process, state.kubeconfig, state.outer_kubeconfig)
    for path in (*files, state.directory / control.NAME):
        path.unlink(missing_ok=True)
    if not cgroups.remove(cgroups.name(state.directory)):
        raise ClusterError(f"Processes are left in the control group of {state.directory}")
    shutil.rmtree(state.data, ignore_errors=True)


def detach(process: subprocess.Popen[bytes]) -> None:
    """Let the cluster live on without whoever started it."""
    if process.stdin is not None:
        process.stdin.write(b"detach\n")
        process.stdin.close()
    abandon(process)


def abandon(process: subprocess.Popen[bytes]) -> None:
    """Leave the waiting for the outer process to others: its life is not this program's."""
    # Python warns of processes that nobody waited for, but for those with an exit code.
    process.returncode = 0
