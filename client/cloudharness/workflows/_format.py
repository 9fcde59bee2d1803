"""Format tasks, durations, tables and colours for terminals."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cloudharness_operation.model import Operation
from cloudharness_operation.status import TaskPhase, TaskStatus

MARKS: Final = {
    TaskPhase.PENDING: "·",
    TaskPhase.RUNNING: "▶",
    TaskPhase.SUCCEEDED: "✔",
    TaskPhase.FAILED: "✖",
    TaskPhase.ERROR: "✖",
    TaskPhase.SKIPPED: "-",
}
"""Symbol of each phase of a task."""
_STEPS: Final = (
    (120, "s", 1, "", 0),
    (600, "m", 60, "s", 1),
    (3 * 3600, "m", 60, "", 0),
    (8 * 3600, "h", 3600, "m", 60),
    (48 * 3600, "h", 3600, "", 0),
    (192 * 3600, "d", 86400, "h", 3600),
    (float("inf"), "d", 86400, "", 0),
)
"""Units for durations below a number of seconds (apimachinery, duration.HumanDuration)."""

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


def clock() -> datetime:
    """Return the current time, for ages and durations."""
    return datetime.now(UTC)  # noqa: TID251 - the clock of what people see.


def duration(seconds: float) -> str:
    """Return a duration as kubectl prints it: `75s`, `3m10s`, `12m`, `2h5m`, `4d`."""
    whole = max(0, int(seconds))
    _, unit, size, lesser, step = next(one for one in _STEPS if whole < one[0])
    more = whole % size // step if step else 0
    return f"{whole // size}{unit}" + (f"{more}{lesser}" if more else "")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines. Each column is as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def all_tasks(state: Operation) -> dict[str, TaskStatus]:
    """Return the status of each task of the spec, by name and in the spec's order.

    A task without a status is pending.
    """
    known = {task.name: task for task in state.status.tasks}
    return {
        one.name: known.get(one.name, TaskStatus(name=one.name)) for one in state.spec.all_tasks
    }


def task_duration(task: TaskStatus, now: datetime) -> str:
    """Return how long a task has run, or an empty text if it has not started."""
    if task.start_time is None:
        return ""
    return duration(((task.completion_time or now) - task.start_time).total_seconds())


def task_message(task: TaskStatus) -> str:
    """Return why a task waits or has failed, and the number of its attempt, in one line."""
    text = f"{task.reason}: {task.message}" if task.reason else (task.message or "")
    if task.attempts and task.attempts > 1:
        text = f"attempt {task.attempts}" + (f"; {text}" if text else "")
    return text.replace("\n", " ")


def coloured(line: str) -> str:
    """Return a line with ECMA-48 colours for its phases, or unchanged if NO_COLOR is set.

    A bar has the colour of the symbol in its line. NO_COLOR is that of https://no-color.org.
    """
    if "NO_COLOR" in os.environ:
        return line
    mark = _MARKS.search(line)
    bar = _COLOURS[mark[0]] if mark else ""

    def with_colour(match: re.Match[str]) -> str:
        colour = _COLOURS.get(match[0], bar)
        return f"\x1b[{colour}m{match[0]}\x1b[0m" if colour else match[0]

    return _WORDS.sub(with_colour, line)
