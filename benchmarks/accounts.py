"""Service accounts with all rights, by which the audit log distinguishes whose request it was."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from tests.cluster import Cluster

NAMESPACE: Final = "benchmarks"
HOURS: Final = 12


@dataclass(frozen=True)
class Account:
    """A service account, and the files by which a program acts as it."""

    name: str
    directory: Path
    """With `token` and `ca.crt`, as they are mounted in a pod."""
    server: str

    @property
    def kubeconfig(self) -> Path:
        """The same for programs that are not made for pods."""
        return self.directory / "kubeconfig"

    @property
    def user(self) -> str:
        """Its name in the audit log."""
        return f"system:serviceaccount:{NAMESPACE}:{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        """What the kubelet would set, and where the account's files are."""
        address = urlsplit(self.server)
        return {
            "KUBERNETES_SERVICE_HOST": address.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(address.port or 443),
            "SERVICE_ACCOUNT_DIR": str(self.directory),
        }


@contextmanager
def namespace(cluster: Cluster) -> Iterator[None]:
    """Create the accounts' namespace, whose accounts have all rights, and delete it."""
    group = f"--group=system:serviceaccounts:{NAMESPACE}"
    _delete(cluster)  # What a benchmark that was killed has left.
    cluster.kubectl("create", "namespace", NAMESPACE)
    try:
        cluster.kubectl(
            "create", "clusterrolebinding", NAMESPACE, "--clusterrole=cluster-admin", group
        )
        yield
    finally:
        _delete(cluster)


def _delete(cluster: Cluster) -> None:
    for kind in ("clusterrolebinding", "namespace"):
        cluster.kubectl("delete", kind, NAMESPACE, "--ignore-not-found")


def make(cluster: Cluster, name: str, place: Path) -> Account:
    """Create an account in a cluster, and its files in a directory."""
    there = f"--namespace={NAMESPACE}"
    cluster.kubectl(there, "create", "serviceaccount", name)
    token = cluster.kubectl(there, "create", "token", name, f"--duration={HOURS}h").strip()
    known = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    directory = place / f"account-{name}"
    directory.mkdir()
    (directory / "token").write_text(token)
    authority = known["certificate-authority-data"]
    (directory / "ca.crt").write_bytes(base64.b64decode(authority))
    account = Account(name, directory, known["server"])
    account.kubeconfig.write_text(_kubeconfig(account, authority, token))
    return account


def _kubeconfig(account: Account, authority: str, token: str) -> str:
    cluster = {"server": account.server, "certificate-authority-data": authority}
    names = {"cluster": "c", "user": "u"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": names}],
        }
    )
