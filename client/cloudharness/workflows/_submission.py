"""Create an operation on a cluster, and address it there."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloudharness.workflows._api import OPERATIONS, Connection
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows.errors import ClusterUnavailable, OperationExists
from cloudharness_operation.names import ANNOTATION_SUBMISSION

if TYPE_CHECKING:
    from cloudharness.workflows import _follower
    from cloudharness.workflows._display import Display
    from cloudharness_operation.model import Operation
else:
    _follower = lazy_module("_follower")

Manifest = dict[str, Any]

_RETRY_DELAYS: Final = (0.5, 1.0, 2.0)
"""Seconds before each retry of a request that got no response."""


@dataclass(frozen=True)
class SubmittedOperation:
    """The address of an operation on a cluster."""

    connection: Connection
    name: str
    uid: str

    def read(self) -> Manifest:
        """Read the manifest.

        Raises:
            WorkflowNotFound: the operation does not exist any more.

        """
        return self.connection.get(OPERATIONS, self.name)

    def follower(
        self, timeout: float | None, stop: threading.Event | None = None
    ) -> _follower.Follower:
        """Return an object that yields the operation's states."""
        return _follower.Follower(self.connection, self.name, self.uid, timeout, stop)

    def wait(
        self, timeout: float | None, display: Display | None, stop: threading.Event | None = None
    ) -> Operation:
        """Wait until the operation has ended, and return its last state.

        Raises:
            WorkflowException: as `Follower.states`.

        """
        state: Operation | None = None
        with display or contextlib.nullcontext():
            for state in self.follower(timeout, stop).states():
                if display:
                    display.show(state)
        assert state is not None  # noqa: S101 - for the type checker: there is at least one state.
        return state


def create_operation(connection: Connection, manifest: Manifest, token: str = "") -> Manifest:
    """Create an operation idempotently, retrying when the response is lost.

    Calls with the same name and the same `token` create one operation. Without a token each call
    has its own.

    Raises:
        OperationExists: an operation of this name exists, created by another call.
        OperationRefused: the API server rejects the operation; the message gives the reason.
        ClusterUnavailable: the API server has not responded to any attempt, or denies access.

    """
    annotations = {ANNOTATION_SUBMISSION: token or random_token()}
    marked = {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}
    delays = iter(_RETRY_DELAYS)
    while True:
        try:
            return connection.create(OPERATIONS, marked)
        except OperationExists as error:
            return _created_before(connection, marked, error)
        except ClusterUnavailable as error:
            delay = next(delays, None)
            if error.is_final or delay is None:
                raise
            time.sleep(delay)


def _created_before(connection: Connection, marked: Manifest, error: OperationExists) -> Manifest:
    """Return the existing operation if an earlier attempt of the same call created it."""
    name = marked["metadata"]["name"]
    existing = connection.get(OPERATIONS, name)
    annotations = marked["metadata"]["annotations"]
    if annotations.items() <= (existing["metadata"].get("annotations") or {}).items():
        return existing
    raise OperationExists(
        f"an operation {name!r} already exists in the namespace {connection.namespace}: delete it, "
        "or choose another name; without fixed_name a unique suffix is appended"
    ) from error


def random_token() -> str:
    """Return a unique text of 32 hexadecimal digits."""
    return secrets.token_hex(16)
