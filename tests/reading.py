"""Reading a cluster and asking it, without a process for each question: by pykube.

What people do goes through kubectl. Tests also look, often and many times, and starting kubectl
costs more than all that the cluster does about it.
"""

import http
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pykube import HTTPClient, KubeConfig

from cloudharness_operation.names import (
    API_VERSION,
    GROUP,
    PLURAL,
    WORKFLOW_API_VERSION,
    WORKFLOW_PLURAL,
)
from tests.cluster import ClusterError

Manifest = dict[str, Any]

VERSIONS: Final = {
    f"{PLURAL}.{GROUP}": API_VERSION,
    WORKFLOW_PLURAL: WORKFLOW_API_VERSION,
    **dict.fromkeys(("nodes", "persistentvolumeclaims", "pods"), "v1"),
    "deployments": "apps/v1",
    "events.events.k8s.io": "events.k8s.io/v1",
    "leases": "coordination.k8s.io/v1",
    "poddisruptionbudgets": "policy/v1",
    "roles": "rbac.authorization.k8s.io/v1",
}
"""The API version of each kind that is read, by the name that kubectl has for it."""


class Reader:
    """A namespace as it is."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace

    @cached_property
    def _client(self) -> HTTPClient:
        return HTTPClient(KubeConfig.from_file(self._kubeconfig), timeout=60)

    def ask(self, method: str, kind: str, path: str = "", **more: Any) -> tuple[int, Manifest]:
        """Make a request about objects of a kind; return the answer's status and what it holds."""
        namespace = {} if kind == "nodes" else {"namespace": self._namespace}
        name = kind.partition(".")[0]
        url = f"{name}/{path}" if path else name
        answer = self._client.request(method, version=VERSIONS[kind], url=url, **namespace, **more)
        found: Manifest = answer.json()
        return answer.status_code, found

    def get(self, kind: str, name: str) -> Manifest:
        """Read an object.

        Raises:
            ClusterError: it is not there.
        """
        status, found = self.ask("GET", kind, name)
        return _good(status, found)

    def find(self, kind: str, labels: str, fields: str) -> list[Manifest]:
        """Read the objects that selectors name, or all."""
        asked = {"labelSelector": labels, "fieldSelector": fields}
        params = {key: value for key, value in asked.items() if value}
        return list(_good(*self.ask("GET", kind, params=params))["items"])


def _good(status: int, found: Manifest) -> Manifest:
    if status != http.HTTPStatus.OK:
        raise ClusterError(f"{status}: {found.get('message')}")
    return found
