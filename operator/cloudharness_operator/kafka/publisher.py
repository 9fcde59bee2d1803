"""Publishes exit events to Kafka: at least once, acknowledged by all replicas, without blocking.

confluent-kafka's synchronous producer queues a record without waiting, and calls its delivery
report in our poll thread; the reports are passed to the event loop, which owns all state.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import confluent_kafka

from cloudharness_operation.event import ExitEvent, operation_uid
from cloudharness_operation.reasons import BROKER_UNAVAILABLE, PUBLISH_FAILED
from cloudharness_operator.decide.delivery import Delivery, DeliveryState
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.kafka.errors import ConnectionProblem, connection_problem, reason
from cloudharness_operator.kafka.null_publisher import give_up
from cloudharness_operator.kafka.records import KafkaRecord, binary
from cloudharness_operator.logs import about

FLUSH_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1
RELOAD_SECONDS: Final = 5.0
"""Seconds between two reads of the settings; the kubelet updates a mounted Secret in a minute."""
RENEW_SECONDS: Final = 0.5
"""Seconds between two producers: one with a fatal error fails as soon as it is created."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Attempt:
    """One attempt to publish an event to its topics."""

    event: ExitEvent
    missing: set[str]


@dataclass(frozen=True, slots=True)
class Client:
    """How to create a producer and its records."""

    connect: Callable[[], dict[str, Any]]
    """Returns librdkafka's settings. Called periodically; changed settings are applied."""
    write: Callable[[ExitEvent], KafkaRecord] = binary
    """Makes the record of an event."""
    make: Callable[[dict[str, Any]], Any] = confluent_kafka.Producer


class KafkaPublisher:
    """The port `Publisher` on a real Kafka. To be used in the event loop's thread only."""

    def __init__(
        self,
        client: Client,
        done: Callable[[str], None],
        clock: Callable[[], float],
        count: Callable[[str | None], None] = lambda _: None,
        lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Call `done` with the operation's uid at the end of each attempt.

        `count` is called with None or the reason of the failure, and `lost` with the reason when
        an event is given up.

        Raises:
            InvalidSettings: the first settings are invalid.

        """
        self._client = client
        self._done = done
        self._clock = clock
        self._count = count
        self._lost = lost
        self._deliveries: dict[str, Delivery] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._problem: ConnectionProblem | None = None
        self._generation = 0
        self._loop = asyncio.get_running_loop()
        try:
            self._config = client.connect()
            self._producer: Any = self._made(self._config)
        except OSError as error:
            raise InvalidSettings(f"Secret of kafka.secret: {error}") from error
        except confluent_kafka.KafkaException as error:
            raise InvalidSettings(f"Kafka's client: {error.args[0].str()}") from error
        # Owned by the poll thread: when it read the settings, and what it found.
        self._read_at, self._found, self._settings_error = clock(), self._config, ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-poll", daemon=True)
        self._thread.start()

    def publish(self, event: ExitEvent) -> None:
        """Begin to publish an event; its operation is enqueued again at the end of the attempt."""
        now = self._clock()
        known = self._deliveries.get(event.id)
        if known and known.state is not DeliveryState.FAILED:
            return
        self._deliveries[event.id] = known.again(now) if known else self._begun(now)
        attempt = _Attempt(event, set(event.destination.topics))
        self._attempts[event.id] = attempt
        for topic in event.destination.topics:
            try:
                self._produce(attempt, topic)
            except BufferError as error:
                self._failed(attempt, PUBLISH_FAILED, f"topic {topic}: {error}")
                return
            except confluent_kafka.KafkaException as error:
                why = reason(error.args[0].name())
                self._failed(attempt, why, f"topic {topic}: {error.args[0].str()}")
                return

    def give_up(self, event: ExitEvent) -> None:
        """Log an event that is not published again, once."""
        give_up(self._deliveries, event, self._lost)

    def delivery(self, event_id: str) -> Delivery | None:
        """Return the delivery state of an event, or None if this process never published it."""
        return self._deliveries.get(event_id)

    def drop(self, event_id: str) -> None:
        """Drop the delivery state of an event, and a report on it that comes later."""
        self._deliveries.pop(event_id, None)
        self._attempts.pop(event_id, None)

    def pending(self) -> int:
        """Return the number of events that the broker has not acknowledged."""
        return len(self._unacknowledged())

    def oldest(self) -> float:
        """Return the age of the oldest of them in seconds."""
        begun = (self._deliveries[event_id].begun for event_id in self._unacknowledged())
        now = self._clock()
        return now - min(begun, default=now)

    async def close(self) -> None:
        """Flush; events that are not acknowledged are published again by the next process."""
        await asyncio.to_thread(self._producer.flush, FLUSH_SECONDS)
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def _produce(self, attempt: _Attempt, topic: str) -> None:
        def report(error: confluent_kafka.KafkaError | None, _message: object) -> None:
            self._loop.call_soon_threadsafe(self._reported, attempt, topic, error)

        key, value, headers = self._client.write(attempt.event)
        self._producer.produce(topic, value=value, key=key, headers=headers, on_delivery=report)

    def _poll(self) -> None:
        while not self._stop.is_set():
            producer = self._producer
            try:
                producer.poll(POLL_SECONDS)
            except confluent_kafka.KafkaException as error:
                # Fatal errors are raised here only, not in delivery reports.
                self._loop.call_soon_threadsafe(self._renew, producer, error.args[0])
                self._stop.wait(RENEW_SECONDS)
            if self._clock() >= self._read_at + RELOAD_SECONDS:
                self._read_at = self._clock()
                self._reload()

    def _reload(self) -> None:
        """Read the settings again: passwords and certificates change."""
        try:
            found, settings_error = self._client.connect(), ""
        except (InvalidSettings, OSError) as error:
            found, settings_error = self._found, str(error)
        if settings_error and settings_error != self._settings_error:
            log.error("the previous settings stay in use: %s", settings_error)
        self._settings_error = settings_error
        if found != self._found:
            self._found = found
            self._loop.call_soon_threadsafe(self._reconnect, found)

    def _reconnect(self, config: dict[str, Any]) -> None:
        """Apply changed settings; events that are not acknowledged are published again at once."""
        old = self._producer
        try:
            self._producer = self._made(config)
        except confluent_kafka.KafkaException as error:
            log.error("the previous settings stay in use: %s", error)  # noqa: TRY400
            return
        log.warning("Kafka's Secret has changed: a new producer is used")
        self._config = config
        old.purge(blocking=False)
        self._problem = None
        self._attempts.clear()
        for event_id in self._unacknowledged():
            self._deliveries[event_id] = self._deliveries[event_id].renewed(self._clock())
            self._done(operation_uid(event_id))

    def _made(self, config: dict[str, Any]) -> object:
        number = self._generation + 1

        def report(error: confluent_kafka.KafkaError) -> None:
            self._loop.call_soon_threadsafe(self._connection_failed, number, error)

        producer = self._client.make({**config, "error_cb": report})
        self._generation = number
        return producer

    def _connection_failed(self, number: int, error: confluent_kafka.KafkaError) -> None:
        """Set a connection error, such as a wrong password, on all pending deliveries."""
        if number != self._generation:
            return
        problem = connection_problem(error.name(), error.str(), self._problem)
        if problem is None or problem == self._problem:
            return
        self._problem = problem
        for attempt in self._attempts.values():
            self._deliveries[attempt.event.id] = self._known(attempt).waiting_for(*problem)
            self._done(attempt.event.destination.uid)

    def _begun(self, now: float) -> Delivery:
        begun = Delivery(DeliveryState.PENDING, now, now)
        return begun.waiting_for(*self._problem) if self._problem else begun

    def _unacknowledged(self) -> list[str]:
        items = self._deliveries.items()
        return [event_id for event_id, one in items if one.state is not DeliveryState.ACKED]

    def _reported(
        self, attempt: _Attempt, topic: str, error: confluent_kafka.KafkaError | None
    ) -> None:
        if self._attempts.get(attempt.event.id) is not attempt:
            return  # The attempt has failed already, for another topic.
        if error is None:
            self._problem = None
            attempt.missing.discard(topic)
            if not attempt.missing:
                self._count(None)
                self._settle(attempt, self._known(attempt).acked(self._clock()))
            return
        why, message = reason(error.name()), f"topic {topic}: {error.str()}"
        if why == BROKER_UNAVAILABLE and self._problem:
            # A timeout says less than the problem that caused it.
            why, message = self._problem
        self._failed(attempt, why, message)

    def _renew(self, broken: object, error: confluent_kafka.KafkaError) -> None:
        """Replace a producer that has had a fatal error, after which it sends nothing."""
        if broken is not self._producer:
            return
        log.warning("starting a new producer: %s", error)
        self._producer = self._made(self._config)
        for attempt in list(self._attempts.values()):
            self._failed(attempt, reason(error.name()), f"the producer failed: {error.str()}")

    def _failed(self, attempt: _Attempt, why: str, message: str) -> None:
        self._count(why)
        known = self._known(attempt).failed(self._clock(), why, message)
        fields = about(uid=operation_uid(attempt.event.id), reason=why)
        what = attempt.event.id
        log.warning("event %s, attempt %d: %s", what, known.attempts, message, extra=fields)
        self._settle(attempt, known)

    def _known(self, attempt: _Attempt) -> Delivery:
        return self._deliveries[attempt.event.id]

    def _settle(self, attempt: _Attempt, delivery: Delivery) -> None:
        del self._attempts[attempt.event.id]
        self._deliveries[attempt.event.id] = delivery
        self._done(attempt.event.destination.uid)
