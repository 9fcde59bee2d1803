"""Exit events as consumers get them: headers, values, and what a listener makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cloudharness_operation import event_schema
from cloudharness_operation.event import ExitEvent, ExitEventValue
from cloudharness_operation.model import MAX_PAYLOAD_LENGTH
from cloudharness_operator.kafka.records import MODES, binary, structured
from cloudharness_operator.settings import CONTENT_MODES
from tests.support.builders import CHILD, EVENT_ID, NAME, SOURCE, STARTED, UID, exit_event, outcome

ROOT = Path(__file__).parents[3]


def test_a_record_is_a_cloudevent_in_binary_mode() -> None:
    end = outcome("Failed", "TaskFailed", "task add: exit 3")
    key, value, headers = binary(exit_event(end, payload="ours"))
    assert key == UID.encode()
    assert dict(headers) == {
        "ce_id": EVENT_ID.encode(),
        "ce_source": SOURCE.encode(),
        "ce_specversion": b"1.0",
        "ce_type": b"io.cloudharness.operation.failed.v1",
        "ce_subject": b"sums",
        "ce_time": b"2026-01-02T03:04:00Z",
        "content-type": b"application/json",
    }
    assert json.loads(value) == {
        "status": "Failed",
        "payload": "ours",
        "workflow": CHILD,
        "operation": "sums",
        "namespace": "lab",
        "uid": UID,
        "run": "1",
        "runId": "1",
        "reason": "TaskFailed",
        "message": "task add: exit 3",
        "startTime": "2026-01-02T03:00:01Z",
        "completionTime": "2026-01-02T03:04:00Z",
    }


def test_an_event_without_a_beginning_has_no_start_time() -> None:
    _, value, _ = binary(exit_event(outcome(started=None)))
    assert json.loads(value)["startTime"] is None
    _, value, _ = binary(exit_event(outcome(started=STARTED)))
    assert json.loads(value)["startTime"] == "2026-01-02T03:00:01Z"


def test_structured_mode_has_it_all_in_the_value() -> None:
    event = exit_event(payload="ours")
    key, value, headers = structured(event)
    assert key == UID.encode()
    assert dict(headers) == {"content-type": b"application/cloudevents+json"}
    assert json.loads(value) == {
        "id": EVENT_ID,
        "source": SOURCE,
        "specversion": "1.0",
        "type": "io.cloudharness.operation.succeeded.v1",
        "subject": NAME,
        "time": "2026-01-02T03:04:00Z",
        "datacontenttype": "application/json",
        "data": event.data,
    }


def test_each_mode_has_a_writer() -> None:
    assert tuple(MODES) == CONTENT_MODES


def listener(value: bytes) -> tuple[str, Any, str]:
    """What a listener that was written for CloudHarness reads of a message."""
    message = json.loads(value)
    return message["status"], message["payload"], message["workflow"]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="nothing"),
        pytest.param("plain", id="a string"),
        pytest.param('{"b": 1, "a": [1.0, null, "\\u00e9"]}', id="a dict"),
        pytest.param(json.dumps({"inner": json.dumps({"deep": "\"'\\"})}), id="JSON in JSON"),
        pytest.param(' \t\r\n{"open": ', id="no JSON, with space"),
        pytest.param("\u00e9 \u65e5\u672c \U0001f680 \x00\x7f\u2028", id="any characters"),
        pytest.param("\U0001f680" * MAX_PAYLOAD_LENGTH, id="the longest"),
    ],
)
@pytest.mark.parametrize("mode", CONTENT_MODES)
def test_a_listener_of_cloudharness_gets_the_payload_as_it_was_written(
    payload: str, mode: str
) -> None:
    event = exit_event(payload=payload)
    _, value, _ = MODES[mode](event)
    if mode == "structured":
        value = json.dumps(json.loads(value)["data"]).encode()
    assert listener(value) == ("Succeeded", payload, CHILD)
    assert listener(value)[1].encode() == payload.encode()
    # What librdkafka takes at most, with what a broker takes at most by default.
    assert len(MODES[mode](event)[1]) < 1_000_000


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(exit_event(payload="ours"), id="a success"),
        pytest.param(exit_event(outcome("Failed", "TaskFailed", "exit 3")), id="a failure"),
        pytest.param(exit_event(outcome("Error", "Deleted", "", started=None)), id="no beginning"),
        pytest.param(exit_event(run="12", run_id="again"), id="a later run"),
    ],
)
def test_the_value_is_as_its_schema_says(event: ExitEvent) -> None:
    _, value, _ = binary(event)
    found = ExitEventValue.model_validate_json(value)
    assert found.model_dump(by_alias=True) == event.data


@pytest.mark.parametrize(
    "change",
    [
        {"status": "Running"},
        {"payload": {"a": 1}},
        {"run": "0"},
        {"uid": ""},
        {"completionTime": "2026-01-02 03:04:00"},
        {"completionTime": None},
        {"more": 1},
    ],
    ids=str,
)
def test_the_schema_tells_what_is_not_an_event(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExitEventValue.model_validate(exit_event().data | change)


def test_the_published_schema_names_every_field_and_lets_later_versions_add_some() -> None:
    published = json.loads((ROOT / "docs" / "event.schema.json").read_text())
    assert published == event_schema.schema()
    assert sorted(published["properties"]) == sorted(published["required"])
    assert sorted(published["required"]) == sorted(exit_event().data)
    assert "additionalProperties" not in published
