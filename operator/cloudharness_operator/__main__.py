"""The operator's process: `python -m cloudharness_operator`."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

import kopf

from cloudharness_operator import handlers
from cloudharness_operator.api import Api, session
from cloudharness_operator.cleanup import CleanUp
from cloudharness_operator.clock import awake, now, precisely
from cloudharness_operator.cluster import KubernetesCluster
from cloudharness_operator.connection import configuration
from cloudharness_operator.elector import Candidacy, ElectorThread
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.fence import Fence, FencedPublisher, WhileLeading
from cloudharness_operator.informer import Children, Operations, Parts
from cloudharness_operator.intake import OPERATION, WORKFLOW, Intake
from cloudharness_operator.kopf_http import responses
from cloudharness_operator.metrics import Metrics
from cloudharness_operator.notify import Client, KafkaPublisher
from cloudharness_operator.observe import Clocks, Observer
from cloudharness_operator.pace import Pace
from cloudharness_operator.queue import WorkQueue
from cloudharness_operator.reconcile import Reconciler
from cloudharness_operator.records import MODES
from cloudharness_operator.served import Served, WhileServed
from cloudharness_operator.servertime import ServerTime
from cloudharness_operator.settings import EVERYWHERE, Settings
from cloudharness_operator.store import Store
from cloudharness_operator.undelivered import NoPublisher
from cloudharness_operator.web import serving

DRAIN_SECONDS = 4.0

log = logging.getLogger("cloudharness_operator")


def main() -> int:
    """Run until SIGTERM or until a part fails; the exit code says which."""
    try:
        return _main()
    except InvalidSettings as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _main() -> int:
    settings = Settings.from_env(os.environ)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    # It tells of every event that went well.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    # What is loaded by now stays for ever; looking through it again costs a third of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return asyncio.run(run(settings))


async def run(settings: Settings) -> int:
    """Put the parts together and run them; the end of any of them is the end of all."""
    queue, metrics = WorkQueue(), Metrics()
    soon = asyncio.get_running_loop().call_soon
    store = Store(queue.add, time.monotonic, queue.hurry, soon)
    server = ServerTime(time.monotonic, lambda: now().timestamp())
    async with AsyncExitStack() as stack:
        fence = Fence(awake, until=0.0 if settings.lease else math.inf)
        http = await stack.enter_async_context(
            session(settings.account, time.monotonic, server, traces=[fence.trace()])
        )
        api = Api(settings.server, http)
        publisher: KafkaPublisher | NoPublisher = NoPublisher(time.monotonic, metrics.lost_event)
        if settings.kafka:
            connect = partial(configuration, settings.kafka, settings.kafka_secret)
            client = Client(connect, MODES[settings.content_mode])
            publisher = KafkaPublisher(
                client, queue.add, time.monotonic, metrics.event, metrics.lost_event
            )
            stack.push_async_callback(publisher.close)
            metrics.follow("events_pending", "Exit events not yet confirmed.", publisher.pending)
            metrics.follow("events_oldest_pending_seconds", "Age of the oldest.", publisher.oldest)
        metrics.follow("leading", "1 for the replica that acts.", fence.is_open)
        metrics.follow("queue_depth", "Operations that wait to be handled.", queue.__len__)
        metrics.follow("operations", "Operations known.", lambda: store.counts()[0])
        metrics.follow("workflows", "Child Workflows known.", lambda: store.counts()[1])
        parts = _parts(settings, store, metrics)
        operations = {
            one: Operations(api, store, one, settings.resync, parts) for one in settings.namespaces
        }
        children = [
            Children(api, store, one, settings.resync, parts) for one in settings.namespaces
        ]
        observer = Observer(store, publisher, Clocks(now, time.monotonic, server.now))
        cluster = KubernetesCluster(api)
        clean_up = CleanUp(store, cluster, Pace(settings.deletions, time.monotonic), now)
        outlet = FencedPublisher(publisher, fence)
        reconciler = Reconciler(store, cluster, outlet, settings.defaults, observer, clean_up)
        ready = WhileServed(metrics.timed(reconciler), parts.served, store.namespace)
        handler = WhileLeading(ready, fence)
        elector = _elector(settings) if settings.lease else None

        async def finish() -> None:
            handler.end()
            await queue.drained(DRAIN_SECONDS)
            if elector:
                await elector.stop()

        await stack.enter_async_context(serving(settings.port, parts.served, metrics))
        # All tasks begin before kopf, which ends those that began after it.
        lists: list[Children | Operations] = [*children, *operations.values()]
        tasks = [asyncio.create_task(one.run()) for one in lists]
        tasks += [asyncio.create_task(queue.work(handler)) for _ in range(settings.workers)]
        if elector:
            elector.start(fence, store.look_at_all)
            stack.push_async_callback(elector.stop)
            tasks.append(asyncio.create_task(elector.failure()))
        watching = await stack.enter_async_context(
            session(
                settings.account,
                time.monotonic,
                server,
                responses=responses(lambda namespace: operations[namespace].list_again()),
            )
        )
        stop = asyncio.Event()
        everywhere = settings.namespaces == EVERYWHERE
        shell = kopf.operator(
            registry=handlers.registry(parts.intake, settings.server, watching, finish),
            settings=handlers.settings(),
            clusterwide=everywhere,
            namespaces=() if everywhere else settings.namespaces,
            # kopf would look the user up, and a pod's user often has no name.
            identity=cast("Any", "cloudharness-operator"),
            stop_flag=stop,
        )
        return await _together(tasks, asyncio.create_task(shell), stop)


def _parts(settings: Settings, store: Store, metrics: Metrics) -> Parts:
    served = Served(settings.namespaces, (OPERATION, WORKFLOW), store.look_at_all)
    for one in settings.namespaces:
        metrics.serve(one, partial(served.is_healthy, one))
    return Parts(Intake(store, metrics.skipped), served)


def _elector(settings: Settings) -> ElectorThread:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Api]:
        async with session(settings.account, time.monotonic) as http:
            yield Api(settings.server, http)

    me = Candidacy(settings.namespace, settings.lease, settings.identity, awake, precisely)
    return ElectorThread(connect, me)


async def _together(
    tasks: list[asyncio.Task[None]], shell: asyncio.Task[None], stop: asyncio.Event
) -> int:
    """Wait for the first end, end the others, and return the exit code."""
    await asyncio.wait({*tasks, shell}, return_when=asyncio.FIRST_COMPLETED)
    broken = [task for task in tasks if task.done()]
    for task in broken:
        log.critical("a part of the operator ended", exc_info=task.exception())
    stop.set()
    await shell
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
