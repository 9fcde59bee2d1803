"""A control group of the cluster's own, in every hierarchy, for its pods.

Groups outlive the processes in them, and no namespace takes them away, so this is the one
thing that has to be cleaned up: by `down`, or by the next start after a kill.
"""

import hashlib
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = "+cpu +cpuset +io +memory +pids"


def name(state: Path) -> str:
    """The group of the cluster with this state directory."""
    return f"cloudharness-{hashlib.sha256(str(state).encode()).hexdigest()[:10]}"


def hierarchies() -> list[Path]:
    """Where a group can be made: one place with cgroup v2, one for each controller with v1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted({path.resolve() for path in ROOT.iterdir() if (path / "tasks").exists()})


def create(group: str, children: list[str]) -> None:
    """Make the group and one below it for each node."""
    for hierarchy in hierarchies():
        if hierarchy == ROOT:
            _delegate(ROOT)
        for child in children:
            (hierarchy / group / child).mkdir(parents=True, exist_ok=True)
        if hierarchy == ROOT:
            _delegate(ROOT / group)


def _delegate(group: Path) -> None:
    available = set((group / "cgroup.controllers").read_text().split())
    wanted = [c for c in CONTROLLERS.split() if c.removeprefix("+") in available]
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
