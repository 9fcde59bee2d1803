"""The API server by HTTP: requests, lists, watches, and its time.

aiohttp and orjson take a tenth of the processor time of any client library.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from cloudharness_operator import bounded_json
from cloudharness_operator.errors import ApiError

Manifest = dict[str, Any]

TOKEN_LIFE: Final = 60.0
"""Seconds after which the token is read again: the kubelet renews it well before it expires."""

REQUEST_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=5)
SILENCE: Final = 70.0
"""Seconds without data after which a watch counts as broken. Bookmarks come every minute."""

PAGE: Final = 500
PAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a page of several objects, at most: decoded they can take 50 times as much."""
METADATA_BYTES: Final = 4096
"""Bytes of the metadata of a list, at most; a token has some hundred."""
_METADATA: Final = re.compile(rb'"metadata":\{"continue":"([^"\\]+)"[^{}]*\}\}\s*$')
"""The metadata of a page that is not the last: what is closed behind it is the whole text."""

COMPRESSED: Final = {"Accept-Encoding": "gzip"}
"""Header of requests for pages, which become a fifteenth: to decrypt and to put together what the
API server sends in pieces of 3 kB takes more processor time than to decompress it. Others are small
or have no end."""

MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"


class TooLarge(Exception):
    """A page of a list has more bytes than are read at once."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a list."""

    items: list[Manifest]
    version: str


class Token:
    """The service account's token, read again before it can expire."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Read nothing yet."""
        self._path = path
        self._clock = clock
        self._text = ""
        self._read = -TOKEN_LIFE

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Put the token into a request: an aiohttp middleware."""
        if self._clock() - self._read >= TOKEN_LIFE:
            # A file in memory of a few hundred bytes: it needs no thread.
            self._text = self._path.read_text().strip()
            self._read = self._clock()
        request.headers["Authorization"] = f"Bearer {self._text}"
        return await handler(request)


class ServerTime:
    """The API server's time, from the header `Date` of all its responses.

    The header has whole seconds, so one response gives the time to within a second and the duration
    of the request; further ones narrow that to some milliseconds. Between responses a monotonic
    clock is used, so that this machine's own date does not matter.
    """

    def __init__(self, clock: Callable[[], float], fallback: Callable[[], float]) -> None:
        """Take a monotonic clock, and seconds since 1970 to use before the first response."""
        self._clock = clock
        self._fallback = fallback
        # Bounds of the difference between the server's time and the monotonic clock.
        self._least: float | None = None
        self._most = 0.0

    def now(self) -> float:
        """Return the server's time in seconds since 1970: the lower bound."""
        return self._fallback() if self._least is None else self._clock() + self._least

    def observe(self, date: str, sent: float) -> None:
        """Use the `Date` of a response whose request was sent at this time of the clock."""
        try:
            date_seconds = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        # The server wrote it between then and now, in the second that begins at `Date`.
        least, most = date_seconds - self._clock(), date_seconds + 1 - sent
        if self._least is not None:
            both = max(least, self._least), min(most, self._most)
            # They exclude each other if a clock was set, or another server has responded.
            least, most = both if both[0] <= both[1] else (least, most)
        self._least, self._most = least, most

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Observe a response: an aiohttp middleware."""
        sent = self._clock()
        reply = await handler(request)
        self.observe(reply.headers.get("Date", ""), sent)
        return reply


def session(
    account: Path,
    clock: Callable[[], float],
    *more: aiohttp.ClientMiddlewareType,
    traces: Sequence[aiohttp.TraceConfig] = (),
    responses: type[aiohttp.ClientResponse] = aiohttp.ClientResponse,
) -> aiohttp.ClientSession:
    """Return a session that authenticates as a service account, by its mounted files."""
    trust = ssl.create_default_context(cafile=str(account / "ca.crt"))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=trust),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        middlewares=(Token(account / "token", clock), *more),
        timeout=REQUEST_TIMEOUT,
        trace_configs=list(traces),
        response_class=responses,
    )


class Api:
    """The API server's answers as plain objects."""

    def __init__(self, server: str, http: aiohttp.ClientSession) -> None:
        """Take the server's URL, without a slash at its end."""
        self._server = server
        self._http = http

    async def get(self, path: str) -> Manifest:
        """Read an object."""
        return await self._request("GET", path)

    async def text(self, path: str, query: dict[str, str]) -> str:
        """Read a response that is no object, such as a log. Invalid UTF-8 is replaced."""
        with _network():
            async with self._http.get(self._server + path, params=query) as reply:
                await _check(reply)
                return (await reply.read()).decode(errors="replace")

    async def post(
        self, path: str, body: Manifest, query: dict[str, str] | None = None
    ) -> Manifest:
        """Create an object."""
        return await self._request("POST", path, body, query=query)

    async def put(self, path: str, body: Manifest) -> Manifest:
        """Replace an object, unless it has changed since the version in the body."""
        return await self._request("PUT", path, body)

    async def patch(self, path: str, body: Manifest | list[Manifest], kind: str) -> Manifest:
        """Change an object by a patch of the given content type."""
        return await self._request("PATCH", path, body, kind)

    async def delete(
        self, path: str, body: Manifest, query: dict[str, str] | None = None
    ) -> Manifest:
        """Delete an object, or what a query selects of a collection, by `DeleteOptions`."""
        return await self._request("DELETE", path, body, query=query)

    async def pages(
        self, path: str, selector: str = "", fields: str = ""
    ) -> AsyncGenerator[Listing, None]:
        """Read all objects of a collection, a page at a time; all are of one version.

        Ten thousand operations as objects at once are hundreds of megabytes. While the caller uses
        a page, the API server prepares the next one.
        """
        query = {"labelSelector": selector, **({"fieldSelector": fields} if fields else {})}
        size = PAGE
        ahead = self._ahead(path, query, size)
        try:
            while True:
                try:
                    text, code = await ahead
                except TooLarge:
                    # Authors of objects decide how large they are.
                    size = max(1, size // 8)
                    ahead = self._ahead(path, query, size)
                    continue
                page: Manifest = {}
                if not (token := _token(text)):
                    page = _object(text, code)
                    token = page["metadata"].get("continue")
                if token:
                    query["continue"] = token
                    size = min(PAGE, size * 2)
                    ahead = self._ahead(path, query, size)
                    await asyncio.sleep(0)  # So that it is sent before this page is decoded.
                page = page or _object(text, code)
                del text
                yield Listing(page["items"], page["metadata"]["resourceVersion"])
                if not token:
                    return
                del page["items"][:]  # Not kept while the next page is read.
        finally:
            ahead.cancel()

    def _ahead(
        self, path: str, query: Mapping[str, str], size: int
    ) -> asyncio.Task[tuple[bytes, int]]:
        """Begin to read a page of so many objects, or of a single one of any size."""
        whole = {**query, "limit": str(size)}
        return asyncio.create_task(
            self._page(path, whole, sys.maxsize if size == 1 else PAGE_BYTES)
        )

    async def _page(self, path: str, query: dict[str, str], most: int) -> tuple[bytes, int]:
        """Read a page of a list as text of so many bytes at most, and the response's code."""
        url = self._server + path
        with _network():
            async with self._http.get(url, params=query, headers=COMPRESSED) as reply:
                await _check(reply)
                return await _read(reply, most), reply.status

    async def list(self, path: str, selector: str = "", fields: str = "") -> list[Manifest]:
        """Read all objects of a collection that are few."""
        return [item async for page in self.pages(path, selector, fields) for item in page.items]

    async def watch(
        self, path: str, version: str, selector: str = "", seconds: int = 600
    ) -> AsyncIterator[Manifest]:
        """Watch a collection from a version on, for some seconds at most.

        Raises:
            ApiError: the server refused; code 410 means that the version is too old.
            OSError, TimeoutError: the stream broke, or was silent for too long.

        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "labelSelector": selector,
            "timeoutSeconds": str(seconds),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE)
        url = self._server + path
        with _network():
            async with self._http.get(url, params=query, timeout=timeout) as reply:
                await _check(reply)
                async for line in lines(reply.content):
                    event = _object(line, reply.status)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiError.from_status(status.get("code", 500), status)
                    yield event

    async def _request(
        self,
        method: str,
        path: str,
        body: object = None,
        kind: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Manifest:
        data = None if body is None else orjson.dumps(body)
        headers = None if body is None else {"Content-Type": kind}
        url = self._server + path
        with _network():
            async with self._http.request(
                method, url, params=query, data=data, headers=headers
            ) as reply:
                await _check(reply)
                return _object(await reply.read(), reply.status)


@contextmanager
def _network() -> Iterator[None]:
    """Raise all of aiohttp's connection errors as OSError."""
    try:
        yield
    except aiohttp.ClientError as error:
        if isinstance(error, OSError):
            raise
        raise ConnectionError(f"{type(error).__name__}: {error}") from error


async def _check(reply: aiohttp.ClientResponse) -> None:
    if reply.status >= 400:
        raise ApiError.from_status(reply.status, _object(await reply.read(), reply.status))


async def _read(reply: aiohttp.ClientResponse, most: int) -> bytes:
    """Read a response of so many bytes at most.

    Raises:
        TooLarge: it has more; the rest is not read.

    """
    parts: list[bytes] = []
    length = 0
    async for part in reply.content.iter_any():
        length += len(part)
        if length > most:
            reply.close()
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


def _token(text: bytes) -> str:
    """Return the token of the next page before a page is decoded, or an empty text.

    It is found at the end, where the API server writes the metadata of lists of custom resources.
    """
    found = _METADATA.search(text, max(0, len(text) - METADATA_BYTES))
    return found[1].decode() if found else ""


def _object(text: bytes, code: int) -> Manifest:
    """Read a JSON object. Anything else is from a proxy in front of the API server."""
    try:
        found = bounded_json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise ApiError.from_status(code, {"message": text.decode(errors="replace")[:500]})


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines of any length; aiohttp's own ends at 128 KiB."""
    begun: list[bytes] = []
    async for chunk in stream.iter_any():
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            yield b"".join((*begun, line))
            begun.clear()
        if rest:
            begun.append(rest)
    await asyncio.sleep(0)
