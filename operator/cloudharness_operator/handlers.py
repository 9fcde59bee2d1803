"""kopf, as the shell: it watches operations, and every event becomes a key in the queue.

Its handlers that keep state on the object (create, update, timers, daemons, indices) are not
used: they write to every object, and lose what fails (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import aiohttp
import kopf
from typing_extensions import override

from cloudharness_operation.names import GROUP, PLURAL, VERSION
from cloudharness_operator.intake import Intake


def registry(
    intake: Intake,
    server: str,
    http: aiohttp.ClientSession,
    drain: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """Return kopf's handlers: how to log in, where to put what is seen, what to do at the end."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: object) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=server, aiohttp_session=http)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def seen(event: kopf.RawEvent, **_: object) -> None:
        manifest: dict[str, Any] = cast("Any", event["object"])
        if event["type"] == "DELETED":
            intake.lost_operation(manifest)
        else:
            intake.operation(manifest)

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
    # Only the version of its lists is used: see `kopf_http`.
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
