"""Reports each request to the API server, as its audit log names it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

import aiohttp
from yarl import URL

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def observed(report: Callable[[str, str, int, float], None]) -> aiohttp.TraceConfig:
    """Return the trace configuration that reports each request of a session.

    `report` is called with the verb and the resource as in Kubernetes' audit log, the response's
    code (0: there was none), and the seconds until the response began.
    """

    async def began(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _request: aiohttp.TraceRequestStartParams,
    ) -> None:
        context.began = time.perf_counter()

    def ended(context: SimpleNamespace, method: str, url: URL, code: int) -> None:
        report(*verb_and_resource(method, url), code, time.perf_counter() - context.began)

    async def responded(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        ended(context, request.method, request.url, request.response.status)

    async def failed(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        request: aiohttp.TraceRequestExceptionParams,
    ) -> None:
        # Others are the operator's own: it does not lead, or does not wait any longer.
        if isinstance(request.exception, OSError | TimeoutError | aiohttp.ClientError):
            ended(context, request.method, request.url, 0)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(began)
    config.on_request_end.append(responded)
    config.on_request_exception.append(failed)
    return config


def verb_and_resource(method: str, url: URL) -> tuple[str, str]:
    """Return the verb and the resource (`pods/log`) of a request to the API server.

    A path is `/api/v1` or `/apis/GROUP/VERSION`, perhaps `/namespaces/NAMESPACE`, and then
    `/RESOURCE`, `/RESOURCE/NAME` or `/RESOURCE/NAME/SUBRESOURCE`.
    """
    parts = url.path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    is_one = len(rest) > 1
    resource = "/".join((*rest[:1], *rest[2:3])) or "none"
    if method == "GET":
        verb = "watch" if "watch" in url.query else "get" if is_one else "list"
    else:
        verb = _VERBS.get(method, method.lower())
        if verb == "delete" and not is_one:
            verb = "deletecollection"
    return verb, resource
