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

from cloudharness_operator import logs
from cloudharness_operator.clock import awake, now, precisely
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.kafka.config import configuration
from cloudharness_operator.kafka.null_publisher import NullPublisher
from cloudharness_operator.kafka.publisher import Client, KafkaPublisher
from cloudharness_operator.kafka.records import MODES
from cloudharness_operator.kube import handlers, installed
from cloudharness_operator.kube.cluster import KubernetesCluster
from cloudharness_operator.kube.http import Api, ServerTime, session
from cloudharness_operator.kube.informer import Operations, Workflows
from cloudharness_operator.kube.recorder import EventRecorder
from cloudharness_operator.kube.requests import observed
from cloudharness_operator.leader.elector import ElectionConfig, ElectorThread
from cloudharness_operator.leader.fence import Fence, FencedPublisher, LeaderOnlyHandler
from cloudharness_operator.loop import intake
from cloudharness_operator.loop.cleanup import CleanUp, RateLimiter
from cloudharness_operator.loop.observe import Clocks, Observer
from cloudharness_operator.loop.queue import WorkQueue
from cloudharness_operator.loop.reconcile import Reconciler
from cloudharness_operator.loop.served import Served, ServedOnlyHandler
from cloudharness_operator.loop.store import Store
from cloudharness_operator.metrics import ARGO_PATIENCE, Metrics
from cloudharness_operator.settings import EVERYWHERE, Settings
from cloudharness_operator.web import serving

DRAIN_SECONDS = 4.0
FLUSH_SECONDS = 1.0

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
    logs.configure(settings.log_level, settings.log_format)
    # It logs every event that was handled.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    # Objects that exist by now stay for ever; collecting them again costs a third of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return asyncio.run(run(settings))


async def run(settings: Settings) -> int:
    """Connect the parts and run them; the end of any of them ends all."""
    metrics = Metrics()
    queue = WorkQueue(
        # Thousands may expire at once, which must not delay an operation that runs.
        can_wait=lambda uid: store.is_settled(uid),  # noqa: PLW0108
        waited=metrics.waited,
        abandoned=metrics.abandoned,
    )
    soon = asyncio.get_running_loop().call_soon
    store = Store(queue.add, time.monotonic, queue.add_urgent, soon)
    server = ServerTime(time.monotonic, lambda: now().timestamp())
    async with AsyncExitStack() as stack:
        fence = Fence(awake, until=0.0 if settings.lease else math.inf)
        http = await stack.enter_async_context(
            session(
                settings.account,
                time.monotonic,
                server,
                traces=[observed(metrics.request), fence.trace()],
            )
        )
        api = Api(settings.server, http)
        publisher = _publisher(settings, queue, metrics, stack)
        served = _served(settings, store, metrics)
        sink = intake.operations(store, served, metrics.skipped)
        children = intake.workflows(store, served, metrics.skipped)
        operations = {
            one: Operations(api, sink, one, settings.resync) for one in settings.namespaces
        }
        workflows = [Workflows(api, children, one, settings.resync) for one in settings.namespaces]
        observer = Observer(store, publisher, Clocks(now, time.monotonic, server.now))
        cluster = KubernetesCluster(api)
        recorder = EventRecorder(api, metrics.dropped_k8s_event, lambda: len(queue) > 0)
        limiter = RateLimiter(settings.deletions, time.monotonic)
        metrics.follow_phases(store.phases)
        metrics.follow(
            workflows=lambda: store.counts()[1],
            workflows_not_started=lambda: store.workflows_without_phase(
                server.now() - ARGO_PATIENCE
            ),
            queue_depth=queue.__len__,
            queue_oldest_seconds=queue.oldest,
            deletions_due=limiter.__len__,
            leading=fence.is_open,
        )
        clean_up = CleanUp(store, cluster, recorder, metrics, limiter, now)
        outlet = FencedPublisher(publisher, fence)
        reconciler = Reconciler(
            store, cluster, outlet, recorder, metrics, settings.defaults, observer, clean_up
        )
        ready = ServedOnlyHandler(metrics.timed(reconciler), served, store.namespace)
        handler = LeaderOnlyHandler(ready, fence)
        elector = _elector(settings, metrics) if settings.lease else None

        def lead() -> None:
            metrics.elected()
            store.enqueue_all()

        async def finish() -> None:
            handler.end()
            await queue.drained(DRAIN_SECONDS)
            await recorder.flush(FLUSH_SECONDS)
            if elector:
                await elector.stop()

        await _report(settings, served, metrics, stack)
        # All tasks start before kopf, which ends those that started after it.
        lists: list[Workflows | Operations] = [*workflows, *operations.values()]
        tasks = [asyncio.create_task(one.run()) for one in lists]
        tasks += [asyncio.create_task(queue.work(handler)) for _ in range(settings.workers)]
        tasks += [asyncio.create_task(one) for one in (recorder.run(), metrics.measure_lag())]
        if elector:
            elector.start(fence, lead)
            stack.push_async_callback(elector.stop)
            tasks.append(asyncio.create_task(elector.failure()))
        watching = await stack.enter_async_context(
            session(
                settings.account,
                time.monotonic,
                server,
                traces=[observed(metrics.request)],
                responses=handlers.responses(
                    sink, lambda namespace: operations[namespace].list_again()
                ),
            )
        )
        stop = asyncio.Event()
        everywhere = settings.namespaces == EVERYWHERE
        shell = kopf.operator(
            registry=handlers.registry(settings.server, watching, finish),
            settings=handlers.settings(),
            clusterwide=everywhere,
            namespaces=() if everywhere else settings.namespaces,
            # kopf would look up the user's name, which often does not exist in a pod.
            identity=cast("Any", "cloudharness-operator"),
            stop_flag=stop,
        )
        return await _together(tasks, asyncio.create_task(shell), stop)


def _publisher(
    settings: Settings, queue: WorkQueue, metrics: Metrics, stack: AsyncExitStack
) -> KafkaPublisher | NullPublisher:
    """Return the publisher of exit events, which the stack closes."""
    if not settings.kafka:
        return NullPublisher(time.monotonic, metrics.lost_event)
    connect = partial(configuration, settings.kafka, settings.kafka_secret)
    client = Client(connect, MODES[settings.content_mode])
    publisher = KafkaPublisher(client, queue.add, time.monotonic, metrics.event, metrics.lost_event)
    stack.push_async_callback(publisher.close)
    metrics.follow(events_pending=publisher.pending, events_oldest_pending_seconds=publisher.oldest)
    return publisher


def _served(settings: Settings, store: Store, metrics: Metrics) -> Served:
    served = Served(settings.namespaces, intake.KINDS, store.enqueue_all)
    for one in settings.namespaces:
        metrics.serve(one, partial(served.is_healthy, one))
    for kind in intake.KINDS:
        metrics.watch(kind, partial(served.idle, kind))
    return served


async def _report(
    settings: Settings, served: Served, metrics: Metrics, stack: AsyncExitStack
) -> None:
    """Serve metrics and probes, and log which Argo is installed."""
    await stack.enter_async_context(serving(settings.port, served, metrics))
    stack.callback(asyncio.create_task(_report_argo(settings, metrics)).cancel)


async def _report_argo(settings: Settings, metrics: Metrics) -> None:
    everywhere = settings.namespaces == EVERYWHERE
    namespace = settings.namespace if everywhere else settings.namespaces[0]
    traces = [observed(metrics.request)]
    # Also a replica that does not lead reports it.
    async with session(settings.account, time.monotonic, traces=traces) as http:
        await installed.report(Api(settings.server, http), namespace, settings.defaults.argo)


def _elector(settings: Settings, metrics: Metrics) -> ElectorThread:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Api]:
        traces = [observed(metrics.request)]
        async with session(settings.account, time.monotonic, traces=traces) as http:
            yield Api(settings.server, http)

    config = ElectionConfig(settings.namespace, settings.lease, settings.identity, awake, precisely)
    return ElectorThread(connect, config)


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
