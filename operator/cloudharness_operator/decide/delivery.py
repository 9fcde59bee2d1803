"""The delivery state of an exit event that was handed to the publisher."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from cloudharness_operation import reasons

PERMANENT: Final = frozenset({reasons.MESSAGE_TOO_LARGE})
"""Failures that the same record meets again, until somebody changes the broker."""

FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 60.0


class DeliveryState(Enum):
    """How far a delivery has come."""

    PENDING = auto()
    FAILED = auto()
    ACKED = auto()


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one event; times are seconds of a monotonic clock."""

    state: DeliveryState
    begun: float
    """When this process first published it."""
    changed: float
    """When it entered its state."""
    attempts: int = 1
    reason: str = reasons.BROKER_UNAVAILABLE
    message: str = "no answer from the broker yet"
    given_up: bool = False
    """It was logged as one that is not published again."""

    def again(self, now: float) -> Delivery:
        """Return this delivery with one more attempt begun."""
        return replace(self, state=DeliveryState.PENDING, changed=now, attempts=self.attempts + 1)

    def waiting_for(self, reason: str, message: str) -> Delivery:
        """Return this delivery with the reason for which it is pending."""
        return replace(self, reason=reason, message=message)

    def renewed(self, now: float) -> Delivery:
        """Return this delivery as if untried: the cause of its failures may be gone."""
        return replace(self, state=DeliveryState.FAILED, attempts=1, changed=now - FIRST_RETRY)

    def acked(self, now: float) -> Delivery:
        """Return this delivery as acknowledged by the broker for every topic."""
        return replace(self, state=DeliveryState.ACKED, changed=now)

    def failed(self, now: float, reason: str, message: str) -> Delivery:
        """Return this delivery as failed in its latest attempt."""
        failed = DeliveryState.FAILED
        return replace(self, state=failed, changed=now, reason=reason, message=message)

    def ended(self) -> Delivery:
        """Return this delivery as one that was given up."""
        return replace(self, given_up=True)

    @property
    def retry_at(self) -> float:
        """When to try a failed delivery again."""
        if self.reason in PERMANENT:
            return self.changed + LAST_RETRY
        # The bound keeps the power within a float: an outage of a day is a thousand attempts.
        return self.changed + min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self.attempts - 1, 20))
