"""A program that some tests run beside a cluster: built into the cache when it is asked for.

It is no part of a cluster's set-up, and so not of the demo's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import build, packages
from tests.cluster.cache import Cache, Entry
from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress
from tests.cluster.versions import Versions
from tests.machine.packages import missing


@dataclass(frozen=True)
class Companion:
    """Argo CD, Flux or Prometheus."""

    name: str
    command: str
    """Of `python -m tests.cluster`, which builds it."""
    go: tuple[int, ...]
    """The oldest Go that compiles it."""
    entry: Callable[[Versions, dict[str, str]], Entry]
    """Its place in the cache follows from the versions alone, and not from the environment."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Programs that it runs, with the Debian packages that have them."""

    def obtain(self, cache: Cache, versions: Versions, progress: Progress) -> Path:
        """Build it if need be, with what it needs to run installed; return where it is."""
        packages.install(progress, self.packages)
        environment = build.go_environment(cache, self.go, progress)
        return cache.obtain(self.entry(versions, environment), progress)

    def find(self, cache: Cache, versions: Versions) -> Path:
        """Return where it is, built before: in a cluster's network nothing can be downloaded.

        Raises:
            ClusterError: it is not there.
        """
        place = cache.place(self.entry(versions, {}))
        if not place.is_dir() or missing(self.packages):
            raise ClusterError(f"{self.name} is not built: python -m tests.cluster {self.command}")
        return place
