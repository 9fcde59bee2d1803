"""Lists and watches that keep the cache true, whatever a connection loses.

Only a list shows what was deleted in a gap between two watches. It is repeated at an interval, so
that even a defect of a watch is repaired within it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from cloudharness_operation.names import LABEL_UID
from cloudharness_operator.errors import ApiError, is_unexpected
from cloudharness_operator.kube.cluster import operations_path, workflows_path
from cloudharness_operator.kube.http import Listing
from cloudharness_operator.ports import Sink

FIRST_BACKOFF: Final = 0.1
LAST_BACKOFF: Final = 15.0
START: Final = 2.0
"""Seconds that the first list of operations waits for kopf's watch, at most."""

Manifest = dict[str, Any]

log = logging.getLogger(__name__)


class Source(Protocol):
    """The part of `Api` that is used here."""

    def pages(self, path: str, selector: str = "") -> AsyncIterator[Listing]:
        """Read all objects of a collection, a page at a time."""

    def watch(
        self, path: str, version: str, selector: str = "", seconds: int = 600
    ) -> AsyncIterator[Manifest]:
        """Follow a collection from a version on."""


class Backoff:
    """Growing waits, with jitter so that replicas do not retry in step."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        """Begin with the shortest wait."""
        self._jitter = jitter
        self._failures = 0

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0

    async def wait(self) -> None:
        """Wait longer than the last time."""
        delay = min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures, 20))
        self._failures += 1
        await asyncio.sleep(delay * (0.5 + self._jitter() / 2))


class _Lists:
    """Lists the objects of one kind in a namespace (`""`: in all)."""

    def __init__(
        self, source: Source, sink: Sink, namespace: str, path: str, selector: str = ""
    ) -> None:
        self._source = source
        self._sink = sink
        self._namespace = namespace
        self.path = path
        self.selector = selector

    async def read(self) -> str:
        """Read all objects, a page at a time; return the version of the list."""
        version, found = "", set[str]()
        async for page in self._source.pages(self.path, self.selector):
            version = page.version
            found.update(self._sink.upsert(item) for item in page.items)
        self._sink.listed(self._namespace, found, int(version))
        return version

    def failed(self, error: Exception) -> None:
        """Log and report the error of a list, or of the watch that follows it."""
        log.warning("listing %s: %r", self.path, error, exc_info=is_unexpected(error))
        self._sink.failed(self._namespace, error)

    def heard(self) -> None:
        """Report a message of the watch that follows a list."""
        self._sink.heard(self._namespace)


class Workflows:
    """Follows the child Workflows of a namespace (`""`: of all) by list and watch."""

    def __init__(self, source: Source, sink: Sink, namespace: str, resync: float) -> None:
        """Take the seconds between two lists as `resync`."""
        self._source = source
        self._sink = sink
        self._resync = resync
        self._lists = _Lists(source, sink, namespace, workflows_path(namespace), LABEL_UID)

    async def run(self) -> None:
        """Follow for ever."""
        backoff = Backoff()
        while True:
            try:
                version = await self._lists.read()
                # Not a success yet: a server may answer lists and refuse each watch.
                await self._follow(version, backoff)
            except Exception as error:  # noqa: BLE001 - no error may end the list for good.
                self._lists.failed(error)
                await backoff.wait()

    async def _follow(self, version: str, backoff: Backoff) -> None:
        """Watch until the next list is due, over broken connections."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._resync
        path, selector = self._lists.path, self._lists.selector
        while (left := until - loop.time()) > 1:
            try:
                async for event in self._source.watch(path, version, selector, int(left)):
                    self._lists.heard()
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event["type"], event["object"])
                    backoff.reset()
            except ApiError as error:
                if error.code != 410:
                    raise
                await backoff.wait()
                return
            except (OSError, TimeoutError) as error:
                log.info("watching %s: %r", path, error)
            # Also after an orderly end, so that a server that ends each watch is not flooded.
            await backoff.wait()

    def _take(self, kind: str, manifest: dict[str, Any]) -> None:
        if kind in ("ADDED", "MODIFIED"):
            self._sink.upsert(manifest)
        elif kind == "DELETED":
            self._sink.remove(manifest)


class Operations:
    """Lists the operations of a namespace (`""`: of all) at an interval, and on request.

    kopf watches them. Each time that its watch begins anew, all operations are listed here, after
    the version that the watch begins with: so nothing is missed between the two, and what was
    deleted in a gap is found.
    """

    def __init__(self, source: Source, sink: Sink, namespace: str, resync: float) -> None:
        """Take the seconds between two lists as `resync`."""
        self._resync = resync
        self._lists = _Lists(source, sink, namespace, operations_path(namespace))
        self._requested = asyncio.Event()

    async def run(self) -> None:
        """List for ever."""
        backoff = Backoff()
        # A list that begins before kopf's watch would have to be repeated after it.
        await self._wait(min(START, self._resync))
        while True:
            self._requested.clear()
            try:
                await self._lists.read()
            except Exception as error:  # noqa: BLE001 - no error may end the list for good.
                self._lists.failed(error)
                await backoff.wait()
                continue
            backoff.reset()
            await self._wait(self._resync)

    async def _wait(self, seconds: float) -> None:
        """Wait until a list is requested, but not longer than this."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._requested.wait(), seconds)

    def list_again(self) -> None:
        """List all operations now."""
        self._requested.set()
