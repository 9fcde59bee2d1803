"""Exit events to Kafka: at least once, acknowledged by all replicas, never in anybody's way.

confluent-kafka's synchronous producer queues a record without waiting and reports on it from
its own poll thread; those reports are handed to the event loop, where all state is kept.
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
from cloudharness_operator.brokers import Trouble, connection_trouble, reason
from cloudharness_operator.delivery import BROKER_UNAVAILABLE, PUBLISH_FAILED, Delivery, State
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.records import Record, binary
from cloudharness_operator.undelivered import give_up

FLUSH_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 5.0
"""How often the settings are read anew; the kubelet takes a minute to bring a new Secret."""
RENEW_SECONDS: Final = 0.5
"""Between two producers: one that may not begin at all breaks as soon as it is made."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Attempt:
    """One attempt at an event, which goes to one topic or more."""

    event: ExitEvent
    missing: set[str]


@dataclass(frozen=True, slots=True)
class Client:
    """How to speak to Kafka."""

    connect: Callable[[], dict[str, Any]]
    """Returns librdkafka's settings. Asked again and again; what differs is taken over."""
    write: Callable[[ExitEvent], Record] = binary
    """Makes the record of an event."""
    make: Callable[[dict[str, Any]], Any] = confluent_kafka.Producer


class KafkaPublisher:
    """The port `Publisher` on a real Kafka. Use from the event loop's thread alone."""

    def __init__(
        self,
        client: Client,
        done: Callable[[str], None],
        clock: Callable[[], float],
        count: Callable[[str | None], None] = lambda _: None,
        lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Report the end of each attempt by its operation's uid to `done`.

        `count` hears of it too: None, or why it failed; and `lost` why an event was given up.

        Raises:
            InvalidSettings: the first settings are of no use.

        """
        self._client = client
        self._done = done
        self._clock = clock
        self._count = count
        self._lost = lost
        self._deliveries: dict[str, Delivery] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._trouble: Trouble | None = None
        self._generation = 0
        self._loop = asyncio.get_running_loop()
        try:
            self._config = client.connect()
            self._producer: Any = self._made(self._config)
        except OSError as error:
            raise InvalidSettings(f"Secret of kafka.secret: {error}") from error
        except confluent_kafka.KafkaException as error:
            raise InvalidSettings(f"Kafka's client: {error.args[0].str()}") from error
        # The poll thread's own: when it looked at the settings, and what it found.
        self._looked, self._found, self._misfit = clock(), self._config, ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-poll", daemon=True)
        self._thread.start()

    def publish(self, event: ExitEvent) -> None:
        """Begin to publish an event; its key is queued again when that has ended."""
        now = self._clock()
        known = self._deliveries.get(event.id)
        if known and known.state is not State.FAILED:
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
        """Tell people of an event that is not tried again, once."""
        give_up(self._deliveries, event, self._lost)

    def delivery(self, event_id: str) -> Delivery | None:
        """Return what became of an event, or None if this process never published it."""
        return self._deliveries.get(event_id)

    def forget(self, event_id: str) -> None:
        """Drop what is known of an event, and the report on it that may still come."""
        self._deliveries.pop(event_id, None)
        self._attempts.pop(event_id, None)

    def pending(self) -> int:
        """Return how many events the broker has not acknowledged."""
        return len(self._unacknowledged())

    def oldest(self) -> float:
        """Return for how many seconds the oldest of them has been waiting."""
        begun = (self._deliveries[event_id].begun for event_id in self._unacknowledged())
        return self._clock() - min(begun, default=self._clock())

    async def close(self) -> None:
        """Wait a little for what is on its way; what is not acknowledged is published again."""
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
                # Fatal errors are raised here; no report on a record ever tells of one.
                self._loop.call_soon_threadsafe(self._renew, producer, error.args[0])
                self._stop.wait(RENEW_SECONDS)
            if self._clock() >= self._looked + LOOK_SECONDS:
                self._looked = self._clock()
                self._look()

    def _look(self) -> None:
        """Read the settings anew: people change passwords and certificates."""
        try:
            found, misfit = self._client.connect(), ""
        except (InvalidSettings, OSError) as error:
            found, misfit = self._found, str(error)
        if misfit and misfit != self._misfit:
            log.error("going on with the settings of before: %s", misfit)
        self._misfit = misfit
        if found != self._found:
            self._found = found
            self._loop.call_soon_threadsafe(self._reconnect, found)

    def _reconnect(self, config: dict[str, Any]) -> None:
        """Go on with other settings; what is not acknowledged is published again at once."""
        old = self._producer
        try:
            self._producer = self._made(config)
        except confluent_kafka.KafkaException as error:
            log.error("going on with the settings of before: %s", error)  # noqa: TRY400
            return
        log.warning("Kafka's Secret has changed: a new producer is used")
        self._config = config
        old.purge(blocking=False)
        self._trouble = None
        self._attempts.clear()
        for event_id in self._unacknowledged():
            self._deliveries[event_id] = self._deliveries[event_id].renewed(self._clock())
            self._done(operation_uid(event_id))

    def _made(self, config: dict[str, Any]) -> object:
        number = self._generation + 1

        def report(error: confluent_kafka.KafkaError) -> None:
            self._loop.call_soon_threadsafe(self._hindered, number, error)

        producer = self._client.make({**config, "error_cb": report})
        self._generation = number
        return producer

    def _hindered(self, number: int, error: confluent_kafka.KafkaError) -> None:
        """Tell all that waits of an error that is about no record, such as a wrong password."""
        if number != self._generation:
            return
        trouble = connection_trouble(error.name(), error.str(), self._trouble)
        if trouble is None or trouble == self._trouble:
            return
        self._trouble = trouble
        for attempt in self._attempts.values():
            self._deliveries[attempt.event.id] = self._known(attempt).hindered(*trouble)
            self._done(attempt.event.destination.uid)

    def _begun(self, now: float) -> Delivery:
        begun = Delivery(State.PENDING, now, now)
        return begun.hindered(*self._trouble) if self._trouble else begun

    def _unacknowledged(self) -> list[str]:
        items = self._deliveries.items()
        return [event_id for event_id, one in items if one.state is not State.ACKED]

    def _reported(
        self, attempt: _Attempt, topic: str, error: confluent_kafka.KafkaError | None
    ) -> None:
        if self._attempts.get(attempt.event.id) is not attempt:
            return  # The report of an attempt that another topic has failed already.
        if error is None:
            self._trouble = None
            attempt.missing.discard(topic)
            if not attempt.missing:
                self._count(None)
                self._settle(attempt, self._known(attempt).acked(self._clock()))
            return
        why, message = reason(error.name()), f"topic {topic}: {error.str()}"
        if why == BROKER_UNAVAILABLE and self._trouble:
            # That its time is over says less than what it waited for.
            why, message = self._trouble
        self._failed(attempt, why, message)

    def _renew(self, broken: object, error: confluent_kafka.KafkaError) -> None:
        """Replace a producer that has lost count of its records and never sends again."""
        if broken is not self._producer:
            return
        log.warning("starting a new producer: %s", error)
        self._producer = self._made(self._config)
        for attempt in list(self._attempts.values()):
            self._failed(attempt, reason(error.name()), f"the producer failed: {error.str()}")

    def _failed(self, attempt: _Attempt, why: str, message: str) -> None:
        self._count(why)
        known = self._known(attempt).failed(self._clock(), why, message)
        log.warning("event %s, attempt %d: %s", attempt.event.id, known.attempts, message)
        self._settle(attempt, known)

    def _known(self, attempt: _Attempt) -> Delivery:
        return self._deliveries[attempt.event.id]

    def _settle(self, attempt: _Attempt, delivery: Delivery) -> None:
        del self._attempts[attempt.event.id]
        self._deliveries[attempt.event.id] = delivery
        self._done(attempt.event.destination.uid)
