"""Time until exit events are published: to Kafka alone, by the whole operator, after an outage.

First a publisher and a broker, nothing else. Then an operator on a real cluster: Workflows end at
a steady rate, by what Argo would write (Argo itself is stopped: it could not end as many), and
each event is timed from that write until a consumer has it. At last a crowd ends while the broker
is away.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import confluent_kafka
import requests

from benchmarks import accounts
from benchmarks.accounts import Account
from benchmarks.crowd import crowd, resident
from cloudharness_operation.event import Destination, ExitEvent, Outcome, timestamp
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.kafka.config import configuration
from cloudharness_operator.kafka.publisher import Client, KafkaPublisher
from tests.cluster import Cluster, ClusterError, open_cluster
from tests.cluster.embedded import EmbeddedCluster
from tests.support.broker_settings import metrics
from tests.support.brokers import brokers
from tests.support.installation import FULL_KIND, Installation, eventually
from tests.support.kafka import Topic
from tests.support.operations import bash, operation

EVENTS: Final = int(os.environ.get("EVENTS", "20000"))
ENDS: Final = int(os.environ.get("ENDS", "1000"))
RATES: Final = (15, 50)
"""Ends a second."""
SETTLING: Final = 10.0
"""Seconds until the operator has written that the last of the Workflows has no pods yet."""
CROWD: Final = int(os.environ.get("CROWD", "10000"))
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC: Final = "ends"
FOUND: Final = "cloudharness_operation_events"
QUEUE: Final = "cloudharness_operation_queue_depth"


def main() -> None:
    """Measure, and print it as it comes."""
    with open_cluster() as cluster, TemporaryDirectory() as place:
        if not isinstance(cluster, EmbeddedCluster):
            raise ClusterError("this stops Argo and a broker: it needs the embedded cluster")
        cluster.join()
        asyncio.run(publish(str(cluster.kafka)))
        with installation(cluster, "ends") as one, without_argo(cluster):
            one.install(f"kafka.bootstrapServers={one.kafka}")
            for rate in RATES:
                at_a_rate(one, rate)
        with installation(cluster, "crowd") as one, accounts.namespace(cluster):
            account = accounts.make(cluster, "crowd", Path(place))
            while_away(one, cluster, Path(place), account)


@contextmanager
def installation(cluster: Cluster, name: str) -> Iterator[Installation]:
    """Make a namespace for an operator, and remove it."""
    # That of a run before may still be on its way out.
    one = Installation(cluster, f"{name}-{os.getpid()}")
    cluster.kubectl("create", "namespace", one.namespace)
    try:
        yield one
    finally:
        eventually(lambda: _clear(one), timeout=600, every=2)
        eventually(lambda: not one.find("workflows"), timeout=600, every=2)
        one.remove()


def _clear(one: Installation) -> bool:
    """Delete all operations at once, as kubectl does not; return whether none is left."""
    with suppress(requests.ConnectionError):  # The API server ends a request after a minute.
        one.server.clear(FULL_KIND)
    return not one.find(FULL_KIND)


@contextmanager
def without_argo(cluster: Cluster) -> Iterator[None]:
    """Stop Argo's controller for a while."""
    argo = ("--namespace=argo", "scale", "deployment/workflow-controller")
    cluster.kubectl(*argo, "--replicas=0")
    try:
        yield
    finally:
        cluster.kubectl(*argo, "--replicas=1")


async def publish(servers: str) -> None:
    """Time events from the publisher's hands to the broker's word, all at once and one by one."""
    acked = asyncio.Queue[str]()
    client = Client(lambda: configuration(servers))
    publisher = KafkaPublisher(client, acked.put_nowait, time.monotonic)
    publisher.publish(event(0))
    await acked.get()  # It has made the topic.
    begun = time.monotonic()
    for number in range(1, EVENTS + 1):
        publisher.publish(event(number))
        if number % 500 == 0:
            await asyncio.sleep(0)
    for _ in range(EVENTS):
        await acked.get()
    took = time.monotonic() - begun
    known = [publisher.delivery(event(number).id) for number in range(EVENTS + 1)]
    if not all(one is not None and one.state is DeliveryState.ACKED for one in known):
        raise RuntimeError("not all events were acknowledged")
    print(f"{EVENTS} events acknowledged in {took:.2f} s: {EVENTS / took:.0f} a second", flush=True)
    times = []
    for number in range(EVENTS + 1, EVENTS + 1001):
        begun = time.monotonic()
        publisher.publish(event(number))
        await acked.get()
        times.append(time.monotonic() - begun)
    print(f"one by one, each is acknowledged after {spread(times)}", flush=True)
    await publisher.close()


def event(number: int) -> ExitEvent:
    """Return an event like those that are sent."""
    to = Destination(
        uid=f"uid-{number}",
        namespace="namespace",
        operation=f"op-{number}",
        run="1",
        run_id="1",
        topics=("benchmark",),
        payload="x" * 100,
    )
    outcome = Outcome("Succeeded", "AllTasksSucceeded", "all tasks succeeded", NOW, NOW)
    return ExitEvent(to, outcome, f"op-{number}-12345")


def at_a_rate(one: Installation, rate: int) -> None:
    """End Workflows at a steady rate, and time when Kafka has it."""
    topic = f"{one.namespace}-{rate}"
    for number in range(ENDS):
        one.apply(operation(f"at{rate}-{number}", bash("true"), topic=topic))
    # The first event makes the topic, which takes a broker longer than all else.
    one.apply(operation(f"first-{rate}", bash("true"), topic=topic, cancel="Stop"))
    one.wait_for(f"first-{rate}", "Notified")
    eventually(lambda: len(_open(one)) == ENDS, timeout=300, every=2)
    time.sleep(SETTLING)
    children = _open(one)
    heard: dict[str, float] = {}
    hearing = (one.kafka, topic, heard, ENDS + 1)
    listener = threading.Thread(target=listen, args=hearing, daemon=True)
    listener.start()
    ended: dict[str, float] = {}

    def end(uid: str) -> None:
        ended[uid] = time.monotonic()
        finished = datetime.fromtimestamp(time.clock_gettime(time.CLOCK_REALTIME), UTC)
        status = {"phase": "Succeeded", "finishedAt": timestamp(finished), "progress": "1/1"}
        one.server.patch("workflows", children[uid], {"status": status})

    begun, work = time.monotonic(), []
    with ThreadPoolExecutor(16) as pool:
        for number, uid in enumerate(children):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            work.append(pool.submit(end, uid))
    for one_end in work:
        one_end.result()
    seen = ENDS / (time.monotonic() - begun)
    listener.join(120)
    times = [heard[uid] - at for uid, at in ended.items() if uid in heard]
    print(
        f"{len(times)} of {ENDS} ends at {seen:.0f} a second: from the write that ends the "
        f"Workflow until a consumer has the event {spread(times)}",
        flush=True,
    )


def _open(one: Installation) -> dict[str, str]:
    """Return the names of the Workflows that have not ended, by their operations' uids."""
    return {
        child["metadata"]["ownerReferences"][0]["uid"]: child["metadata"]["name"]
        for child in one.find("workflows")
        if "phase" not in child.get("status", {})
    }


def listen(servers: str, topic: str, heard: dict[str, float], enough: int) -> None:
    """Note when events come."""
    settings = {"bootstrap.servers": servers, "group.id": "benchmark", "fetch.wait.max.ms": 5}
    consumer = confluent_kafka.Consumer({**settings, "auto.offset.reset": "earliest"})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    until = time.monotonic() + 300
    while len(heard) < enough and time.monotonic() < until:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            heard.setdefault(bytes(message.key() or b"").decode(), time.monotonic())
    consumer.close()


def while_away(one: Installation, cluster: EmbeddedCluster, place: Path, account: Account) -> None:
    """Have a crowd end while the broker is away, and see how that is made good."""
    with brokers(cluster, place) as own:
        one.install(f"kafka.bootstrapServers={own.servers}")
        print(f"the operator has {resident():.0f} MiB", flush=True)
        own.all[0].kill()
        asyncio.run(_end_crowd(account, one.namespace))
        eventually(lambda: metrics(one)[QUEUE] == 0, timeout=600, every=1)
        numbers = metrics(one)
        print(
            f"{numbers[f'{FOUND}_pending']:.0f} events wait, the oldest for "
            f"{numbers[f'{FOUND}_oldest_pending_seconds']:.0f} s, in {resident():.0f} MiB",
            flush=True,
        )
        begun = time.monotonic()
        one.apply(operation("other", bash("true")))
        one.wait_for("other")
        print(f"another operation runs in {time.monotonic() - begun:.1f} s", flush=True)
        own.start()
        begun = time.monotonic()
        eventually(lambda: metrics(one)[f"{FOUND}_pending"] == 0, timeout=1200, every=1)
        took = time.monotonic() - begun
        print(f"all are published {took:.0f} s after the outage; {resident():.0f} MiB", flush=True)
        ids = {event.id for event in Topic(own.servers, TOPIC).read()}
        print(f"distinct events in the topic: {len(ids)}", flush=True)
        restarts = one.operator_pod()["status"]["containerStatuses"][0]["restartCount"]
        print(f"restarts of the operator: {restarts}", flush=True)


async def _end_crowd(account: Account, namespace: str) -> None:
    notify = {"notify": {"topic": TOPIC, "payload": "x" * 100}}
    async with crowd(account, namespace) as those:
        await those.create(CROWD, {"onExit": notify})


def spread(times: list[float]) -> str:
    """Return the middle and the slow end of some times."""
    times = sorted(times)
    middle, slow = times[len(times) // 2], times[len(times) * 99 // 100]
    return f"p50 {middle * 1000:.1f} ms, p99 {slow * 1000:.1f} ms"


if __name__ == "__main__":
    main()
