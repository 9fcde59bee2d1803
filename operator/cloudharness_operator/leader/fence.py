"""The fence: a process writes only while it knows that it leads.

It is checked right before a request is sent, so that a process that was frozen writes nothing when
it continues. The elector's thread opens it until a deadline; after that it is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from threading import Lock
from types import SimpleNamespace

import aiohttp

from cloudharness_operation.event import ExitEvent
from cloudharness_operator.decide.delivery import Delivery
from cloudharness_operator.errors import NotLeading
from cloudharness_operator.ports import Publisher

READS = frozenset({"GET", "HEAD"})

Handler = Callable[[str], Awaitable[float | None]]

log = logging.getLogger(__name__)


class Fence:
    """Whether this process may write. May be used from any thread."""

    def __init__(self, clock: Callable[[], float], until: float = 0.0) -> None:
        """Be open until a time of a clock that runs on while the process is frozen."""
        self._clock = clock
        self._until = until
        self._shut = False
        self._lock = Lock()

    def is_open(self) -> bool:
        """Whether this process may write now."""
        with self._lock:
            # Once a caller has found it shut, it stays shut until `open`, which must return that
            # work was dropped meanwhile.
            self._shut = self._shut or self._clock() >= self._until
            return not self._shut

    def check(self) -> None:
        """Raise NotLeading if this process may not write now."""
        if not self.is_open():
            raise NotLeading("another operator may be acting")

    def open(self, until: float) -> bool:
        """Be open until a time; return whether it was shut, if only for a moment."""
        with self._lock:
            was_shut = self._shut or self._clock() >= self._until
            self._until, self._shut = until, False
            return was_shut

    def shut(self) -> None:
        """Be shut from now on."""
        with self._lock:
            self._shut = True

    def trace(self) -> aiohttp.TraceConfig:
        """Return the trace configuration that checks the fence before each write of a session.

        No other place is as late: opening a connection takes time, and aiohttp itself repeats a
        request that was lost with a closed connection.
        """

        async def sending(
            _session: aiohttp.ClientSession,
            _context: SimpleNamespace,
            request: aiohttp.TraceRequestHeadersSentParams,
        ) -> None:
            if request.method not in READS:
                self.check()

        config = aiohttp.TraceConfig()
        config.on_request_headers_sent.append(sending)
        return config


class FencedPublisher:
    """The port `Publisher` behind the fence."""

    def __init__(self, publisher: Publisher, fence: Fence) -> None:
        """Take the publisher to use while the fence is open."""
        self._publisher = publisher
        self._fence = fence

    def publish(self, event: ExitEvent) -> None:
        """Begin to publish an event, unless another operator may lead."""
        self._fence.check()
        self._publisher.publish(event)

    def give_up(self, event: ExitEvent) -> None:
        """Log an event that is not published again, once."""
        self._fence.check()
        self._publisher.give_up(event)

    def delivery(self, event_id: str) -> Delivery | None:
        """Return the delivery state of an event."""
        return self._publisher.delivery(event_id)

    def drop(self, event_id: str) -> None:
        """Drop the delivery state of an event."""
        self._publisher.drop(event_id)


class LeaderOnlyHandler:
    """Handles keys while this process leads, and drops them otherwise.

    A dropped key is not lost: a new leader enqueues everything unfinished.
    """

    def __init__(self, handler: Handler, fence: Fence) -> None:
        """Take the handler of those keys."""
        self._handler = handler
        self._fence = fence
        self._ended = False

    def end(self) -> None:
        """Handle no further key."""
        self._ended = True

    async def __call__(self, key: str) -> float | None:
        """Handle a key, or drop it."""
        if self._ended or not self._fence.is_open():
            return None
        try:
            return await self._handler(key)
        except NotLeading:
            log.info("%s: left to the new leader", key)
            return None
