"""Python functions as tasks have them: each is shipped, and its code run in another process."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import logging
import math as mathematics
import os.path
import re
import subprocess
import sys
import xml.dom.minidom
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest

from cloudharness.workflows._shipping import ship
from cloudharness.workflows.errors import CannotBeShipped
from cloudharness_operation.render.containers import RESULT_PATH, RUNNER

if TYPE_CHECKING:
    from not_there import Missing  # type: ignore[import-not-found]

LIMIT = 3
WORDS = {"a": [1, 2.5, None, True], "b": ("x",)}
PATTERN = re.compile(r"(\d+)\s", re.IGNORECASE)
log = logging.getLogger("shipped")
LIVE = object()


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int = LIMIT

    def total(self) -> int:
        return add(self.x, self.y)


def add(one: int, other: int = 1) -> int:
    return one + other


def twice(function: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> int:
        return 2 * function(*args, **kwargs)

    return inner


def bare(function: Callable[..., int]) -> Callable[..., int]:
    return lambda: function() + 1


@twice
@functools.lru_cache(maxsize=LIMIT)
def decorated(number: int) -> int:
    return number


@bare
def hidden() -> int:
    return 1


def hinted(value: Missing | None = None) -> Missing | None:
    found: Missing | None = value
    return found


def even(number: int) -> bool:
    return number == 0 or odd(number - 1)


def odd(number: int) -> bool:
    return number != 0 and even(number - 1)


def text() -> str:
    return """first
  second
third"""


def uses_all(
    number: int, *, sign: str = "+", factor: float = mathematics.tau / mathematics.pi
) -> Any:
    """Uses what its module has: ünïcödé, {{braces}} and $(HOME) too."""
    log.debug("not shown")
    counts = collections.Counter("aab")
    document = xml.dom.minidom.parseString("<a>1</a>")  # noqa: S318 - our own.
    found = PATTERN.match("12 x")
    return {
        "number": add(number),
        "point": Point(4).total(),
        "words": WORDS["a"],
        "counts": counts["a"],
        "xml": document.toxml(),
        "path": os.path.join("a", "b"),  # noqa: PTH118 - a module within a module.
        "match": found and found[1],
        "colour": Colour.RED.value,
        "decimal": str(Decimal("1.10")),
        "nested": [inner + LIMIT for inner in range(2)],
        "sign": sign * int(factor),
    }


def run(shipment: Any, tmp_path: Any) -> Any:
    """Call it as a task does: by the same program, in a process of its own."""
    source, result = tmp_path / "source.py", tmp_path / "result.json"
    source.write_text(shipment.source)
    runner = RUNNER.replace(RESULT_PATH, str(result))
    arguments = [str(source), shipment.function, json.dumps(dict(shipment.args))]
    subprocess.run([sys.executable, "-I", "-c", runner, *arguments], check=True, timeout=30)
    return json.loads(result.read_text())


def nested() -> Callable[..., Any]:
    def inside(number: int, more: str = "x") -> Any:
        import base64  # noqa: PLC0415 - as people do in functions that run elsewhere.

        def further(count: int) -> str:
            return more * count

        return [
            further(number),
            """a
   b""",
            base64.b64encode(b"x").decode(),
        ]

    return inside


def recursive() -> Callable[..., Any]:
    def factorial(number: int) -> int:
        return 1 if number < 2 else number * factorial(number - 1)

    return factorial


def with_a_module() -> Callable[..., Any]:
    import string  # noqa: PLC0415

    def letters() -> str:
        return string.ascii_lowercase[:3]

    return letters


ONE, TWO = (lambda: [1]), (lambda number: [2, number])

GOOD: list[tuple[str, Callable[..., Any], dict[str, Any], Any]] = [
    ("a plain one", add, {"one": 1}, 2),
    ("all of the module", uses_all, {"number": 1, "sign": "-"}, None),
    ("decorated", decorated, {"number": 4}, 8),
    ("hints of what is not there", hinted, {"value": None}, None),
    ("two that call each other", even, {"number": 10}, True),
    ("text of several lines", text, {}, "first\n  second\nthird"),
    ("nested", nested(), {"number": 2}, ["xx", "a\n   b", "eA=="]),
    ("recursive", recursive(), {"number": 5}, 120),
    ("nested, with a module", with_a_module(), {}, "abc"),
    ("a lambda", lambda: {"a": [1]}, {}, {"a": [1]}),
    ("the first of two lambdas", ONE, {}, [1]),
    ("the second of them", TWO, {"number": 3}, [2, 3]),
    ("a partial", functools.partial(add, other=5), {"one": 1}, 6),
    ("a partial of a partial", functools.partial(functools.partial(add, other=5), one=2), {}, 7),
    ("a tuple comes as a list", lambda value: value, {"value": (1, (2,))}, [1, [2]]),
]


@pytest.mark.parametrize(
    ("function", "given", "expected"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD]
)
def test_a_function_returns_there_what_it_returns_here(
    function: Callable[..., Any], given: dict[str, Any], expected: Any, tmp_path: Any
) -> None:
    if expected is None:
        expected = json.loads(json.dumps(function(**given)))
    assert run(ship(function, given), tmp_path) == expected


def test_what_is_shipped_can_be_read() -> None:
    assert ship(uses_all, {"number": 1}).source.startswith(
        "from __future__ import annotations\n\n"
        "import collections\nimport dataclasses\nimport logging\nimport math as mathematics\n"
    )
    inner = ship(with_a_module(), {})
    assert inner.source == (
        "from __future__ import annotations\n\nimport string\n\n"
        "def letters() -> str:\n    return string.ascii_lowercase[:3]\n"
    )


def closure(value: Any) -> Callable[..., Any]:
    def inside() -> Any:
        return value

    return inside


async def waits() -> None:
    return None


def yields() -> Any:
    yield 1


def live() -> Any:
    return LIVE


def only_by_place(one: int, /) -> int:
    return one


class Thing:
    def method(self) -> None:
        return None

    def __call__(self) -> None:
        return None


def uses_thing(number: int = 1) -> Any:
    return number and Inner


def _local_class() -> type:
    class Local:
        pass

    return Local


Inner = _local_class()
TYPED: dict[str, Any] = {}
# By the name "<string>" Python 3.13 finds the source of `python -c`, which starts xdist's workers.
exec(compile("def typed(): return 1", "<typed>", "exec"), TYPED)  # noqa: S102

BAD: list[tuple[str, Callable[..., Any], dict[str, Any], str]] = [
    ("a closure", closure(1), {}, "uses value, a variable of the enclosing function"),
    (
        "a decorator that hides it",
        hidden,
        {},
        "uses function, a variable of the enclosing function",
    ),
    ("asynchronous", waits, {}, "waits is asynchronous: write a function that calls asyncio.run"),
    ("a generator", yields, {}, "yields is a generator: return a list instead"),
    ("a builtin", len, {}, "only a function can run in a task"),
    ("a method", Thing().method, {}, "only a function can run in a task"),
    ("an object", Thing(), {}, "only a function can run in a task"),
    ("a class", Thing, {}, "only a function can run in a task"),
    ("no source", TYPED["typed"], {}, "the source code of typed is not available"),
    ("a live object", live, {}, "live uses LIVE, a object that exists in this process only"),
    ("a class of a function", uses_thing, {}, "the class _local_class.<locals>.Local is not on"),
    (
        "a partial by place",
        functools.partial(add, 1),
        {},
        "positional arguments cannot run in a task",
    ),
    ("an argument is missing", add, {}, "missing a required argument: 'one'"),
    ("an argument that it has not", add, {"one": 1, "three": 3}, "argument 'three'"),
    (
        "an argument by place alone",
        only_by_place,
        {"one": 1},
        "pass arguments by keyword, as in PythonTask(NAME, only_by_place, ARGUMENT=VALUE)",
    ),
    ("no JSON", add, {"one": b"x"}, "argument 'one' of add is not JSON"),
    ("not a number", add, {"one": float("nan")}, "argument 'one' of add is not JSON"),
    ("keys that are no text", add, {"one": {1: 2}}, "keys of a dict must be str"),
]


@pytest.mark.parametrize(
    ("function", "given", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_what_cannot_be_shipped_is_refused_with_the_reason(
    function: Callable[..., Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(CannotBeShipped) as caught:
        ship(function, given)
    assert words in str(caught.value)


def test_what_is_typed_at_pythons_prompt_is_refused() -> None:
    script = (
        "from cloudharness.workflows import tasks\n"
        "def f(): return 1\n\n"
        "try: tasks.PythonTask('t', f)\nexcept Exception as error: print('said', error)\n\n"
    )
    command = [sys.executable, "-c", "import code; code.interact(banner='')"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
    assert "said the source code of f is not available" in done.stdout


def test_a_notebooks_cells_are_its_module(tmp_path: Any) -> None:
    """As IPython has them: each cell a file of its own, all names in `__main__`."""
    script = (
        "import linecache, json\n"
        "cells = ['import math\\nSIZE = 2\\n', 'def area(r):\\n    return half(r) * SIZE\\n',\n"
        "         'def half(r):\\n    return math.floor(math.pi * r) / 2\\n']\n"
        "for number, cell in enumerate(cells):\n"
        "    name = f'<cell {number}>'\n"
        "    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)\n"
        "    exec(compile(cell, name, 'exec'), globals())\n"
        "from cloudharness.workflows._shipping import ship\n"
        "print(ship(area, {'r': 3}).source)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    source = tmp_path / "shipped.py"
    source.write_text(done.stdout + "\nprint(area(3))\n")
    out = subprocess.run([sys.executable, source], capture_output=True, text=True, check=True)
    assert out.stdout == "9.0\n"
