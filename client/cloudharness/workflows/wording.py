"""Tasks, times and tables as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
"""How a task's phase is drawn."""
_STEPS: Final = (
    (120, "s", 1, "", 0),
    (600, "m", 60, "s", 1),
    (3 * 3600, "m", 60, "", 0),
    (8 * 3600, "h", 3600, "m", 60),
    (48 * 3600, "h", 3600, "", 0),
    (192 * 3600, "d", 86400, "h", 3600),
    (float("inf"), "d", 86400, "", 0),
)
"""Below how many seconds a time has which units (apimachinery, duration.HumanDuration)."""


def duration(seconds: float) -> str:
    """Return a time as kubectl writes it: `75s`, `3m10s`, `12m`, `2h5m`, `4d`."""
    whole = max(0, int(seconds))
    _, unit, size, lesser, step = next(one for one in _STEPS if whole < one[0])
    more = whole % size // step if step else 0
    return f"{whole // size}{unit}" + (f"{more}{lesser}" if more else "")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def all_tasks(state: Operation) -> dict[str, TaskStatus]:
    """Return each task of the spec by its name, in its order; what is not begun is pending."""
    known = {task.name: task for task in state.status.tasks}
    return {one.name: known.get(one.name, TaskStatus(name=one.name)) for one in state.spec.tasks}


def took(task: TaskStatus, now: datetime) -> str:
    """Return how long a task has run; empty before it began."""
    if task.start_time is None:
        return ""
    return duration(((task.completion_time or now) - task.start_time).total_seconds())


def said(task: TaskStatus) -> str:
    """Return why a task waits or failed, and which attempt it is, as a line."""
    words = f"{task.reason}: {task.message}" if task.reason else (task.message or "")
    if task.attempts and task.attempts > 1:
        words = f"attempt {task.attempts}" + (f"; {words}" if words else "")
    return words.replace("\n", " ")
