"""The log of a task's container, without what Argo's executor writes into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_EXECUTOR: Final = re.compile(
    r'time="?[^" ]{1,64}"? level=\w{1,16} msg=("[^"\\]*(\\.[^"\\]*)*"|\S+) argo=true( .*)?$'
)
"""What Argo's executor writes into a task's own log, even behind a line that has not ended. A task
can print anything, so no part before the message is matched without a bound: the time of a search
would grow with the square of a line's length."""
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
    rest = _EXECUTOR.sub("", line)
    if rest or not line:
        yield rest


def readable(line: str) -> str:
    """Return a line without colours and control characters, as a terminal shows it in the end."""
    # A progress bar writes over itself: the last that it says counts.
    shown = _ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2]
    return _CONTROLS.sub("", shown).rstrip()
