"""The real Flux beside a cluster: the part that fetches Git, and the one that applies it.

They run as processes of the test, in the cluster's network and as the cluster's admin, where they
would be pods of its own; what they do to the cluster is the same.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster import Cluster
from tests.cluster.controlplane import accepts
from tests.cluster.process import Component, Processes
from tests.cluster.progress import MORTAL
from tests.installation import condition, eventually

NAMESPACE: Final = "flux-system"
KUSTOMIZATIONS: Final = "kustomize.toolkit.fluxcd.io/v1/kustomizations"
REQUESTED: Final = "reconcile.fluxcd.io/requestedAt"
ARTIFACTS: Final = "127.0.0.1:18090"
HEALTH: Final = {"source-controller": 18091, "kustomize-controller": 18092}
KINDS: Final = ("kustomizations", "gitrepositories")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Flux:
    """A running one."""

    cluster: Cluster
    programs: Path
    home: Path
    processes: Processes = field(init=False)

    def __post_init__(self) -> None:
        logs = self.home / "logs"
        logs.mkdir(parents=True)
        object.__setattr__(self, "processes", Processes(logs, lambda _: None))

    def kubectl(self, *args: str, text: str | None = None, check: bool = True) -> str:
        """Run kubectl in Flux's namespace."""
        return self.cluster.kubectl(f"--namespace={NAMESPACE}", *args, input=text, check=check)

    def start(self) -> None:
        """Install its kinds, and start it."""
        crds = str(self.programs / "crds")
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", crds)
        eventually(self._served)
        self.cluster.kubectl("create", "namespace", NAMESPACE, check=False)
        storage = self.home / "artifacts"
        storage.mkdir()
        kept = (f"--storage-path={storage}", f"--storage-addr={ARTIFACTS}")
        self._start("source-controller", *kept, f"--storage-adv-addr={ARTIFACTS}")
        self._start(
            "kustomize-controller",
            # As docs/gitops.md says: else it is deaf to Git while it waits for what runs.
            "--feature-gates=CancelHealthCheckOnNewRevision=true",
            # Else it looks for what it depends on every 30 s.
            "--requeue-dependency=2s",
        )

    def stop(self) -> None:
        """End it, and remove what it had in the cluster, also after a test that failed."""
        for name in self.processes.states():
            self.processes.stop(name)
        for name in self.kubectl("get", ",".join(KINDS), "-o", "name", check=False).split():
            patch = '{"metadata":{"finalizers":null}}'
            self.kubectl("patch", name, "--type=merge", "-p", patch, check=False)
        # Waited for, so that a cluster that stays can have it again.
        self.kubectl("delete", "namespace", NAMESPACE, "--timeout=50s", check=False)
        crds = str(self.programs / "crds")
        self.cluster.kubectl("delete", "--timeout=50s", "--ignore-not-found", "-f", crds)

    def apply(self, *manifests: Manifest) -> None:
        """Apply objects of Flux."""
        self.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(manifests))

    def kustomization(self, name: str) -> Manifest:
        """Read a Kustomization."""
        found: Manifest = json.loads(self.kubectl("get", "kustomization", name, "-o", "json"))
        return found

    def fetch(self, repository: str) -> None:
        """Tell it to look into Git, as a webhook does."""
        self._request("gitrepository", repository)

    def reconcile(self, name: str) -> str:
        """Tell it to apply once more what it has, and return what its status will say of it."""
        return self._request("kustomization", name)

    def delete(self, name: str) -> None:
        """Delete a Kustomization with all that it has made, and its repository."""
        for kind in KINDS:
            self.kubectl("delete", kind, name, "--timeout=50s", "--ignore-not-found")

    def until(self, name: str, revision: str, ready: str, timeout: float = 240) -> Manifest:
        """Wait until a commit is done with, well or not; return what is said of it."""
        found: Manifest = {}

        def reached() -> bool:
            found.update(self.kustomization(name))
            status = found.get("status", {})
            attempted = revision in status.get("lastAttemptedRevision", "")
            return attempted and condition(status, "Ready").get("status") == ready

        try:
            eventually(reached, timeout, every=0.5)
        except AssertionError as error:
            raise AssertionError(json.dumps(found.get("status"), indent=1)) from error
        return condition(found["status"], "Ready")

    def _request(self, kind: str, name: str) -> str:
        asked = uuid.uuid4().hex
        self.kubectl("annotate", kind, name, f"{REQUESTED}={asked}", "--overwrite")
        return asked

    def _served(self) -> bool:
        known = self.cluster.kubectl("api-resources", "-o", "name").split()
        return all(any(name.startswith(f"{kind}.") for name in known) for kind in KINDS)

    def _start(self, part: str, *flags: str) -> None:
        port = HEALTH[part]
        argv = (
            str(self.programs / part),
            "--watch-all-namespaces",
            "--enable-leader-election=false",
            "--metrics-addr=0",
            f"--health-addr=127.0.0.1:{port}",
            *flags,
        )
        scratch = self.home / "scratch"
        scratch.mkdir(exist_ok=True)
        environment = {
            **self.cluster.environment(),
            "RUNTIME_NAMESPACE": NAMESPACE,
            "TMPDIR": str(scratch),
        }
        self.processes.start_and_wait(
            Component(
                part, (*MORTAL, *argv), lambda: accepts("127.0.0.1", port), environment, timeout=120
            )
        )


def repository(name: str, url: str) -> Manifest:
    """A repository that is looked into when Flux is told to."""
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"interval": "1h", "url": url, "ref": {"branch": "main"}},
    }


def kustomization(name: str, namespace: str, path: str, **spec: object) -> Manifest:
    """All that a directory has, applied, waited for, and deleted when it is not there any more."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "interval": "1h",
            "timeout": "10m",
            "path": path,
            "targetNamespace": namespace,
            "sourceRef": {"kind": "GitRepository", "name": name},
            "prune": True,
            "wait": True,
            **spec,
        },
    }
