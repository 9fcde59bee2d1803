"""Operations and Workflows that are there: to list, read, submit and delete them by name.

Names are CloudHarness's. Each function takes `namespace` and `client` (an `ApiClient` of the
`kubernetes` library) by keyword; left out, they are found as `Connection` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudharness.workflows.connection import OPERATIONS, WORKFLOWS, Connection
from cloudharness.workflows.errors import (
    BadParam,
    OperationExists,
    OperationFailed,
    OperationRefused,
    OperationTimeout,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness.workflows.lazily import lazily
from cloudharness.workflows.snapshots import Phase, Raw, SearchResult, Workflow
from cloudharness_operation.argo import pod_names
from cloudharness_operation.names import KIND, WORKFLOW_KIND

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from cloudharness.workflows import following, listing, logs
else:
    following, listing, logs = map(lazily, ("following", "listing", "logs"))

Manifest = dict[str, Any]


V1alpha1Workflow = Workflow
V1alpha1WorkflowList = SearchResult


def get_workflows(
    status: str | None = None,
    limit: int = 10,
    continue_token: str | None = None,
    timeout_seconds: float | None = None,
    field_selector: str | None = None,
    label_selector: str | None = None,
    *,
    namespace: str | None = None,
    client: ApiClient | None = None,
) -> SearchResult:
    """List operations, and then Workflows that are no operation's, a page at a time.

    Args:
        status: only those in this `Phase`.
        limit: how many a page has at most.
        continue_token: `continue_token` of the page before.
        timeout_seconds: how long one request may take. Left out: 30.
        field_selector: as the Kubernetes API takes it: `metadata.name=...`.
        label_selector: as the Kubernetes API takes it.
        namespace: see the module.
        client: see the module.

    Raises:
        BadParam: an argument is wrong.

    """
    if status is not None and status not in Phase.phases():
        raise BadParam("status", f"status {status!r}: use one of {', '.join(Phase.phases())}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise BadParam("limit", f"limit {limit!r}: give a number of 1 or more")
    connection = Connection(client, namespace, timeout_seconds)
    chosen = {"fieldSelector": field_selector, "labelSelector": label_selector}
    return SearchResult(*listing.page(connection, status, limit, continue_token, chosen))


def get_workflow(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> Workflow:
    """Return the operation of this name, or else the Workflow of this name.

    Raises:
        WorkflowNotFound: there is neither.

    """
    return Workflow(_find(Connection(client, namespace), workflow_name)[1])


def submit_workflow(
    spec: Mapping[str, Any], *, namespace: str | None = None, client: ApiClient | None = None
) -> Workflow:
    """Create a Workflow, or a `CloudHarnessOperation`, from its whole manifest.

    Raises:
        BadParam: it is neither.
        OperationExists: there is one of that name.
        OperationRefused: the API server does not accept it.

    """
    places = {KIND: OPERATIONS, WORKFLOW_KIND: WORKFLOWS}
    place = places.get(spec.get("kind", "")) if isinstance(spec, Mapping) else None
    if place is None or not isinstance(spec.get("spec"), Mapping):
        raise BadParam(
            "spec",
            f"spec: give a whole manifest, with apiVersion, kind ({WORKFLOW_KIND} or {KIND}), "
            "metadata and spec",
        )
    return Workflow(Connection(client, namespace).create(place, spec))


def delete_workflow(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> None:
    """Delete the operation of this name with all that it has made, or else the Workflow.

    Raises:
        WorkflowNotFound: there is neither.

    """
    connection = Connection(client, namespace)
    place, _ = _find(connection, workflow_name)
    connection.delete(place, workflow_name, {"propagationPolicy": "Background"})


def get_workflow_logs(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> str:
    """Return what all tasks have said, one after the other.

    Raises:
        WorkflowNotFound: there is neither an operation nor a Workflow of this name.

    """
    return "\n".join(get_workflow_logs_list(workflow_name, namespace=namespace, client=client))


def get_workflow_logs_list(
    workflow_name: str, *, namespace: str | None = None, client: ApiClient | None = None
) -> list[str]:
    """Return what each task has said, in the order in which they began; failed ones too.

    Where a pod is gone, its log is what the operator has kept of it: of the task that failed first
    its last lines, of others nothing.

    Raises:
        WorkflowNotFound: there is neither an operation nor a Workflow of this name.

    """
    connection = Connection(client, namespace)
    place, manifest = _find(connection, workflow_name)
    if place == OPERATIONS:
        return logs.of_operation(following.read(manifest).status, connection)
    return logs.of_pods(pod_names(manifest), connection)


def _find(connection: Connection, name: str) -> tuple[str, Manifest]:
    if not isinstance(name, str) or not name:
        raise BadParam("workflow_name", f"workflow_name {name!r}: give a name")
    for place in (OPERATIONS, WORKFLOWS):
        try:
            return place, connection.get(place, name)
        except WorkflowNotFound:
            continue
    raise WorkflowNotFound(
        f"there is no operation and no Workflow {name!r} in the namespace {connection.namespace}"
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
