"""Exit events as a consumer gets them."""

import json
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import confluent_kafka


@dataclass(frozen=True)
class Event:
    """One record: its CloudEvents attributes and its data."""

    key: str
    attributes: dict[str, str]
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """The same for each repeat."""
        return self.attributes["ce_id"]


class Topic:
    """A topic that is read on and on, each time up to its end."""

    def __init__(self, servers: str, name: str) -> None:
        self._servers = servers
        self._name = name
        self._found: list[Event] = []

    def read(self) -> list[Event]:
        """Return all events that are there by now."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self._servers, "group.id": "tests", "enable.auto.commit": False}
        )
        try:
            place = confluent_kafka.TopicPartition(self._name, 0, len(self._found))
            _, end = consumer.get_watermark_offsets(place, timeout=30)
            consumer.assign([place])
            deadline = time.monotonic() + 30
            while len(self._found) < end and time.monotonic() < deadline:
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    self._found.append(_event(message))
        finally:
            consumer.close()
        return list(self._found)


def events(
    servers: str, topic: str, enough: Callable[[list[Event]], bool], timeout: float = 60
) -> list[Event]:
    """Read a topic's events from its beginning until there are enough, or the time is over."""
    found: list[Event] = []

    def more(records: list[confluent_kafka.Message]) -> bool:
        found.extend(_event(one) for one in records[len(found) :])
        return enough(found)

    records(servers, topic, more, timeout)
    return found


def all_events(servers: str, topic: str, least: int, calm: float = 5) -> list[Event]:
    """Wait for the least number of events, then some seconds more; return all that came."""
    end = math.inf

    def is_calm(found: list[Event]) -> bool:
        nonlocal end
        now = time.monotonic()
        if len(found) >= least:
            end = min(end, now + calm)
        return now >= end

    return events(servers, topic, is_calm)


def records(
    servers: str,
    topic: str,
    enough: Callable[[list[confluent_kafka.Message]], bool],
    timeout: float = 60,
) -> list[confluent_kafka.Message]:
    """Read a topic from its beginning until there is enough in it, or the time is over."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"tests-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # A topic is made by its first record, and the consumer should notice soon.
            "topic.metadata.refresh.interval.ms": 500,
            "allow.auto.create.topics": True,
        }
    )
    found: list[confluent_kafka.Message] = []
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + timeout
        while not enough(found) and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message)
    finally:
        consumer.close()
    return found


def _event(message: confluent_kafka.Message) -> Event:
    key, value, headers = message.key(), message.value(), message.headers()
    assert isinstance(key, bytes), "the record has no key"
    assert value is not None, "the record has no value"
    attributes = {
        name: text.decode() for name, text in dict(headers or ()).items() if isinstance(text, bytes)
    }
    return Event(key.decode(), attributes, json.loads(value))
