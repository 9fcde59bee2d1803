"""A control group of the cluster's own, in every hierarchy, for its pods.

Control groups v1 have a hierarchy for each controller, v2 has one for all. A container has a
part of either, which looks whole from within. Groups outlive the processes in them, and no
namespace removes them, so this is the one thing that has to be cleaned up: by `down`, or by the
next start after a kill.
"""

import contextlib
import errno
import hashlib
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# The kubelet refuses a group without any of these that the machine has.
CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")
TRIALS = 10
ASIDE = "processes"
"""The group, with v2, of the processes of a container that were in its outermost group."""


def name(state: Path) -> str:
    """The group of the cluster with this state directory."""
    return f"cloudharness-{hashlib.sha256(str(state).encode()).hexdigest()[:10]}"


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Where a group can be made: one place with cgroup v2, one for each controller with v1.

    A machine with v1 may have the hierarchy of v2 besides, without controllers.
    """
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted({path.resolve() for path in root.iterdir() if (path / "cgroup.procs").exists()})


def create(group: str, children: list[str], root: Path = ROOT) -> None:
    """Make the group and one below it for each node."""
    for hierarchy in hierarchies(root):
        for child in children:
            (hierarchy / group / child).mkdir(parents=True, exist_ok=True)
        if (hierarchy / "cgroup.controllers").exists():
            _share(hierarchy)
            _delegate(hierarchy / group)


def _share(root: Path) -> None:
    """Let groups below the outermost one have controllers.

    A group with processes cannot, but for the machine's own outermost one. In a container those
    processes are few, and another one may begin at any time.
    """
    for _ in range(TRIALS):
        try:
            _delegate(root)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            _move_aside(root)
        else:
            return
    _delegate(root)


def _move_aside(root: Path) -> None:
    aside = root / ASIDE
    aside.mkdir(exist_ok=True)
    for process in (root / "cgroup.procs").read_text().split():
        # One that has ended meanwhile, or one of the kernel's.
        with contextlib.suppress(ProcessLookupError):
            (aside / "cgroup.procs").write_text(process)


def _delegate(group: Path) -> None:
    available = (group / "cgroup.controllers").read_text().split()
    wanted = [f"+{name}" for name in CONTROLLERS if name in available]
    (group / "cgroup.subtree_control").write_text(" ".join(wanted))


def leftovers(group: str) -> list[Path]:
    """Every directory of the group, innermost first."""
    found = [hierarchy / group for hierarchy in hierarchies()]
    everything = [path for top in found if top.is_dir() for path in [top, *_directories(top)]]
    return sorted(everything, key=lambda path: len(path.parts), reverse=True)


def _directories(top: Path) -> list[Path]:
    return [path for path in top.rglob("*") if path.is_dir()]


def remove(group: str, timeout: float = 5.0) -> bool:
    """Remove the group, waiting for the last of its killed processes to be gone."""
    deadline = time.monotonic() + timeout
    while paths := leftovers(group):
        for path in paths:
            try:
                path.rmdir()
            except OSError:
                continue
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
