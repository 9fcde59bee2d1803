"""The elector: takes, renews and releases the Lease, in a thread of its own.

The thread has its own event loop and its own connection, so that the Lease does
not expire while the operator's loop is busy.
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

from cloudharness_operator.errors import ApiError
from cloudharness_operator.leader import lease as rules
from cloudharness_operator.leader.fence import Fence
from cloudharness_operator.leader.lease import Lease, ObservedLease, Step

ATTEMPT_TIMEOUT: Final = 3.0
"""Seconds for one attempt, so that a leader has two before it must stop."""
RELEASE_TIMEOUT: Final = 5.0
"""Seconds that the end of the process waits for the release of the Lease, at most."""

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
class ElectionConfig:
    """The candidate, its Lease and its clocks."""

    namespace: str
    name: str
    me: str
    clock: Callable[[], float]
    """The fence's clock, which decides."""
    wall: Callable[[], datetime]
    """For the times that the Lease shows."""
    jitter: Callable[[], float] = random.random

    @property
    def path(self) -> str:
        """The path of Leases in the namespace."""
        return f"/apis/{rules.API_VERSION}/namespaces/{self.namespace}/leases"


class Elector:
    """One candidate."""

    def __init__(
        self,
        source: Source,
        config: ElectionConfig,
        fence: Fence,
        on_started_leading: Callable[[], None],
    ) -> None:
        """Call `on_started_leading` each time that the fence is opened after it was shut."""
        self._source = source
        self._config = config
        self._fence = fence
        self._on_started_leading = on_started_leading
        self._observed: ObservedLease | None = None
        self._held: Lease | None = None
        """The Lease as this process last wrote it; None after an error."""

    async def run(self, stop: asyncio.Event) -> None:
        """Take part in the election until `stop` is set; then release the Lease."""
        while not stop.is_set():
            await self.turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.pause())
        await self.release()

    def pause(self) -> float:
        """Return the seconds until the next step, with jitter so that candidates differ."""
        leads = self._held is not None
        wait = rules.pause(self._observed, self._config.me, self._config.clock(), leads=leads)
        return wait * (1 - self._config.jitter() / 5)

    async def turn(self) -> None:
        """Do one step of the election."""
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT):
                await self._attempt()
        except (ApiError, OSError, TimeoutError) as error:
            # The write may have arrived or not: the next step reads the Lease.
            self._held = None
            if isinstance(error, ApiError) and error.code in (404, 409):
                self._fence.shut()  # Another candidate has written it.
            log.warning("Lease %s: %r", self._config.name, error)

    async def _attempt(self) -> None:
        found = self._held or await self._read()
        now = self._config.clock()
        self._observed = (
            self._observed.update(found, now) if self._observed else ObservedLease(found, now)
        )
        step = rules.decide(self._observed, self._config.me, now)
        if step is Step.WAIT:
            self._follow(found)
        else:
            await self._take(found)

    async def _read(self) -> Lease | None:
        try:
            return Lease.read(await self._source.get(f"{self._config.path}/{self._config.name}"))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _take(self, old: Lease | None) -> None:
        """Write that this process leads. Counted is from before, when the others cannot know."""
        sent = self._config.clock()
        body = rules.taken(self._config.name, old, self._config.me, self._config.wall())
        written = await self._write(body, new=old is None)
        self._observed, self._held = ObservedLease(written, sent), written
        if self._fence.open(sent + rules.DEADLINE):
            log.info("leading as %s", self._config.me)
            self._on_started_leading()

    def _follow(self, found: Lease | None) -> None:
        if self._fence.is_open() and found:
            log.warning("%s leads", found.holder)
        self._fence.shut()

    async def _write(self, body: Manifest, *, new: bool) -> Lease:
        if new:
            return Lease.read(await self._source.post(self._config.path, body))
        return Lease.read(await self._source.put(f"{self._config.path}/{self._config.name}", body))

    async def release(self) -> None:
        """Release the Lease, if it is held; a standby takes it at its next read."""
        self._fence.shut()
        if self._held is None:
            return
        body = rules.released(self._config.name, self._held, self._config.wall())
        self._held = None
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT):
                await self._write(body, new=False)
            log.info("no longer leading")
        except (ApiError, OSError, TimeoutError) as error:
            log.warning("Lease %s is left to expire: %r", self._config.name, error)


class ElectorThread:
    """An elector's thread. Its methods are for the operator's event loop."""

    def __init__(
        self, connect: Callable[[], AbstractAsyncContextManager[Source]], config: ElectionConfig
    ) -> None:
        """`connect` opens a connection in the thread's own loop."""
        self._connect = connect
        self._config = config
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ended: Future[None] = Future()

    def start(self, fence: Fence, on_started_leading: Callable[[], None]) -> None:
        """Start; `on_started_leading` is called in the operator's loop."""
        loop = asyncio.get_running_loop()

        def notify() -> None:
            loop.call_soon_threadsafe(on_started_leading)

        work = (fence, notify)
        threading.Thread(target=self._main, args=work, name="elector", daemon=True).start()

    def _main(self, fence: Fence, on_started_leading: Callable[[], None]) -> None:
        try:
            self._loop.run_until_complete(self._run(fence, on_started_leading))
        except BaseException as error:  # noqa: BLE001 - the process ends by it, in `failure`.
            fence.shut()
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            self._loop.close()

    async def _run(self, fence: Fence, on_started_leading: Callable[[], None]) -> None:
        async with self._connect() as source:
            await Elector(source, self._config, fence, on_started_leading).run(self._stop)

    async def failure(self) -> None:
        """Wait for a defect in the thread, and raise it. After an orderly end, wait for ever."""
        await asyncio.shield(asyncio.wrap_future(self._ended))
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Shut the fence, release the Lease and end."""
        if not self._ended.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.wait({asyncio.wrap_future(self._ended)}, timeout=RELEASE_TIMEOUT)
