"""Where one cluster keeps what belongs to it, and whether it runs.

A cluster runs exactly as long as its lock is held: the outer process, PID 1 of the cluster
and the supervisor share one lock, and the kernel frees it when the last of them is gone,
whatever ended them.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError


@dataclass(frozen=True)
class State:
    """The paths of the cluster of one name."""

    directory: Path

    @property
    def logs(self) -> Path:
        """A file for each component, and a folder for each node's pods."""
        return self.directory / "logs"

    @property
    def data(self) -> Path:
        """Everything that goes when the cluster does."""
        return self.directory / "data"

    @property
    def pki(self) -> Path:
        """Certificates and the components' kubeconfigs."""
        return self.data / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The person's, with all rights."""
        return self.directory / "kubeconfig"

    @property
    def outer_kubeconfig(self) -> Path:
        """The same for programs of the machine, outside of the cluster's network."""
        return self.directory / "kubeconfig-outside"

    @property
    def plan(self) -> Path:
        """What the supervisor is to start."""
        return self.directory / "plan.json"

    @property
    def ready(self) -> Path:
        """There once everything is up; holds how long it took."""
        return self.directory / "ready.json"

    @property
    def process(self) -> Path:
        """The outer process and when it started."""
        return self.directory / "process.json"

    @property
    def lock(self) -> Path:
        """Held while the cluster runs."""
        return self.directory / "lock"

    def running(self) -> bool:
        """Whether somebody holds the lock."""
        if not self.lock.exists():
            return False
        with self.lock.open("rb") as file:
            return not _try_lock(file.fileno())

    def is_ready(self) -> bool:
        """Whether the cluster that runs has come up as a whole.

        The file alone may be of one that was killed, while the next one, which holds the lock
        already, has not removed it yet.
        """
        return self.ready.exists() and self.pid() is not None

    @contextmanager
    def acquire(self) -> Iterator[int | None]:
        """The lock as a descriptor to pass on, or None if the cluster runs already."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.lock.open("ab") as file:
            yield file.fileno() if _try_lock(file.fileno()) else None

    def wait_ended(self, timeout: float) -> bool:
        """Wait until nobody holds the lock."""
        deadline = time.monotonic() + timeout
        while self.running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def record_process(self, pid: int) -> None:
        """Remember the outer process, and when it started, since numbers are used again."""
        write_json(self.process, {"pid": pid, "started": start_time(pid)})

    def pid(self) -> int | None:
        """The outer process, if it lives."""
        try:
            saved = json.loads(self.process.read_text())
        except (OSError, ValueError):
            return None
        pid = int(saved["pid"])
        return pid if start_time(pid) == saved["started"] else None

    def network(self) -> Path:
        """The namespace to enter to reach the cluster."""
        pid = self.pid()
        if pid is None:
            raise ClusterError(f"The cluster in {self.directory} is not running")
        return Path(f"/proc/{pid}/ns/net")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None if it does not live."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def write_json(path: Path, value: object) -> None:
    """Write a file that is either whole or not there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value, indent=2))
    partial.rename(path)
