"""Operations that are on a cluster already, whoever made them: found by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows.connection import OPERATIONS, Connection
from cloudharness.workflows.running import Running, Submitted
from cloudharness.workflows.snapshots import Workflow

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Manifest = dict[str, Any]


class AttachedOperation(Running):
    """An operation as it was found. All that can be done with one after `submit` can be done.

    Attributes:
        found: its manifest, as it was then.

    """

    def __init__(self, connection: Connection, found: Manifest) -> None:
        meta = found["metadata"]
        self.name = meta["name"]
        self.persisted = Workflow(found)
        self._submitted = Submitted(connection, meta["name"], meta["uid"])
        self.found = found

    @override
    def to_manifest(self) -> Manifest:
        """Return what makes another like it: its spec, and no more."""
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
    """Find an operation by its name, to wait for it, ask it, or change its course.

    Args:
        name: its name.
        namespace: left out: the variable CLOUDHARNESS_NAMESPACE, or else that of the pod or of the
            kubeconfig's context.
        client: an `ApiClient` of the `kubernetes` library. Left out: the pod's own account, or else
            the kubeconfig.

    Raises:
        WorkflowNotFound: there is none of that name.
        ClusterUnavailable: there is no API server, or it does not let us.

    """
    connection = Connection(client, namespace)
    return AttachedOperation(connection, connection.get(OPERATIONS, name))
