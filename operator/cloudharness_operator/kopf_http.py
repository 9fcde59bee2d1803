"""kopf's connection to the API server, on which it meets only objects that it can read.

kopf decodes what it watches by itself, and ends the operator where it cannot. So each line of its
watches is checked here first. Of its lists it gets the version alone, from which it then watches:
the operations themselves are listed by `informer.Operations`, in bounds of memory that kopf does
not have (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from typing_extensions import override

from cloudharness_operation.names import API_VERSION, PLURAL
from cloudharness_operator import bounded
from cloudharness_operator.api import lines


def responses(listed: Callable[[str], None]) -> type[aiohttp.ClientResponse]:
    """Return the class of responses for kopf's session.

    `listed` is called with the namespace (`""`: all) of each list of operations that kopf begins
    its watch with.
    """

    class Response(aiohttp.ClientResponse):
        """A response to a request of kopf's."""

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
            found = bounded.loads(await self.read())
            listed(namespace)
            version = found["metadata"]["resourceVersion"]
            return {**found, "metadata": {"resourceVersion": version}, "items": []}

    return Response


def _namespace(path: str) -> str | None:
    """Return the namespace of whose operations a path is, or None if it is another path."""
    root, _, plural = path.removeprefix(f"/apis/{API_VERSION}").rpartition("/")
    if plural != PLURAL or not path.startswith(f"/apis/{API_VERSION}/"):
        return None
    return root.removeprefix("/namespaces/")


class _Checked:
    """A stream of which each line can be decoded."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield a line at a time, as a chunk."""
        async for line in lines(self._content):
            yield bounded.event(line) + b"\n"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever aiohttp's own has.
        return getattr(self._content, name)
