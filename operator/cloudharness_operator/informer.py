"""Lists and watches that keep the store true, whatever a connection loses.

A list says what is gone since the one before, which no watch does after a gap. It is
repeated at an interval, so that even a defect in a watch is repaired within it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from cloudharness_operation.names import LABEL_UID
from cloudharness_operator.api import Listing
from cloudharness_operator.child import Child
from cloudharness_operator.cluster import operations_path, workflows_path
from cloudharness_operator.errors import ApiError
from cloudharness_operator.store import Store

FIRST_BACKOFF: Final = 0.1
LAST_BACKOFF: Final = 15.0

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
    """Growing waits, with jitter so that replicas do not knock in step."""

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


class Children:
    """Follows the children of a namespace (`""`: of all) by list and watch."""

    def __init__(self, source: Source, store: Store, namespace: str, resync: float) -> None:
        """Take the seconds between two lists as `resync`."""
        self._source = source
        self._store = store
        self._namespace = namespace
        self._path = workflows_path(namespace)
        self._resync = resync
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever."""
        backoff = Backoff()
        while True:
            try:
                version = await self._list()
                # Not a success yet: a server may list well, and refuse each watch.
                await self._follow(version, backoff)
            except (ApiError, OSError, TimeoutError) as error:
                log.warning("listing %s: %r", self._path, error)
                await backoff.wait()

    async def _list(self) -> str:
        version, seen = "", set()
        async for page in self._source.pages(self._path, LABEL_UID):
            version = page.version
            for item in page.items:
                if child := _read(item):
                    seen.add(child.uid)
                    self._store.saw_child(child)
        self._store.listed_children(seen, int(version), self._namespace)
        self.synced.set()
        return version

    async def _follow(self, version: str, backoff: Backoff) -> None:
        """Watch until it is time to list again, over broken connections."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._resync
        while (left := until - loop.time()) > 1:
            try:
                stream = self._source.watch(self._path, version, LABEL_UID, int(left))
                async for event in stream:
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event["type"], event["object"])
                    backoff.reset()
            except ApiError as error:
                if error.code != 410:
                    raise
                await backoff.wait()
                return
            except (OSError, TimeoutError) as error:
                log.info("watching %s: %r", self._path, error)
            # Also after an orderly end, or a server that hangs up at once would be flooded.
            await backoff.wait()

    def _take(self, kind: str, manifest: dict[str, Any]) -> None:
        if kind not in ("ADDED", "MODIFIED", "DELETED") or not (child := _read(manifest)):
            return
        if kind == "DELETED":
            self._store.lost_child(child)
        else:
            self._store.saw_child(child)


def _read(manifest: Manifest) -> Child | None:
    """Read a child, or None if it is none: whoever may create Workflows can write anything."""
    try:
        return Child.read(manifest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("not a Workflow of ours: %s: %r", manifest["metadata"].get("name"), error)
        return None


class Operations:
    """Lists the operations of a namespace (`""`: of all) at an interval.

    Their watch is kopf's; this finds what it lost, which for a deletion in a gap is everything.
    """

    def __init__(self, source: Source, store: Store, namespace: str, resync: float) -> None:
        """Take the seconds between two lists as `resync`."""
        self._source = source
        self._store = store
        self._namespace = namespace
        self._path = operations_path(namespace)
        self._resync = resync
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """List for ever."""
        backoff = Backoff()
        while True:
            try:
                await self._list()
            except (ApiError, OSError, TimeoutError) as error:
                log.warning("listing %s: %r", self._path, error)
                await backoff.wait()
                continue
            self.synced.set()
            backoff.reset()
            await asyncio.sleep(self._resync)

    async def _list(self) -> None:
        version, seen = "", set()
        async for page in self._source.pages(self._path):
            version = page.version
            for item in page.items:
                seen.add(item["metadata"]["uid"])
                self._store.saw_operation(item)
        self._store.listed_operations(seen, int(version), self._namespace)
