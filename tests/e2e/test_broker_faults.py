"""Brokers that are killed, away, slow, follow one another, or ask for what is not there yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.cluster import Cluster
from tests.cluster.embedded import EmbeddedCluster
from tests.support import kafka
from tests.support.broker_settings import connect, make_topic, metrics, secret, wait_for_notified
from tests.support.brokers import HOST, OAUTH, Brokers, TokenServer, brokers
from tests.support.installation import FULL_KIND, Installation, condition, eventually
from tests.support.operations import Manifest, bash, operation
from tests.support.relay import Relay

pytestmark = [pytest.mark.e2e, pytest.mark.long]

CROWD = 40
FOUND = "cloudharness_operation_events"


@pytest.fixture
def embedded(cluster: Cluster) -> EmbeddedCluster:
    """The cluster, if it can have more brokers."""
    if not isinstance(cluster, EmbeddedCluster):
        pytest.skip("only the embedded cluster's Kafka is at hand")
    return cluster


def ended(one: Installation, number: int) -> Manifest:
    """An operation that ends at once, and without pods."""
    return operation(f"op{number}", bash("true"), topic=one.namespace, cancel="Stop")


def all_are_told(one: Installation, servers: str, names: list[str]) -> None:
    """See that each operation has one distinct event, and knows of it."""
    for name in names:
        one.wait_for(name, "Notified")
    uids = {one.get(FULL_KIND, name)["metadata"]["uid"] for name in names}
    found = kafka.events(servers, one.namespace, lambda all_: {e.key for e in all_} >= uids)
    assert {event.id for event in found} == {f"{uid}/1/exit" for uid in uids}


@contextmanager
def served(one: Installation, cluster: EmbeddedCluster, place: Path) -> Iterator[Brokers]:
    """An operator that speaks to a broker of the test's own."""
    with brokers(cluster, place) as own:
        one.install(f"kafka.bootstrapServers={own.servers}")
        yield own


def test_a_broker_that_is_killed_while_events_come(
    vacant: Installation, embedded: EmbeddedCluster, tmp_path: Path
) -> None:
    with served(vacant, embedded, tmp_path) as own:
        vacant.apply(ended(vacant, 0))
        vacant.wait_for("op0", "Notified")
        for number in range(1, CROWD):
            vacant.apply(ended(vacant, number))
            if number == CROWD // 2:
                own.all[0].kill()
        names = [f"op{number}" for number in range(CROWD)]
        for name in names:
            # What Kafka does is nothing that an end waits for.
            assert vacant.wait_for(name)["phase"] == "Cancelled"
        assert any(condition(vacant.status(n), "Notified")["status"] == "False" for n in names)
        own.start()
        all_are_told(vacant, own.servers, names)


def test_a_broker_that_is_away_for_longer_than_an_attempt(
    vacant: Installation, embedded: EmbeddedCluster, tmp_path: Path
) -> None:
    """A minute, after which librdkafka gives an attempt up."""
    with served(vacant, embedded, tmp_path) as own:
        vacant.apply(ended(vacant, 0))
        vacant.wait_for("op0", "Notified")
        own.all[0].kill()
        vacant.apply(ended(vacant, 1))
        wait_for_notified(vacant, "op1", "False", "BrokerUnavailable")
        # All else goes on as ever.
        vacant.apply(operation("other", bash("true")))
        assert vacant.wait_for("other")["phase"] == "Succeeded"
        failed = f'{FOUND}_failed_total{{reason="BrokerUnavailable"}}'
        eventually(lambda: metrics(vacant).get(failed), timeout=150)
        numbers = metrics(vacant)
        assert numbers[f"{FOUND}_pending"] == 1
        assert numbers[f"{FOUND}_oldest_pending_seconds"] > 60
        assert all(
            status["restartCount"] == 0
            for status in vacant.operator_pod()["status"]["containerStatuses"]
        )
        own.start()
        all_are_told(vacant, own.servers, ["op0", "op1"])
        assert metrics(vacant)[f"{FOUND}_pending"] == 0


def test_acknowledgements_that_are_slow(
    vacant: Installation, embedded: EmbeddedCluster, tmp_path: Path
) -> None:
    """The end waits two seconds for them, is written, and later that Kafka has it."""
    with (
        Relay(HOST, 0, at=HOST) as relay,
        brokers(embedded, tmp_path, door=relay.address) as own,
    ):
        relay.target = (HOST, own.all[0].port)
        vacant.install(f"kafka.bootstrapServers={relay.address}")
        vacant.apply(ended(vacant, 0))
        vacant.wait_for("op0", "Notified")
        relay.delay = 6.0
        vacant.apply(ended(vacant, 1))
        wait_for_notified(vacant, "op1", "False", "BrokerUnavailable")
        vacant.wait_for("op1", "Notified")
        relay.delay = 0.0
        all_are_told(vacant, relay.address, ["op0", "op1"])


def test_one_of_three_brokers_follows_another_as_the_leader(
    vacant: Installation, embedded: EmbeddedCluster, tmp_path: Path
) -> None:
    with brokers(embedded, tmp_path, 3) as own:
        vacant.install(f"kafka.bootstrapServers={own.servers.replace(',', chr(92) + ',')}")
        admin = AdminClient({"bootstrap.servers": own.servers})
        make_topic(admin, NewTopic(vacant.namespace, 1, 3))
        for number in range(CROWD):
            vacant.apply(ended(vacant, number))
            if number == CROWD // 2:
                own.leader(vacant.namespace).kill()
        all_are_told(vacant, own.servers, [f"op{number}" for number in range(CROWD)])


def test_a_topic_that_is_not_there_is_told_and_tried_again(
    vacant: Installation, embedded: EmbeddedCluster, tmp_path: Path
) -> None:
    """That a topic is not made by itself is a setting of the whole broker."""
    with brokers(embedded, tmp_path, more="auto.create.topics.enable=false") as own:
        vacant.install(f"kafka.bootstrapServers={own.servers}")
        vacant.apply(ended(vacant, 0))
        message = wait_for_notified(vacant, "op0", "False", "TopicNotFound")
        assert vacant.namespace in message
        make_topic(
            AdminClient({"bootstrap.servers": own.servers}), NewTopic(vacant.namespace, 1, 1)
        )
        vacant.wait_for("op0", "Notified")


def test_tokens(vacant: Installation, embedded: EmbeddedCluster, tmp_path: Path) -> None:
    """A secret that is wrong is told; the right one needs no restart."""
    server = TokenServer("operations", "right")
    with server.serving() as url, brokers(embedded, tmp_path, more=OAUTH) as own:
        prefix = "sasl.oauthbearer"
        keys = {
            "protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            f"{prefix}.token.endpoint.url": url,
            f"{prefix}.client.id": "operations",
            f"{prefix}.scope": "events",
        }
        secret(vacant, **keys, **{f"{prefix}.client.secret": "wrong"})
        connect(vacant, own.servers)
        vacant.apply(ended(vacant, 0))
        message = wait_for_notified(vacant, "op0", "False", "AuthenticationFailed")
        assert "token" in message
        secret(vacant, **keys, **{f"{prefix}.client.secret": "right"})
        vacant.wait_for("op0", "Notified")
        assert server.asked[-1] == {"grant_type": "client_credentials", "scope": "events"}
