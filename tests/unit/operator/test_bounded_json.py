"""JSON that no decoder can read, read all the same."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from cloudharness_operator import bounded_json
from cloudharness_operator.bounded_json import MAX_DEPTH


def brackets(levels: int) -> bytes:
    """Return lists that are nested in so many levels."""
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("text", "levels", "expected"),
    [
        (b"[]", 1, b"[]"),
        (b"[[]]", 1, b"[null]"),
        (b'{"a": [1, {"b": 2}], "c": {}}', 1, b'{"a": null, "c": null}'),
        (b'{"a": [1, {"b": 2}], "c": {}}', 2, b'{"a": [1, null], "c": {}}'),
        (b'["[[[", "]]", "\\"[", [[1]]]', 2, b'["[[[", "]]", "\\"[", [null]]'),
        (b'["\\\\", [[1]], "\\\\\\"]"]', 2, b'["\\\\", [null], "\\\\\\"]"]'),
        (b"12", 1, b"12"),
    ],
)
def test_what_is_too_deep_is_null(text: bytes, levels: int, expected: bytes) -> None:
    assert bounded_json.shallow(text, levels) == expected
    json.loads(expected)


@pytest.mark.parametrize("levels", [1, MAX_DEPTH, 1000, 1025, 10_000])
def test_json_of_any_depth_is_read(levels: int) -> None:
    assert isinstance(bounded_json.loads(brackets(levels)), list)


@pytest.mark.parametrize("text", [b"[", b"<html>", b'{"a":}', brackets(2000)[:-1]])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bounded_json.loads(text)


@pytest.mark.parametrize(
    ("manifest", "spec", "status"),
    [
        ({}, {}, {"conditions": []}),
        ({"spec": None, "status": None}, {}, {"conditions": []}),
        ({"spec": [], "status": "x"}, {}, {"conditions": []}),
        (
            {"spec": {"runId": "2", "tasks": [1]}, "status": {"run": 1, "tasks": [2]}},
            {"runId": "2"},
            {"run": 1, "conditions": []},
        ),
        (
            {
                "spec": {"runId": "x" * 2000, "cancel": json.loads("[" * 300 + "]" * 300)},
                "status": {
                    "workflowRef": {"name": "x" * 2000},
                    "conditions": [{"type": "A", "message": "x" * 9999, "status": "True"}] * 20,
                },
            },
            {},
            {"conditions": [{"type": "A", "status": "True"}] * 16},
        ),
    ],
)
def test_what_is_kept(manifest: Any, spec: Any, status: Any) -> None:
    found = bounded_json.reduced({"metadata": {"uid": "1", "ownerReferences": []}, **manifest})
    assert (found["spec"], found["status"]) == (spec, status)
    assert found["metadata"]["uid"] == "1"
    assert "ownerReferences" not in found["metadata"]
    orjson.dumps(found)
