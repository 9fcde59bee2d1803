"""The operator's log: a line for each thing that happens to an operation, without its payload."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from cloudharness_operator import logs
from cloudharness_operator.decide.delivery import DeliveryState
from cloudharness_operator.errors import ApiError
from tests.support.bench import BUSY, Bench
from tests.support.builders import NAME, NAMESPACE, TOPIC, UID

PAYLOAD = "very-private"
FIELDS = {"uid": UID, "namespace": NAMESPACE, "operation": NAME, "run": 1}


def formatted(form: str, message: str, *args: object, **fields: Any) -> str:
    """Return a line as it is logged at the level INFO."""
    found: list[logging.LogRecord] = []
    logger = logging.Logger("a.b")  # noqa: LOG001 - one that no other test has.
    logger.addFilter(lambda record: bool(found.append(record)))  # type: ignore[func-returns-value]
    logger.info(message, *args, **fields)
    return logs.formatter(form).format(found[0])


def test_json_has_the_fields_of_an_operation() -> None:
    fields = logs.about(uid="u", namespace="team", operation="sums", run=2, reason="TaskFailed")
    line = json.loads(formatted("json", "%s ended", "team/sums", extra=fields))
    assert line.pop("time").startswith("20")
    assert line == {
        "level": "INFO",
        "logger": "a.b",
        "message": "team/sums ended",
        "uid": "u",
        "namespace": "team",
        "operation": "sums",
        "run": 2,
        "reason": "TaskFailed",
    }


def test_json_has_an_exception_in_its_line() -> None:
    error = ValueError("no\nsuch thing")
    text = formatted("json", "failed", exc_info=error, extra=logs.about(uid="u"))
    assert "\n" not in text
    line = json.loads(text)
    assert "ValueError: no\nsuch thing" in line["exception"]
    assert (line["uid"], "run" in line) == ("u", False)


def test_text_has_a_line_for_people() -> None:
    text = formatted("text", "slow", extra=logs.about(uid="u"))
    assert text.endswith(" INFO    a.b: slow")


def test_start_and_end_of_a_run_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench().has(topic=TOPIC, payload=PAYLOAD)
    bench.handle()
    bench.runs("Failed", held=True)
    bench.handle()
    bench.delivers(DeliveryState.ACKED)
    bench.failing("status", BUSY)
    with pytest.raises(ApiError):
        bench.handle()
    bench.handle()
    assert bench.handle() is not None
    found = [(line.message, line.__dict__) for line in caplog.records]
    assert bench.status.is_true("Finished")
    (created,) = [fields for text, fields in found if text.endswith(" created")]
    (ended,) = [fields for text, fields in found if " ended: " in text]
    assert FIELDS.items() <= created.items()
    assert (FIELDS | {"reason": "TaskFailed"}).items() <= ended.items()
    assert PAYLOAD not in caplog.text
