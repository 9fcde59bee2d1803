"""The publisher without Kafka, and the log of events that are given up."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from cloudharness_operation.event import ExitEvent, operation_uid
from cloudharness_operation.reasons import BROKER_UNAVAILABLE
from cloudharness_operator.decide.delivery import Delivery, DeliveryState
from cloudharness_operator.logs import about

log = logging.getLogger(__name__)


def give_up(deliveries: dict[str, Delivery], event: ExitEvent, lost: Callable[[str], None]) -> None:
    """Log an event that is not published again, once; `lost` is called with the reason."""
    known = deliveries.get(event.id)
    if known is None or known.given_up:
        return
    deliveries[event.id] = known.ended()
    lost(known.reason)
    # In full, so that a person can publish it by hand.
    topics, data = ", ".join(event.destination.topics), json.dumps(event.data, ensure_ascii=False)
    why = f"{known.reason}: {known.message}"
    fields = about(uid=operation_uid(event.id), reason=known.reason)
    log.error("giving up event %s to %s, %s: %s", event.id, topics, why, data, extra=fields)


class NullPublisher:
    """The publisher without Kafka: events from an earlier configuration stay pending."""

    def __init__(
        self, clock: Callable[[], float], lost: Callable[[str], None] = lambda _: None
    ) -> None:
        """Publish nothing. `lost` is called with the reason when an event is given up."""
        self._clock = clock
        self._lost = lost
        self._deliveries: dict[str, Delivery] = {}

    def publish(self, event: ExitEvent) -> None:
        """Record that the event could not be published."""
        now = self._clock()
        known = self._deliveries.get(event.id)
        begun = known.again(now) if known else Delivery(DeliveryState.PENDING, now, now)
        message = "this operator has no Kafka broker: set kafka.bootstrapServers in its Helm chart"
        self._deliveries[event.id] = begun.failed(now, BROKER_UNAVAILABLE, message)

    def give_up(self, event: ExitEvent) -> None:
        """Log an event that is not published again, once."""
        give_up(self._deliveries, event, self._lost)

    def delivery(self, event_id: str) -> Delivery | None:
        """Return the delivery state of an event."""
        return self._deliveries.get(event_id)

    def drop(self, event_id: str) -> None:
        """Drop the delivery state of an event."""
        self._deliveries.pop(event_id, None)
