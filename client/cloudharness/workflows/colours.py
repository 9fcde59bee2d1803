"""Phases in colours, on terminals (ECMA-48, SGR; https://no-color.org)."""

from __future__ import annotations

import os
import re
from typing import Final

_GREEN, _RED, _YELLOW, _CYAN, _MAGENTA, _GREY = "32", "31", "33", "36", "35", "90"
_COLOURS: Final = {
    "Succeeded": _GREEN,
    "✔": _GREEN,
    "Running": _CYAN,
    "▶": _CYAN,
    "Pending": _YELLOW,
    "·": _YELLOW,
    "Suspended": _YELLOW,
    "Failed": _RED,
    "Error": _RED,
    "✖": _RED,
    "Cancelled": _MAGENTA,
    "Skipped": _GREY,
}
_MARKS: Final = re.compile("[✔▶·✖]")
_WORDS: Final = re.compile(
    "|".join([*(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in _COLOURS), "[█▒░]+"])
)


def painted(line: str) -> str:
    """Return a line with its phases in colours; a bar has that of its line's mark."""
    if "NO_COLOR" in os.environ:
        return line
    mark = _MARKS.search(line)
    bar = _COLOURS[mark[0]] if mark else ""

    def paint(found: re.Match[str]) -> str:
        colour = _COLOURS.get(found[0], bar)
        return f"\x1b[{colour}m{found[0]}\x1b[0m" if colour else found[0]

    return _WORDS.sub(paint, line)
