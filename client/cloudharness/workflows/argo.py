"""List, read, submit and delete operations and Workflows by name.

The names are CloudHarness's. Each function has two keyword arguments: `namespace`, by default the
environment variable CLOUDHARNESS_NAMESPACE, or else the namespace of the pod or of the kubeconfig's
context; and `client`, an `ApiClient` of the `kubernetes` library, by default that of the pod's
service account, or else of the kubeconfig. Each function raises `ClusterUnavailable` if the API
server does not respond or denies access.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudharness.workflows._api import OPERATIONS, WORKFLOWS, Connection
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._snapshots import Phase, Raw, SearchResult, Workflow
from cloudharness.workflows.errors import (
    BadParam,
    OperationExists,
    OperationFailed,
    OperationRefused,
    OperationTimeout,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness_operation.argo import pod_names
from cloudharness_operation.names import KIND, WORKFLOW_KIND

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from cloudharness.workflows import _follower, _listing, _logs
else:
    _follower, _listing, _logs = map(lazy_module, ("_follower", "_listing", "_logs"))

Manifest = dict[str, Any]


V1alpha1Workflow = Workflow
V1alpha1WorkflowList = SearchResult


def get_workflows(
    status: str | None = None,
    limit: int | None = 10,
    continue_token: str | None = None,
    timeout_seconds: float | None = None,
    field_selector: str | None = None,
    fields: str | None = None,  # noqa: ARG001 - see the docstring.
    label_selector: str | None = None,
    resource_version: str | None = None,
    _request_timeout: float | None = None,
    *,
    namespace: str | None = None,
    client: ApiClient | None = None,
) -> SearchResult:
    """Return one page of the operations, followed by the Workflows that belong to no operation.

    Args:
        status: only those in this `Phase`. None: all.
        limit: maximum number of items on the page. None: no limit.
        continue_token: `continue_token` of the previous page. None: the first page.
        timeout_seconds: timeout of each request in seconds. None: 30.
        field_selector: a Kubernetes field selector, such as `metadata.name=my-operation`.
        fields: fields of the items that the caller reads, as in Argo's API. Items always have all
            fields.
        label_selector: a Kubernetes label selector.
        resource_version: a resourceVersion that the list must be at least as new as.
        _request_timeout: the same as `timeout_seconds`.
        namespace: see the module.
        client: see the module.

    Raises:
        BadParam: an argument is wrong, or the continue token has expired.

    """
    if status is not None and status not in Phase.phases():
        raise BadParam("status", f"status {status!r}: use one of {', '.join(Phase.phases())}")
    if limit is None:
        limit = _listing.NO_LIMIT
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise BadParam("limit", f"limit {limit!r}: give an integer of at least 1")
    connection = Connection(client, namespace, timeout_seconds or _request_timeout)
    selectors = {
        "fieldSelector": field_selector,
        "labelSelector": label_selector,
        "resourceVersion": resource_version,
    }
    return SearchResult(*_listing.list_page(connection, status, limit, continue_token, selectors))


def get_workflow(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> Workflow:
    """Return the operation of this name, or else the Workflow of this name.

    Args:
        workflow_name: the name.
        namespace: see the module.
        client: see the module.

    Raises:
        WorkflowNotFound: neither exists.

    """
    return Workflow(_find(Connection(client, namespace), workflow_name)[1])


def submit_workflow(
    spec: Mapping[str, Any], *, namespace: str | None = None, client: ApiClient | None = None
) -> Workflow:
    """Create a Workflow or a `CloudHarnessOperation` from its manifest.

    Args:
        spec: the manifest, including apiVersion, kind and metadata.
        namespace: see the module.
        client: see the module.

    Raises:
        BadParam: the manifest is of another kind, or has no spec.
        OperationExists: an object of this name exists.
        OperationRefused: the API server rejects the manifest; the message gives the reason.

    """
    paths = {KIND: OPERATIONS, WORKFLOW_KIND: WORKFLOWS}
    path = paths.get(spec.get("kind", "")) if isinstance(spec, Mapping) else None
    if path is None or not isinstance(spec.get("spec"), Mapping):
        raise BadParam(
            "spec",
            f"spec: give a manifest with apiVersion, kind ({WORKFLOW_KIND} or {KIND}), "
            "metadata and spec",
        )
    return Workflow(Connection(client, namespace).create(path, spec))


def delete_workflow(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> None:
    """Delete the operation of this name and its Workflow, or else the Workflow of this name.

    Args:
        workflow_name: the name.
        namespace: see the module.
        client: see the module.

    Raises:
        WorkflowNotFound: neither exists.

    """
    connection = Connection(client, namespace)
    path, _ = _find(connection, workflow_name)
    connection.delete(path, workflow_name, {"propagationPolicy": "Background"})


def get_workflow_logs(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> str:
    """Return the logs of all tasks as one text. See `get_workflow_logs_list`.

    Raises:
        WorkflowNotFound: no operation or Workflow has this name.

    """
    return "\n".join(get_workflow_logs_list(workflow_name, namespace=namespace, client=client))


def get_workflow_logs_list(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> list[str]:
    """Return the log of each task that has started, in the order in which the tasks started.

    If a pod has been deleted, its log is empty. For the task that failed first, the log is then the
    last lines that the operator has written to the operation's status.

    Args:
        workflow_name: the name.
        namespace: see the module.
        client: see the module.

    Raises:
        WorkflowNotFound: no operation or Workflow has this name.

    """
    connection = Connection(client, namespace)
    path, manifest = _find(connection, workflow_name)
    if path == OPERATIONS:
        return _logs.task_logs(_follower.parse(manifest).status, connection)
    return _logs.pod_logs(pod_names(manifest), connection)


def _find(connection: Connection, name: str) -> tuple[str, Manifest]:
    if not isinstance(name, str) or not name:
        raise BadParam("workflow_name", f"workflow_name {name!r}: give a name")
    for path in (OPERATIONS, WORKFLOWS):
        try:
            return path, connection.get(path, name)
        except WorkflowNotFound:
            continue
    raise WorkflowNotFound(
        f"no operation or Workflow {name!r} exists in the namespace {connection.namespace}"
    )


__all__ = [
    "BadParam",
    "OperationExists",
    "OperationFailed",
    "OperationRefused",
    "OperationTimeout",
    "Phase",
    "Raw",
    "SearchResult",
    "V1alpha1Workflow",
    "V1alpha1WorkflowList",
    "Workflow",
    "WorkflowException",
    "WorkflowNotFound",
    "delete_workflow",
    "get_workflow",
    "get_workflow_logs",
    "get_workflow_logs_list",
    "get_workflows",
    "submit_workflow",
]
