"""The part of an operation that talks to a cluster."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows._api import OPERATIONS, Connection
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._lifecycle import LifecycleMethods
from cloudharness.workflows._results import ResultMethods
from cloudharness.workflows._snapshots import Phase, Workflow
from cloudharness.workflows._submission import (
    SubmittedOperation,
    create_operation,
    random_token,
)
from cloudharness.workflows.errors import (
    ClusterUnavailable,
    WorkflowException,
    WorkflowNotFound,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from cloudharness.workflows import (
        _async,
        _display,
        _follower,
        _format,
        _html,
        _outputs,
    )
    from cloudharness.workflows._display import Display
    from cloudharness_operation.status import OperationStatus
else:
    _async, _display = map(lazy_module, ("_async", "_display"))
    _follower, _format, _html = map(lazy_module, ("_follower", "_format", "_html"))
    _outputs = lazy_module("_outputs")

Manifest = dict[str, Any]


class RemoteOperation(LifecycleMethods, ResultMethods):
    """The methods of an operation that submit it to a cluster, wait for it and read its status.

    Attributes:
        name: name of the operation.
        persisted: the operation as it was last read from the cluster. None: not submitted.

    """

    name: str
    persisted: Workflow | None = None
    _submitted: SubmittedOperation | None = None
    _token: str = ""
    """Identifies the call of `submit` that has raised, if the latest one has."""

    @abstractmethod
    def to_manifest(self) -> Manifest:
        """Return the manifest of the `CloudHarnessOperation`."""

    @override
    def submitted(self) -> SubmittedOperation:
        """Return the operation's address on the cluster.

        Raises:
            WorkflowException: the operation has not been submitted.

        """
        if self._submitted is None:
            raise WorkflowException(400, f"operation {self.name!r} has not been submitted yet")
        return self._submitted

    def submit(self, *, namespace: str | None = None, client: ApiClient | None = None) -> Workflow:
        """Create the operation on the cluster, and return it as stored.

        If a call has raised `ClusterUnavailable`, the operation may have been created. Another call
        then returns it, instead of creating a second one. After a call that has returned, another
        call creates another operation.

        Args:
            namespace: None: the environment variable CLOUDHARNESS_NAMESPACE, or else the namespace
                of the pod or of the kubeconfig's context.
            client: an `ApiClient` of the `kubernetes` library. None: the pod's service account, or
                else the kubeconfig.

        Raises:
            OperationExists: an operation of this name exists.
            OperationRefused: the API server rejects the operation; the message gives the reason.
            ClusterUnavailable: the API server does not respond, or denies access.

        """
        connection = Connection(client, namespace)
        if self._submitted is not None and not self._token:
            self._begin_another()
        self._token = self._token or random_token()
        stored = create_operation(connection, self._manifest_for(connection), self._token)
        self._token = ""
        meta = stored["metadata"]
        self._submitted = SubmittedOperation(connection, meta["name"], meta["uid"])
        self.persisted = Workflow(stored)
        return self.persisted

    def _manifest_for(self, connection: Connection) -> Manifest:  # noqa: ARG002 - for subclasses.
        """Return the manifest to create in a namespace."""
        return self.to_manifest()

    def _begin_another(self) -> None:
        """Choose the name of another operation with the same arguments."""

    def dry_run(self, *, namespace: str | None = None, client: ApiClient | None = None) -> Manifest:
        """Let the API server validate the operation, and return the manifest it would store.

        Args:
            namespace: as in `submit`.
            client: as in `submit`.

        Raises:
            OperationRefused: the API server rejects the operation; the message gives the reason.
            ClusterUnavailable: the API server does not respond, or denies access.

        """
        connection = Connection(client, namespace)
        return connection.create(OPERATIONS, self._manifest_for(connection), {"dryRun": "All"})

    def wait(self, timeout: float | None = None, *, show: bool | Display | None = None) -> Workflow:
        """Wait until the operation has ended, and return it.

        Args:
            timeout: seconds to wait. None: no limit.
            show: whether to show a table of the tasks while waiting. None: only in a terminal or a
                notebook. A `Display` shows what it was created for.

        Raises:
            OperationFailed: the operation did not succeed, or was deleted.
            OperationTimeout: the operation has not ended within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.

        """
        return self._wait(timeout, _display.Display.chosen(show), None)

    def _wait(
        self, timeout: float | None, display: Display | None, stop: threading.Event | None
    ) -> Workflow:
        state = self.submitted().wait(timeout, display, stop)
        _outputs.raise_unless_succeeded(state)
        return self.refresh()

    def watch(self, timeout: float | None = None) -> Iterator[OperationStatus]:
        """Yield the current status and then each new one, until the operation has ended.

        Args:
            timeout: seconds to wait for the end. None: no limit.

        Raises:
            OperationFailed: the operation was deleted.
            OperationTimeout: the operation has not ended within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.

        """
        return self._watch(timeout, None)

    def _watch(
        self, timeout: float | None, stop: threading.Event | None
    ) -> Iterator[OperationStatus]:
        states = self.submitted().follower(timeout, stop).states()
        return (_html.HtmlStatus.of(state) for state in states)

    @property
    def status(self) -> OperationStatus:
        """The status, read from the API server on each access."""
        return _html.HtmlStatus.of(_follower.parse(self.submitted().read()))

    @override
    def refresh(self) -> Workflow:
        """Read the operation from the API server into `persisted`, and return it."""
        self.persisted = Workflow(self.submitted().read())
        return self.persisted

    def is_running(self) -> bool:
        """Return whether the operation has been submitted and has not ended."""
        return self._submitted is not None and not self.refresh().is_finished()

    def is_error(self) -> bool:
        """Return whether the operation has been submitted and has ended as `Failed` or `Error`."""
        return self._submitted is not None and self.refresh().status in (Phase.Failed, Phase.Error)

    def _repr_html_(self) -> str:
        """Return a summary of the operation, or its current state if it is submitted."""
        if self._submitted is None or self.persisted is None:
            return _html.manifest_html(self.to_manifest())
        note = ""
        try:
            self.refresh()
        except (ClusterUnavailable, WorkflowNotFound) as error:
            note = f"last known state: {error}"
        state = _follower.parse(self.persisted.raw)
        return _html.operation_html(state, _format.clock(), note)

    async def submit_async(
        self, *, namespace: str | None = None, client: ApiClient | None = None
    ) -> Workflow:
        """Async variant of `submit`."""
        return await _async.run_in_thread(lambda _: self.submit(namespace=namespace, client=client))

    async def wait_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as in the blocking variant.
        *,
        show: bool | Display | None = None,
    ) -> Workflow:
        """Async variant of `wait`. Cancelling it does not affect the operation."""
        return await _async.run_in_thread(
            lambda stop: self._wait(timeout, _display.Display.chosen(show), stop)
        )

    def watch_async(self, timeout: float | None = None) -> AsyncIterator[OperationStatus]:
        """Async variant of `watch`."""
        self.submitted()  # An operation that is not submitted raises here, as `watch` does.
        return _async.iterate_in_thread(lambda stop: self._watch(timeout, stop))
