"""Which cluster and which namespace a command is about, as kubectl's options say it."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from cloudharness.workflows.attached import AttachedOperation, attach
from cloudharness.workflows.cli.tables import phase
from cloudharness.workflows.connection import (
    NAMESPACE_VARIABLE,
    OPERATIONS,
    Connection,
    configured,
)
from cloudharness.workflows.errors import BadParam, WorkflowException
from cloudharness_operation.names import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Manifest = dict[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

EVERYWHERE: Final = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
_PAGE: Final = 500
_PATIENCE: Final = 3.0
"""Seconds that a person waits for the completion of a name."""


@dataclass
class Target:
    """A cluster, and a namespace of it."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    def connection(self, timeout: float | None = None) -> Connection:
        """Return the way there; `timeout` in seconds as of `Connection`.

        Raises:
            ClusterUnavailable: nothing says where the API server is.

        """
        client, own = self._client
        # As the library does it: what is said, the variable, what the kubeconfig says.
        wished = self.namespace or os.environ.get(NAMESPACE_VARIABLE)
        return Connection(client, wished or own, timeout)

    @functools.cached_property
    def _client(self) -> tuple[ApiClient, str | None]:
        if self.kubeconfig:
            os.environ["KUBECONFIG"] = self.kubeconfig
        return configured(self.context)

    def within(self, namespace: str | None) -> Target:
        """Return the namespace of a manifest, which stands against that of the options.

        Raises:
            BadParam: both are given, and not the same.

        """
        if namespace and self.namespace and namespace != self.namespace:
            raise BadParam(
                "namespace", f"--namespace is {self.namespace}, but the file says {namespace}"
            )
        return replace(self, namespace=namespace or self.namespace)

    def attach(self, name: str) -> AttachedOperation:
        """Find an operation.

        Raises:
            WorkflowNotFound: there is none of that name.

        """
        client, _ = self._client
        return attach(name, namespace=self.connection().namespace, client=client)

    def operations(
        self, *, everywhere: bool = False, selector: str | None = None, timeout: float | None = None
    ) -> Iterator[Manifest]:
        """Yield all operations, page by page."""
        at, place = self.connection(timeout), EVERYWHERE if everywhere else OPERATIONS
        token: str | None = None
        while token is None or token:
            query = {"limit": _PAGE, "labelSelector": selector, "continue": token}
            page = at.get(place, query=query)
            # Items of a list do not say what they are.
            kind = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
            yield from ({**kind, **item} for item in page["items"])
            token = (page.get("metadata") or {}).get("continue") or ""


def located(command: Command) -> Command:
    """Give a command kubectl's options, and a `Target` as its first argument."""

    @functools.wraps(command)
    def with_target(
        kubeconfig: str | None, context: str | None, namespace: str | None, **given: Any
    ) -> Any:
        return command(Target(kubeconfig, context, namespace), **given)

    made: Any = with_target
    for option in (
        click.option("-n", "--namespace", help="Namespace; left out: as kubectl has it."),
        click.option("--context", help="Context of the kubeconfig."),
        click.option("--kubeconfig", type=click.Path(dir_okay=False), help="Another kubeconfig."),
    ):
        made = option(made)
    found: Command = made
    return found


def completed(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return the names of operations that begin so; none if the cluster does not answer soon."""
    given = {name: context.params.get(name) for name in ("kubeconfig", "context", "namespace")}
    # Whoever completes a name has not asked for an error.
    with contextlib.suppress(WorkflowException):
        found = Target(**given).operations(timeout=_PATIENCE)
        names = [(one["metadata"]["name"], phase(one)) for one in found]
        return [CompletionItem(n, help=told) for n, told in names if n.startswith(begun)]
    return []
