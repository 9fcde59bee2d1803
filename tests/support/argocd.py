"""The real Argo CD beside a cluster: the part that reads Git, and the one that applies it."""

from __future__ import annotations

import json
import secrets
import shutil
from typing import Any

import yaml
from typing_extensions import override

from tests.cluster.argocd import ARGOCD
from tests.cluster.controlplane import accepts
from tests.cluster.process import Component
from tests.cluster.progress import MORTAL
from tests.support.health import HOME
from tests.support.syncing import Syncing

NAMESPACE = "argocd"
CONFIGURATION = HOME / "argocd-cm.yaml"
REFRESH = "argocd.argoproj.io/refresh=normal"
REDIS, REPOSITORIES, METRICS = 16379, 18081, 18082

Manifest = dict[str, Any]

PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "default"},
    "spec": {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    },
}


class ArgoCD(Syncing):
    """A running one."""

    built = ARGOCD
    namespace = NAMESPACE
    kinds = ("applications", "appprojects")
    crds = "-k"

    @override
    def launch(self) -> None:
        """Configure it, with our health check, and start it."""
        self.kubectl("apply", "-k", str(self.programs / "base" / "config"))
        patch = ("--type=merge", f"--patch-file={CONFIGURATION}")
        self.kubectl("patch", "configmap", "argocd-cm", *patch)
        key = json.dumps({"stringData": {"server.secretkey": secrets.token_hex(16)}})
        self.kubectl("patch", "secret", "argocd-secret", "--type=merge", "-p", key)
        self.kubectl("apply", "-f", "-", text=yaml.safe_dump(PROJECT))
        for component in (self._redis(), self._repo_server(), self._controller()):
            self.processes.start_and_wait(component)

    def create(self, application: Manifest) -> None:
        """Create an Application."""
        self.kubectl("create", "-f", "-", text=yaml.safe_dump(application))

    def refresh(self, name: str) -> None:
        """Tell it to look into Git, as a webhook does."""
        self.kubectl("annotate", "application", name, REFRESH, "--overwrite")

    def delete(self, name: str) -> None:
        """Delete an Application with all that it has made."""
        self.kubectl("delete", "application", name, "--timeout=230s", timeout=240)

    def until(self, name: str, revision: str, health: str, timeout: float = 240) -> Manifest:
        """Wait until a commit is synced and the Application's health is as given; return it."""

        def reached(status: Manifest) -> bool:
            return (
                status.get("sync", {}).get("status") == "Synced"
                and revision in _revisions(status["sync"])
                and status.get("health", {}).get("status") == health
                and status.get("operationState", {}).get("phase") not in (None, "Running")
            )

        return self.wait("application", name, reached, timeout)

    def _redis(self) -> Component:
        program = self.home / "redis-server"
        program.symlink_to(shutil.which("redis-check-rdb") or "redis-check-rdb")
        argv = (
            *(str(program), "--port", str(REDIS), "--bind", "127.0.0.1", "--save", ""),
            *("--appendonly", "no", "--dir", str(self.home)),
        )
        return Component("redis", (*MORTAL, *argv), lambda: accepts("127.0.0.1", REDIS))

    def _repo_server(self) -> Component:
        argv = (
            str(self.programs / "argocd-repo-server"),
            "--disable-tls",
            "--address=127.0.0.1",
            f"--port={REPOSITORIES}",
            "--metrics-address=127.0.0.1",
            "--metrics-port=18083",
            f"--redis=127.0.0.1:{REDIS}",
        )
        return self._part(argv, REPOSITORIES)

    def _controller(self) -> Component:
        argv = (
            str(self.programs / "argocd-application-controller"),
            f"--namespace={NAMESPACE}",
            f"--repo-server=127.0.0.1:{REPOSITORIES}",
            "--repo-server-plaintext",
            f"--redis=127.0.0.1:{REDIS}",
            f"--metrics-port={METRICS}",
            # Else an Application says nothing of the health of each of its objects.
            "--persist-resource-health",
        )
        return self._part(argv, METRICS)

    def _part(self, argv: tuple[str, ...], port: int) -> Component:
        settings = {"ARGOCD_FAKE_IN_CLUSTER": "true", "ARGOCD_GPG_ENABLED": "false"}
        return self.component(argv, port, settings)


def _revisions(sync: Manifest) -> list[str]:
    return [sync.get("revision", ""), *sync.get("revisions", ())]


def application(name: str, sources: list[Manifest], namespace: str) -> Manifest:
    """An Application that is synced by itself, with all that Git says of it and nothing else."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "sources": sources,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                # By default a commit that fails is tried for minutes before the next is looked at.
                "retry": {"limit": 1, "backoff": {"duration": "1s"}},
            },
        },
    }


def resource(application: Manifest, name: str) -> Manifest:
    """What an Application says of one of its operations."""
    found = application.get("status", {}).get("resources", ())
    return next((one for one in found if one["name"] == name), {})
