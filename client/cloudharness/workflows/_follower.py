"""Follow an operation by watching it, until it ends or a timeout expires."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cloudharness.workflows._api import OPERATIONS, Connection, Gone
from cloudharness.workflows.errors import (
    ClusterUnavailable,
    OperationFailed,
    OperationTimeout,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness_operation import reasons
from cloudharness_operation.model import Operation

Manifest = dict[str, Any]

_WATCH_SECONDS: Final = 240.0
"""Duration of one watch. Most proxies close connections that are idle for 5 minutes."""
_STOPPABLE_WATCH_SECONDS: Final = 2.0
"""Duration of one watch if there is a stop event, which is checked between watches."""
_MAX_OUTAGE_SECONDS: Final = 300.0
"""How long requests are retried while the API server does not respond."""
_RETRY_DELAYS: Final = (0.2, 1.0, 2.0, 5.0)
"""Seconds between these retries; the last delay repeats."""


class Stopped(Exception):
    """The stop event was set: the caller does not wait any more."""


@dataclass
class Follower:
    """Yields the states of one operation.

    Args:
        connection: the API server.
        name: name of the operation.
        uid: its uid.
        timeout: seconds to wait for the end. None: no limit.
        stop: an event that ends the waiting.

    """

    connection: Connection
    name: str
    uid: str
    timeout: float | None = None
    stop: threading.Event | None = None
    _started: float = field(default_factory=time.monotonic)
    _failures: int = 0
    _failing_since: float = 0.0

    def states(self) -> Iterator[Operation]:
        """Yield the current state and then each new one, until the operation has ended.

        Raises:
            OperationFailed: the operation was deleted.
            OperationTimeout: the operation has not ended within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.
            Stopped: the stop event was set.

        """
        while True:
            try:
                manifest = self.connection.get(OPERATIONS, self.name)
                self._failures = 0
                yield from self._states_from(manifest)
            except WorkflowNotFound as error:
                raise self._deleted() from error
            except ClusterUnavailable as error:
                self._back_off_or_raise(error)
            except Gone:
                continue
            else:
                return

    def _states_from(self, manifest: Manifest) -> Iterator[Operation]:
        """Yield this state and those that follow it, up to the last one."""
        for version in self._versions(manifest):
            state = self._parse(version)
            yield state
            if is_finished(state):
                return

    def _versions(self, manifest: Manifest) -> Iterator[Manifest]:
        """Yield this manifest and each later version. The caller handles interrupted watches."""
        yield manifest
        version = manifest["metadata"]["resourceVersion"]
        query = {"fieldSelector": f"metadata.name={self.name}", "allowWatchBookmarks": "true"}
        while True:
            longest = _STOPPABLE_WATCH_SECONDS if self.stop else _WATCH_SECONDS
            seconds = self._remaining(longest)
            for event in self.connection.events(OPERATIONS, version, seconds, query):
                if event["type"] == "DELETED":
                    raise self._deleted()
                latest: Manifest = event["object"]
                version = latest["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield latest

    def _parse(self, manifest: Manifest) -> Operation:
        state = parse(manifest)
        if state.metadata.uid != self.uid:
            raise self._deleted()
        return state

    def _remaining(self, longest: float) -> float:
        """Return the seconds until the timeout, at most `longest`.

        Raises:
            OperationTimeout: the timeout has expired.
            Stopped: the stop event was set.

        """
        if self.stop and self.stop.is_set():
            raise Stopped
        if self.timeout is None:
            return longest
        remaining = self.timeout - (time.monotonic() - self._started)
        if remaining <= 0:
            raise OperationTimeout(
                f"operation {self.name} has not ended within {self.timeout:g} s; it is still "
                "running"
            )
        return min(remaining, longest)

    def _back_off_or_raise(self, error: ClusterUnavailable) -> None:
        """Sleep before the next attempt, or raise the error if it is final or lasts too long."""
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        if error.is_final or now - self._failing_since > _MAX_OUTAGE_SECONDS:
            raise error
        delay = _RETRY_DELAYS[min(self._failures, len(_RETRY_DELAYS) - 1)]
        self._failures += 1
        time.sleep(self._remaining(delay))

    def _deleted(self) -> WorkflowException:
        return OperationFailed(
            f"operation {self.name} was deleted before it ended",
            operation=self.name,
            reason=reasons.DELETED,
        )


def parse(manifest: Manifest) -> Operation:
    """Return the model of a manifest that the API server has returned."""
    return Operation.parse(manifest)


def is_finished(state: Operation) -> bool:
    """Return whether the run that the spec requests has ended."""
    status = state.status
    is_current = (status.observed_generation or 0) >= state.metadata.generation
    return is_current and status.is_true("Finished")
