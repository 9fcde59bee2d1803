"""The operator's web server: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from cloudharness_operator.loop.served import Served
from cloudharness_operator.metrics import Metrics


@asynccontextmanager
async def serving(port: int, served: Served, metrics: Metrics) -> AsyncIterator[None]:
    """Serve while the block runs.

    /healthz responds as long as the event loop runs; the process ends by itself when one of its
    parts does. /readyz responds 200 once each namespace was listed, or is refused, and names those
    that are missing.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if served.is_ready:
            return web.Response(text=f"ok\n{served.text()}")
        return web.Response(status=503, text=served.text())

    async def numbers(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", numbers),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
