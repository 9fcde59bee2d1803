"""The generated tables of docs/states.md: states with their conditions, and reasons."""

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from cloudharness_operation import reasons
from cloudharness_operation.states import STATES, State

_HEADS: Final = (
    "| State | Phase | Conditions that are True | that are False | that are Unknown |",
    "| Reason | Meaning |",
)


def page(text: str) -> str:
    """Return the page with its tables written again."""
    states, found = _HEADS
    text = _replaced(text, states, [_state(state) for state in STATES])
    return re.sub(
        r"(?<=^<!-- reasons -->\n).*?(?=^<!-- end of reasons -->)",
        "".join(_reasons(found)),
        text,
        flags=re.MULTILINE | re.DOTALL,
    )


def _replaced(text: str, head: str, rows: list[str]) -> str:
    """Return the text with the rows of the table that has this head replaced."""
    table = re.compile(rf"({re.escape(head)}\n\|[ -|]+\n)(?:\|.*\n)*")
    return table.sub(lambda found: found[1] + "".join(f"{row}\n" for row in rows), text)


def _state(state: State) -> str:
    columns = (", ".join(sorted(state.types(value))) for value in ("True", "False", "Unknown"))
    cells = (state.name, state.phase.value, *columns)
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _reasons(head: str) -> Iterator[str]:
    """Yield a table of reasons for each comment of the module that lists them."""
    source = inspect.getsource(reasons)
    titles = [
        (number, line.removeprefix("# "))
        for number, line in enumerate(source.splitlines(), 1)
        if line.startswith("# ")
    ]
    body = ast.parse(source).body
    rows = [
        (one.lineno, one.value.value, doc.value.value)
        for one, doc in pairwise(body)
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.value, ast.Constant)
        and isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
    ]
    ends = [*(number for number, _ in titles[1:]), len(source)]
    for (begin, title), end in zip(titles, ends, strict=True):
        yield f"\n{title}:\n\n{head}\n| --- | --- |\n"
        for line, name, meaning in rows:
            if begin < line < end:
                yield f"| `{name!s}` | {' '.join(str(meaning).split())} |\n"
    yield "\n"
