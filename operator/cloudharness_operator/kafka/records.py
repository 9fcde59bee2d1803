"""Exit events as Kafka's records: CloudEvents 1.0, Kafka protocol binding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from cloudharness_operation.event import ExitEvent

KafkaRecord = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value and headers."""


def binary(event: ExitEvent) -> KafkaRecord:
    """Return an event with its attributes in headers and its data as the value."""
    return _record(event, to_binary_event)


def structured(event: ExitEvent) -> KafkaRecord:
    """Return an event with its attributes and its data in the value."""
    return _record(event, to_structured_event)


MODES: Final = {"binary": binary, "structured": structured}


def _record(event: ExitEvent, write: Callable[..., Any]) -> KafkaRecord:
    uid = event.destination.uid
    message = write(CloudEvent(event.attributes, event.data), key_mapper=lambda _: uid)
    return uid.encode(), message.value, list(message.headers.items())
