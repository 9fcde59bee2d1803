"""The elector: takes the Lease, renews it and gives it back, in a thread of its own.

The thread has its own event loop and its own connection, so that no amount of work in the
operator's loop lets the Lease expire.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from cloudharness_operator import lease as rules
from cloudharness_operator.errors import ApiError
from cloudharness_operator.fence import Fence
from cloudharness_operator.lease import Lease, Sight, Step

PATIENCE: Final = 3.0
"""Seconds for one attempt, so that a leader has two before it must stop."""
GOODBYE: Final = 5.0
"""Seconds that the end of the process waits for the Lease to be given back, at most."""

Manifest = dict[str, Any]

log = logging.getLogger(__name__)


class Source(Protocol):
    """The part of `Api` that is used here."""

    async def get(self, path: str) -> Manifest:
        """Read an object."""

    async def post(self, path: str, body: Manifest) -> Manifest:
        """Create an object."""

    async def put(self, path: str, body: Manifest) -> Manifest:
        """Replace an object."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """Who stands for which Lease, and by which clocks."""

    namespace: str
    name: str
    me: str
    clock: Callable[[], float]
    """The fence's: it decides."""
    wall: Callable[[], datetime]
    """For what people read in the Lease."""
    jitter: Callable[[], float] = random.random

    @property
    def path(self) -> str:
        """The path of Leases in the namespace."""
        return f"/apis/{rules.API_VERSION}/namespaces/{self.namespace}/leases"


class Elector:
    """One candidate."""

    def __init__(
        self, source: Source, candidacy: Candidacy, fence: Fence, gained: Callable[[], None]
    ) -> None:
        """Call `gained` each time that the fence is opened after it was shut."""
        self._source = source
        self._my = candidacy
        self._fence = fence
        self._gained = gained
        self._sight: Sight | None = None
        self._held: Lease | None = None
        """The Lease as this process has written it, until anything goes wrong."""

    async def run(self, stop: asyncio.Event) -> None:
        """Stand until told to stop; then give back what is held."""
        while not stop.is_set():
            await self.turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.pause())
        await self.release()

    def pause(self) -> float:
        """Return the seconds until the next turn: a little less for some, so that they differ."""
        leads = self._held is not None
        wait = rules.pause(self._sight, self._my.me, self._my.clock(), leads=leads)
        return wait * (1 - self._my.jitter() / 5)

    async def turn(self) -> None:
        """Look at the Lease, and do what is to be done about it."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._attempt()
        except (ApiError, OSError, TimeoutError) as error:
            # What was written may have arrived or not: the next turn reads it.
            self._held = None
            if isinstance(error, ApiError) and error.code in (404, 409):
                self._fence.shut()  # Somebody else has written it.
            log.warning("Lease %s: %r", self._my.name, error)

    async def _attempt(self) -> None:
        found = self._held or await self._read()
        now = self._my.clock()
        self._sight = self._sight.then(found, now) if self._sight else Sight(found, now)
        step = rules.decide(self._sight, self._my.me, now)
        if step is Step.WAIT:
            self._follow(found)
        else:
            await self._take(found)

    async def _read(self) -> Lease | None:
        try:
            return Lease.read(await self._source.get(f"{self._my.path}/{self._my.name}"))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _take(self, old: Lease | None) -> None:
        """Write that this process leads. Counted is from before, when the others cannot know."""
        sent = self._my.clock()
        body = rules.taken(self._my.name, old, self._my.me, self._my.wall())
        written = await self._write(body, new=old is None)
        self._sight, self._held = Sight(written, sent), written
        if self._fence.open(sent + rules.DEADLINE):
            log.info("leading as %s", self._my.me)
            self._gained()

    def _follow(self, found: Lease | None) -> None:
        if self._fence.is_open() and found:
            log.warning("%s leads", found.holder)
        self._fence.shut()

    async def _write(self, body: Manifest, *, new: bool) -> Lease:
        if new:
            return Lease.read(await self._source.post(self._my.path, body))
        return Lease.read(await self._source.put(f"{self._my.path}/{self._my.name}", body))

    async def release(self) -> None:
        """Give back the Lease, if it is held; whoever waits for it takes it at its next look."""
        self._fence.shut()
        if self._held is None:
            return
        body = rules.released(self._my.name, self._held, self._my.wall())
        self._held = None
        try:
            async with asyncio.timeout(PATIENCE):
                await self._write(body, new=False)
            log.info("no longer leading")
        except (ApiError, OSError, TimeoutError) as error:
            log.warning("Lease %s is left to expire: %r", self._my.name, error)


class ElectorThread:
    """An elector's thread. Its methods are for the operator's event loop."""

    def __init__(
        self, connect: Callable[[], AbstractAsyncContextManager[Source]], candidacy: Candidacy
    ) -> None:
        """Take what opens a connection in the thread's own loop."""
        self._connect = connect
        self._my = candidacy
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ended: Future[None] = Future()

    def start(self, fence: Fence, gained: Callable[[], None]) -> None:
        """Begin; `gained` is called in the operator's loop."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.call_soon_threadsafe(gained)

        work = (fence, tell)
        threading.Thread(target=self._main, args=work, name="elector", daemon=True).start()

    def _main(self, fence: Fence, gained: Callable[[], None]) -> None:
        try:
            self._loop.run_until_complete(self._stand(fence, gained))
        except BaseException as error:  # noqa: BLE001 - the process ends by it, in `failure`.
            fence.shut()
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            self._loop.close()

    async def _stand(self, fence: Fence, gained: Callable[[], None]) -> None:
        async with self._connect() as source:
            await Elector(source, self._my, fence, gained).run(self._stop)

    async def failure(self) -> None:
        """Wait for a defect in the thread, and raise it. An orderly end is waited over."""
        await asyncio.shield(asyncio.wrap_future(self._ended))
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Shut the fence, give back the Lease and end."""
        if not self._ended.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.wait({asyncio.wrap_future(self._ended)}, timeout=GOODBYE)
