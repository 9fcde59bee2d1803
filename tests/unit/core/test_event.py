"""The exit event, which listeners of CloudHarness go on understanding."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudharness_operation.event import Destination, event_id, timestamp
from cloudharness_operation.model import MAX_PAYLOAD_LENGTH
from cloudharness_operator.kafka.records import binary
from tests.support.builders import (
    CHILD,
    EVENT_ID,
    FINISHED,
    NAME,
    NAMESPACE,
    OTHER_UID,
    SOURCE,
    UID,
    destination,
    exit_event,
    outcome,
)

WRITTEN = {
    "uid": UID,
    "namespace": NAMESPACE,
    "operation": NAME,
    "run": "1",
    "topics": ["exits"],
    "payload": "",
    "runId": "1",
}


def test_an_id_is_the_operations_and_the_runs() -> None:
    assert event_id("u", "7") == "u/7/exit"
    assert exit_event().id == EVENT_ID
    assert exit_event(uid=OTHER_UID).id != EVENT_ID
    assert exit_event(run="2").id != EVENT_ID


def test_an_id_does_not_depend_on_the_end() -> None:
    assert exit_event(outcome("Error", "Deleted")).id == EVENT_ID


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("Succeeded", "io.cloudharness.operation.succeeded.v1"),
        ("Failed", "io.cloudharness.operation.failed.v1"),
        ("Error", "io.cloudharness.operation.error.v1"),
    ],
)
def test_the_attributes(status: str, kind: str) -> None:
    assert exit_event(outcome(status)).attributes == {
        "id": EVENT_ID,
        "source": SOURCE,
        "specversion": "1.0",
        "type": kind,
        "subject": "sums",
        "time": FINISHED,
        "datacontenttype": "application/json",
    }


def test_the_trace_is_an_attribute_where_there_is_one() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert "traceparent" not in exit_event().attributes
    assert exit_event(traceparent=trace).attributes["traceparent"] == trace
    _, _, headers = binary(exit_event(traceparent=trace))
    assert dict(headers)["ce_traceparent"] == trace.encode()


def test_the_data() -> None:
    assert exit_event(payload='{"ours": 1}').data == {
        "status": "Succeeded",
        "payload": '{"ours": 1}',
        "workflow": CHILD,
        "operation": "sums",
        "namespace": "lab",
        "uid": UID,
        "run": "1",
        "runId": "1",
        "reason": "AllTasksSucceeded",
        "message": "all tasks succeeded",
        "startTime": "2026-01-02T03:00:01Z",
        "completionTime": "2026-01-02T03:04:00Z",
    }


def test_the_data_of_what_never_started() -> None:
    assert exit_event(outcome("Error", "NameTaken", started=None)).data["startTime"] is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00Z"),
        (
            datetime(2026, 1, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=2))),
            "2025-12-31T23:00:00Z",
        ),
    ],
    ids=["whole seconds", "the beginning", "of elsewhere"],
)
def test_a_time_is_written_as_kubernetes_does(moment: datetime, expected: str) -> None:
    assert timestamp(moment) == expected


texts = st.text(min_size=1, max_size=20)


@given(
    st.builds(
        Destination,
        uid=texts,
        namespace=texts,
        operation=texts,
        run=st.integers(1, 99).map(str),
        runId=st.text(max_size=20),
        topics=st.lists(texts, min_size=1, max_size=3).map(tuple),
        payload=st.text(max_size=60),
        traceparent=st.text(max_size=60),
    )
)
def test_an_annotation_says_what_was_put_into_it(wanted: Destination) -> None:
    assert Destination.from_annotation(wanted.to_annotation()) == wanted


def test_an_annotation_stays_readable_for_the_next_version() -> None:
    assert json.loads(destination().to_annotation()) == WRITTEN
    assert Destination.from_annotation(json.dumps(WRITTEN)) == destination()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("exits", id="no JSON"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="a list"),
        pytest.param('"exits"', id="a text"),
        pytest.param("{}", id="no fields"),
        *(
            pytest.param(
                json.dumps({k: v for k, v in WRITTEN.items() if k != name}), id=f"no {name}"
            )
            for name in WRITTEN
        ),
        *(
            pytest.param(json.dumps(WRITTEN | {name: 5}), id=f"a number for {name}")
            for name in WRITTEN
        ),
        pytest.param(json.dumps(WRITTEN | {"more": "x"}), id="a field too many"),
        pytest.param(json.dumps(WRITTEN | {"topics": []}), id="no topic"),
        pytest.param(json.dumps(WRITTEN | {"topics": [""]}), id="an empty topic"),
        pytest.param(json.dumps(WRITTEN | {"topics": [1]}), id="a topic that is a number"),
        pytest.param(json.dumps(WRITTEN | {"topics": "exits"}), id="one topic alone"),
        pytest.param(json.dumps(WRITTEN | {"uid": ""}), id="an empty uid"),
    ],
)
def test_a_mangled_annotation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Destination|uid"):
        Destination.from_annotation(text)


def test_the_longest_payload_fits_an_annotation() -> None:
    longest = "🚀" * MAX_PAYLOAD_LENGTH
    assert len(destination(payload=longest).to_annotation().encode()) < 262144
