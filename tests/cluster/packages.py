"""Installs the Debian packages that the embedded cluster is made with.

As root; their names are in the error when this does not run as root. A program that is there
already, from whatever package, is left alone.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress
from tests.machine.packages import NEEDED, missing

# For tests that sync Git with Argo CD, besides. Debian's package redis-server would start a
# service; the program itself is in this one, and serves when it is called redis-server.
GIT = {"git": "git", "redis-check-rdb": "redis-tools"}


def require_root() -> None:
    """Refuse early, with the ways out, where namespaces cannot be made."""
    if os.geteuid() != 0:
        raise ClusterError(
            "The embedded cluster makes namespaces and mounts, so it needs root. `make` runs it "
            "in a container where it can; `make doctor` shows what this machine has."
        )


def install(progress: Progress, needed: Mapping[str, str] = NEEDED) -> None:
    """Install what is missing."""
    packages = missing(needed)
    if not packages:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "--no-remove", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"These packages are missing; as root: {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with progress.step("Debian packages") as step:
        if not list(Path("/var/lib/apt/lists").glob("*_Packages*")):
            step.run(["apt-get", "update"], env=environment)
        step.run(command, env=environment)
