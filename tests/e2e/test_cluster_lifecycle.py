"""The embedded cluster leaves nothing behind, whichever way it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import cgroups, embedded
from tests.cluster.embedded import Place
from tests.cluster.state import start_time
from tests.support.interrupts import interruptible

NAME = "lifecycle"
REPOSITORY = Path(__file__).parents[2]
ME = [sys.executable, "-m", "tests.cluster", "--name", NAME]
PLACES = (
    *("/run/containerd", "/run/netns", "/run/node", "/run/flannel", "/var/lib/cni"),
    *("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd", "/var/log/pods"),
    *("/var/log/containers", "/etc/cni", "/opt/cni", "/opt/containerd", "/tmp/hostpath_pv"),
)
SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="an embedded cluster needs root"),
    # Two starts at once on a small machine would only wait for each other.
    pytest.mark.xdist_group("cluster-lifecycle"),
]


@dataclass(frozen=True)
class Machine:
    """What a cluster could change on the machine it runs on."""

    mounts: str
    interfaces: list[str]
    rules: list[str]
    places: dict[str, list[str]]
    settings: dict[str, str]
    groups: list[Path]


def machine() -> Machine:
    # This process may have joined another cluster's network; what started it has not.
    outside = ["nsenter", f"--net=/proc/{os.getppid()}/ns/net"]
    links = json.loads(_output([*outside, "ip", "-json", "link"]))
    rules = _output([*outside, "iptables-save"]).splitlines()
    return Machine(
        mounts=Path("/proc/self/mountinfo").read_text(),
        interfaces=sorted(link["ifname"] for link in links),
        # Counters and dates change by themselves.
        rules=[line for line in rules if line.startswith("-A")],
        places={place: _listing(Path(place)) for place in PLACES},
        settings={name: (Path("/proc/sys") / name).read_text() for name in SETTINGS},
        groups=_groups(),
    )


def _groups() -> list[Path]:
    """The outermost control groups, but for those of other tests' containers."""
    found = [path for top in cgroups.hierarchies() for path in top.iterdir() if path.is_dir()]
    return sorted(path for path in found if not path.name.startswith("libpod"))


def _listing(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


@dataclass(frozen=True)
class Inhabitants:
    """The processes of a cluster and the namespaces that they are in."""

    processes: dict[int, str]
    namespaces: set[str]
    others: dict[int, str]
    """All processes beside them. What descends from those is no concern of this cluster, even
    where the kernel gives the number of an ended namespace to a new one, of another's pod."""

    def left(self) -> list[str]:
        alive = [str(pid) for pid, since in self.processes.items() if start_time(pid) == since]
        return alive + [
            f"{pid} in {names & self.namespaces}"
            for pid in _pids()
            if (names := _namespaces(pid)) & self.namespaces and not self._is_anothers(pid)
        ]

    def _is_anothers(self, pid: int) -> bool:
        inside = _pid_namespace(os.getppid())
        while pid := _parent(pid):
            # Everybody descends from the machine's own processes; another cluster has its own.
            known = self.others.get(pid)
            if known and known == start_time(pid) and _pid_namespace(pid) != inside:
                return True
        return False


def inhabitants() -> Inhabitants:
    outer = place().state.pid()
    assert outer is not None
    parents = {pid: _parent(pid) for pid in _pids()}
    found = {outer}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    namespaces = set().union(*(_namespaces(pid) for pid in found)) - _namespaces(os.getpid())
    return Inhabitants(
        {pid: start_time(pid) or "" for pid in found},
        namespaces - _namespaces(os.getppid()),
        {pid: start_time(pid) or "" for pid in parents.keys() - found},
    )


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _namespaces(pid: int) -> set[str]:
    names = set()
    for kind in ("net", "mnt", "pid"):
        try:
            names.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
        except OSError:
            continue
    return names


def _pid_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def place() -> Place:
    return Place.default(NAME)


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    if "PYTEST_XDIST_WORKER" in os.environ:
        # They share one cluster's name, and would end each other's.
        assert request.node.nodeid.endswith("@cluster-lifecycle"), "xdist has split the group"
    embedded.down(place())
    yield
    embedded.down(place())


def up() -> Inhabitants:
    subprocess.run([*ME, "up"], cwd=REPOSITORY, check=True, timeout=900)
    pods = _output([*ME, "kubectl", "get", "pods", "-A", "--no-headers"])
    assert "workflow-controller" in pods
    found = inhabitants()
    # Both nodes have their containerd, kubelet and proxy, and one has Argo's pod.
    assert len(found.processes) > 15
    return found


def wait_until(what: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_down_leaves_nothing() -> None:
    before = machine()
    lived = up()
    assert machine() != before
    subprocess.run([*ME, "down"], cwd=REPOSITORY, check=True, timeout=60)
    assert lived.left() == []
    assert machine() == before
    assert not place().state.data.exists()


@pytest.mark.long
def test_a_kill_of_the_outer_process_ends_everything() -> None:
    before = machine()
    lived = up()
    os.kill(place().state.pid() or 0, signal.SIGKILL)
    wait_until(lambda: lived.left() == [])
    # Control groups outlive processes; the next start or `down` takes them away.
    subprocess.run([*ME, "down"], cwd=REPOSITORY, check=True, timeout=60)
    assert machine() == before


WITH = f"""
import time
from tests.cluster import open_cluster
with open_cluster("embedded", {NAME!r}):
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.mark.long
def test_a_kill_of_the_program_that_uses_it_ends_everything() -> None:
    before = machine()
    command = [sys.executable, "-c", WITH]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"up\n"
        lived = inhabitants()
        user.kill()
    wait_until(lambda: lived.left() == [])
    assert machine() == before


@pytest.mark.long
def test_an_interrupted_start_leaves_nothing_and_can_be_repeated() -> None:
    before = machine()
    with subprocess.Popen(interruptible([*ME, "up"]), cwd=REPOSITORY) as starting:
        wait_until(_half_way)
        # So that the start cannot end before the signal comes, however slow this process is.
        _freeze("kubelet")
        lived = inhabitants()
        starting.send_signal(signal.SIGINT)
        assert starting.wait(60) == 130
    assert lived.left() == []
    assert machine() == before
    up()


def _freeze(program: str) -> None:
    """Stop the cluster's processes of a program in their tracks."""
    pids: list[int] = []

    def found() -> bool:
        # Its log is there a moment before it is.
        pids[:] = [pid for pid in _pids() if _of_cluster(pid, program)]
        return pids != []

    wait_until(found)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def _of_cluster(pid: int, program: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return False
    directory = str(place().state.directory)
    return words[0].endswith(f"/{program}") and any(directory in word for word in words[1:])


def _half_way() -> bool:
    # The logs of an earlier run stay until the next one begins.
    state = place().state
    return state.pid() is not None and (state.logs / "node1-kubelet.log").exists()
