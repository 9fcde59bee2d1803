"""The fence: nothing is written by a process that does not know that it leads.

It is asked right before a request is sent, so that a process that was frozen writes nothing when
it wakes. It is the elector's thread that opens it, and time that closes it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from threading import Lock
from types import SimpleNamespace

import aiohttp

from cloudharness_operation.event import ExitEvent
from cloudharness_operator.delivery import Delivery
from cloudharness_operator.errors import NotLeading
from cloudharness_operator.ports import Publisher

READS = frozenset({"GET", "HEAD"})

Handler = Callable[[str], Awaitable[float | None]]

log = logging.getLogger(__name__)


class Fence:
    """Whether this process may act. May be used from any thread."""

    def __init__(self, clock: Callable[[], float], until: float = 0.0) -> None:
        """Be open until then, by a clock that does not stand still while the process does."""
        self._clock = clock
        self._until = until
        self._shut = False
        self._lock = Lock()

    def is_open(self) -> bool:
        """Whether this process may act now."""
        with self._lock:
            # Once somebody has found it shut, it is shut until it is opened: what was left
            # undone meanwhile must be known to whoever opens it.
            self._shut = self._shut or self._clock() >= self._until
            return not self._shut

    def check(self) -> None:
        """Raise NotLeading if this process may not act now."""
        if not self.is_open():
            raise NotLeading("another operator may be acting")

    def open(self, until: float) -> bool:
        """Be open until then; return whether it was shut, if only for a moment."""
        with self._lock:
            was_shut = self._shut or self._clock() >= self._until
            self._until, self._shut = until, False
            return was_shut

    def shut(self) -> None:
        """Be shut from now on."""
        with self._lock:
            self._shut = True

    def trace(self) -> aiohttp.TraceConfig:
        """Return what puts the fence before each write of a session.

        No other place is as late: a connection that is yet to be made takes its time, and a
        request that a closed one has lost is sent again by aiohttp itself.
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
        """Take the publisher to ask while the fence is open."""
        self._publisher = publisher
        self._fence = fence

    def publish(self, event: ExitEvent) -> None:
        """Begin to publish an event, unless another operator may be doing it."""
        self._fence.check()
        self._publisher.publish(event)

    def give_up(self, event: ExitEvent) -> None:
        """Tell people of an event that is not tried again, once."""
        self._fence.check()
        self._publisher.give_up(event)

    def delivery(self, event_id: str) -> Delivery | None:
        """Return what became of an event."""
        return self._publisher.delivery(event_id)

    def forget(self, event_id: str) -> None:
        """Drop what is known of an event."""
        self._publisher.forget(event_id)


class WhileLeading:
    """Handles keys while this process leads, and drops them else.

    Nothing is lost by it: whoever begins to lead looks at everything.
    """

    def __init__(self, handler: Handler, fence: Fence) -> None:
        """Take the handler of those keys."""
        self._handler = handler
        self._fence = fence
        self._ended = False

    def end(self) -> None:
        """Begin nothing more."""
        self._ended = True

    async def __call__(self, key: str) -> float | None:
        """Handle a key, or drop it."""
        if self._ended or not self._fence.is_open():
            return None
        try:
            return await self._handler(key)
        except NotLeading:
            log.info("%s: left to whoever leads now", key)
            return None
