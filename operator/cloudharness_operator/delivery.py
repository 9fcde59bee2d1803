"""What became of an exit event that was handed to Kafka."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

BROKER_UNAVAILABLE: Final = "BrokerUnavailable"
AUTHENTICATION_FAILED: Final = "AuthenticationFailed"
TLS_FAILED: Final = "TLSFailed"
AUTHORIZATION_FAILED: Final = "AuthorizationFailed"
TOPIC_NOT_FOUND: Final = "TopicNotFound"
MESSAGE_TOO_LARGE: Final = "MessageTooLarge"
PUBLISH_FAILED: Final = "PublishFailed"

FINAL: Final = frozenset({MESSAGE_TOO_LARGE})
"""What the same record meets again, until somebody changes the broker."""

FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 60.0


class State(Enum):
    """How far an event has come."""

    PENDING = auto()
    FAILED = auto()
    ACKED = auto()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way; times are seconds of a monotonic clock."""

    state: State
    begun: float
    """When it was first published by this process."""
    changed: float
    """When it came into its state."""
    attempts: int = 1
    reason: str = BROKER_UNAVAILABLE
    message: str = "no answer from the broker yet"
    given_up: bool = False
    """People were told that it is not tried again."""

    def again(self, now: float) -> Delivery:
        """Return this delivery with one more attempt begun."""
        return replace(self, state=State.PENDING, changed=now, attempts=self.attempts + 1)

    def hindered(self, reason: str, message: str) -> Delivery:
        """Return this delivery with what it waits for."""
        return replace(self, reason=reason, message=message)

    def renewed(self, now: float) -> Delivery:
        """Return this delivery as if it had not been tried: what hindered it may be gone."""
        return replace(self, state=State.FAILED, attempts=1, changed=now - FIRST_RETRY)

    def acked(self, now: float) -> Delivery:
        """Return this delivery as confirmed by the broker for every topic."""
        return replace(self, state=State.ACKED, changed=now)

    def failed(self, now: float, reason: str, message: str) -> Delivery:
        """Return this delivery as failed in its latest attempt."""
        return replace(self, state=State.FAILED, changed=now, reason=reason, message=message)

    def ended(self) -> Delivery:
        """Return this delivery as one that is not tried again."""
        return replace(self, given_up=True)

    @property
    def retry_at(self) -> float:
        """When a failed delivery is to be tried again."""
        if self.reason in FINAL:
            return self.changed + LAST_RETRY
        # The bound keeps the power within a float: an outage of a day is a thousand attempts.
        return self.changed + min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self.attempts - 1, 20))
