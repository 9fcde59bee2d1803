"""Format operations as HTML for notebooks: inline styles only, without scripts or other resources.

Colours have enough contrast on light and on dark backgrounds; the text has the colour of the theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any, Final

from pydantic import PrivateAttr
from typing_extensions import override

from cloudharness.workflows._format import (
    MARKS,
    all_tasks,
    clock,
    duration,
    task_duration,
    task_message,
)
from cloudharness_operation.model import Operation, OperationSpec
from cloudharness_operation.status import OperationStatus, TaskPhase
from cloudharness_operation.tasks import Task

_COLOURS: Final = {
    "Succeeded": "#2a9d4b",
    "Running": "#2f81f7",
    "Pending": "#b07d00",
    "Suspended": "#b07d00",
    "Failed": "#e5484d",
    "Error": "#e5484d",
    "Cancelled": "#a371f7",
    "Skipped": "#85878a",
}
_BORDER: Final = "1px solid rgba(128,128,128,.5)"
_CELL: Final = f"text-align:left;padding:2px 12px 2px 0;border-bottom:{_BORDER};vertical-align:top"
_BOX: Final = f"border:{_BORDER};border-radius:4px;padding:1px 8px;white-space:nowrap"
_MAX_BOXES: Final = 12
"""Number of tasks in a group of the graph; further ones are counted."""


def operation_html(state: Operation, now: datetime, note: str = "") -> str:
    """Return the state of an operation: its phase and times, the graph and the table of its tasks.

    Args:
        state: the operation, as read from the cluster.
        now: the current time, for the durations of running tasks.
        note: a warning above the state.

    """
    status = state.status
    phase = status.phase.value if status.phase else "Pending"
    tasks = all_tasks(state)
    facts = [state.spec.type.value, status.progress or "", *_times(status, now)]
    if state.run > 1:
        facts.append(f"run {status.run_id}")
    rows = [
        (
            _coloured(one.phase.value, f"{MARKS[one.phase]} {one.name}"),
            _coloured(one.phase.value, one.phase.value),
            escape(f"{one.start_time:%H:%M:%S}" if one.start_time else ""),
            escape(task_duration(one, now)),
            escape(one.node_name or ""),
            escape(task_message(one)),
        )
        for one in tasks.values()
    ]
    phases = {name: one.phase for name, one in tasks.items()}
    return _block(
        _head(state.metadata.name, phase, facts),
        _paragraph(note),
        _paragraph(f"{status.reason or ''}: {status.message}" if status.message else ""),
        _graph(state.spec, phases),
        _table(("Task", "Phase", "Start (UTC)", "Duration", "Node", "Message"), rows),
    )


def manifest_html(manifest: Mapping[str, Any]) -> str:
    """Return a summary of an operation that has not been submitted."""
    spec = OperationSpec.model_validate(manifest["spec"], by_alias=True)
    name = manifest["metadata"]["name"]
    rows = [
        (
            escape(one.name),
            *map(escape, _command(one)),
            escape(str(one.retry.limit) if one.retry else ""),
            escape(", ".join(volume.mount_path for volume in one.shared_volumes)),
        )
        for one in spec.all_tasks
    ]
    return _block(
        _head(name, "", [spec.type.value, "not submitted", *_settings(spec)]),
        _graph(spec, {}),
        _table(("Task", "Kind", "Runs", "Retries", "Volumes"), rows),
    )


def summary_html(name: str, phase: str | None, message: str) -> str:
    """Return the phase of an operation or a Workflow in one line, and its message."""
    return _block(_head(name, phase or "Pending", []), _paragraph(message))


class HtmlStatus(OperationStatus):
    """The status of an operation, which notebooks show as HTML."""

    _state: Operation = PrivateAttr()

    @classmethod
    def of(cls, state: Operation) -> HtmlStatus:
        """Return the status of an operation."""
        status = state.status
        made = cls.model_construct(_fields_set=status.model_fields_set, **dict(status))
        made._state = state  # noqa: SLF001 - an object of this class.
        return made

    def _repr_html_(self) -> str:
        return operation_html(self._state, clock())

    @override
    def __repr_name__(self) -> str:
        return OperationStatus.__name__


def _times(status: OperationStatus, now: datetime) -> list[str]:
    if status.start_time is None:
        return []
    seconds = ((status.completion_time or now) - status.start_time).total_seconds()
    return [f"started {status.start_time:%Y-%m-%d %H:%M:%S} UTC", duration(seconds)]


def _settings(spec: OperationSpec) -> list[str]:
    found = [f"volume {one.mount_path}" for one in spec.shared_volumes]
    if spec.parallelism:
        found.append(f"parallelism {spec.parallelism}")
    if spec.active_deadline_seconds:
        found.append(f"deadline {duration(spec.active_deadline_seconds)}")
    if spec.on_exit and spec.on_exit.notify:
        found.append(f"publishes to {spec.on_exit.notify.topic}")
    return found


def _command(task: Task) -> tuple[str, str]:
    """Return the kind of a task, and what it runs."""
    if task.python:
        return "python", f"{task.python.function}()" if task.python.function else "script"
    if task.bash:
        return "bash", task.bash.source.strip().partition("\n")[0][:80]
    if task.command:
        return "command", " ".join(task.command.command)[:80]
    return "image", task.custom.image if task.custom else ""


def _graph(spec: OperationSpec, phases: Mapping[str, TaskPhase]) -> str:
    """Return the groups of tasks from left to right, the tasks of a group below each other."""
    stages = spec.stages()
    ordered = sorted(spec.all_tasks, key=lambda task: stages[task.name])
    groups = []
    for _, group in groupby(ordered, key=lambda task: stages[task.name]):
        names = [task.name for task in group]
        boxes = [_box(name, phases.get(name)) for name in names[:_MAX_BOXES]]
        if len(names) > _MAX_BOXES:
            boxes.append(f"<span>… {len(names) - _MAX_BOXES} more</span>")
        inner = "".join(boxes)
        groups.append(f'<div style="display:flex;flex-direction:column;gap:4px">{inner}</div>')
    arrow = "<span>→</span>"
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:8px;margin:6px 0">'
        f"{arrow.join(groups)}</div>"
    )


def _box(name: str, phase: TaskPhase | None) -> str:
    if phase is None:
        return f'<span style="{_BOX}">{escape(name)}</span>'
    colour = _COLOURS[phase.value]
    return (
        f'<span style="{_BOX};border-color:{colour}" title="{phase.value}">'
        f"{_coloured(phase.value, MARKS[phase])} {escape(name)}</span>"
    )


def _head(name: str, phase: str, facts: Iterable[str]) -> str:
    parts = [f"<strong>{escape(name)}</strong>"]
    if phase:
        parts.append(_coloured(phase, phase))
    parts += [escape(one) for one in facts if one]
    return f"<div>{' · '.join(parts)}</div>"


def _coloured(phase: str, text: str) -> str:
    colour = _COLOURS.get(phase, "inherit")
    return f'<span style="color:{colour};font-weight:600">{escape(text)}</span>'


def _paragraph(text: str) -> str:
    return f'<div style="white-space:pre-wrap">{escape(text)}</div>' if text else ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table. Cells are HTML. Columns without text are left out."""
    shown = [place for place in range(len(titles)) if any(row[place] for row in rows)]
    head = "".join(f'<th style="{_CELL}">{escape(titles[place])}</th>' for place in shown)
    body = ""
    for row in rows:
        cells = "".join(f'<td style="{_CELL}">{row[place]}</td>' for place in shown)
        body += f"<tr>{cells}</tr>"
    return (
        '<table style="border-collapse:collapse;margin:0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _block(*parts: str) -> str:
    return f'<div style="font-family:sans-serif;font-size:13px">{"".join(parts)}</div>'
