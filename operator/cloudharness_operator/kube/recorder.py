"""Creates Kubernetes Events beside the reconciliation, which never waits for them.

As in client-go's `EventBroadcaster`, Events that are recorded faster than the API server takes them
are dropped and counted; so are those that it refuses. An Event costs the API server a fifth of what
the write of a status does, so in a burst of operations most are sent after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from cloudharness_operator.errors import ApiError, NotLeading
from cloudharness_operator.kube.cluster import events_path
from cloudharness_operator.kube.http import Api

Manifest = dict[str, Any]

CAPACITY: Final = 2000
"""Events that wait to be sent, at most: about 5 MB."""

PAUSE: Final = 0.05
"""Seconds between two Events while operations wait to be reconciled."""

FULL: Final = "QueueFull"
"""The reason of an Event that was not sent."""

log = logging.getLogger(__name__)


class EventRecorder:
    """The port `Recorder` on a real API server."""

    def __init__(
        self,
        api: Api,
        dropped: Callable[[str], None],
        is_busy: Callable[[], bool] = lambda: False,
        capacity: int = CAPACITY,
    ) -> None:
        """Take the API server.

        `dropped` is called with the reason of each Event not created. `is_busy` returns whether
        operations wait to be reconciled.
        """
        self._api = api
        self._dropped = dropped
        self._is_busy = is_busy
        self._queue: asyncio.Queue[Manifest] = asyncio.Queue(capacity)
        self._is_full = False
        self._flushing = asyncio.Event()

    def record(self, manifests: Sequence[Manifest]) -> None:
        """Create Events soon. A failure is logged and counted, and not raised."""
        for manifest in manifests:
            try:
                self._queue.put_nowait(manifest)
            except asyncio.QueueFull:
                self._dropped(FULL)
                if not self._is_full:  # There may be hundreds a second, for minutes.
                    log.warning("Events are dropped: %s wait to be created", self._queue.qsize())
                self._is_full = True

    async def run(self) -> None:
        """Send what is recorded, for ever; one at a time, so that all other requests come first."""
        while True:
            manifest = await self._queue.get()
            self._is_full = self._is_full and self._has_many()
            try:
                await self._give_way()
                await self._send(manifest)
            finally:
                self._queue.task_done()

    async def _give_way(self) -> None:
        """Wait a moment while operations wait to be reconciled, unless many Events wait too."""
        if self._is_busy() and not self._has_many():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._flushing.wait(), PAUSE)

    def _has_many(self) -> bool:
        return self._queue.qsize() >= self._queue.maxsize // 2

    async def flush(self, seconds: float) -> None:
        """Wait until all that was recorded is sent, but not longer than this."""
        self._flushing.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), seconds)

    async def _send(self, manifest: Manifest) -> None:
        try:
            await self._api.post(events_path(manifest["metadata"]["namespace"]), manifest)
        except ApiError as error:
            # If it exists already, that is as good.
            if error.code != 409:
                self._failed(manifest, error.reason, error)
        except (OSError, TimeoutError, NotLeading) as error:
            self._failed(manifest, type(error).__name__, error)

    def _failed(self, manifest: Manifest, reason: str, error: Exception) -> None:
        self._dropped(reason)
        log.warning("Event %s of %s: %r", manifest["reason"], manifest["regarding"]["name"], error)
