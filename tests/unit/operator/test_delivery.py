"""What becomes of an event, and when it is tried again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudharness_operation.reasons import BROKER_UNAVAILABLE, MESSAGE_TOO_LARGE, PUBLISH_FAILED
from cloudharness_operator.decide.delivery import LAST_RETRY, Delivery, DeliveryState

BEGUN = Delivery(DeliveryState.PENDING, begun=5.0, changed=5.0)


def test_an_event_that_has_begun_says_so() -> None:
    assert (BEGUN.attempts, BEGUN.reason) == (1, BROKER_UNAVAILABLE)
    assert BEGUN.message == "no answer from the broker yet"


def test_an_event_keeps_its_beginning_and_its_trouble_through_retries() -> None:
    failed = BEGUN.failed(6.0, PUBLISH_FAILED, "not allowed")
    assert failed == Delivery(DeliveryState.FAILED, 5.0, 6.0, 1, PUBLISH_FAILED, "not allowed")
    again = failed.again(9.0)
    assert again == Delivery(DeliveryState.PENDING, 5.0, 9.0, 2, PUBLISH_FAILED, "not allowed")
    assert again.acked(9.5) == Delivery(
        DeliveryState.ACKED, 5.0, 9.5, 2, PUBLISH_FAILED, "not allowed"
    )


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [
        (1, 1.0),
        (2, 2.0),
        (3, 4.0),
        (6, 32.0),
        (7, LAST_RETRY),
        (50, LAST_RETRY),
        (2000, LAST_RETRY),
    ],
)
def test_a_retry_comes_ever_later(attempts: int, wait: float) -> None:
    failed = Delivery(DeliveryState.FAILED, begun=5.0, changed=100.0, attempts=attempts)
    assert failed.retry_at == 100.0 + wait


def test_what_will_not_change_by_itself_is_tried_once_a_minute() -> None:
    failed = BEGUN.failed(6.0, MESSAGE_TOO_LARGE, "too large")
    assert failed.retry_at == 6.0 + LAST_RETRY


def test_what_waits_is_tried_at_once_when_what_hindered_it_is_gone() -> None:
    failed = replace(BEGUN, attempts=20).failed(6.0, PUBLISH_FAILED, "not allowed")
    assert failed.renewed(9.0).retry_at == 9.0
    pending = BEGUN.waiting_for(PUBLISH_FAILED, "not allowed").renewed(9.0)
    assert (pending.state, pending.retry_at, pending.begun) == (DeliveryState.FAILED, 9.0, 5.0)
    assert (pending.reason, pending.message) == (PUBLISH_FAILED, "not allowed")
