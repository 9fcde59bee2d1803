"""The Kubernetes API, as much as this package asks of it, and its errors in our words.

The client library is `kubernetes`. It is imported when the first question is asked, since that
takes longer than all that comes before.
"""

from __future__ import annotations

import contextlib
import http
import json
import os
from collections.abc import Iterator, Mapping
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
"""Parameters of a request; those that are None are left out."""

NOTHING: Final[Query] = {}

NAMESPACE_VARIABLE: Final = "CLOUDHARNESS_NAMESPACE"
IN_CLUSTER_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

OPERATIONS: Final = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{PLURAL}"
WORKFLOWS: Final = (
    f"/apis/{WORKFLOW_GROUP}/{WORKFLOW_VERSION}/namespaces/{{namespace}}/{WORKFLOW_PLURAL}"
)
PODS: Final = "/api/v1/namespaces/{namespace}/pods"
CONFIG_MAPS: Final = "/api/v1/namespaces/{namespace}/configmaps"

ANSWER_SECONDS: Final = 30.0
"""How long a request may take, of which nothing is heard before."""


_UNKNOWN_KIND: Final = (
    "the cluster does not know this kind of object: is the operator's chart installed, which "
    "brings the CloudHarnessOperation, and Argo, which has the Workflow?"
)
"""What a plain `404 page not found` means, where it is no object that is missing."""

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"


class Gone(WorkflowException):
    """A watch has to begin anew: what it was to go on from is no longer known."""


class Connection:
    """The API server, and a namespace of it.

    Args:
        client: an `ApiClient` of the `kubernetes` library. Left out: the pod's own account, or
            else the current context of the kubeconfig.
        namespace: left out: the variable CLOUDHARNESS_NAMESPACE, or else the pod's own, or that of
            the kubeconfig's context, or `default`.
        timeout: seconds that a request may take. Left out: 30.

    Raises:
        ClusterUnavailable: there is nothing that says where the API server is.

    """

    def __init__(
        self,
        client: ApiClient | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._client, own = (client, None) if client else configured()
        self._timeout = timeout or ANSWER_SECONDS
        self.namespace = namespace or os.environ.get(NAMESPACE_VARIABLE) or own or "default"

    def get(self, place: str, name: str = "", query: Query = NOTHING) -> Manifest:
        """Read an object, or a list.

        Raises:
            WorkflowNotFound: it is not there.

        """
        return self._json("GET", place, name, query=query)

    def create(self, place: str, manifest: Mapping[str, Any], query: Query = NOTHING) -> Manifest:
        """Make an object; return it as it was made.

        Raises:
            OperationExists: there is one of that name.
            OperationRefused: the API server does not accept it.

        """
        strict = {"fieldValidation": "Strict", **query}
        return self._json("POST", place, query=strict, body=manifest)

    def patch(self, place: str, name: str, changes: Mapping[str, Any]) -> Manifest:
        """Change an object by a JSON merge patch (RFC 7386); return it as it is then.

        Raises:
            WorkflowNotFound: it is not there.
            OperationRefused: the API server does not accept the change.

        """
        strict = {"fieldValidation": "Strict"}
        return self._json("PATCH", place, name, query=strict, body=changes, kind=MERGE_PATCH)

    def delete(self, place: str, name: str, query: Query = NOTHING) -> None:
        """Delete an object.

        Raises:
            WorkflowNotFound: it is not there.

        """
        self._json("DELETE", place, name, query=query)

    def events(
        self, place: str, version: str, seconds: float, query: Query = NOTHING
    ) -> Iterator[Manifest]:
        """Watch objects from a version on, for so many seconds at most; yield what happens.

        Raises:
            Gone: that version is too old.

        """
        until = {"resourceVersion": version, "timeoutSeconds": max(1, int(seconds))}
        asked = {"watch": 1, **until, **query}
        for line in self.lines(place, query=asked, timeout=seconds + ANSWER_SECONDS):
            event: Manifest = json.loads(line)
            if event["type"] == "ERROR":
                raise Gone(410, str(event["object"].get("message", "")))
            yield event

    def lines(
        self, place: str, name: str = "", *, query: Query = NOTHING, timeout: float | None = None
    ) -> Iterator[str]:
        """Read an answer line by line, as it comes."""
        with _translated():
            answer = self._call("GET", place, name, query, None, timeout)
            rest = b""
            try:
                for part in answer.stream(8192, decode_content=False):
                    *whole, rest = (rest + part).split(b"\n")
                    for line in whole:
                        yield line.decode(errors="replace")
            finally:
                answer.close()
            if rest:
                yield rest.decode(errors="replace")

    def _json(
        self,
        method: str,
        place: str,
        name: str = "",
        *,
        query: Query,
        body: Mapping[str, Any] | None = None,
        kind: str = JSON,
    ) -> Manifest:
        with _translated():
            answer = self._call(method, place, name, query, body, self._timeout, kind)
            found: Manifest = json.loads(answer.read())
            return found

    def _call(
        self,
        method: str,
        place: str,
        name: str,
        query: Query,
        body: Mapping[str, Any] | None,
        timeout: float | None,
        kind: str = JSON,
    ) -> Any:
        path = place.format(namespace=self.namespace) + (f"/{name}" if name else "")
        made = self._client.param_serialize(
            method,
            path,
            query_params=[(key, str(value)) for key, value in query.items() if value is not None],
            header_params={"Accept": JSON, "Content-Type": kind},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._client.call_api(*made, _request_timeout=timeout)
        if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            text = answer.response.read().decode(errors="replace")
            raise _refusal(answer.status, text)
        return answer.response


def configured(context: str | None = None) -> tuple[ApiClient, str | None]:
    """Return a client as kubectl or a pod would have it, and its namespace.

    Args:
        context: that of the kubeconfig. Left out: the current one, or else the pod's own account.

    Raises:
        ClusterUnavailable: nothing says where the API server is.

    """
    from kubernetes import client, config

    settings = client.Configuration()
    # Said anew each time: the library itself looks at the variable when it is imported.
    file = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    try:
        if IN_CLUSTER_NAMESPACE.exists() and "KUBECONFIG" not in os.environ and context is None:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            return client.ApiClient(settings), IN_CLUSTER_NAMESPACE.read_text().strip()
        config.load_kube_config(file, context, settings)  # type: ignore[no-untyped-call]
        every, current = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        chosen = next((one for one in every if one["name"] == context), current)
        return client.ApiClient(settings), chosen["context"].get("namespace")
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise ClusterUnavailable(
            f"{file} leads to no cluster: {error}; set KUBECONFIG, run in a pod, or give a client",
            is_final=True,
        ) from error


def _refusal(status: int, text: str) -> WorkflowException:
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
            # 429, 500, 503, 504: it may be better in a moment.
            return ClusterUnavailable(f"the API server answers {status}: {message}")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of the network into ours."""
    import urllib3

    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterUnavailable(f"the API server does not answer: {error}") from error
