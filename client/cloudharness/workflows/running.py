"""What is done with an operation on a cluster: submit it, wait for it, ask what came of it."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from cloudharness.workflows.answering import Answering
from cloudharness.workflows.connection import OPERATIONS, Connection
from cloudharness.workflows.errors import (
    ClusterUnavailable,
    OperationExists,
    WorkflowException,
)
from cloudharness.workflows.lazily import lazily
from cloudharness.workflows.snapshots import Phase, Workflow
from cloudharness.workflows.steering import Steered
from cloudharness_operation.names import ANNOTATION_SUBMISSION

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from cloudharness.workflows import assembling, following, legacy, live, logs, results, twins
    from cloudharness.workflows.following import Follower
    from cloudharness.workflows.live import Display
    from cloudharness_operation.model import Operation
    from cloudharness_operation.status import OperationStatus
else:
    assembling, following, legacy, live = map(lazily, ("assembling", "following", "legacy", "live"))
    logs, results, twins = map(lazily, ("logs", "results", "twins"))

Manifest = dict[str, Any]

_PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds before a request that was not answered is made again."""


@dataclass(frozen=True)
class Submitted:
    """An operation that is on a cluster."""

    connection: Connection
    name: str
    uid: str

    def read(self) -> Manifest:
        """Return it as it is now."""
        return self.connection.get(OPERATIONS, self.name)

    def follower(self, timeout: float | None, stop: threading.Event | None = None) -> Follower:
        """Return its states from now on."""
        return following.Follower(self.connection, self.name, self.uid, timeout, stop)

    def end(
        self, timeout: float | None, display: Display | None, stop: threading.Event | None = None
    ) -> Operation:
        """Wait for its end, and return it as it is then."""
        state: Operation | None = None
        with display or contextlib.nullcontext():
            for state in self.follower(timeout, stop).states():
                if display:
                    display.show(state)
        assert state is not None  # noqa: S101 - for the type checker: there is one at least.
        return state


def create(connection: Connection, manifest: Manifest) -> Manifest:
    """Create an operation once, though the answer may be lost on its way.

    Raises:
        OperationExists: there is one of that name, made by somebody else.
        OperationRefused: the API server does not accept it.
        ClusterUnavailable: it does not answer, several times.

    """
    note = {ANNOTATION_SUBMISSION: assembling.token()}
    marked = {**manifest, "metadata": {**manifest["metadata"], "annotations": note}}
    pauses = iter(_PAUSES)
    while True:
        try:
            return connection.create(OPERATIONS, marked)
        except OperationExists as error:
            return _own(connection, marked, error)
        except ClusterUnavailable as error:
            pause = next(pauses, None)
            if error.is_final or pause is None:
                raise
            time.sleep(pause)


def _own(connection: Connection, marked: Manifest, error: OperationExists) -> Manifest:
    """Return the operation that has the name, if it was made by this very call."""
    name = marked["metadata"]["name"]
    found = connection.get(OPERATIONS, name)
    note = marked["metadata"]["annotations"]
    if note.items() <= (found["metadata"].get("annotations") or {}).items():
        return found
    raise OperationExists(
        f"an operation {name!r} is there already in the namespace {connection.namespace}: delete "
        "it, choose another name, or let the name end in '-' to have a unique suffix put behind it"
    ) from error


class Running(Steered, Answering):
    """The half of an operation that speaks to a cluster."""

    name: str
    persisted: Workflow | None = None
    _submitted: Submitted | None = None

    @abstractmethod
    def to_manifest(self) -> Manifest:
        """Return the `CloudHarnessOperation`, as it can be created."""

    @override
    def submitted(self) -> Submitted:
        """Return where it is.

        Raises:
            WorkflowException: it has not been submitted.

        """
        if self._submitted is None:
            raise WorkflowException(400, f"operation {self.name!r} has not been executed yet")
        return self._submitted

    def submit(self, *, namespace: str | None = None, client: ApiClient | None = None) -> Workflow:
        """Create it on the cluster, and return it as it is there.

        Args:
            namespace: left out: the variable CLOUDHARNESS_NAMESPACE, or else that of the pod or of
                the kubeconfig's context.
            client: an `ApiClient` of the `kubernetes` library. Left out: the pod's own account, or
                else the kubeconfig.

        Raises:
            OperationExists: there is one of that name.
            OperationRefused: the API server does not accept it; the message says why.
            ClusterUnavailable: there is no API server, or it does not let us.

        """
        connection = Connection(client, namespace)
        manifest = self._named(legacy.completed(self.to_manifest(), connection))
        made = create(connection, manifest)
        meta = made["metadata"]
        self._submitted = Submitted(connection, meta["name"], meta["uid"])
        self.persisted = Workflow(made)
        return self.persisted

    def _named(self, manifest: Manifest) -> Manifest:
        return {**manifest, "metadata": {"name": assembling.unique_name(self.name)}}

    def dry_run(self, *, namespace: str | None = None, client: ApiClient | None = None) -> Manifest:
        """Have the API server check it, and return it as it would be stored.

        Raises:
            OperationRefused: the API server would not accept it; the message says why.
            ClusterUnavailable: there is no API server, or it does not let us.

        """
        connection = Connection(client, namespace)
        return connection.create(OPERATIONS, self._named(self.to_manifest()), {"dryRun": "All"})

    def wait(self, timeout: float | None = None, *, show: bool | Display | None = None) -> Workflow:
        """Wait for its end.

        Args:
            timeout: seconds; None for as long as it takes.
            show: show a table of its tasks meanwhile. None: if a terminal or notebook is there;
                a `Display` shows what it is made to.

        Raises:
            OperationFailed: it ended otherwise than well, or was deleted.
            OperationTimeout: it goes on after that time.
            ClusterUnavailable: the API server has not answered for five minutes.

        """
        return self._wait(timeout, live.Display.chosen(show), None)

    def _wait(
        self, timeout: float | None, display: Display | None, stop: threading.Event | None
    ) -> Workflow:
        state = self.submitted().end(timeout, display, stop)
        results.check(state)
        return self.refresh()

    def watch(self, timeout: float | None = None) -> Iterator[OperationStatus]:
        """Yield its status as it is, and then whenever that changes, until it has ended.

        Raises:
            OperationFailed: it was deleted.
            OperationTimeout: it goes on after that time.
            ClusterUnavailable: the API server has not answered for five minutes.

        """
        return (state.status for state in self.submitted().follower(timeout).states())

    @property
    def status(self) -> OperationStatus:
        """Its status as it is now, as the cluster says."""
        return following.read(self.submitted().read()).status

    @override
    def refresh(self) -> Workflow:
        """Read `persisted` anew, and return it."""
        self.persisted = Workflow(self.submitted().read())
        return self.persisted

    def is_running(self) -> bool:
        """Return whether it has been submitted and has not ended."""
        return self._submitted is not None and not self.refresh().is_finished()

    def is_error(self) -> bool:
        """Return whether it has been submitted and has ended in `Failed` or `Error`."""
        return self._submitted is not None and self.refresh().status in (Phase.Failed, Phase.Error)

    async def submit_async(
        self, *, namespace: str | None = None, client: ApiClient | None = None
    ) -> Workflow:
        """As `submit`."""
        return await twins.run(lambda _: self.submit(namespace=namespace, client=client))

    async def wait_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as its twin.
        *,
        show: bool | Display | None = None,
    ) -> Workflow:
        """As `wait`. Cancelling it leaves the operation as it is."""
        return await twins.run(lambda stop: self._wait(timeout, live.Display.chosen(show), stop))

    def watch_async(self, timeout: float | None = None) -> AsyncIterator[OperationStatus]:
        """As `watch`."""
        at = self.submitted()
        return twins.iterate(
            lambda stop: (state.status for state in at.follower(timeout, stop).states())
        )
