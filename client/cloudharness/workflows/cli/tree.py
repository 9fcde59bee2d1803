"""Format the tasks of an operation as a tree, or as bars along a time axis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from cloudharness.workflows._format import (
    MARKS,
    aligned,
    all_tasks,
    duration,
    task_duration,
    task_message,
)
from cloudharness_operation.model import Operation
from cloudharness_operation.status import OutputStatus, PastRun, TaskPhase, TaskStatus

_BAR: Final = 40
"""Width of the time axis in characters."""
_SHADES: Final = {TaskPhase.PENDING: "░", TaskPhase.RUNNING: "▒"}
_DONE: Final = "█"


def head(state: Operation, now: datetime) -> str:
    """Return name, type, phase, progress and duration of an operation as one line."""
    status = state.status
    phase = status.phase.value if status.phase else "Pending"
    parts = [state.metadata.name, state.spec.type.value, phase, status.progress or ""]
    if status.start_time:
        parts.append(
            duration(((status.completion_time or now) - status.start_time).total_seconds())
        )
    if state.run > 1:
        parts.append(f"run {status.run_id}")
    return "  ".join(part for part in parts if part)


def lines(state: Operation, now: datetime) -> list[str]:
    """Return an operation and the tree of its tasks; tasks that run together share a branch."""
    stages = _stages(state)
    nested = len(stages) > 1 and any(len(stage) > 1 for stage in stages)
    rows: list[tuple[str, ...]] = []
    if nested:
        for number, stage in enumerate(stages):
            last = number == len(stages) - 1
            title = f"{'└' if last else '├'}─┬ {number + 1} of {len(stages)}"
            rows += [(title, *[""] * 4), *_branches(stage, "  " if last else "│ ", now)]
    else:
        rows += _branches([task for stage in stages for task in stage], "", now)
    return [*_header(state, now), *aligned(rows)]


def gantt(state: Operation, now: datetime) -> list[str]:
    """Return an operation and its tasks, each with a bar from its start to its end.

    Bars of pending tasks are light, of running tasks medium, and of ended tasks dark.
    """
    status = state.status
    tasks = [task for stage in _stages(state) for task in stage]
    begins = [task.start_time for task in tasks if task.start_time]
    begin = min([*begins, *([status.start_time] if status.start_time else [])], default=now)
    whole = max(((status.completion_time or now) - begin).total_seconds(), 1.0)
    scale = f"0s{duration(whole).rjust(_BAR - 2)}"
    rows = [
        (MARKS[task.phase], task.name, _bar(task, begin, whole, now), task_duration(task, now))
        for task in tasks
    ]
    return [*_header(state, now), *aligned([("", "", scale, ""), *rows])]


def more(state: Operation) -> list[str]:
    """Return outputs, volumes and previous runs."""
    status = state.status
    outputs = [(f"{one.task}.{one.name}", _output(one)) for one in status.outputs]
    volumes = [
        (one.name, "created for the run" if one.ephemeral else "", " ".join(one.mount_paths))
        for one in status.claims
    ]
    runs = [(one.run_id, one.phase.value, one.reason or "", _past(one)) for one in status.history]
    found: list[str] = []
    for title, rows in (("outputs", outputs), ("volumes", volumes), ("previous runs", runs)):
        if rows:
            found += [f"{title}:", *(f"  {line}" for line in aligned(rows))]
    return found


def _output(one: OutputStatus) -> str:
    if one.value is not None:
        return one.value.replace("\n", " ")
    return f"{one.size} bytes" + (
        f", in Workflow {one.value_from.workflow}" if one.value_from else ""
    )


def _past(one: PastRun) -> str:
    if one.start_time is None or one.completion_time is None:
        return ""
    return duration((one.completion_time - one.start_time).total_seconds())


def _header(state: Operation, now: datetime) -> list[str]:
    message = state.status.message
    return [head(state, now), *([f"  {message}"] if message else [])]


def _stages(state: Operation) -> list[list[TaskStatus]]:
    when = state.spec.stages()
    ordered = sorted(all_tasks(state).values(), key=lambda task: when[task.name])
    return [list(stage) for _, stage in groupby(ordered, key=lambda task: when[task.name])]


def _branches(tasks: Sequence[TaskStatus], indent: str, now: datetime) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for number, task in enumerate(tasks):
        corner = "└─" if number == len(tasks) - 1 else "├─"
        name = f"{indent}{corner} {MARKS[task.phase]} {task.name}"
        found.append(
            (
                name,
                task.phase.value,
                task_duration(task, now),
                task.node_name or "",
                task_message(task),
            )
        )
    return found


def _bar(task: TaskStatus, begin: datetime, whole: float, now: datetime) -> str:
    if task.start_time is None:
        return ""
    first = (task.start_time - begin).total_seconds()
    last = ((task.completion_time or now) - begin).total_seconds()
    left = min(max(int(first / whole * _BAR), 0), _BAR - 1)
    right = min(max(round(last / whole * _BAR), left + 1), _BAR)
    return " " * left + _SHADES.get(task.phase, _DONE) * (right - left)
