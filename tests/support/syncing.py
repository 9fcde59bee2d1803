"""What syncs Git beside a cluster: Argo CD, or Flux.

Its parts run as processes of the test, in the cluster's network and as the cluster's admin, where
they would be pods of its own; what they do to the cluster is the same.
"""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.cluster import Cluster
from tests.cluster.cache import Cache, default_root
from tests.cluster.companion import Companion
from tests.cluster.controlplane import accepts
from tests.cluster.process import Component, Processes
from tests.cluster.progress import MORTAL
from tests.cluster.versions import Versions
from tests.support.installation import eventually

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Syncing(ABC):
    """A running one."""

    cluster: Cluster
    programs: Path
    """Where it was built, with its CRDs below `crds`."""
    home: Path
    processes: Processes = field(init=False)

    built: ClassVar[Companion]
    namespace: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    """Those of which objects are made."""
    crds: ClassVar[str]
    """The flag by which kubectl takes the CRDs: `-f` or `-k`."""

    def __post_init__(self) -> None:
        logs = self.home / "logs"
        logs.mkdir(parents=True)
        (self.home / "scratch").mkdir()
        object.__setattr__(self, "processes", Processes(logs, lambda _: None))

    @classmethod
    @contextlib.contextmanager
    def beside(cls, cluster: Cluster, home: Path) -> Iterator[Self]:
        """Run one while tests use it, with its files in a directory that is there."""
        one = cls(cluster, cls.built.find(Cache(default_root()), Versions()), home)
        try:
            one.start()
            yield one
        finally:
            one.stop()

    @abstractmethod
    def launch(self) -> None:
        """Start the processes: kinds and namespace are there."""

    def kubectl(
        self, *args: str, text: str | None = None, timeout: float = 60, check: bool = True
    ) -> str:
        """Run kubectl in its namespace."""
        place = f"--namespace={self.namespace}"
        return self.cluster.kubectl(place, *args, input=text, timeout=timeout, check=check)

    def read(self, kind: str, name: str) -> Manifest:
        """Read an object in its namespace."""
        found: Manifest = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def wait(
        self, kind: str, name: str, reached: Callable[[Manifest], bool], timeout: float
    ) -> Manifest:
        """Wait for a status of an object; return the object."""
        found: Manifest = {}

        def looked() -> bool:
            found.update(self.read(kind, name))
            return reached(found.get("status", {}))

        try:
            eventually(looked, timeout, every=0.5)
        except AssertionError as error:
            raise AssertionError(json.dumps(found.get("status"), indent=1)) from error
        return found

    def start(self) -> None:
        """Install its kinds, and start it."""
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", *self._crds())
        eventually(self._served)
        self.cluster.kubectl("create", "namespace", self.namespace, check=False)
        self.launch()

    def stop(self) -> None:
        """End it, and remove what it had in the cluster, also after a test that failed."""
        for name in self.processes.states():
            self.processes.stop(name)
        for name in self.kubectl("get", ",".join(self.kinds), "-o", "name", check=False).split():
            patch = '{"metadata":{"finalizers":null}}'
            self.kubectl("patch", name, "--type=merge", "-p", patch, check=False)
        # Waited for, so that a cluster that stays can have it again.
        self.kubectl("delete", "namespace", self.namespace, "--timeout=50s", check=False)
        self.cluster.kubectl("delete", "--timeout=50s", "--ignore-not-found", *self._crds())

    def component(self, argv: tuple[str, ...], port: int, environment: dict[str, str]) -> Component:
        """A program that is ready when it listens at a port."""
        mine = {"TMPDIR": str(self.home / "scratch")}
        return Component(
            name=Path(argv[0]).name,
            argv=(*MORTAL, *argv),
            ready=lambda: accepts("127.0.0.1", port),
            environment={**self.cluster.environment(), **mine, **environment},
            timeout=120,
        )

    def _crds(self) -> tuple[str, str]:
        return self.crds, str(self.programs / "crds")

    def _served(self) -> bool:
        known = self.cluster.kubectl("api-resources", "-o", "name").split()
        return set(self.kinds) <= {name.partition(".")[0] for name in known}
