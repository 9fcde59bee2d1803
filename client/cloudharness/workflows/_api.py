"""Requests to the Kubernetes API server; its errors become the exceptions of this package.

The library `kubernetes` is imported when the first connection is made, because importing it takes
longer than importing the rest of this package.
"""

from __future__ import annotations

import contextlib
import http
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from cloudharness.workflows.errors import (
    ClusterUnavailable,
    OperationExists,
    OperationRefused,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness_operation.names import (
    GROUP,
    PLURAL,
    VERSION,
    WORKFLOW_GROUP,
    WORKFLOW_PLURAL,
    WORKFLOW_VERSION,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Manifest = dict[str, Any]
Query = Mapping[str, object]
"""Query parameters of a request. Parameters that are None are not sent."""

NO_QUERY: Final[Query] = {}

NAMESPACE_VARIABLE: Final = "CLOUDHARNESS_NAMESPACE"
IN_CLUSTER_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

OPERATIONS: Final = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{PLURAL}"
WORKFLOWS: Final = (
    f"/apis/{WORKFLOW_GROUP}/{WORKFLOW_VERSION}/namespaces/{{namespace}}/{WORKFLOW_PLURAL}"
)
PODS: Final = "/api/v1/namespaces/{namespace}/pods"
CONFIG_MAPS: Final = "/api/v1/namespaces/{namespace}/configmaps"

RESPONSE_SECONDS: Final = 30.0
"""Default timeout of a request."""

_UNKNOWN_KIND: Final = (
    "the cluster does not serve this kind of object: install the operator's chart, which contains "
    "the CRD of CloudHarnessOperation, and Argo Workflows, which contains the CRD of Workflow"
)
"""Meaning of a `404 page not found`: the kind is missing, not the object."""

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"


class Gone(WorkflowException):
    """HTTP 410: the resourceVersion or the continue token has expired."""


class Connection:
    """An API server and a namespace on it.

    Paths have a placeholder for the namespace, as `OPERATIONS` has. Every request raises
    `ClusterUnavailable` if the API server does not respond or denies access.

    Args:
        client: an `ApiClient` of the `kubernetes` library. None: the pod's service account, or
            else the current context of the kubeconfig.
        namespace: None: the environment variable CLOUDHARNESS_NAMESPACE, or else the namespace of
            the pod or of the kubeconfig's context, or else `default`.
        timeout: timeout of a request in seconds. None: 30.

    Raises:
        ClusterUnavailable: there is neither a service account nor a usable kubeconfig.

    """

    def __init__(
        self,
        client: ApiClient | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._client, default = (client, None) if client else default_client()
        self._timeout = timeout or RESPONSE_SECONDS
        self.namespace = namespace or os.environ.get(NAMESPACE_VARIABLE) or default or "default"

    def get(self, path: str, name: str = "", query: Query = NO_QUERY) -> Manifest:
        """Read an object, or a list of objects if no name is given.

        Raises:
            WorkflowNotFound: the object does not exist.
            Gone: the continue token in the query has expired.

        """
        return self._json("GET", path, name, query=query)

    def create(self, path: str, manifest: Mapping[str, Any], query: Query = NO_QUERY) -> Manifest:
        """Create an object and return it as stored.

        Raises:
            OperationExists: an object of this name exists.
            OperationRefused: the API server rejects the object; the message gives the reason.

        """
        strict = {"fieldValidation": "Strict", **query}
        return self._json("POST", path, query=strict, body=manifest)

    def patch(self, path: str, name: str, changes: Mapping[str, Any]) -> Manifest:
        """Patch an object by a JSON merge patch (RFC 7386) and return it as stored.

        Raises:
            WorkflowNotFound: the object does not exist.
            OperationExists: the uid in the patch is not the object's.
            OperationRefused: the API server rejects the patch; the message gives the reason.

        """
        strict = {"fieldValidation": "Strict"}
        return self._json("PATCH", path, name, query=strict, body=changes, content_type=MERGE_PATCH)

    def delete(self, path: str, name: str, query: Query = NO_QUERY) -> None:
        """Delete an object.

        Raises:
            WorkflowNotFound: the object does not exist.

        """
        self._json("DELETE", path, name, query=query)

    def version(self) -> tuple[str, datetime]:
        """Return the version of Kubernetes, and the time of the API server."""
        with _network_errors_translated():
            response = self._call("GET", "/version", "", NO_QUERY, None, self._timeout)
            found = json.loads(response.read())
            date = parsedate_to_datetime(response.headers["Date"])
            return str(found["gitVersion"]), date

    def events(
        self, path: str, version: str, seconds: float, query: Query = NO_QUERY
    ) -> Iterator[Manifest]:
        """Watch objects and yield the watch events.

        Args:
            path: path of the list.
            version: resourceVersion after which the watch starts.
            seconds: duration of the watch.
            query: selectors, as for a list.

        Raises:
            Gone: the resourceVersion has expired.

        """
        limits = {"resourceVersion": version, "timeoutSeconds": max(1, int(seconds))}
        parameters = {"watch": 1, **limits, **query}
        for line in self.lines(path, query=parameters, timeout=seconds + RESPONSE_SECONDS):
            event: Manifest = json.loads(line)
            if event["type"] == "ERROR":
                raise Gone(410, str(event["object"].get("message", "")))
            yield event

    def lines(
        self, path: str, name: str = "", *, query: Query = NO_QUERY, timeout: float | None = None
    ) -> Iterator[str]:
        """Stream a response and yield its lines."""
        with _network_errors_translated():
            response = self._call("GET", path, name, query, None, timeout)
            rest = b""
            try:
                for part in response.stream(8192, decode_content=False):
                    *whole, rest = (rest + part).split(b"\n")
                    for line in whole:
                        yield line.decode(errors="replace")
            finally:
                response.close()
            if rest:
                yield rest.decode(errors="replace")

    def _json(
        self,
        method: str,
        path: str,
        name: str = "",
        *,
        query: Query,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Manifest:
        with _network_errors_translated():
            response = self._call(method, path, name, query, body, self._timeout, content_type)
            manifest: Manifest = json.loads(response.read())
            return manifest

    def _call(
        self,
        method: str,
        path: str,
        name: str,
        query: Query,
        body: Mapping[str, Any] | None,
        timeout: float | None,
        content_type: str = JSON,
    ) -> Any:
        url = path.format(namespace=self.namespace) + (f"/{name}" if name else "")
        request = self._client.param_serialize(
            method,
            url,
            query_params=[(key, str(value)) for key, value in query.items() if value is not None],
            header_params={"Accept": JSON, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = self._client.call_api(*request, _request_timeout=timeout)
        if response.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            text = response.response.read().decode(errors="replace")
            raise _to_exception(response.status, text)
        return response.response


def default_client(context: str | None = None) -> tuple[ApiClient, str | None]:
    """Return the client that kubectl or a pod would use by default, and its namespace.

    Args:
        context: a context of the kubeconfig. None: the pod's service account, or else the current
            context of the kubeconfig.

    Raises:
        ClusterUnavailable: there is neither a service account nor a usable kubeconfig.

    """
    from kubernetes import client, config

    settings = client.Configuration()
    # Passed explicitly, because the library reads the variable only once, when it is imported.
    file = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    try:
        if IN_CLUSTER_NAMESPACE.exists() and "KUBECONFIG" not in os.environ and context is None:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            return client.ApiClient(settings), IN_CLUSTER_NAMESPACE.read_text().strip()
        config.load_kube_config(file, context, settings)  # type: ignore[no-untyped-call]
        contexts, current = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        chosen = next((one for one in contexts if one["name"] == context), current)
        return client.ApiClient(settings), chosen["context"].get("namespace")
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ClusterUnavailable(
            f"cannot find a cluster in {file}: {error}; set KUBECONFIG, run in a pod, or pass a "
            "client",
            is_final=True,
        ) from error


def _to_exception(status: int, text: str) -> WorkflowException:
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, TypeError, KeyError):
        if status == http.HTTPStatus.NOT_FOUND:
            return ClusterUnavailable(_UNKNOWN_KIND, is_final=True)
        message = text[:1000]
    match status:
        case 401 | 403:
            return ClusterUnavailable(message, is_final=True)
        case 404:
            return WorkflowNotFound(message)
        case 409:
            return OperationExists(message)
        case 410:
            return Gone(410, message)
        case 400 | 413 | 422:
            return OperationRefused(message)
        case _:
            # 429, 500, 503, 504: temporary.
            return ClusterUnavailable(f"the API server responds with {status}: {message}")


@contextlib.contextmanager
def _network_errors_translated() -> Iterator[None]:
    """Raise network errors as `ClusterUnavailable`."""
    import urllib3

    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterUnavailable(f"the API server does not respond: {error}") from error
