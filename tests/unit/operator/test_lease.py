"""Who leads: Leases as they are read, and what is done about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudharness_operator.leader.lease import (
    DEADLINE,
    DURATION,
    RENEW,
    RETRY,
    SOONEST,
    Lease,
    ObservedLease,
    Step,
    decide,
    pause,
    released,
    taken,
)

ME, OTHER = "one_1", "two_2"
NOW = 100.0
WALL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINE = Lease("7", ME, DURATION, 3, "2026-01-02T03:00:00.000000Z")
THEIRS = replace(MINE, holder=OTHER)
FREE = replace(MINE, holder="")


def manifest(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "lead", "resourceVersion": "7"}, "spec": spec}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(manifest(), Lease("7"), id="never written"),
        pytest.param({"metadata": {"resourceVersion": "7"}}, Lease("7"), id="no spec"),
        pytest.param(
            manifest(
                holderIdentity=OTHER,
                leaseDurationSeconds=15,
                leaseTransitions=3,
                acquireTime="then",
            ),
            Lease("7", OTHER, 15.0, 3, "then"),
            id="of another release",
        ),
        pytest.param(
            manifest(holderIdentity=None, leaseDurationSeconds=0), Lease("7"), id="nothing in it"
        ),
    ],
)
def test_reading(found: dict[str, Any], expected: Lease) -> None:
    assert Lease.read(found) == expected


@pytest.mark.parametrize(
    ("lease", "since", "expected"),
    [
        pytest.param(None, NOW, Step.CREATE, id="none there"),
        pytest.param(FREE, NOW, Step.TAKE, id="free"),
        pytest.param(MINE, NOW, Step.RENEW, id="mine"),
        pytest.param(MINE, NOW - 1000, Step.RENEW, id="mine, and never taken since"),
        pytest.param(THEIRS, NOW, Step.WAIT, id="another's, just seen"),
        pytest.param(THEIRS, NOW - DURATION + 0.01, Step.WAIT, id="another's, nearly expired"),
        pytest.param(THEIRS, NOW - DURATION, Step.TAKE, id="another's, expired"),
        pytest.param(
            replace(THEIRS, duration=15.0), NOW - DURATION, Step.WAIT, id="who promised longer"
        ),
    ],
)
def test_what_is_done(lease: Lease | None, since: float, expected: Step) -> None:
    assert decide(ObservedLease(lease, since), ME, NOW) is expected


@pytest.mark.parametrize(
    ("lease", "since"),
    [
        pytest.param(THEIRS, 90.0, id="the same"),
        pytest.param(replace(THEIRS, version="8"), NOW, id="renewed"),
        pytest.param(None, NOW, id="gone"),
    ],
)
def test_what_has_not_changed_keeps_its_time(lease: Lease | None, since: float) -> None:
    assert ObservedLease(THEIRS, 90.0).update(lease, NOW) == ObservedLease(lease, since)


@pytest.mark.parametrize(
    ("sight", "leads", "expected"),
    [
        pytest.param(ObservedLease(MINE, NOW), True, RENEW, id="leads"),
        pytest.param(ObservedLease(MINE, NOW), False, RETRY, id="failed to renew"),
        pytest.param(None, False, RETRY, id="could not read"),
        pytest.param(ObservedLease(None, NOW), False, RETRY, id="could not create"),
        pytest.param(ObservedLease(FREE, 0.0), False, RETRY, id="another was faster"),
        pytest.param(ObservedLease(THEIRS, NOW), False, RETRY, id="stands by"),
        pytest.param(ObservedLease(THEIRS, NOW - DURATION + 0.5), False, 0.5, id="expires soon"),
        pytest.param(ObservedLease(THEIRS, NOW - DURATION), False, SOONEST, id="expired"),
    ],
)
def test_when_to_look_again(sight: ObservedLease | None, leads: bool, expected: float) -> None:
    assert pause(sight, ME, NOW, leads=leads) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("old", "acquired", "transitions"),
    [
        pytest.param(None, "2026-01-02T03:04:05.000000Z", 0, id="created"),
        pytest.param(MINE, MINE.acquired, 3, id="renewed"),
        pytest.param(THEIRS, "2026-01-02T03:04:05.000000Z", 4, id="taken over"),
        pytest.param(FREE, "2026-01-02T03:04:05.000000Z", 4, id="taken up"),
    ],
)
def test_taking(old: Lease | None, acquired: str, transitions: int) -> None:
    written = taken("lead", old, ME, WALL)
    assert written["spec"] == {
        "holderIdentity": ME,
        "leaseDurationSeconds": 10,
        "acquireTime": acquired,
        "renewTime": "2026-01-02T03:04:05.000000Z",
        "leaseTransitions": transitions,
    }
    assert written["metadata"] == {"name": "lead", **({"resourceVersion": "7"} if old else {})}


def test_releasing() -> None:
    written = released("lead", MINE, WALL)
    assert written["metadata"]["resourceVersion"] == "7"
    assert Lease.read(written).holder == ""
    assert Lease.read(written).transitions == 3


def test_who_leads_stops_before_another_may_begin() -> None:
    assert RENEW < DEADLINE < DURATION
    # An expiry is seen to at once, so a kill is followed within 15 s by far.
    assert DURATION + 2 * RETRY < 15
