"""Events that do not get through: those of an operator without a broker, and those given up."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from cloudharness_operation.event import ExitEvent
from cloudharness_operator.delivery import BROKER_UNAVAILABLE, Delivery, State

log = logging.getLogger(__name__)


def give_up(deliveries: dict[str, Delivery], event: ExitEvent, lost: Callable[[str], None]) -> None:
    """Tell people of an event that is not tried again, once; `lost` hears why it failed."""
    known = deliveries.get(event.id)
    if known is None or known.given_up:
        return
    deliveries[event.id] = known.ended()
    lost(known.reason)
    # All of it: who wants to can tell the topic by hand.
    topics, data = ", ".join(event.destination.topics), json.dumps(event.data, ensure_ascii=False)
    why = f"{known.reason}: {known.message}"
    log.error("giving up event %s to %s, %s: %s", event.id, topics, why, data)


class NoPublisher:
    """The port `Publisher` where no Kafka is set up: what was promised before must wait."""

    def __init__(
        self, clock: Callable[[], float], lost: Callable[[str], None] = lambda _: None
    ) -> None:
        """Deliver nothing. `lost` hears why an event was given up."""
        self._clock = clock
        self._lost = lost
        self._deliveries: dict[str, Delivery] = {}

    def publish(self, event: ExitEvent) -> None:
        """Record that the event could not be published."""
        now = self._clock()
        known = self._deliveries.get(event.id)
        begun = known.again(now) if known else Delivery(State.PENDING, now, now)
        message = "this operator knows no Kafka broker: set kafka.bootstrapServers in its chart"
        self._deliveries[event.id] = begun.failed(now, BROKER_UNAVAILABLE, message)

    def give_up(self, event: ExitEvent) -> None:
        """Tell people of an event that is not tried again, once."""
        give_up(self._deliveries, event, self._lost)

    def delivery(self, event_id: str) -> Delivery | None:
        """Return what became of an event."""
        return self._deliveries.get(event_id)

    def forget(self, event_id: str) -> None:
        """Drop what is known of an event."""
        self._deliveries.pop(event_id, None)
