"""Select a cluster and a namespace by kubectl's options."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from cloudharness.workflows._api import (
    NAMESPACE_VARIABLE,
    OPERATIONS,
    Connection,
    default_client,
)
from cloudharness.workflows.attach import AttachedOperation, attach
from cloudharness.workflows.cli.tables import phase
from cloudharness.workflows.errors import BadParam, WorkflowException
from cloudharness_operation.names import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Manifest = dict[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

EVERYWHERE: Final = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
_PAGE: Final = 500
_PATIENCE: Final = 3.0
"""Timeout of requests for shell completion, in seconds."""


@dataclass
class Target:
    """A cluster and a namespace."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    def connection(self, timeout: float | None = None) -> Connection:
        """Return a connection. Its timeout is in seconds, as in `Connection`.

        Raises:
            ClusterUnavailable: there is neither a service account nor a usable kubeconfig.

        """
        client, default = self._client
        # The order of the library: the option, the environment variable, the kubeconfig.
        namespace = self.namespace or os.environ.get(NAMESPACE_VARIABLE)
        return Connection(client, namespace or default, timeout)

    @functools.cached_property
    def _client(self) -> tuple[ApiClient, str | None]:
        if self.kubeconfig:
            os.environ["KUBECONFIG"] = self.kubeconfig
        return default_client(self.context)

    def within(self, namespace: str | None) -> Target:
        """Return a target with the namespace of a manifest.

        Raises:
            BadParam: the option --namespace names another namespace.

        """
        if namespace and self.namespace and namespace != self.namespace:
            raise BadParam(
                "namespace", f"--namespace is {self.namespace}, but the file has {namespace}"
            )
        return replace(self, namespace=namespace or self.namespace)

    def attach(self, name: str) -> AttachedOperation:
        """Find an operation.

        Raises:
            WorkflowNotFound: no operation has this name.

        """
        client, _ = self._client
        return attach(name, namespace=self.connection().namespace, client=client)

    def operations(
        self, *, everywhere: bool = False, selector: str | None = None, timeout: float | None = None
    ) -> Iterator[Manifest]:
        """Yield all operations; requests are paginated."""
        at, path = self.connection(timeout), EVERYWHERE if everywhere else OPERATIONS
        token: str | None = None
        while token is None or token:
            query = {"limit": _PAGE, "labelSelector": selector, "continue": token}
            page = at.get(path, query=query)
            # Items of a list have neither apiVersion nor kind.
            kind = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
            yield from ({**kind, **item} for item in page["items"])
            token = (page.get("metadata") or {}).get("continue") or ""


def with_target(command: Command) -> Command:
    """Add kubectl's options to a command, which gets a `Target` as its first argument."""

    @functools.wraps(command)
    def called(
        kubeconfig: str | None, context: str | None, namespace: str | None, **given: Any
    ) -> Any:
        return command(Target(kubeconfig, context, namespace), **given)

    made: Any = called
    for option in (
        click.option("-n", "--namespace", help="Namespace. Default: that of kubectl."),
        click.option("--context", help="Context of the kubeconfig."),
        click.option(
            "--kubeconfig", type=click.Path(dir_okay=False), help="Path of the kubeconfig."
        ),
    ):
        made = option(made)
    found: Command = made
    return found


def complete_names(context: click.Context, _: click.Parameter, prefix: str) -> list[CompletionItem]:
    """Return the names of operations with this prefix; empty if the cluster does not respond."""
    given = {name: context.params.get(name) for name in ("kubeconfig", "context", "namespace")}
    # Shell completion has no place for an error message.
    with contextlib.suppress(WorkflowException):
        found = Target(**given).operations(timeout=_PATIENCE)
        names = [(one["metadata"]["name"], phase(one)) for one in found]
        return [CompletionItem(n, help=status) for n, status in names if n.startswith(prefix)]
    return []
