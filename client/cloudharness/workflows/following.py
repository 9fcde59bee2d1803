"""Waiting for an operation: by watch, through restarts of the API server, to a given time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cloudharness.workflows.connection import OPERATIONS, Connection, Gone
from cloudharness.workflows.errors import (
    ClusterUnavailable,
    OperationFailed,
    OperationTimeout,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness_operation.model import Operation

Manifest = dict[str, Any]

_WATCH_SECONDS: Final = 240.0
"""How long one watch lasts: proxies end those of which nothing is heard, mostly after 5 minutes."""
_WATCH_SECONDS_STOPPABLE: Final = 2.0
"""The same where somebody may want to stop, who is asked between watches."""
_PATIENCE: Final = 300.0
"""Seconds for which a server that does not answer is asked again."""
_PAUSES: Final = (0.2, 1.0, 2.0, 5.0)
"""Seconds between those questions; the last for all that follow."""


class Stopped(Exception):
    """Whoever waited does not want to any more."""


@dataclass
class Follower:
    """The states of one operation, one after the other."""

    connection: Connection
    name: str
    uid: str
    timeout: float | None = None
    """Seconds; None for as long as it takes."""
    stop: threading.Event | None = None
    _begun: float = field(default_factory=time.monotonic)
    _failures: int = 0
    _failing_since: float = 0.0

    def states(self) -> Iterator[Operation]:
        """Yield the operation as it is, and then whenever it has changed, until it has ended.

        Raises:
            OperationFailed: it was deleted.
            OperationTimeout: it goes on after that time.
            ClusterUnavailable: the API server has not answered for five minutes, or refuses us.

        """
        while True:
            try:
                manifest = self.connection.get(OPERATIONS, self.name)
                self._failures = 0
                yield from self._from(manifest)
            except WorkflowNotFound as error:
                raise self._deleted() from error
            except ClusterUnavailable as error:
                self._bear(error)
            except Gone:
                continue
            else:
                return

    def _from(self, manifest: Manifest) -> Iterator[Operation]:
        """Yield a state and those that follow, until the last."""
        for found in self._versions(manifest):
            state = self._read(found)
            yield state
            if is_over(state):
                return

    def _versions(self, manifest: Manifest) -> Iterator[Manifest]:
        """Yield the object as it is and as it becomes; what interrupts that is for the caller."""
        yield manifest
        version = manifest["metadata"]["resourceVersion"]
        chosen = {"fieldSelector": f"metadata.name={self.name}", "allowWatchBookmarks": "true"}
        while True:
            seconds = self._left(_WATCH_SECONDS_STOPPABLE if self.stop else _WATCH_SECONDS)
            for event in self.connection.events(OPERATIONS, version, seconds, chosen):
                if event["type"] == "DELETED":
                    raise self._deleted()
                found: Manifest = event["object"]
                version = found["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield found

    def _read(self, manifest: Manifest) -> Operation:
        state = read(manifest)
        if state.metadata.uid != self.uid:
            raise self._deleted()
        return state

    def _left(self, most: float) -> float:
        """Return how long to watch.

        Raises:
            OperationTimeout: the time is over.
            Stopped: nobody wants to wait any more.

        """
        if self.stop and self.stop.is_set():
            raise Stopped
        if self.timeout is None:
            return most
        left = self.timeout - (time.monotonic() - self._begun)
        if left <= 0:
            raise OperationTimeout(
                f"operation {self.name} has not ended within {self.timeout:g} s; it goes on"
            )
        return min(left, most)

    def _bear(self, error: ClusterUnavailable) -> None:
        """Wait a little before the server is asked again; raise what it is if that is for long."""
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        if error.is_final or now - self._failing_since > _PATIENCE:
            raise error
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        time.sleep(self._left(pause))

    def _deleted(self) -> WorkflowException:
        return OperationFailed(
            f"operation {self.name} was deleted before it had ended",
            operation=self.name,
            reason="Deleted",
        )


def read(manifest: Manifest) -> Operation:
    """Return an operation as the API server has it."""
    return Operation.parse(manifest)


def is_over(state: Operation) -> bool:
    """Whether the run that the spec asks for has ended."""
    status = state.status
    current = (status.observed_generation or 0) >= state.metadata.generation
    return current and status.is_true("Finished")
