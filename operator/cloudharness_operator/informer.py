"""Lists and watches that keep the store true, whatever a connection loses.

A list says what is gone since the one before, which no watch does after a gap. It is
repeated at an interval, so that even a defect in a watch is repaired within it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from cloudharness_operation.names import LABEL_UID
from cloudharness_operator.api import Listing
from cloudharness_operator.cluster import operations_path, workflows_path
from cloudharness_operator.errors import ApiError, is_unexpected
from cloudharness_operator.intake import OPERATION, WORKFLOW, Intake
from cloudharness_operator.served import Served
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


class Parts(NamedTuple):
    """What lists report to."""

    intake: Intake
    served: Served


class _Collection:
    """A collection of a namespace (`""`: of all), whose state its lists report."""

    kind: ClassVar[str]
    path: ClassVar[Callable[..., str]]

    def __init__(
        self,
        source: Source,
        store: Store,
        namespace: str,
        resync: float,
        parts: Parts,
    ) -> None:
        """Take the seconds between two lists as `resync`."""
        self._source = source
        self._store = store
        self._namespace = namespace
        self._path = type(self).path(namespace)
        self._resync = resync
        self._intake, self._served = parts

    def _listed(self) -> None:
        self._served.listed(self._namespace, self.kind)

    def _failed(self, error: Exception) -> None:
        log.warning("listing %s: %r", self._path, error, exc_info=is_unexpected(error))
        self._served.failed(self._namespace, self.kind, error)


class Children(_Collection):
    """Follows the children of a namespace (`""`: of all) by list and watch."""

    kind = WORKFLOW
    path = staticmethod(workflows_path)

    async def run(self) -> None:
        """Follow for ever."""
        backoff = Backoff()
        while True:
            try:
                version = await self._list()
                # Not a success yet: a server may list well, and refuse each watch.
                await self._follow(version, backoff)
            except Exception as error:  # noqa: BLE001 - no error may end the list for good.
                self._failed(error)
                await backoff.wait()

    async def _list(self) -> str:
        version, seen = "", set[str]()
        async for page in self._source.pages(self._path, LABEL_UID):
            version = page.version
            seen.update(self._intake.child(item) for item in page.items)
        self._store.listed_children(seen, int(version), self._namespace)
        self._listed()
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
        if kind in ("ADDED", "MODIFIED", "DELETED"):
            self._intake.child(manifest, gone=kind == "DELETED")


class Operations(_Collection):
    """Lists the operations of a namespace (`""`: of all) at an interval, and when that is wanted.

    Their watch is kopf's. Whenever it begins anew, all are listed here, after the version that it
    begins with: so nothing falls between the two, and what was deleted in a gap is found.
    """

    kind = OPERATION
    path = staticmethod(operations_path)

    @cached_property
    def _wanted(self) -> asyncio.Event:
        return asyncio.Event()

    async def run(self) -> None:
        """List for ever."""
        backoff = Backoff()
        while True:
            self._wanted.clear()
            try:
                await self._list()
            except Exception as error:  # noqa: BLE001 - no error may end the list for good.
                self._failed(error)
                await backoff.wait()
                continue
            self._listed()
            backoff.reset()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), self._resync)

    def list_again(self) -> None:
        """Have all operations listed now."""
        self._wanted.set()

    async def _list(self) -> None:
        version, seen = "", set[str]()
        async for page in self._source.pages(self._path):
            version = page.version
            seen.update(self._intake.operation(item) for item in page.items)
        self._store.listed_operations(seen, int(version), self._namespace)
