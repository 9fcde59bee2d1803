"""The API server, asked without a process for each question: by pykube.

What people see is tried with kubectl, where it is what a test is about. All else comes here, since
starting kubectl costs more than what the cluster does about it.
"""

import http
import json
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml
from pykube import HTTPClient, KubeConfig

from cloudharness_operation.names import (
    API_VERSION,
    GROUP,
    PLURAL,
    WORKFLOW_API_VERSION,
    WORKFLOW_PLURAL,
)
from cloudharness_operator import bounded_json
from tests.cluster import ClusterError

Manifest = dict[str, Any]

VERSIONS: Final = {
    f"{PLURAL}.{GROUP}": API_VERSION,
    WORKFLOW_PLURAL: WORKFLOW_API_VERSION,
    **dict.fromkeys(("nodes", "persistentvolumeclaims", "pods", "services"), "v1"),
    "deployments": "apps/v1",
    "events.events.k8s.io": "events.k8s.io/v1",
    "leases": "coordination.k8s.io/v1",
    "poddisruptionbudgets": "policy/v1",
    "roles": "rbac.authorization.k8s.io/v1",
}
"""The API version of each kind that is read, by the name that kubectl has for it."""
_APPLY: Final = {"Content-Type": "application/apply-patch+yaml"}
_APPLIED: Final = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"}


class ApiServer:
    """The API server, and a namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace

    @cached_property
    def _client(self) -> HTTPClient:
        return HTTPClient(KubeConfig.from_file(self._kubeconfig), timeout=60)

    def ask(self, method: str, kind: str, path: str = "", **more: Any) -> tuple[int, Manifest]:
        """Make a request about objects of a kind; return the answer's status and what it holds."""
        answer = self._request(method, kind, path, **more)
        found: Manifest = bounded_json.loads(answer.content)
        return answer.status_code, found

    def _request(self, method: str, kind: str, path: str, **more: Any) -> Any:
        namespace = {} if kind == "nodes" else {"namespace": self._namespace}
        name = kind.partition(".")[0]
        url = f"{name}/{path}" if path else name
        return self._client.request(method, version=VERSIONS[kind], url=url, **namespace, **more)

    def get(self, kind: str, name: str) -> Manifest:
        """Read an object.

        Raises:
            ClusterError: it is not there.
        """
        return _good(*self.ask("GET", kind, name))

    def find(self, kind: str, labels: str = "", fields: str = "") -> list[Manifest]:
        """Read the objects that selectors name, or all."""
        asked = {"labelSelector": labels, "fieldSelector": fields}
        params = {key: value for key, value in asked.items() if value}
        return list(_good(*self.ask("GET", kind, params=params))["items"])

    def apply(self, manifest: Manifest) -> None:
        """Apply a manifest on the server's side, as `kubectl apply --server-side` does.

        Raises:
            ClusterError: it is not accepted.
        """
        version, kind = manifest["apiVersion"], manifest["kind"]
        known = self._client.resource_list(version)["resources"]
        (resource,) = (r for r in known if r["kind"] == kind and "/" not in r["name"])
        answer = self._client.patch(
            version=version,
            url=f"{resource['name']}/{manifest['metadata']['name']}",
            params=_APPLIED,
            headers=_APPLY,
            # It is read as YAML, which has other escapes than JSON.
            data=yaml.safe_dump(manifest).encode(),
            **({"namespace": self._namespace} if resource["namespaced"] else {}),
        )
        _good(answer.status_code, answer.json())

    def create(self, kind: str, text: str) -> None:
        """Create an object, whose JSON is sent as it is: no decoder here need understand it.

        Raises:
            ClusterError: it is not accepted.
        """
        headers, strict = {"Content-Type": "application/json"}, {"fieldValidation": "Strict"}
        answer = self._request("POST", kind, "", data=text.encode(), headers=headers, params=strict)
        if answer.status_code != http.HTTPStatus.CREATED:
            raise ClusterError(f"{answer.status_code}: {answer.text}")

    def patch(self, kind: str, name: str, changes: Manifest) -> None:
        """Change an object, as `kubectl patch --type=merge` does."""
        headers = {"Content-Type": "application/merge-patch+json"}
        _good(*self.ask("PATCH", kind, name, data=json.dumps(changes), headers=headers))

    def delete(self, kind: str, name: str) -> None:
        """Delete an object, and do not wait until it is gone."""
        _good(*self.ask("DELETE", kind, name))

    def clear(self, kind: str) -> None:
        """Delete all objects of a kind, and wait for none."""
        _good(*self.ask("DELETE", kind))

    def wait(self, kind: str, name: str, condition: str, seconds: float) -> Manifest:
        """Wait for a condition of an object to be true, and return it as it is then.

        Raises:
            ClusterError: it is not there, or the condition is not true in time.
        """
        deadline = time.monotonic() + seconds
        found = self.get(kind, name)
        while not _holds(found, condition):
            left = int(deadline - time.monotonic())
            if left < 1:
                raise ClusterError(f"{name}: not {condition} within {seconds:g} s: {found}")
            states = self._states(kind, found, min(left, 30))
            true = next((state for state in states if _holds(state, condition)), None)
            found = true or self.get(kind, name)  # The watch may have ended early.
        return found

    def _states(self, kind: str, known: Manifest, seconds: int) -> Iterator[Manifest]:
        asked = {
            "watch": "true",
            "fieldSelector": f"metadata.name={known['metadata']['name']}",
            "resourceVersion": known["metadata"]["resourceVersion"],
            "timeoutSeconds": str(seconds),
        }
        with self._request("GET", kind, "", params=asked, stream=True, timeout=60) as answer:
            for line in answer.iter_lines(chunk_size=None):
                event = bounded_json.loads(line)
                if event["type"] not in ("ADDED", "MODIFIED"):
                    return
                yield event["object"]


def _holds(found: Manifest, condition: str) -> bool:
    """Whether it is true of what the spec says now, as `kubectl wait` asks."""
    conditions = found.get("status", {}).get("conditions", ())
    latest = found["metadata"]["generation"]
    return any(
        one["type"] == condition
        and one["status"] == "True"
        and one.get("observedGeneration", latest) >= latest
        for one in conditions
    )


def _good(status: int, found: Manifest) -> Manifest:
    if status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        raise ClusterError(f"{status}: {found.get('message')}")
    return found
