"""Kubernetes Events are created beside the reconciliation, which they never delay."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from typing_extensions import override

from cloudharness_operator.decide.k8s_events import EventMessage, to_manifests
from cloudharness_operator.errors import ApiError, NotLeading
from cloudharness_operator.kube import recorder as recorder_module
from cloudharness_operator.kube.http import Api
from cloudharness_operator.kube.recorder import FULL, EventRecorder
from tests.support.builders import NOW, operation_manifest, until

PATH = "/apis/events.k8s.io/v1/namespaces/lab/events"


class EventsApi(Api):
    """Answers with errors first, then accepts; and not before `open` is set."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.open = asyncio.Event()
        self.created: list[tuple[str, str]] = []

    @override
    async def post(
        self, path: str, body: dict[str, Any], query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.created.append((path, body["note"]))
        return body


def events(*notes: str) -> list[dict[str, Any]]:
    return to_manifests(
        operation_manifest(), tuple(EventMessage("Complete", one) for one in notes), NOW
    )


async def sent(recorder: EventRecorder) -> None:
    task = asyncio.create_task(recorder.run())
    await recorder.flush(10)
    task.cancel()


def test_recording_does_not_wait_and_all_are_sent_later() -> None:
    async def scenario() -> None:
        api, dropped = EventsApi(), Counter[str]()
        recorder = EventRecorder(api, lambda reason: dropped.update([reason]))
        recorder.record(events("one", "two"))
        recorder.record(events("three"))
        assert api.created == []
        api.open.set()
        await sent(recorder)
        assert sorted(api.created) == [(PATH, "one"), (PATH, "three"), (PATH, "two")]
        assert not dropped

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiError(422, "Invalid", "no"), "Invalid"),
        (ApiError(429, "TooManyRequests", "later"), "TooManyRequests"),
        # It exists already.
        (ApiError(409, "AlreadyExists", "there is one"), None),
        (ConnectionError("cut off"), "ConnectionError"),
        (TimeoutError(), "TimeoutError"),
        (NotLeading("another may lead"), "NotLeading"),
    ],
    ids=repr,
)
def test_one_that_fails_is_counted_and_the_next_is_sent(
    error: Exception, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        api, dropped = EventsApi(error), Counter[str]()
        api.open.set()
        recorder = EventRecorder(api, lambda one: dropped.update([one]))
        recorder.record(events("one", "two"))
        await sent(recorder)
        assert len(api.created) == 1
        assert dropped == ({reason: 1} if reason else {})
        assert caplog.text.count("Event Complete of sums") == (reason is not None)

    asyncio.run(scenario())


def test_more_than_it_can_hold_are_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        api, dropped = EventsApi(), Counter[str]()
        recorder = EventRecorder(api, lambda one: dropped.update([one]), capacity=3)
        for number in range(10):
            recorder.record(events(str(number)))
        assert dropped == {FULL: 7}
        assert caplog.text.count("Events are dropped: 3 wait to be created") == 1
        api.open.set()
        await sent(recorder)
        assert sorted(note for _, note in api.created) == ["0", "1", "2"]
        recorder.record(events("later"))
        await sent(recorder)
        assert len(api.created) == 4
        # That is logged again only after it had room.
        for number in range(5):
            recorder.record(events(str(number)))
        assert caplog.text.count("Events are dropped: 3 wait to be created") == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("busy", "waiting", "expected"),
    [(False, 5, 5), (True, 5, 0), (True, 8, 3)],
    ids=["nothing else waits", "operations wait", "operations wait, and half of what it can hold"],
)
def test_events_give_way_to_operations(
    monkeypatch: pytest.MonkeyPatch, busy: bool, waiting: int, expected: int
) -> None:
    monkeypatch.setattr(recorder_module, "PAUSE", 3600.0)

    async def scenario() -> None:
        api = EventsApi()
        api.open.set()
        recorder = EventRecorder(api, lambda _: None, lambda: busy, capacity=10)
        recorder.record(events(*map(str, range(waiting))))
        task = asyncio.create_task(recorder.run())
        await until(lambda: len(api.created) >= expected)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(api.created) == expected
        await recorder.flush(10)
        assert len(api.created) == waiting
        task.cancel()

    asyncio.run(scenario())


def test_a_flush_has_an_end() -> None:
    async def scenario() -> None:
        recorder = EventRecorder(EventsApi(), lambda _: None)
        recorder.record(events("one"))
        await recorder.flush(0.01)

    asyncio.run(scenario())
