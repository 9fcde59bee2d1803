"""A proxy before the API server that can fail at any request, in any way."""

import asyncio
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import yarl
from aiohttp import web
from aiohttp.typedefs import Handler
from pykube import KubeConfig

from cloudharness_operation.names import WORKFLOW_PLURAL
from tests.faults.calls import Answer, Call, Fault, Kind

LATE_SECONDS: Final = 3.0
_STATUS: Final = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "a fault that a test has put here",
}
_EXPIRED: Final = {**_STATUS, "reason": "Expired", "code": HTTPStatus.GONE}
_TOO_OLD: Final = json.dumps({"type": "ERROR", "object": _EXPIRED}).encode() + b"\n"
"""How the API server says that a watch cannot go on: in the stream (apiserver, cacher.go)."""
_HOP: Final = frozenset({"connection", "host", "keep-alive", "transfer-encoding"})
"""Headers that are about one connection (RFC 9110, 7.6.1), and the one that names the server."""


@dataclass
class _Plan:
    """What is to happen to the requests about an operation, and what has."""

    name: str
    fault: Fault | None
    answers: list[Answer]
    seen: Counter[str]
    over: threading.Event

    def due(self, call: Call) -> Kind | None:
        """Count a request; return what is to happen to it."""
        if not call.is_about(self.name):
            return None
        self.seen[call.step] += 1
        fault = self.fault
        if fault is None or (fault.step, fault.turn) != (call.step, self.seen[call.step]):
            return None
        self.over.set()
        return fault.kind


@dataclass
class _List:
    """A list that the operator asks for, and what it was when that was to be kept."""

    path: str
    headers: dict[str, str]
    answer: web.Response | None = None


class FaultProxy:
    """Listens on loopback and carries each request on, but for the one that is to fail."""

    def __init__(self, kubeconfig: Path, place: Path, kill: Callable[[], None]) -> None:
        """Serve with `tls.crt` and `tls.key` of a place; end the operator by `kill`."""
        self._upstream = KubeConfig.from_file(kubeconfig).cluster
        self._place = place
        self._kill = kill
        self._plan = _Plan("", None, [], Counter(), threading.Event())
        self._streams: set[asyncio.Task[Any]] = set()
        self._writes: set[asyncio.Task[Any]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._children_flow = asyncio.Event()
        self._children_flow.set()
        self._compacted: set[str] = set()
        self._lists: dict[str, _List] = {}
        self._stale: dict[str, web.Response] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._stop = asyncio.Event()
        self.port = 0
        self.refused = 0
        """The HTTP status by which all requests but watches are refused; 0: none."""
        self.delay = 0.0
        """Seconds by which all requests but watches are late."""

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        if not self._ready.wait(30):
            raise TimeoutError("the proxy has not begun to listen")
        return self

    def __exit__(self, *_: object) -> None:
        """End all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def arm(self, name: str, fault: Fault | None) -> None:
        """Let a fault happen to the requests about the operation of a name, once."""
        self._plan = _Plan(name, fault, [], Counter(), threading.Event())
        if fault and fault.kind is Kind.KILL_STALE:
            asyncio.run_coroutine_threadsafe(self._remember(), self._loop).result(30)

    def hold(self, *, held: bool) -> None:
        """Let watches carry nothing, or carry on."""
        self._loop.call_soon_threadsafe(self._flowing.clear if held else self._flowing.set)

    @property
    def fired(self) -> bool:
        """Whether the fault has happened."""
        return self._plan.over.is_set()

    @property
    def listed(self) -> set[str]:
        """Of which kinds the operator has asked for a list: what can be shown again later."""
        return {urlsplit(one.path).path.rpartition("/")[2] for one in self._lists.values()}

    @property
    def answers(self) -> list[Answer]:
        """All writes about the operation so far, with the API server's own answers."""
        return list(self._plan.answers)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.load_cert_chain(self._place / "tls.crt", self._place / "tls.key")
        authority = self._upstream["certificate-authority"].filename()
        theirs = ssl.create_default_context(cafile=authority)
        connector = aiohttp.TCPConnector(ssl=theirs, limit=0)
        nothing = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector, timeout=nothing, auto_decompress=False
        ) as self._http:
            app = web.Application(client_max_size=1 << 24, middlewares=[self._disturbed])
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(
                app, access_log=None, shutdown_timeout=1, handler_cancellation=True
            )
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own)
            await site.start()
            self.port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
            self._end_watches()
            await runner.cleanup()
            await asyncio.gather(*self._writes, return_exceptions=True)
        # TLS connections take some turns of the loop to close (aiohttp, "Graceful Shutdown").
        await asyncio.sleep(0.25)

    @web.middleware
    async def _disturbed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if "watch" not in request.query:
            await asyncio.sleep(self.delay)
            if self.refused:
                return _refusal(self.refused)
        return await handler(request)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = Call(request.method, request.path, request.query_string, body)
        kind = None if call.is_read else self._plan.due(call)
        if kind is Kind.KILL_BEFORE:
            self._kill()
        if kind in (Kind.KILL_BEFORE, Kind.RESET):
            return _gone(request)
        if kind and kind.code:
            return _refusal(kind.code)
        if call.is_watch and call.path in self._compacted:
            self._compacted.discard(call.path)
            return web.Response(body=_TOO_OLD)
        if call.is_list and (stale := self._stale.pop(str(request.rel_url), None)):
            return stale
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
        if call.is_list:
            self._lists[str(request.rel_url)] = _List(request.raw_path, headers)
        carried = self._carry_on(request, call, kind, headers)
        if call.is_read:
            return await carried
        # The API server does what it was asked to, whether he who asked is there to hear of it.
        write = asyncio.create_task(carried)
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        return await asyncio.shield(write)

    async def _carry_on(
        self, request: web.Request, call: Call, kind: Kind | None, headers: dict[str, str]
    ) -> web.StreamResponse:
        url, body = self._url(request.raw_path), call.body or None
        async with self._http.request(request.method, url, data=body, headers=headers) as reply:
            if call.is_watch:
                return await self._stream(request, reply)
            return await self._answer(request, call, kind, reply)

    def _url(self, path: str) -> yarl.URL:
        return yarl.URL(str(self._upstream["server"]).rstrip("/") + path, encoded=True)

    async def _answer(
        self, request: web.Request, call: Call, kind: Kind | None, reply: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        text = await reply.read()
        if call.is_about(self._plan.name) and not call.is_read:
            self._plan.answers.append(Answer(call, reply.status))
        if kind is Kind.KILL_UNANSWERED:
            self._kill()
        if kind in (Kind.KILL_UNANSWERED, Kind.UNANSWERED):
            return _gone(request)
        if kind in (Kind.CUT, Kind.COMPACTED, Kind.HELD):
            self._disturb(kind)
        answer = web.Response(status=reply.status, body=text, headers=_own_headers(reply))
        if kind in (Kind.KILL_ANSWERED, Kind.KILL_STALE):
            await answer.prepare(request)
            await answer.write_eof()
            self._kill()
            if kind is Kind.KILL_STALE:
                # Two watches are apart: the operation is seen as it is before its child is.
                self._be_late(self._children_flow)
                self._stale = {at: one.answer for at, one in self._lists.items() if one.answer}
        return answer

    def _disturb(self, kind: Kind) -> None:
        if kind is Kind.HELD:
            self._be_late(self._flowing)
            return
        if kind is Kind.COMPACTED:
            self._compacted = {urlsplit(path).path for path in self._lists}
        self._end_watches()

    def _be_late(self, what: asyncio.Event) -> None:
        what.clear()
        self._loop.call_later(LATE_SECONDS, what.set)

    def _end_watches(self) -> None:
        for stream in self._streams:
            stream.cancel()

    async def _remember(self) -> None:
        """Keep what each list says now, for one that is to see the cluster as it was."""
        # The operator may ask for another meanwhile.
        for one in list(self._lists.values()):
            async with self._http.get(self._url(one.path), headers=one.headers) as reply:
                text = await reply.read()
                one.answer = web.Response(body=text, headers=_own_headers(reply))

    async def _stream(
        self, request: web.Request, reply: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        answer = web.StreamResponse(status=reply.status, headers=_own_headers(reply))
        await answer.prepare(request)
        children = request.path.endswith(f"/{WORKFLOW_PLURAL}")
        task = asyncio.create_task(self._carry(reply, answer, children=children))
        self._streams.add(task)
        try:
            await task
        except (asyncio.CancelledError, ConnectionError, aiohttp.ClientError):
            # In the middle of a line maybe: an orderly end would say that the line is whole.
            _abort(request)
        finally:
            self._streams.discard(task)
        return answer

    async def _carry(
        self, reply: aiohttp.ClientResponse, answer: web.StreamResponse, *, children: bool
    ) -> None:
        async for chunk in reply.content.iter_any():
            await self._flowing.wait()
            if children:
                await self._children_flow.wait()
            await answer.write(chunk)
        await answer.write_eof()


def _own_headers(reply: aiohttp.ClientResponse) -> dict[str, str]:
    return dict(_kept(reply))


def _kept(reply: aiohttp.ClientResponse) -> Iterator[tuple[str, str]]:
    for key, value in reply.headers.items():
        if key.lower() not in _HOP | {"content-length", "date"}:
            yield key, value


def _gone(request: web.Request) -> web.Response:
    _abort(request)
    return web.Response()


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _refusal(code: int) -> web.Response:
    headers = {"Retry-After": "1"} if code == 429 else {}
    status = {**_STATUS, "reason": "Injected", "code": code}
    return web.json_response(status, status=code, headers=headers)
