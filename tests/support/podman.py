"""Podman with a storage of its own, beside whatever the machine's has."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STORAGE = """
[storage]
driver = "overlay"
graphroot = "{place}/storage"
runroot = "{place}/run"
"""
# A virtual machine may not allow Podman's default limits, which are above its own.
SETTINGS = """
[containers]
netns = "{network}"
default_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
# A reset of this storage must not touch what another one runs.
tmp_dir = "{place}/tmp"
lock_type = "file"
"""


@dataclass(frozen=True)
class Podman:
    """One storage, and the settings to use it."""

    place: Path

    @property
    def variables(self) -> dict[str, str]:
        """With these in its environment, a process uses this storage."""
        return {
            "CONTAINERS_STORAGE_CONF": str(self.place / "storage.conf"),
            "CONTAINERS_CONF": str(self.place / "containers.conf"),
        }

    def __call__(self, *words: str) -> str:
        """Run it; return what it prints."""
        ran = subprocess.run(
            ["podman", *words],
            env={**os.environ, **self.variables},
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def containers(self, *options: str) -> list[str]:
        """Return the names of its containers."""
        return self("ps", *(options or ("--all",)), "--format", "{{.Names}}").split()


@contextmanager
def own_podman(place: Path, network: str) -> Iterator[Podman]:
    """Make a storage in a directory, and remove all that is in it afterwards.

    Args:
        place: an empty directory.
        network: Podman's `netns` for containers: `host`, or `private`.

    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    (place / "storage.conf").write_text(STORAGE.format(place=place))
    (place / "containers.conf").write_text(
        SETTINGS.format(place=place, files=files, network=network)
    )
    podman = Podman(place)
    try:
        yield podman
    finally:
        podman("system", "reset", "--force")
