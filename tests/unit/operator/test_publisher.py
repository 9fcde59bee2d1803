"""The publisher on a producer that does what a test says."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException

from cloudharness_operation.reasons import (
    AUTHENTICATION_FAILED,
    AUTHORIZATION_FAILED,
    BROKER_UNAVAILABLE,
    MESSAGE_TOO_LARGE,
    PUBLISH_FAILED,
    TLS_FAILED,
    TOPIC_NOT_FOUND,
)
from cloudharness_operator.decide.delivery import Delivery, DeliveryState
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.kafka.config import configuration
from cloudharness_operator.kafka.null_publisher import NullPublisher
from cloudharness_operator.kafka.publisher import (
    FLUSH_SECONDS,
    RELOAD_SECONDS,
    Client,
    KafkaPublisher,
)
from tests.support.builders import EVENT_ID, OTHER_UID, UID, exit_event, until

TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT, "too late")  # noqa: SLF001 - its public name.
REFUSED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not allowed")
UNKNOWN = KafkaError(KafkaError._UNKNOWN_TOPIC, "unknown")  # noqa: SLF001 - its public name.
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large")
OTHERWISE = KafkaError(KafkaError.INVALID_RECORD, "invalid")
WRONG_PASSWORD = KafkaError(
    KafkaError._AUTHENTICATION,  # noqa: SLF001 - its public name.
    "kafka:9092: invalid credentials (after 300ms in state AUTH_REQ)",
)
AGAIN = KafkaError(KafkaError._AUTHENTICATION, "another time")  # noqa: SLF001 - its public name.
ALL_DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 down")  # noqa: SLF001 - public.
NO_TLS = KafkaError(KafkaError._SSL, "certificate verify failed")  # noqa: SLF001 - public.
FATAL = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "lost count", True)
PURGED = KafkaError(KafkaError._PURGE_QUEUE, "purged")  # noqa: SLF001 - its public name.

Report = Callable[[KafkaError | None, object], None]


class FakeProducer:
    """Takes records, and reports on them when asked to."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.records: list[tuple[str, bytes, bytes]] = []
        self.reports: list[Report] = []
        self.refuses: list[Exception | None] = []
        self.breaks: list[Exception] = []
        self.flushed: list[float] = []
        self.purged = False
        self.polled = threading.Event()
        self.polls = 0

    def produce(
        self,
        topic: str,
        *,
        value: bytes,
        key: bytes,
        headers: list[tuple[str, bytes]],
        on_delivery: Report,
    ) -> None:
        assert headers
        if self.refuses and (error := self.refuses.pop(0)):
            raise error
        self.records.append((topic, key, value))
        self.reports.append(on_delivery)

    def poll(self, seconds: float) -> int:
        assert seconds > 0
        self.polled.set()
        self.polls += 1
        time.sleep(0.001)
        if self.breaks:
            raise self.breaks.pop(0)
        return 0

    def purge(self, *, blocking: bool) -> None:
        assert not blocking
        self.purged = True

    def flush(self, seconds: float) -> int:
        self.flushed.append(seconds)
        return 0

    @property
    def topics(self) -> list[str]:
        return [topic for topic, _, _ in self.records]


class Bench:
    """A publisher with its producers, its reports and its clock."""

    def __init__(self) -> None:
        self.producers: list[FakeProducer] = []
        self.done: list[str] = []
        self.time = 100.0
        self.step = 0.0
        """Seconds by which the clock goes on each time it is read."""
        self.counted: list[str | None] = []
        self.settings: dict[str, Any] = {"bootstrap.servers": "kafka:9092"}
        self.wrong: Exception | None = None
        self.unusable: Exception | None = None
        client = Client(self.connect, make=self.make)
        self.publisher = KafkaPublisher(client, self.done.append, self.clock, self.counted.append)

    def connect(self) -> dict[str, Any]:
        if self.wrong:
            raise self.wrong
        return dict(self.settings)

    def make(self, settings: dict[str, Any]) -> FakeProducer:
        if self.unusable:
            raise self.unusable
        self.producers.append(FakeProducer(settings))
        return self.producers[-1]

    def clock(self) -> float:
        self.time += self.step
        return self.time

    async def report(self, number: int, error: KafkaError | None = None) -> None:
        """Report on a record, as the poll thread does."""
        await asyncio.to_thread(self.producer.reports[number], error, None)
        await asyncio.sleep(0)

    async def hinder(self, error: KafkaError, producer: FakeProducer | None = None) -> None:
        """Tell of an error that is about no record, as the poll thread does."""
        told = (producer or self.producer).settings["error_cb"]
        await asyncio.to_thread(told, error)
        await asyncio.sleep(0)

    async def look(self) -> None:
        """Let the poll thread read the settings anew."""
        self.time += RELOAD_SECONDS
        looked = self.publisher._read_at  # noqa: SLF001 - nothing else tells that it has looked.
        await until(lambda: self.publisher._read_at > looked)  # noqa: SLF001
        # It polls again only when it has read the settings and handed them to the loop.
        polls = self.polls
        await until(lambda: self.polls > polls)
        await asyncio.sleep(0)

    @property
    def polls(self) -> int:
        """How often the poll thread has polled its producers."""
        return sum(producer.polls for producer in self.producers)

    @property
    def producer(self) -> FakeProducer:
        return self.producers[-1]

    def delivery(self, event_id: str = EVENT_ID) -> Delivery:
        delivery = self.publisher.delivery(event_id)
        assert delivery is not None
        return delivery

    def state(self) -> DeliveryState:
        return self.delivery().state

    def state_of(self, event_id: str) -> DeliveryState:
        return self.delivery(event_id).state


def on_a_bench(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        bench = Bench()
        try:
            await test(bench)
        finally:
            await bench.publisher.close()

    asyncio.run(run())


def test_no_record_may_be_lost_or_wait() -> None:
    settings = configuration("kafka:9092")
    expected = {
        "bootstrap.servers": "kafka:9092",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 0,
    }
    assert settings.items() >= expected.items()
    assert isinstance(settings["logger"], logging.Logger)


def test_librdkafka_takes_the_settings() -> None:
    confluent_kafka.Producer(configuration("127.0.0.1:1"))
    with pytest.raises(confluent_kafka.KafkaException, match="No such configuration property"):
        confluent_kafka.Producer(configuration("127.0.0.1:1") | {"no.such.setting": 1})


def test_an_event_waits_for_the_brokers_word() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        delivery = bench.delivery()
        assert (delivery.state, delivery.begun, delivery.attempts) == (
            DeliveryState.PENDING,
            100.0,
            1,
        )
        assert (bench.publisher.pending(), bench.done) == (1, [])
        bench.time = 101.0
        await bench.report(0)
        delivery = bench.delivery()
        assert (delivery.state, delivery.begun, delivery.changed) == (
            DeliveryState.ACKED,
            100.0,
            101.0,
        )
        assert (bench.publisher.pending(), bench.done) == (0, [UID])
        assert bench.counted == [None]

    on_a_bench(test)


def test_every_topic_must_have_the_event() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event(topics=("one", "two")))
        assert bench.producer.topics == ["one", "two"]
        await bench.report(1)
        assert (bench.state(), bench.done) == (DeliveryState.PENDING, [])
        await bench.report(0)
        assert (bench.state(), bench.done) == (DeliveryState.ACKED, [UID])

    on_a_bench(test)


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        pytest.param(TIMED_OUT, BROKER_UNAVAILABLE, "topic exits: too late", id="no broker"),
        pytest.param(REFUSED, AUTHORIZATION_FAILED, "topic exits: not allowed", id="denied"),
        pytest.param(UNKNOWN, TOPIC_NOT_FOUND, "topic exits: unknown", id="no topic"),
        pytest.param(TOO_LARGE, MESSAGE_TOO_LARGE, "topic exits: too large", id="too large"),
        pytest.param(OTHERWISE, PUBLISH_FAILED, "topic exits: invalid", id="otherwise"),
    ],
)
def test_a_failure_is_reported(error: KafkaError, reason: str, message: str) -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        await bench.report(0, error)
        delivery = bench.delivery()
        assert delivery.state is DeliveryState.FAILED
        assert (delivery.reason, delivery.message) == (reason, message)
        assert (bench.done, bench.publisher.pending()) == ([UID], 1)
        assert bench.counted == [reason]

    on_a_bench(test)


def test_one_topic_that_fails_fails_the_attempt_whatever_the_other_says() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event(topics=("one", "two")))
        await bench.report(1, REFUSED)
        await bench.report(0)
        assert (bench.state(), bench.done) == (DeliveryState.FAILED, [UID])

    on_a_bench(test)


def test_a_retry_goes_to_every_topic_under_the_same_id() -> None:
    async def test(bench: Bench) -> None:
        event = exit_event(topics=("one", "two"))
        bench.publisher.publish(event)
        await bench.report(0, TIMED_OUT)
        bench.time = 103.0
        bench.publisher.publish(event)
        delivery = bench.delivery()
        assert (delivery.state, delivery.begun, delivery.attempts) == (
            DeliveryState.PENDING,
            100.0,
            2,
        )
        assert bench.producer.topics == ["one", "two", "one", "two"]
        assert len({value for _, _, value in bench.producer.records}) == 1
        await bench.report(1)
        assert bench.state() is DeliveryState.PENDING, (
            "the first attempt's word is not the second's"
        )
        await bench.report(2)
        await bench.report(3)
        assert (bench.state(), bench.done) == (DeliveryState.ACKED, [UID, UID])

    on_a_bench(test)


@pytest.mark.parametrize("error", [None, TIMED_OUT], ids=["acknowledged", "under way"])
def test_what_is_under_way_or_done_is_not_published_twice(error: KafkaError | None) -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        if error is None:
            await bench.report(0)
        bench.publisher.publish(exit_event())
        assert bench.producer.topics == ["exits"]

    on_a_bench(test)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(BufferError("queue full"), PUBLISH_FAILED, id="full"),
        pytest.param(KafkaException(TOO_LARGE), MESSAGE_TOO_LARGE, id="too large"),
    ],
)
def test_a_record_that_is_not_taken_has_failed(error: Exception, reason: str) -> None:
    async def test(bench: Bench) -> None:
        bench.producer.refuses = [None, error]
        bench.publisher.publish(exit_event(topics=("one", "two", "three")))
        delivery = bench.delivery()
        assert (delivery.state, delivery.reason) == (DeliveryState.FAILED, reason)
        assert delivery.message.startswith("topic two: ")
        assert bench.producer.topics == ["one"]
        assert bench.done == [UID]
        await bench.report(0)
        assert bench.state() is DeliveryState.FAILED

    on_a_bench(test)


def test_a_broken_producer_is_replaced_and_all_it_had_has_failed() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        bench.publisher.publish(exit_event(uid=OTHER_UID))
        broken = bench.producer
        broken.breaks = [KafkaException(FATAL)]
        await until(lambda: len(bench.producers) == 2)
        assert sorted(bench.done) == [UID, OTHER_UID]
        for event_id in (EVENT_ID, f"{OTHER_UID}/1/exit"):
            delivery = bench.delivery(event_id)
            assert (delivery.state, delivery.reason) == (DeliveryState.FAILED, PUBLISH_FAILED)
            assert delivery.message == "the producer failed: lost count"
        assert bench.producer.settings.items() >= bench.settings.items()
        broken.reports[0](PURGED, None)
        bench.publisher.publish(exit_event())
        assert bench.producer.topics == ["exits"]
        await until(bench.producer.polled.is_set)
        await bench.report(0)
        assert bench.state() is DeliveryState.ACKED

    on_a_bench(test)


def test_a_producer_that_breaks_twice_is_replaced_once() -> None:
    async def test(bench: Bench) -> None:
        bench.producer.breaks = [KafkaException(FATAL)] * 3
        await until(lambda: len(bench.producers) == 2)
        await until(bench.producer.polled.is_set)
        await asyncio.sleep(0.01)
        assert len(bench.producers) == 2

    on_a_bench(test)


def test_a_wrong_password_is_told_while_the_event_waits_and_when_its_time_is_over() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        await bench.hinder(WRONG_PASSWORD)
        told = (AUTHENTICATION_FAILED, "kafka:9092: invalid credentials")
        delivery = bench.delivery()
        assert (delivery.state, delivery.reason, delivery.message) == (DeliveryState.PENDING, *told)
        assert bench.done == [UID]
        await bench.hinder(AGAIN)
        await bench.hinder(ALL_DOWN)
        assert bench.done == [UID], "the same over again is no news"
        bench.publisher.publish(exit_event(uid=OTHER_UID))
        assert bench.delivery(f"{OTHER_UID}/1/exit").reason == AUTHENTICATION_FAILED
        await bench.report(0, TIMED_OUT)
        delivery = bench.delivery()
        assert (delivery.state, delivery.reason, delivery.message) == (DeliveryState.FAILED, *told)
        assert bench.counted == [AUTHENTICATION_FAILED]

    on_a_bench(test)


def test_what_hinders_is_forgotten_once_an_event_comes_through() -> None:
    async def test(bench: Bench) -> None:
        await bench.hinder(ALL_DOWN)
        bench.publisher.publish(exit_event())
        assert bench.delivery().message == "1/1 down"
        await bench.hinder(NO_TLS)
        assert bench.delivery().reason == TLS_FAILED
        await bench.hinder(OTHERWISE)
        assert bench.delivery().reason == TLS_FAILED, "what is unknown hinders nothing"
        await bench.report(0)
        bench.publisher.publish(exit_event(uid=OTHER_UID))
        assert bench.delivery(f"{OTHER_UID}/1/exit").message == "no answer from the broker yet"

    on_a_bench(test)


def test_new_settings_are_taken_over_and_what_waits_is_published_again_at_once() -> None:
    async def test(bench: Bench) -> None:
        first, events = bench.producer, [exit_event(uid=f"uid{number}") for number in range(3)]
        for event in events:
            bench.publisher.publish(event)
        await bench.report(0)
        for _ in range(6):
            await bench.report(len(first.reports) - 1, REFUSED)
            bench.publisher.publish(events[2])
        await bench.report(len(first.reports) - 1, REFUSED)
        await bench.hinder(WRONG_PASSWORD)
        bench.done.clear()
        bench.settings["sasl.password"] = "another"
        await bench.look()
        assert len(bench.producers) == 2
        assert (bench.producer.settings["sasl.password"], first.purged) == ("another", True)
        assert bench.done == ["uid1", "uid2"]
        for event in events[1:]:
            delivery = bench.delivery(event.id)
            assert (delivery.state, delivery.begun) == (DeliveryState.FAILED, 100.0)
            assert delivery.retry_at <= bench.time
            bench.publisher.publish(event)
        await bench.hinder(WRONG_PASSWORD, first)
        first.reports[1](PURGED, None)
        await bench.report(0)
        await bench.report(1)
        assert [bench.state_of(event.id) for event in events] == [DeliveryState.ACKED] * 3
        assert bench.publisher.pending() == 0

    on_a_bench(test)


@pytest.mark.parametrize("unusable", [False, True], ids=["contradictory", "no certificate"])
def test_settings_that_are_of_no_use_change_nothing(
    unusable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        if unusable:
            bench.unusable = KafkaException(OTHERWISE)
            bench.settings["ssl.ca.pem"] = "nonsense"
        else:
            bench.wrong = InvalidSettings("password is missing")
        await bench.look()
        await bench.look()
        assert caplog.text.count("the previous settings stay in use") == 1
        assert (len(bench.producers), bench.state()) == (1, DeliveryState.PENDING)
        await bench.hinder(WRONG_PASSWORD)
        assert bench.delivery().reason == AUTHENTICATION_FAILED
        await bench.report(0)
        assert bench.state() is DeliveryState.ACKED

    on_a_bench(test)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(InvalidSettings("password is missing"), "password", id="contradictory"),
        pytest.param(FileNotFoundError(2, "nothing there", "/x"), "kafka.secret", id="not there"),
        pytest.param(KafkaException(NO_TLS), "Kafka's client: cert", id="of no use"),
    ],
)
def test_nothing_begins_with_settings_that_are_of_no_use(error: Exception, message: str) -> None:
    def connect() -> dict[str, Any]:
        raise error

    async def begin() -> None:
        KafkaPublisher(Client(connect), print, lambda: 0.0)

    with pytest.raises(InvalidSettings, match=message):
        asyncio.run(begin())


def test_the_oldest_event_that_waits_has_an_age() -> None:
    async def test(bench: Bench) -> None:
        assert (bench.publisher.pending(), bench.publisher.oldest()) == (0, 0.0)
        bench.publisher.publish(exit_event())
        bench.time = 103.0
        bench.publisher.publish(exit_event(uid=OTHER_UID))
        assert (bench.publisher.pending(), bench.publisher.oldest()) == (2, 3.0)
        await bench.report(0)
        await bench.report(1, TIMED_OUT)
        bench.time = 104.0
        assert (bench.publisher.pending(), bench.publisher.oldest()) == (1, 1.0)

    on_a_bench(test)


def test_the_age_of_no_event_is_zero_while_the_clock_goes_on() -> None:
    async def test(bench: Bench) -> None:
        bench.step = 0.001
        assert bench.publisher.oldest() == 0.0

    on_a_bench(test)


def test_what_is_forgotten_is_published_anew() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        await bench.report(0)
        bench.publisher.drop(EVENT_ID)
        bench.publisher.drop(EVENT_ID)
        assert bench.publisher.delivery(EVENT_ID) is None
        bench.publisher.publish(exit_event())
        assert bench.producer.topics == ["exits", "exits"]

    on_a_bench(test)


def test_the_report_on_a_forgotten_event_is_nobodys() -> None:
    async def test(bench: Bench) -> None:
        bench.publisher.publish(exit_event())
        bench.publisher.drop(EVENT_ID)
        await bench.report(0)
        assert (bench.publisher.delivery(EVENT_ID), bench.done) == (None, [])
        assert bench.publisher.pending() == 0

    on_a_bench(test)


def test_the_end_waits_a_little_for_what_is_under_way() -> None:
    bench: list[Bench] = []

    async def test(mine: Bench) -> None:
        bench.append(mine)

    on_a_bench(test)
    assert bench[0].producer.flushed == [FLUSH_SECONDS]
    assert "kafka-poll" not in [thread.name for thread in threading.enumerate()]


def test_without_a_broker_every_attempt_has_failed() -> None:
    publisher = NullPublisher(lambda: 5.0)
    assert publisher.delivery(EVENT_ID) is None
    publisher.publish(exit_event())
    publisher.publish(exit_event())
    delivery = publisher.delivery(EVENT_ID)
    assert delivery is not None
    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 2)
    assert delivery.reason == BROKER_UNAVAILABLE
    assert "kafka.bootstrapServers" in delivery.message
    publisher.drop(EVENT_ID)
    assert publisher.delivery(EVENT_ID) is None


def test_what_is_given_up_is_told_once_with_all_that_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost: list[str] = []
    publisher = NullPublisher(lambda: 5.0, lost.append)
    publisher.give_up(exit_event())
    assert lost == []
    publisher.publish(exit_event())
    publisher.give_up(exit_event())
    publisher.give_up(exit_event())
    assert lost == [BROKER_UNAVAILABLE]
    (record,) = (one for one in caplog.records if one.levelname == "ERROR")
    said, data = record.getMessage().split(": {", 1)
    assert EVENT_ID in said
    assert json.loads("{" + data) == exit_event().data
