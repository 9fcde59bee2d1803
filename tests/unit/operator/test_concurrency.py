"""Whose turn it is in a concurrency group."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operator.decide.concurrency import Group, GroupMember, group_key, read
from tests.support.builders import on_record, operation_manifest

ALLOW, FORBID, REPLACE = ConcurrencyPolicy
GROUP = {"concurrencyPolicy": "Forbid", "concurrencyGroup": "db"}
CREATED = "2026-01-02T03:00:00Z"
ENDED = {"Accepted": True, "Finished": True}
UNDER_WAY = {"Accepted": True, "Finished": False}


def member(
    name: str, policy: ConcurrencyPolicy = FORBID, at: int = 0, **fields: Any
) -> GroupMember:
    return GroupMember(name, policy, f"2026-01-02T03:00:{at:02}Z", **fields)


OLD = member("old", at=1)
NEW = member("new", at=2)
NEWEST = member("newest", at=3)
RUNS = member("runs", at=0, begun=True)
FREE = member("free", ALLOW, at=0)
FREE_RUNS = member("free", ALLOW, at=9, begun=True)
ASLEEP = member("asleep", at=0, ready=False)
OUSTS = member("ousts", REPLACE, at=5)
OUSTS_TOO = member("ousts-too", REPLACE, at=6)


@pytest.mark.parametrize(
    ("me", "others", "expected"),
    [
        pytest.param(OLD, [], None, id="who is alone begins"),
        pytest.param(OLD, [NEW, NEWEST], None, id="so does the oldest"),
        pytest.param(NEW, [OLD, NEWEST], OLD, id="others wait for who is before them"),
        pytest.param(NEWEST, [NEW, OLD], OLD, id="for the first of all"),
        pytest.param(OLD, [RUNS, NEW], RUNS, id="the oldest waits for who runs"),
        pytest.param(NEW, [RUNS, OLD], OLD, id="the second waits for the oldest"),
        pytest.param(OLD, [FREE_RUNS], FREE_RUNS, id="whoever runs is waited for"),
        pytest.param(OLD, [FREE], None, id="who waits for nobody is not waited for"),
        pytest.param(FREE, [RUNS, OLD], None, id="and begins at any time"),
        pytest.param(OLD, [ASLEEP], None, id="who sleeps has no place in the queue"),
        pytest.param(OUSTS, [OLD, NEW], None, id="who replaces does not queue"),
        pytest.param(OUSTS, [OLD, RUNS], RUNS, id="but waits until the other has ended"),
        pytest.param(
            member("b", at=1), [member("a", at=1)], member("a", at=1), id="names part equal times"
        ),
    ],
)
def test_who_is_ahead(
    me: GroupMember, others: list[GroupMember], expected: GroupMember | None
) -> None:
    for order in permutations([me, *others]):
        assert Group(order).blocked_by(me) == expected


@pytest.mark.parametrize(
    ("me", "others", "expected"),
    [
        pytest.param(OLD, [NEW], None, id="nobody, where nobody replaces"),
        pytest.param(OLD, [OUSTS], OUSTS, id="who waits is replaced"),
        pytest.param(RUNS, [OUSTS], OUSTS, id="who runs too"),
        pytest.param(FREE_RUNS, [OUSTS], None, id="not by an older one"),
        pytest.param(OUSTS, [OLD, RUNS], None, id="who replaces is not replaced"),
        pytest.param(OUSTS, [OUSTS_TOO], OUSTS_TOO, id="but by a newer one"),
        pytest.param(OLD, [OUSTS, OUSTS_TOO], OUSTS_TOO, id="the newest counts"),
        pytest.param(
            OLD, [member("x", REPLACE, at=9, ready=False)], None, id="one that sleeps does not"
        ),
        pytest.param(ASLEEP, [OUSTS], None, id="who sleeps is let sleep"),
        pytest.param(
            OLD,
            [member("x", REPLACE, at=9, ready=False, begun=True)],
            member("x", REPLACE, at=9, ready=False, begun=True),
            id="unless it has begun",
        ),
    ],
)
def test_who_replaces(
    me: GroupMember, others: list[GroupMember], expected: GroupMember | None
) -> None:
    for order in permutations([me, *others]):
        assert Group(order).replaced_by(me) == expected


MEMBERS = st.builds(
    GroupMember,
    name=st.sampled_from("abcdef"),
    policy=st.sampled_from(ConcurrencyPolicy),
    queued=st.sampled_from("123"),
    begun=st.booleans(),
    ready=st.booleans(),
)
GROUPS = st.lists(MEMBERS, max_size=6, unique_by=lambda one: one.name)


@given(GROUPS)
def test_at_most_one_begins_and_somebody_goes_on(group: list[GroupMember]) -> None:
    whole = Group(group)
    staying = [one for one in group if whole.replaced_by(one) is None]
    beginning = [one for one in staying if one.waits and whole.blocked_by(one) is None]
    assert len(beginning) <= 1
    if beginning:
        assert not any(one.begun for one in group)
    if any(one.waits for one in group) and not any(one.begun for one in group):
        assert beginning, "nobody runs, and nobody begins"


def moves(one: GroupMember, group: Group) -> bool:
    """Whether something is to be done about a member: it begins, or is ended."""
    return (one.waits and group.blocked_by(one) is None) or group.replaced_by(one) is not None


@given(GROUPS, GROUPS)
def test_whom_a_change_moves_is_looked_at(
    before: list[GroupMember], after: list[GroupMember]
) -> None:
    old, new = Group(before), Group(after)
    looked_at = new.affected_since(old)
    for one in after:
        # One that has changed itself is looked at anyway.
        if one in before and moves(one, new) and not moves(one, old):
            assert one.name in looked_at


@given(GROUPS)
def test_all_that_move_are_looked_at_first(group: list[GroupMember]) -> None:
    whole = Group(group)
    looked_at = whole.affected_since(None)
    assert all(one.name in looked_at for one in group if moves(one, whole))


@pytest.mark.parametrize("policy", ConcurrencyPolicy)
def test_in_a_large_group_a_change_moves_few(policy: ConcurrencyPolicy) -> None:
    members = [member(f"m{n:05}", policy) for n in range(10_000)]
    before, after = Group(members[:-1]), Group(members)
    assert len(after.affected_since(before)) <= 3
    assert len(Group(members[1:]).affected_since(after)) <= 3


@pytest.mark.parametrize(
    ("spec", "status", "meta", "expected"),
    [
        pytest.param({}, None, {}, None, id="no group"),
        pytest.param(GROUP, None, {}, GroupMember("sums", FORBID, CREATED), id="new"),
        pytest.param(
            GROUP,
            on_record("Running", "TasksRunning", holds=UNDER_WAY),
            {},
            GroupMember("sums", FORBID, CREATED, begun=True),
            id="running",
        ),
        pytest.param(GROUP, on_record("Failed", "TaskFailed", holds=ENDED), {}, None, id="ended"),
        pytest.param(
            GROUP | {"runId": "2"},
            on_record("Failed", "TaskFailed", holds=ENDED),
            {},
            GroupMember("sums", FORBID, "2026-01-02T03:04:00Z"),
            id="to run again: behind those that wait",
        ),
        pytest.param(
            GROUP | {"suspend": True},
            None,
            {},
            GroupMember("sums", FORBID, CREATED, ready=False),
            id="asleep",
        ),
        pytest.param(
            GROUP | {"cancel": "Stop"},
            None,
            {},
            GroupMember("sums", FORBID, CREATED, ready=False),
            id="cancelled",
        ),
        pytest.param(
            GROUP,
            None,
            {"deletionTimestamp": CREATED},
            GroupMember("sums", FORBID, CREATED, ready=False),
            id="being deleted",
        ),
        pytest.param(
            GROUP | {"concurrencyPolicy": "Later"},
            None,
            {},
            GroupMember("sums", ALLOW, CREATED),
            id="of a policy that this version does not know",
        ),
    ],
)
def test_an_operation_as_a_member(
    spec: dict[str, Any], status: Any, meta: dict[str, Any], expected: GroupMember | None
) -> None:
    manifest = operation_manifest(spec=spec, status=status, metadata=meta)
    assert read(manifest) == expected
    assert group_key(manifest) == (("lab", "db") if expected else group_key(manifest))
