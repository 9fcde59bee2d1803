"""The API server's clock, as its answers tell it: what is due is due by that clock alone."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import aiohttp


class ServerTime:
    """The API server's time, from the header `Date` of all its answers.

    The header has whole seconds, so one answer tells the time to within a second and the
    answer's own way; each further one narrows it, to some milliseconds after a few. Between
    answers a monotonic clock goes on, so that this machine's own date does not matter.
    """

    def __init__(self, clock: Callable[[], float], fallback: Callable[[], float]) -> None:
        """Take a monotonic clock, and seconds since 1970 for as long as no answer has come."""
        self._clock = clock
        self._fallback = fallback
        # The bounds of what must be added to the monotonic clock.
        self._least: float | None = None
        self._most = 0.0

    def now(self) -> float:
        """Return the seconds since 1970 that have certainly passed at the server."""
        return self._fallback() if self._least is None else self._clock() + self._least

    def heard(self, date: str, sent: float) -> None:
        """Take in the `Date` of an answer whose request was sent at this time of the clock."""
        try:
            told = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        # The server wrote it between then and now, in the second that begins at `told`.
        least, most = told - self._clock(), told + 1 - sent
        if self._least is not None:
            both = max(least, self._least), min(most, self._most)
            # They exclude each other where a clock was set, or another server has answered.
            least, most = both if both[0] <= both[1] else (least, most)
        self._least, self._most = least, most

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Listen to an answer: an aiohttp middleware."""
        sent = self._clock()
        reply = await handler(request)
        self.heard(reply.headers.get("Date", ""), sent)
        return reply
