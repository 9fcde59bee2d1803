"""The real Flux beside a cluster: the part that reads Git, and the one that applies it."""

from __future__ import annotations

import uuid
from typing import Any, Final

import yaml
from typing_extensions import override

from tests.cluster.flux import FLUX
from tests.support.installation import condition
from tests.support.syncing import Syncing

NAMESPACE: Final = "flux-system"
KUSTOMIZATIONS: Final = "kustomize.toolkit.fluxcd.io/v1/kustomizations"
REQUESTED: Final = "reconcile.fluxcd.io/requestedAt"
ARTIFACTS: Final = "127.0.0.1:18090"
HEALTH: Final = {"source-controller": 18091, "kustomize-controller": 18092}

Manifest = dict[str, Any]


class Flux(Syncing):
    """A running one."""

    built = FLUX
    namespace = NAMESPACE
    kinds = ("kustomizations", "gitrepositories")
    crds = "-f"

    @override
    def launch(self) -> None:
        """Start it."""
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

    def apply(self, *manifests: Manifest) -> None:
        """Apply objects of Flux."""
        self.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(manifests))

    def fetch(self, repository: str) -> None:
        """Tell it to look into Git, as a webhook does."""
        self._request("gitrepository", repository)

    def reconcile(self, name: str) -> str:
        """Tell it to apply once more what it has, and return what its status will say of it."""
        return self._request("kustomization", name)

    def delete(self, name: str) -> None:
        """Delete a Kustomization with all that it has made, and its repository."""
        for kind in self.kinds:
            self.kubectl(
                *("delete", kind, name, "--timeout=230s", "--ignore-not-found"), timeout=240
            )

    def until(self, name: str, revision: str, ready: str, timeout: float = 240) -> Manifest:
        """Wait until a commit is done with, well or not; return what is said of it."""

        def reached(status: Manifest) -> bool:
            attempted = revision in status.get("lastAttemptedRevision", "")
            return attempted and condition(status, "Ready").get("status") == ready

        found = self.wait("kustomization", name, reached, timeout)
        return condition(found["status"], "Ready")

    def _request(self, kind: str, name: str) -> str:
        asked = uuid.uuid4().hex
        self.kubectl("annotate", kind, name, f"{REQUESTED}={asked}", "--overwrite")
        return asked

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
        settings = {"RUNTIME_NAMESPACE": NAMESPACE}
        self.processes.start_and_wait(self.component(argv, port, settings))


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
