"""The log of a task's container, without what Argo's executor writes into it."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_QUOTED: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_BEGIN: Final = re.compile(r'time="?[^" ]{1,64}"? level=\w{1,16} msg=|\{"(?:time":"|argo":true,)')
"""How a line of Argo's executor begins, even behind a line that the task has not ended: as text, or
as JSON if Argo's controller logs that. Argo 3 writes by logrus, and Argo 4 by slog: other quotes,
and attributes in any order."""
_TEXT: Final = re.compile(
    rf'(?:{_QUOTED}|[^\s"]+)(?P<attributes>(?: [^\s="]{{1,64}}=(?:{_QUOTED}|[^\s"]*))*)'
)
"""The message and the attributes of a line of text."""
_ARGO: Final = re.compile(r" argo=true(?: |$)")
_TRIED: Final = 4
"""Beginnings in a line that are tried, from its end. A task can print anything, and the time must
not grow with the square of a line's length."""
_LAST: Final = re.compile(r"Error: (exit status \d+|signal: .+)")
"""What it writes at the very end (cobra's word for the error of `argoexec emissary`)."""
_BEHIND: Final = re.compile(rf"(?<=\S){_LAST.pattern}$")
"""The same behind a line that the task has not ended. Behind a space it may be the task's own."""
_LAST_LINES: Final = 2
"""So many lines there are from that on: it, and what the task printed without ending the line."""
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours and moves of the cursor (ECMA-48, control sequences)."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def own(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that are not of Argo's executor, as they come.

    Only what may be its very last words is held back, until it is known that more follows.
    """
    held: list[str] = []
    for line in lines:
        held.append(line)
        while held and (len(held) > _LAST_LINES or not _may_be_last(held[0])):
            yield from _cut(held.pop(0))
    for line in _without_last(held):
        yield from _cut(line)


def _may_be_last(line: str) -> bool:
    return bool(_LAST.fullmatch(line) or _BEHIND.search(line))


def _without_last(lines: list[str]) -> list[str]:
    """Return the last lines without the executor's last words, which are there once."""
    for place in range(len(lines) - 1, -1, -1):
        if _LAST.fullmatch(lines[place]):
            return lines[:place] + lines[place + 1 :]
    for place in range(len(lines) - 1, -1, -1):
        if cut := _BEHIND.search(lines[place]):
            return [*lines[:place], lines[place][: cut.start()], *lines[place + 1 :]]
    return lines


def _cut(line: str) -> Iterator[str]:
    rest = next(
        (line[: found.start()] for found in _begins(line) if _is_executors(line, found)), line
    )
    if rest or not line:
        yield rest


def _begins(line: str) -> Sequence[re.Match[str]]:
    return deque(_BEGIN.finditer(line), _TRIED)


def _is_executors(line: str, begin: re.Match[str]) -> bool:
    """Return whether Argo's executor has written the rest of a line, from a beginning on."""
    if begin[0].startswith("{"):
        return _is_json_of_argo(line[begin.start() :])
    found = _TEXT.fullmatch(line, begin.end())
    return bool(found and _ARGO.search(found["attributes"]))


def _is_json_of_argo(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return found.get("argo") is True and {"time", "level", "msg"} <= found.keys()


def readable(line: str) -> str:
    """Return a line without colours and control characters, as a terminal shows it in the end."""
    # A progress bar writes over itself: the last that it says counts.
    shown = _ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2]
    return _CONTROLS.sub("", shown).rstrip()
