"""Python values as environment variables."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudharness_operation.environment import variables
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.pods import EnvVar


class Color(Enum):
    RED = "red"
    NUMBER = 3
    NESTED = ("a", 1)
    NOTHING = None


class Level(IntEnum):
    HIGH = 9


class Word(StrEnum):
    YES = "yes"


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("my variable", "my variable"),
        ("", ""),
        (" two\nlines ü ", " two\nlines ü "),
        (1, "1"),
        (0, "0"),
        (-7, "-7"),
        (10**30, "1" + "0" * 30),
        (0.5, "0.5"),
        (2.0, "2.0"),
        (1e-07, "1e-07"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (Fraction(1, 3), "1/3"),
        (Decimal("1.10"), "1.10"),
        (True, "True"),
        (False, "False"),
        (Color.RED, "red"),
        (Color.NUMBER, "3"),
        (Color.NESTED, '["a", 1]'),
        (Level.HIGH, "9"),
        (Word.YES, "yes"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),  # noqa: DTZ001 - as users give it.
        (time(3, 4), "03:04:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/mnt/a b"), "/mnt/a b"),
        (Path("data"), "data"),
        ({}, "{}"),
        ([], "[]"),
        ({"a": 1}, '{"a": 1}'),
        (("a", None, True, 0.5), '["a", null, true, 0.5]'),
        ({"ü": ["ö"]}, '{"ü": ["ö"]}'),
        ({1: "a", None: "b"}, '{"1": "a", "null": "b"}'),
        ({False: "a", 0.5: "b"}, '{"false": "a", "0.5": "b"}'),
        ({Color.RED: Level.HIGH, "x": Color.NOTHING}, '{"red": 9, "x": null}'),
        (MappingProxyType({"day": date(2026, 1, 2)}), '{"day": "2026-01-02"}'),
        ([Fraction(1, 2), Decimal("1.10")], '[0.5, "1.10"]'),
        ([UUID(int=1), PurePosixPath("/a")], f'["{UUID(int=1)}", "/a"]'),
    ],
    ids=repr,
)
def test_a_value_has_this_text(value: Any, expected: str) -> None:
    assert variables({"NAME": value}) == (EnvVar(name="NAME", value=expected),)


def as_kubernetes_does(text: str, known: dict[str, str]) -> str:
    """Expand a value: k8s.io/kubernetes/third_party/forked/golang/expansion."""

    def replaced(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else known.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replaced, text)


@pytest.mark.parametrize(
    "text",
    ["$", "$$", "$$$", "a$$b", "$HOME", "$(HOME)", "$$(HOME)", "$$$(HOME)", "$($(HOME))", "x$"],
)
def test_the_program_finds_what_was_given(text: str) -> None:
    for value in (text, [text]):
        (variable,) = variables({"NAME": value})
        assert variable.value is not None
        found = as_kubernetes_does(variable.value, {"HOME": "/root"})
        assert found == (value if value == text else json.dumps(value))


def test_none_is_no_variable_and_the_order_stays() -> None:
    given = {
        "env_variable2": 1,
        "no": None,
        "neither": Color.NOTHING,
        "env_variable1": "my variable",
    }
    assert variables(given) == (
        EnvVar(name="env_variable2", value="1"),
        EnvVar(name="env_variable1", value="my variable"),
    )
    assert variables({}) == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"x", "a bytes has no obvious text: give a str"),
        (bytearray(b"x"), "a bytearray has no obvious text"),
        ({"a"}, "a set has no obvious text"),
        (1j, "a complex has no obvious text"),
        (timedelta(1), "a timedelta has no obvious text"),
        pytest.param(object(), "a object has no obvious text", id="object"),
        (print, "a builtin_function_or_method has no obvious text"),
        (SimpleNamespace(a=1), "a SimpleNamespace has no obvious text"),
        ([b"x"], "a bytes has no obvious text"),
        ({"a": {"b": {1}}}, "a set has no obvious text"),
        ([math.nan], "Out of range float values are not JSON compliant"),
        ({"a": -math.inf}, "Out of range float values are not JSON compliant"),
        ({(1, 2): 3}, "a tuple is no key in JSON: give a str"),
        (ITSELF, "maximum recursion depth exceeded"),
        ("a\0b", "its value holds a NUL: remove it"),
        ("\ud800", "surrogates not allowed"),
        ("x" * 32769, "String should have at most 32768 characters"),
    ],
    ids=lambda value: repr(value)[:40] if not isinstance(value, list) else "list",
)
def test_what_has_no_text_is_refused_by_name(value: Any, problem: str) -> None:
    with pytest.raises(InvalidOperation, match=r"^environment variable 'my_var': ") as caught:
        variables({"first": 1, "my_var": value})
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["", "1st", "a b", "a=b", "ü"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidOperation, match=f"^environment variable '{name}': "):
        variables({name: "x"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(VALUES, max_size=4) | st.dictionaries(st.text("abc"), VALUES, max_size=4))
def test_json_is_read_back_as_it_was(value: Any) -> None:
    (variable,) = variables({"NAME": value})
    assert variable.value is not None
    assert json.loads(as_kubernetes_does(variable.value, {})) == value
