"""What an author may write where no schema says what it is."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cloudharness_operation.bounds import MAX_DEPTH, is_deeper, shortened
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.model import Operation
from cloudharness_operation.tasks import MAX_ARGS_SIZE, MAX_PATCH_SIZE, PythonCode, Task
from tests.support.builders import operation_manifest


def nested(levels: int, within: Any = 1) -> dict[str, Any]:
    """Return a value of so many levels of objects."""
    value = within
    for _ in range(levels):
        value = {"a": value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("value", "levels"),
    [
        (1, 0),
        ("[[[", 0),
        ({}, 1),
        ([], 1),
        ([1, [2], {"a": {"b": []}}], 4),
        ({"a": 1, "b": [{}]}, 3),
        (nested(70), 70),
        (nested(5000), 5000),
    ],
)
def test_levels_are_counted(value: Any, levels: int) -> None:
    assert not is_deeper(value, levels)
    assert levels == 0 or is_deeper(value, levels - 1)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [("", 5, ""), ("abcde", 5, "abcde"), ("abcdef", 5, "ab..."), ("é" * 9, 8, "é" * 5 + "...")],
)
def test_a_long_text_is_cut(text: str, limit: int, expected: str) -> None:
    assert shortened(text, limit) == expected


def python(args: Any) -> Task:
    code = PythonCode(source="x", function="f", args=args)
    return Task(name="t", python=code)


def patched(patch: Any) -> Task:
    return Task.model_validate({"name": "t", "bash": {"source": "x"}, "templatePatch": patch})


@pytest.mark.parametrize(("make", "size"), [(python, MAX_ARGS_SIZE), (patched, MAX_PATCH_SIZE)])
@pytest.mark.parametrize("case", ["deep", "large", "many"])
def test_a_free_form_field_has_bounds(make: Any, size: int, case: str) -> None:
    room = size - len('{"a": ""}')
    within, beyond = {
        "deep": (nested(MAX_DEPTH), nested(MAX_DEPTH + 1)),
        "large": ({"a": "x" * room}, {"a": "x" * (room + 1)}),
        "many": ({"a": [{}] * (size // 5)}, {"a": [{}] * (size // 4)}),
    }[case]
    make(within)
    with pytest.raises(ValidationError, match=r"levels: flatten|characters as JSON, at most"):
        make(beyond)


@pytest.mark.parametrize("levels", [100, 1200, 9000])
def test_an_operation_that_was_stored_too_deep_is_invalid(levels: int) -> None:
    task = {"name": "t", "python": {"source": "x", "function": "f", "args": nested(levels)}}
    with pytest.raises(InvalidOperation, match=r"^spec\.tasks\.0\.python\.args: nested in more"):
        Operation.parse(operation_manifest(task))


@pytest.mark.parametrize(
    "resources",
    [
        {"limits": {"nvidia.com/gpu": "1e30"}},
        {"limits": {"nvidia.com/gpu": "1e99"}},
        {"limits": {"nvidia.com/gpu": "9" * 32}},
        {"requests": {"cpu": "1e-99"}, "limits": {"cpu": "1e99"}},
        {"requests": {"cpu": "1e999999999999999999999"}},
        {"requests": {"cpu": "1" * 31 + "E"}, "limits": {"cpu": "1" * 29 + "Ei"}},
    ],
)
def test_a_number_of_any_size_is_read_or_refused(resources: Any) -> None:
    task = {"name": "t", "bash": {"source": "x"}, "resources": resources}
    try:
        Operation.parse(operation_manifest(task))
    except InvalidOperation as error:
        assert "resources" in str(error)  # noqa: PT017 - either is right.
