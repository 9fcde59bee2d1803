"""kopf as the shell: it watches operations, and every event becomes a key in the queue.

kopf's handlers that keep state on the object (create, update, timers, daemons, indices) are not
used: they write to every object, and lose what fails (docs/decisions/0002).

kopf decodes what it watches by itself, and ends the process if it cannot. So its session checks
each line of a watch first. Of a list kopf gets the version alone, from which it then watches:
`informer.Operations` lists the operations, within bounds of memory that kopf does not have
(docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import aiohttp
import kopf
from typing_extensions import override

from cloudharness_operation.names import API_VERSION, GROUP, PLURAL, VERSION
from cloudharness_operator import bounded_json
from cloudharness_operator.kube.http import lines
from cloudharness_operator.ports import Sink


def registry(
    sink: Sink,
    server: str,
    http: aiohttp.ClientSession,
    drain: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """Return kopf's handlers: log in, pass each event to the sink, and drain at the end."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: object) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=server, aiohttp_session=http)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def observed(event: kopf.RawEvent, **_: object) -> None:
        manifest: dict[str, Any] = cast("Any", event["object"])
        if event["type"] == "DELETED":
            sink.remove(manifest)
        else:
            sink.upsert(manifest)

    @kopf.on.cleanup(registry=handlers)
    async def finish(**_: object) -> None:
        # kopf closes its session right after this.
        await drain()

    return handlers


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings, with everything off that writes, scans or gives up."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.diffbase_storage = _NoDiff()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    # The scan would watch CRDs and namespaces, which takes rights over the whole cluster.
    chosen.scanning.disabled = True
    # Only the version of its lists is used, see `responses`.
    chosen.watching.chunk_size = 1
    chosen.queueing.idle_timeout = 0.5
    chosen.queueing.exit_timeout = 5
    chosen.queueing.error_delays = (0.5, 1, 2, 5, 10, 30)
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


class _NoDiff(kopf.DiffBaseStorage):
    """Keeps no copy of the object, since no handler asks what has changed in it."""

    @override
    def build(self, **_: object) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    @override
    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        return None

    @override
    def store(self, **_: object) -> None:
        return


class _NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers, since none can be retried."""

    @override
    def fetch(self, **_: object) -> None:
        return None

    @override
    def store(self, **_: object) -> None:
        return

    @override
    def purge(self, **_: object) -> None:
        return

    @override
    def touch(self, **_: object) -> None:
        return

    @override
    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def responses(listed: Callable[[str], None]) -> type[aiohttp.ClientResponse]:
    """Return the class of responses of kopf's session.

    `listed` is called with the namespace (`""`: all) of each list of operations with which kopf
    begins a watch.
    """

    class Response(aiohttp.ClientResponse):
        """The API server's response to kopf."""

        @override
        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            found = await super().start(connection)
            if self.status < 400 and "watch" in self.url.query:
                self.content = _Checked(self.content)  # type: ignore[assignment]
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


class _Checked:
    """A stream whose lines can all be decoded."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield a line at a time, as a chunk."""
        async for line in lines(self._content):
            yield bounded_json.event(line) + b"\n"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever aiohttp's own has.
        return getattr(self._content, name)
