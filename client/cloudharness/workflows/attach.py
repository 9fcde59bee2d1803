"""Find operations that exist on a cluster, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows._api import OPERATIONS, Connection
from cloudharness.workflows._remote import RemoteOperation
from cloudharness.workflows._snapshots import Workflow
from cloudharness.workflows._submission import SubmittedOperation

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Manifest = dict[str, Any]


class AttachedOperation(RemoteOperation):
    """An operation that was found on a cluster. It has all methods of a submitted operation.

    Attributes:
        found: the manifest at the time it was found.

    """

    def __init__(self, connection: Connection, found: Manifest) -> None:
        meta = found["metadata"]
        self.name = meta["name"]
        self.persisted = Workflow(found)
        self._submitted = SubmittedOperation(connection, meta["name"], meta["uid"])
        self.found = found

    @override
    def to_manifest(self) -> Manifest:
        """Return a manifest with the operation's name and spec, without status and metadata."""
        meta = {"name": self.name}
        kind = {key: self.found[key] for key in ("apiVersion", "kind")}
        return {**kind, "metadata": meta, "spec": self.found["spec"]}

    @override
    def _result(self, values: Mapping[str, Any]) -> Any:
        tasks = self.found["spec"]["tasks"]
        return values.get(tasks[0]["name"]) if len(tasks) == 1 else dict(values)


def attach(
    name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> AttachedOperation:
    """Find an operation by name.

    Args:
        name: name of the operation.
        namespace: None: the environment variable CLOUDHARNESS_NAMESPACE, or else the namespace of
            the pod or of the kubeconfig's context.
        client: an `ApiClient` of the `kubernetes` library. None: the pod's service account, or else
            the kubeconfig.

    Raises:
        WorkflowNotFound: no operation has this name.
        ClusterUnavailable: the API server does not respond, or denies access.

    """
    connection = Connection(client, namespace)
    return AttachedOperation(connection, connection.get(OPERATIONS, name))


__all__ = ["AttachedOperation", "attach"]
