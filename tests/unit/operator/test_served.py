"""Each namespace starts and fails by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cloudharness_operator.errors import ApiError
from cloudharness_operator.loop.served import Served, ServedOnlyHandler

FORBIDDEN = ApiError(403, "Forbidden", "not allowed")
BROKEN = ConnectionResetError("reset")
KINDS = ("Operation", "Workflow")

Step = Callable[[Served], None]


def listed(namespace: str, *kinds: str) -> Step:
    def step(served: Served) -> None:
        for kind in kinds or KINDS:
            served.listed(namespace, kind)

    return step


def failed(namespace: str, error: Exception, kind: str = "Operation") -> Step:
    return lambda served: served.failed(namespace, kind, error)


@pytest.mark.parametrize(
    ("steps", "ready", "text"),
    [
        ([], False, ["namespace a: Operation: being listed", "namespace b: Workflow: being"]),
        ([listed("a")], False, ["namespace b: Operation: being listed"]),
        ([listed("a"), listed("b")], True, []),
        ([listed("a", "Operation"), listed("b")], False, ["namespace a: Workflow: being listed"]),
        ([listed("a"), failed("b", FORBIDDEN)], True, ["namespace b: Operation: 403 Forbidden"]),
        ([listed("a"), failed("b", BROKEN)], False, ["namespace b: Operation: reset"]),
        ([failed("a", FORBIDDEN), failed("b", FORBIDDEN)], False, ["namespace a: Operation: 403"]),
        ([listed("a"), failed("b", FORBIDDEN), listed("b")], True, []),
        ([listed("a"), listed("b"), failed("b", FORBIDDEN)], True, ["namespace b: Operation: 403"]),
    ],
)
def test_it_is_ready_when_each_namespace_is_served_or_cannot_be(
    steps: list[Step], ready: bool, text: list[str]
) -> None:
    served = Served(("a", "b"), KINDS)
    for step in steps:
        step(served)
    assert served.is_ready is ready
    assert bool(served.text()) is bool(text)
    assert all(line in served.text() for line in text)


def test_a_namespace_is_complete_once() -> None:
    completed: list[str] = []
    served = Served(("a", "b"), KINDS, completed.append)
    for step in (listed("a", "Operation"), listed("a", "Workflow"), listed("a"), listed("b")):
        step(served)
    assert completed == ["a", "b"]


def test_one_that_fails_later_is_not_healthy_but_goes_on() -> None:
    served = Served(("a",), KINDS)
    listed("a")(served)
    assert served.is_healthy("a")
    failed("a", FORBIDDEN)(served)
    assert (served.is_complete("a"), served.is_healthy("a")) == (True, False)


@pytest.mark.parametrize(
    ("namespaces", "step", "key", "handled"),
    [
        (("a", "b"), listed("a"), "a", True),
        (("a", "b"), listed("a"), "b", False),
        (("a", "b"), listed("a"), "unknown", True),
        (("",), listed("", "Operation"), "a", False),
        (("",), listed(""), "a", True),
    ],
)
def test_keys_of_what_is_not_served_are_dropped(
    namespaces: tuple[str, ...], step: Step, key: str, handled: bool
) -> None:
    served, keys = Served(namespaces, KINDS), []
    step(served)

    async def handler(one: str) -> float | None:
        keys.append(one)
        return 1.0

    namespace = {"a": "a", "b": "b"}.get
    after = asyncio.run(ServedOnlyHandler(handler, served, namespace)(key))
    assert (keys, after) == (([key], 1.0) if handled else ([], None))


def test_the_watch_that_is_idle_longest_counts() -> None:
    now = 100.0
    served = Served(("a", "b"), KINDS, clock=lambda: now)
    now += 50
    served.heard("a", "Workflow")
    now += 5
    assert [served.idle(kind) for kind in KINDS] == [55.0, 55.0]
    served.heard("b", "Workflow")
    assert [served.idle(kind) for kind in KINDS] == [55.0, 5.0]
