"""What this machine has, as far as it decides where a cluster can run."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.machine import engine, packages

CGROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "true")
GIB = 1 << 30


def control_groups(root: Path = CGROUPS) -> str:
    """Return which version of control groups the kubelet finds, or an empty string for none."""
    if (root / "cgroup.controllers").exists():
        return "v2"
    if any(path.joinpath("tasks").exists() for path in root.glob("*")):
        return "v1"
    return ""


@dataclass(frozen=True)
class Facts:
    """Of one machine; the ones that take time are found when they are asked for."""

    system: str
    architecture: str
    python: str
    processors: int
    memory: int
    """Bytes; 0 if unknown."""
    disk: int
    """Free bytes where the build cache is."""
    cgroups: str
    root: bool
    missing: tuple[str, ...]
    """Debian packages."""
    apt: bool
    find_engines: Callable[[], engine.Engines]
    make_namespaces: Callable[[], str]
    """Why no namespaces can be made; empty if they can."""

    @cached_property
    def engines(self) -> engine.Engines:
        """Docker and Podman."""
        return self.find_engines()

    @cached_property
    def lacks(self) -> list[str]:
        """What is missing for a cluster on this machine as it is; empty if it can run."""
        if self.system != "Linux":
            return [f"Linux (this is {self.system})"]
        lacking = [] if self.root else ["root (sudo make ...)"]
        if not self.cgroups:
            lacking.append(f"control groups ({CGROUPS} has none)")
        if self.missing and not self.apt:
            lacking.append(f"packages, in Debian's names: {', '.join(self.missing)}")
        if self.root and (problem := self.make_namespaces()):
            lacking.append(f"permission to make namespaces ({problem})")
        return lacking


def here() -> Facts:
    """Look at this machine."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home())
    there = next(path for path in (home, *home.parents) if path.exists())
    return Facts(
        system=platform.system(),
        architecture=platform.machine(),
        python=".".join(map(str, sys.version_info[:3])),
        processors=os.cpu_count() or 1,
        memory=_memory(),
        disk=shutil.disk_usage(there).free,
        cgroups=control_groups(),
        root=os.geteuid() == 0,
        missing=tuple(packages.missing()),
        apt=shutil.which("apt-get") is not None,
        find_engines=engine.find,
        make_namespaces=_namespaces,
    )


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _namespaces() -> str:
    try:
        done = subprocess.run(NAMESPACES, check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip()
