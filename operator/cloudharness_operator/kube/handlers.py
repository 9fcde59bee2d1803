"""kopf as the shell: it logs in, watches operations, resumes broken watches, and ends in order.

For each object kopf would keep a task, a queue and a memory, and copy each of its events. So its
session takes the events from the stream, passes them to the sink, and gives kopf bookmarks instead:
the versions from which it resumes a broken watch. Of a list kopf gets the version alone, from which
it then watches: `informer.Operations` lists the operations (docs/decisions/0002).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import aiohttp
import kopf
import orjson
from typing_extensions import override

from cloudharness_operation.names import API_VERSION, GROUP, PLURAL, VERSION
from cloudharness_operator import bounded_json
from cloudharness_operator.kube.http import lines
from cloudharness_operator.ports import Sink

CHANGES: Final = ("ADDED", "MODIFIED", "DELETED")
"""Types of the events of a watch that are about an object."""
EXPIRED: Final = b'{"type": "ERROR", "object": {"code": 410}}'
"""The error of a watch after which kopf lists again, and watches anew."""

log = logging.getLogger(__name__)


def registry(
    server: str, http: aiohttp.ClientSession, drain: Callable[[], Awaitable[None]]
) -> kopf.OperatorRegistry:
    """Return kopf's handlers: log in, watch operations, and drain at the end."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: object) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=server, aiohttp_session=http)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def watched(**_: object) -> None:
        """Make kopf watch operations; `_Events` has their events before kopf."""

    @kopf.on.cleanup(registry=handlers)
    async def finish(**_: object) -> None:
        # kopf closes its session right after this.
        await drain()

    return handlers


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings, with everything off that writes, scans or gives up."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    # The scan would watch CRDs and namespaces, which takes rights over the whole cluster.
    chosen.scanning.disabled = True
    # Only the version of its lists is used, see `responses`.
    chosen.watching.chunk_size = 1
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.networking.error_backoffs = _Patience()
    chosen.process.ultimate_exiting_timeout = 25
    return chosen


class _Patience:
    """Growing waits without an end: by default kopf gives up after a minute's outage."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.1
        while True:
            yield delay
            delay = min(15.0, delay * 2)


def responses(sink: Sink, listed: Callable[[str], None]) -> type[aiohttp.ClientResponse]:
    """Return the class of responses of kopf's session.

    The events of its watches are passed to the sink. `listed` is called with the namespace (`""`:
    all) of each list of operations with which kopf begins a watch.
    """

    class Response(aiohttp.ClientResponse):
        """The API server's response to kopf."""

        @override
        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            found = await super().start(connection)
            if self.status < 400 and "watch" in self.url.query:
                namespace = _namespace(self.url.path) or ""
                self.content = _Events(self.content, sink, namespace)  # type: ignore[assignment]
            return found

        @override
        async def json(self, *args: Any, **kwargs: Any) -> Any:
            namespace = _namespace(self.url.path) if self.status < 400 else None
            if namespace is None:
                return await super().json(*args, **kwargs)
            found = bounded_json.loads(await self.read())
            listed(namespace)
            version = found["metadata"]["resourceVersion"]
            return {**found, "metadata": {"resourceVersion": version}, "items": []}

    return Response


def _namespace(path: str) -> str | None:
    """Return the namespace whose operations a path lists, or None for another path."""
    root, _, plural = path.removeprefix(f"/apis/{API_VERSION}").rpartition("/")
    if plural != PLURAL or not path.startswith(f"/apis/{API_VERSION}/"):
        return None
    return root.removeprefix("/namespaces/")


class _Events:
    """The stream of a watch, whose events go to the sink."""

    def __init__(self, content: aiohttp.StreamReader, sink: Sink, namespace: str) -> None:
        self._content = content
        self._sink = sink
        self._namespace = namespace

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield a line for each of the stream: a bookmark instead of a change."""
        async for line in lines(self._content):
            self._sink.heard(self._namespace)
            yield passed_on(line, self._sink) + b"\n"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever aiohttp's own has.
        return getattr(self._content, name)


def passed_on(line: bytes, sink: Sink) -> bytes:
    """Pass a change to the sink and return a bookmark; return any other line as it is.

    An error becomes the one after which kopf begins anew: kopf ends the process for all others.
    """
    try:
        event = bounded_json.loads(line)
    except ValueError:
        return line  # kopf reports it.
    kind = event.get("type") if isinstance(event, dict) else None
    if kind == "ERROR":
        log.info("watching operations: %s", event.get("object"))
        return EXPIRED
    if kind not in CHANGES:
        return line
    manifest = event["object"]
    (sink.remove if kind == "DELETED" else sink.upsert)(manifest)
    version = manifest["metadata"]["resourceVersion"]
    return orjson.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}})
