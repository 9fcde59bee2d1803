"""What the operator knows, whatever the order in which it is told."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cloudharness_operation.names import child_name
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.concurrency import GroupMember
from cloudharness_operator.decide.expiry import Expiry, Retention
from cloudharness_operator.loop import store as module
from cloudharness_operator.loop.cached import is_settled
from cloudharness_operator.loop.store import Store
from tests.support.builders import (
    CHILD_UID,
    FINISHED,
    NAME,
    NAMESPACE,
    NOW,
    OTHER_UID,
    UID,
    child,
    on_record,
    only,
    operation_manifest,
)

RUNNING = on_record("Running", "TasksRunning", holds={"Finished": False})
SETTLED = on_record("Succeeded", "AllTasksSucceeded", holds={"Finished": True})
TOLD = on_record("Succeeded", "AllTasksSucceeded", holds={"Finished": True, "Notified": True})
UNTOLD = on_record("Succeeded", "AllTasksSucceeded", holds={"Finished": True, "Notified": False})


class Bench:
    """A store with a clock, and what it has reported."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.time = 7.0
        self.store = Store(self.changed.append, lambda: self.time)

    def reported(self) -> int:
        """Return how many changes were reported since the last time."""
        count = len(self.changed)
        self.changed.clear()
        return count


@pytest.fixture
def bench() -> Bench:
    return Bench()


def manifest(version: int = 10, **settings: Any) -> dict[str, Any]:
    return operation_manifest(version=version, **settings)


def version(bench: Bench, uid: str = UID) -> int | None:
    record = bench.store.operation(uid)
    return record.version if record else None


def test_a_new_operation_is_reported_and_kept(bench: Bench) -> None:
    bench.store.upsert_operation(manifest())
    record = bench.store.operation(UID)
    assert record is not None
    assert (record.namespace, record.name, record.version) == (NAMESPACE, NAME, 10)
    assert (record.since, record.written, record.settled) == (7.0, None, False)
    assert record.manifest == manifest()
    assert bench.changed == [UID]
    assert bench.store.counts() == (1, 0)


@pytest.mark.parametrize(
    ("seen", "kept", "reported"),
    [
        pytest.param((10, 11), 11, 2, id="newer replaces older"),
        pytest.param((11, 10), 11, 1, id="older does not replace newer"),
        pytest.param((11, 11), 11, 1, id="the same is no news"),
        pytest.param((9, 10), 10, 2, id="versions are numbers, not text"),
    ],
)
def test_versions_of_an_operation(
    bench: Bench, seen: tuple[int, ...], kept: int, reported: int
) -> None:
    for number in seen:
        bench.store.upsert_operation(manifest(number))
    assert version(bench) == kept
    assert bench.reported() == reported


@pytest.mark.parametrize(
    ("seen", "kept", "reported"),
    [
        pytest.param((20, 21), 21, 2, id="newer replaces older"),
        pytest.param((21, 20), 21, 1, id="older does not replace newer"),
        pytest.param((21, 21), 21, 1, id="the same is no news"),
    ],
)
def test_versions_of_a_child(bench: Bench, seen: tuple[int, ...], kept: int, reported: int) -> None:
    for number in seen:
        bench.store.upsert_workflow(child("Running", resource_version=number))
    known = only(bench.store.children(UID))
    assert known is not None
    assert known.resource_version == kept
    assert bench.reported() == reported


def test_what_is_large_and_never_read_is_not_kept(bench: Bench) -> None:
    bench.store.upsert_operation(
        manifest(metadata={"managedFields": [{}], "annotations": {"a": "b"}, "labels": {"c": "d"}})
    )
    record = bench.store.operation(UID)
    assert record is not None
    assert record.manifest == manifest()


def test_an_operation_takes_little_more_memory_than_its_text(bench: Bench) -> None:
    uids = [f"uid-{number}" for number in range(500)]
    tracemalloc.start()
    try:
        for uid in uids:
            bench.store.upsert_operation(manifest(uid=uid, spec={"instance": "x" * 1000}))
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    texts = [record.text or b"" for uid in uids if (record := bench.store.operation(uid))]
    assert used / len(uids) < len(texts[0]) + 1000


def test_the_first_sight_and_the_last_write_are_kept(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(10))
    bench.time = 8.0
    bench.store.upsert_written_operation(manifest(11))
    bench.time = 9.0
    bench.store.upsert_operation(manifest(12))
    record = bench.store.operation(UID)
    assert record is not None
    assert (record.version, record.since, record.written) == (12, 7.0, 8.0)


def test_the_reply_to_a_write_may_come_after_its_event(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(11))
    bench.time = 8.0
    bench.store.upsert_written_operation(manifest(11))
    record = bench.store.operation(UID)
    assert record is not None
    assert record.written == 8.0
    assert bench.reported() == 1


def test_the_reply_to_a_write_does_not_bring_back_what_is_gone(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(10))
    bench.store.remove_operation(UID)
    bench.store.upsert_written_operation(manifest(11))
    assert bench.store.operation(UID) is None


def test_what_is_gone_does_not_come_back(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(10))
    bench.store.upsert_workflow(child())
    bench.reported()
    bench.store.remove_operation(UID)
    bench.store.remove_workflow(child())
    assert bench.reported() == 2
    bench.store.upsert_operation(manifest(99))
    bench.store.upsert_workflow(child(resource_version=99))
    assert bench.store.counts() == (0, 0)
    assert bench.reported() == 0


def test_what_was_never_seen_can_be_gone(bench: Bench) -> None:
    bench.store.remove_operation(UID)
    bench.store.remove_workflow(child())
    assert bench.reported() == 0
    bench.store.upsert_operation(manifest())
    bench.store.upsert_workflow(child())
    assert bench.store.counts() == (0, 0)


def test_only_the_latest_gone_are_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_GONE", 2)
    for uid in ("a", "b", "c"):
        bench.store.remove_operation(uid)
    for uid in ("a", "b", "c"):
        bench.store.upsert_operation(manifest(uid=uid))
    assert [uid for uid in "abc" if bench.store.operation(uid)] == ["a"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(None, False, id="no status"),
        pytest.param({}, False, id="no conditions"),
        pytest.param(RUNNING, False, id="running"),
        pytest.param(SETTLED, True, id="ended, and nobody waits"),
        pytest.param(TOLD, True, id="ended, and told"),
        pytest.param(UNTOLD, False, id="ended, and not told yet"),
    ],
)
def test_settled(status: Any, expected: bool) -> None:
    assert is_settled(manifest(status=status)) is expected


def test_a_settled_operation_keeps_no_manifest(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(10, status=RUNNING))
    bench.reported()
    bench.store.upsert_operation(manifest(11, status=TOLD))
    record = bench.store.operation(UID)
    assert record is not None
    assert (record.settled, record.manifest, record.version) == (True, None, 11)
    assert bench.reported() == 1


@pytest.mark.parametrize(
    ("known", "reported"),
    [
        pytest.param(lambda _: None, 0, id="not when it is new"),
        pytest.param(lambda store: store.upsert_workflow(child()), 1, id="when it has a child"),
        pytest.param(
            lambda store: store.upsert_operation(manifest(9)), 1, id="when it was under way"
        ),
    ],
)
def test_a_settled_operation_is_reported(
    bench: Bench, known: Callable[[Store], None], reported: int
) -> None:
    known(bench.store)
    bench.reported()
    bench.store.upsert_operation(manifest(10, status=SETTLED))
    assert bench.reported() == reported


BOTH = {"ttlStrategy": {"secondsAfterSuccess": 5}, "ttlSecondsAfterFinished": 9}
ENDED = SETTLED.model_copy(update={"completion_time": FINISHED})


def lasting(number: int, **spec: Any) -> dict[str, Any]:
    """Return an operation that has ended and is to be cleaned up."""
    found = manifest(number, status=ENDED)
    return found | {"spec": found["spec"] | spec}


LINE = {"concurrencyPolicy": "Forbid", "concurrencyGroup": "line"}
SECOND = on_record("Running", "TasksRunning", holds={"Finished": False}).model_copy(
    update={"run": 2, "run_id": "two"}
)


def member(uid: str, name: str, version: int, **settings: Any) -> dict[str, Any]:
    settings.setdefault("spec", LINE)
    return operation_manifest(uid=uid, name=name, version=version, **settings)


def second(**fields: Any) -> Child:
    return child(run=2, name=child_name(NAME, UID, 2), uid="second", **fields)


def test_children_of_all_runs_are_kept(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(status=SECOND))
    record = bench.store.operation(UID)
    assert record is not None
    assert record.run == 2
    bench.store.upsert_workflow(second())
    bench.store.upsert_workflow(child("Failed"))
    assert [one.run for one in bench.store.children(UID)] == [1, 2]
    assert bench.store.counts() == (1, 2)
    bench.store.remove_workflow(child("Failed"))
    assert bench.store.children(UID) == (second(),)
    bench.store.remove_unlisted_workflows(set(), 99, NAMESPACE)
    assert bench.store.children(UID) == ()


@pytest.mark.parametrize(
    ("run_id", "settled"),
    [("1", True), ("two", False)],
    ids=["the same run", "another run"],
)
def test_an_operation_that_is_to_run_again_is_not_settled(run_id: str, settled: bool) -> None:
    assert is_settled(manifest(status=SETTLED, spec={"runId": run_id})) == settled


def test_what_was_seen_to_is_known_while_it_is_there(bench: Bench) -> None:
    bench.store.upsert_workflow(child())
    assert not bench.store.are_pods_deleted(child())
    bench.store.mark_pods_deleted(child())
    assert bench.store.are_pods_deleted(child())
    bench.store.remove_workflow(child())
    assert not bench.store.are_pods_deleted(child())


def test_a_group_has_those_that_have_not_ended(bench: Bench) -> None:
    bench.store.upsert_operation(member("a", "a", 10))
    bench.store.upsert_operation(member("b", "b", 11, status=RUNNING))
    bench.store.upsert_operation(member("c", "c", 12, status=SETTLED))
    bench.store.upsert_operation(member("d", "d", 13, namespace="elsewhere"))
    bench.store.upsert_operation(member("e", "e", 14, spec=LINE | {"concurrencyGroup": "other"}))
    bench.store.upsert_operation(manifest(15))
    found = {one: bench.store.member(one) for one in ("a", "b", "c", "d", UID)}
    begun = {one: of.begun for one, of in found.items() if of}
    assert begun == {"a": False, "b": True, "d": False}
    group = bench.store.group((NAMESPACE, "line"))
    assert found["a"] is not None
    assert group.blocked_by(found["a"]) == found["b"]
    assert found["d"] is not None
    assert bench.store.group(("elsewhere", "line")).blocked_by(found["d"]) is None


def test_a_member_has_begun_when_its_child_is_there(bench: Bench) -> None:
    bench.store.upsert_operation(member(UID, NAME, 10))
    bench.store.upsert_workflow(child())
    bench.store.upsert_operation(member("next", "next", 11))
    waits = bench.store.member("next")
    assert waits is not None

    def ahead() -> GroupMember | None:
        return bench.store.group((NAMESPACE, "line")).blocked_by(waits)

    first = bench.store.member(UID)
    assert first is not None
    assert first.begun
    assert ahead() == first
    bench.store.upsert_workflow(child("Succeeded", resource_version=21))
    assert bench.store.member(UID) == replace(first, begun=False)
    bench.store.remove_operation(UID)
    assert ahead() is None


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda store: store.remove_operation("a"), id="gone"),
        pytest.param(
            lambda store: store.upsert_operation(member("a", "a", 20, status=SETTLED)), id="ended"
        ),
        pytest.param(
            lambda store: store.upsert_operation(
                member("a", "a", 20, spec=LINE | {"concurrencyGroup": "other", "runId": "2"})
            ),
            id="in another group",
        ),
        pytest.param(
            lambda store: store.upsert_operation(
                member("a", "a", 20, spec=LINE | {"suspend": True})
            ),
            id="asleep",
        ),
    ],
)
def test_the_next_is_told_when_the_first_leaves(
    bench: Bench, leave: Callable[[Store], None]
) -> None:
    for number, name in enumerate("abc"):
        bench.store.upsert_operation(member(name, name, 10 + number))
    bench.changed.clear()
    leave(bench.store)
    assert "b" in bench.changed
    assert "c" not in bench.changed


def test_all_who_are_older_are_told_of_one_that_replaces(bench: Bench) -> None:
    for number, name in enumerate("abc"):
        bench.store.upsert_operation(member(name, name, 10 + number))
    bench.changed.clear()
    replacing = LINE | {"concurrencyPolicy": "Replace"}
    bench.store.upsert_operation(member("d", "d", 20, spec=replacing))
    assert {"a", "b", "c", "d"} <= set(bench.changed)


def test_what_a_settled_operation_is_cleaned_up_by_is_kept(bench: Bench) -> None:
    bench.store.upsert_operation(lasting(10, **BOTH))
    record = bench.store.operation(UID)
    assert record is not None
    assert (record.manifest, record.expiry) == (None, Expiry(FINISHED.timestamp(), Retention(5), 9))


@pytest.mark.parametrize(
    ("spec", "reported"),
    [
        pytest.param({}, 0, id="not for a Workflow that is gone"),
        pytest.param({"ttlSecondsAfterFinished": 9}, 1, id="for the record's own time"),
    ],
)
def test_a_new_settled_operation_is_reported(
    bench: Bench, spec: dict[str, Any], reported: int
) -> None:
    bench.store.upsert_operation(lasting(10, **spec))
    assert bench.reported() == reported


def test_a_time_that_changes_after_the_end_is_reported(bench: Bench) -> None:
    bench.store.upsert_operation(lasting(10, ttlStrategy={}))
    bench.store.upsert_operation(lasting(11, **BOTH))
    record = bench.store.operation(UID)
    assert record is not None
    assert record.expiry == Expiry(FINISHED.timestamp(), Retention(5), 9)
    assert bench.reported() == 1


def test_a_child_is_found_by_its_operation(bench: Bench) -> None:
    bench.store.upsert_workflow(child("Running"))
    assert only(bench.store.children(UID)) == child("Running")
    assert only(bench.store.children(OTHER_UID)) is None
    assert bench.store.counts() == (0, 1)
    assert bench.changed == [UID]


def test_a_child_that_was_made_again_replaces_the_first(bench: Bench) -> None:
    bench.store.upsert_workflow(child("Running"))
    bench.store.remove_workflow(child("Running"))
    bench.store.upsert_workflow(child(uid="second", resource_version=30))
    bench.store.remove_workflow(child("Running", resource_version=25))
    known = only(bench.store.children(UID))
    assert known is not None
    assert known.uid == "second"


def test_a_copy_of_a_child_is_not_the_child(bench: Bench) -> None:
    bench.store.upsert_workflow(child("Succeeded", held=True))
    bench.reported()
    copied = child(name=f"{NAME}-060de-x7k2p", uid="copy", resource_version=90)
    bench.store.upsert_workflow(copied)
    bench.store.remove_unlisted_workflows({"copy", CHILD_UID}, 95, "")
    known = only(bench.store.children(UID))
    assert known is not None
    assert (known.uid, known.is_held) == (CHILD_UID, True)
    assert bench.reported() == 0


LISTS = [
    pytest.param(10, [], 10, "", None, id="what a list of all lacks is gone"),
    pytest.param(10, [], 11, "", None, id="so is what was older"),
    pytest.param(12, [], 11, "", 12, id="what came after the list stays"),
    pytest.param(10, [], 11, NAMESPACE, None, id="a namespace's list knows its own"),
    pytest.param(10, [], 11, "elsewhere", 10, id="a namespace's list knows no other"),
    pytest.param(10, [10], 11, "", 10, id="what is listed stays"),
    pytest.param(10, [11], 11, "", 11, id="what is listed is taken in"),
    pytest.param(12, [11], 11, "", 12, id="what is listed may be old"),
]


@pytest.mark.parametrize(("known", "listed", "at", "where", "left"), LISTS)
def test_a_list_of_operations(
    bench: Bench, *, known: int, listed: list[int], at: int, where: str, left: int | None
) -> None:
    bench.store.upsert_operation(manifest(known))
    bench.reported()
    for number in listed:
        bench.store.upsert_operation(manifest(number))
    bench.store.remove_unlisted_operations({UID} if listed else set(), at, where)
    assert version(bench) == left
    assert bench.reported() == (left != known)


@pytest.mark.parametrize(("known", "listed", "at", "where", "left"), LISTS)
def test_a_list_of_children(
    bench: Bench, *, known: int, listed: list[int], at: int, where: str, left: int | None
) -> None:
    bench.store.upsert_workflow(child(resource_version=known))
    bench.reported()
    for number in listed:
        bench.store.upsert_workflow(child(resource_version=number))
    bench.store.remove_unlisted_workflows({CHILD_UID} if listed else set(), at, where)
    left_over = only(bench.store.children(UID))
    assert (left_over and left_over.resource_version) == left
    assert bench.reported() == (left != known)


def test_what_a_list_lacked_does_not_come_back(bench: Bench) -> None:
    bench.store.upsert_operation(manifest(10))
    bench.store.upsert_workflow(child())
    bench.store.remove_unlisted_operations(set(), 50, "")
    bench.store.remove_unlisted_workflows(set(), 50, "")
    bench.store.upsert_operation(manifest(40))
    bench.store.upsert_workflow(child(resource_version=40))
    assert bench.store.counts() == (0, 0)


def test_who_begins_to_lead_looks_at_all_that_is_not_over(bench: Bench) -> None:
    bench.store.upsert_operation(operation_manifest(uid="under-way", name="a", version=1))
    bench.store.upsert_operation(
        operation_manifest(uid="over", name="b", version=2, status=SETTLED)
    )
    bench.store.upsert_operation(lasting(3, **BOTH))
    orphan = child_name(NAME, OTHER_UID, 1)
    bench.store.upsert_workflow(
        child("Succeeded", operation_uid=OTHER_UID, owner_uid=OTHER_UID, name=orphan, uid="orphan")
    )
    bench.changed.clear()
    bench.store.enqueue_all()
    assert sorted(bench.changed) == sorted(["under-way", UID, OTHER_UID])


def test_an_end_that_somebody_waits_for_is_told_as_urgent_and_once() -> None:
    changed: list[str] = []
    ended: list[str] = []
    store = Store(changed.append, lambda: 0.0, ended.append)
    store.upsert_workflow(child("Running", held=True, resource_version=20))
    store.upsert_workflow(child("Succeeded", held=True, resource_version=21))
    store.upsert_workflow(child("Succeeded", held=True, resource_version=22, deleted=NOW))
    assert (len(changed), len(ended)) == (2, 1)


def test_an_end_that_nobody_waits_for_has_time() -> None:
    ended: list[str] = []
    store = Store(lambda _: None, lambda: 0.0, ended.append)
    store.upsert_workflow(child("Succeeded", resource_version=21))
    assert ended == []
