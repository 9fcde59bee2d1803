"""What can be read of an installation with the permissions of the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from cloudharness.workflows._api import OPERATIONS, Connection
from cloudharness.workflows.errors import ClusterUnavailable, WorkflowNotFound
from cloudharness_operation.names import GROUP, PLURAL, WORKFLOW_GROUP, WORKFLOW_PLURAL

Manifest = dict[str, Any]
T = TypeVar("T")

OPERATOR_LABEL: Final = ("app.kubernetes.io/name", "cloudharness-operator")
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DEPLOYMENTS: Final = "/apis/apps/v1/{}deployments"
_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
_ACCOUNTS: Final = "/api/v1/namespaces/{namespace}/serviceaccounts"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_RESULT_VERBS: Final = ("create", "patch")
MOST: Final = 500
"""Operations that are read, at most: a page."""


@dataclass(frozen=True)
class Unreadable:
    """Something that the user may not read."""

    why: str


@dataclass(frozen=True)
class Deployment:
    """A Deployment of the operator, or of Argo's workflow controller."""

    manifest: Manifest

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def path(self) -> str:
        """Its namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def ready(self) -> int:
        """The number of its pods that are ready."""
        return int((self.manifest.get("status") or {}).get("readyReplicas") or 0)

    @property
    def image(self) -> str:
        """The image of its first container."""
        return str(self._container["image"])

    @property
    def _container(self) -> Manifest:
        (first, *_) = self.manifest["spec"]["template"]["spec"]["containers"]
        found: Manifest = first
        return found

    def setting(self, name: str) -> str:
        """Return an environment variable of its first container; empty if it is not set."""
        known = {one["name"]: one.get("value") for one in self._container.get("env") or ()}
        return str(known.get(name) or "")

    def serves(self, namespace: str) -> bool:
        """Whether it is an operator that reconciles the operations of a namespace."""
        served = [one.strip() for one in self.setting("WATCH_NAMESPACES").split(",")]
        return "*" in served or namespace in served


@dataclass(frozen=True)
class Facts:
    """What was read. None: there is no such object."""

    namespace: str
    version: str
    """Of Kubernetes: `v1.34.4`."""
    server_time: datetime
    local_time: datetime
    crd: Manifest | Unreadable | None
    operators: list[Deployment] | Unreadable
    """Deployments of the operator."""
    lease: Manifest | Unreadable | None
    """Of the operator that serves the namespace."""
    argo_crd: Manifest | Unreadable | None
    controllers: list[Deployment] | Unreadable
    """Deployments of Argo's workflow controller."""
    account: Manifest | Unreadable | None
    """The service account of tasks that name none."""
    account_may: bool | Unreadable
    """Whether that account may report a task's result."""
    operations: list[Manifest] | Unreadable
    """Those of the namespace, `MOST` at most."""
    are_all: bool = True
    """Whether the Deployments of all namespaces were listed, not only those of `namespace`."""

    @property
    def operator(self) -> Deployment | None:
        """The operator that serves the namespace."""
        return serving(self.operators, self.namespace)


def serving(operators: list[Deployment] | Unreadable, namespace: str) -> Deployment | None:
    """Return the first operator that serves a namespace, or None."""
    known = () if isinstance(operators, Unreadable) else operators
    return next((one for one in known if one.serves(namespace)), None)


def read(at: Connection, now: Callable[[], datetime]) -> Facts:
    """Read an installation.

    Raises:
        ClusterUnavailable: the API server does not respond.

    """
    version, server_time = at.version()
    deployments, are_all = _deployments(at)
    operators = _chosen(deployments, _is_operator)
    operator = serving(operators, at.namespace)
    account = (operator and operator.setting("TASK_SERVICE_ACCOUNT")) or "default"
    return Facts(
        namespace=at.namespace,
        version=version,
        server_time=server_time,
        local_time=now(),
        crd=_one(lambda: at.get(_CRDS, f"{PLURAL}.{GROUP}")),
        operators=operators,
        lease=_lease(at, operator),
        argo_crd=_one(lambda: at.get(_CRDS, f"{WORKFLOW_PLURAL}.{WORKFLOW_GROUP}")),
        controllers=_chosen(deployments, _is_controller),
        account=_one(lambda: at.get(_ACCOUNTS, account)),
        account_may=_allowed(lambda: all(_may(at, account, verb) for verb in _RESULT_VERBS)),
        operations=_allowed(lambda: list(at.get(OPERATIONS, query={"limit": MOST})["items"])),
        are_all=are_all,
    )


def _allowed(read: Callable[[], T]) -> T | Unreadable:
    """Return what is read, or why it must not be read."""
    try:
        return read()
    except ClusterUnavailable as error:
        if not error.is_final:
            raise
        return Unreadable(str(error))


def _one(read: Callable[[], Manifest]) -> Manifest | Unreadable | None:
    """Return an object, None if there is none, or why it must not be read."""
    try:
        return _allowed(read)
    except WorkflowNotFound:
        return None


def _deployments(at: Connection) -> tuple[list[Deployment] | Unreadable, bool]:
    """Return the Deployments that the user may list, and whether they are those of all namespaces.

    They are those of all namespaces, or else of the connection's.
    """
    found = _allowed(lambda: list(at.get(_DEPLOYMENTS.format(""))["items"]))
    if not isinstance(found, Unreadable):
        return [Deployment(one) for one in found], True
    here = _DEPLOYMENTS.format(f"namespaces/{at.namespace}/")
    return _allowed(lambda: [Deployment(one) for one in at.get(here)["items"]]), False


def _is_operator(one: Deployment) -> bool:
    key, value = OPERATOR_LABEL
    return (one.manifest["metadata"].get("labels") or {}).get(key) == value


def _is_controller(one: Deployment) -> bool:
    # Argo's own manifests and its Helm chart end the name so.
    return one.name.endswith("workflow-controller")


def _chosen(
    deployments: list[Deployment] | Unreadable, is_wanted: Callable[[Deployment], bool]
) -> list[Deployment] | Unreadable:
    if isinstance(deployments, Unreadable):
        return deployments
    return [one for one in deployments if is_wanted(one)]


def _lease(at: Connection, operator: Deployment | None) -> Manifest | Unreadable | None:
    if operator is None or not (name := operator.setting("LEASE_NAME")):
        return None
    path = _LEASES.format(operator.namespace)
    return _one(lambda: at.get(path, name))


def _may(at: Connection, account: str, verb: str) -> bool:
    """Return whether an account may do what Argo's executor does (docs/decisions/0007)."""
    everyone = "system:serviceaccounts"
    spec = {
        "user": f"system:serviceaccount:{at.namespace}:{account}",
        "groups": [everyone, f"{everyone}:{at.namespace}", "system:authenticated"],
        "resourceAttributes": {
            "namespace": at.namespace,
            "group": WORKFLOW_GROUP,
            "resource": "workflowtaskresults",
            "verb": verb,
        },
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(at.create(_REVIEWS, review)["status"]["allowed"])
