"""Show a table of an operation's tasks while it runs, in a terminal or a notebook."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Self, TextIO

from typing_extensions import override

from cloudharness.workflows._format import (
    MARKS,
    aligned,
    all_tasks,
    clock,
    coloured,
    task_duration,
    task_message,
)
from cloudharness.workflows._html import operation_html
from cloudharness_operation.model import Operation
from cloudharness_operation.status import TaskStatus

_COLUMNS: Final = ("", "TASK", "PHASE", "TIME", "NODE", "")


def rows(state: Operation, now: datetime) -> list[str]:
    """Return the operation's state and the table of its tasks, as lines."""
    status = state.status
    lines = aligned([_COLUMNS, *(_row(task, now) for task in all_tasks(state).values())])
    phase = status.phase.value if status.phase else "Pending"
    head = " ".join(part for part in (state.metadata.name, phase, status.progress) if part)
    message = f": {status.message}" if status.message else ""
    return [head + message, *lines]


def _row(task: TaskStatus, now: datetime) -> tuple[str, ...]:
    phase, node = task.phase, task.node_name or ""
    message = task_message(task)[:60]
    return MARKS[phase], task.name, phase.value, task_duration(task, now), node, message


Draw = Callable[[Operation, datetime], list[str]]
"""Returns the lines for a state at a time. Only a terminal shows more than the first line."""

_SECOND: Final = 1.0


class Display:
    """Shows the latest state of an operation, replacing the previous one.

    A context manager: inside it, a thread updates the durations every second, on a terminal and in
    a notebook.

    Args:
        out: the file to write to.
        draw: returns the lines for a state.

    """

    def __init__(self, out: TextIO, draw: Draw = rows) -> None:
        self._out = out
        self._draw = draw
        self._notebook = _notebook()
        self._terminal = out.isatty()
        self._shown: list[str] = []
        self._state: Operation | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="display", daemon=True)

    @classmethod
    def chosen(cls, show: bool | Display | None, out: TextIO | None = None) -> Display | None:  # noqa: FBT001
        """Return a display, or None for no display.

        Args:
            show: a display, which is returned; or whether to show the state. None: only in a
                terminal or a notebook.
            out: the file to write to. None: stderr.

        """
        if isinstance(show, Display):
            return show
        display = cls(out or sys.stderr)
        visible = display._terminal or display._notebook is not None
        return display if (visible if show is None else show) else None

    def __enter__(self) -> Self:
        """Start to update durations."""
        if self._terminal or self._notebook is not None:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to update durations. The last state remains visible."""
        self._closed.set()
        if self._clock.is_alive():
            self._clock.join()

    def show(self, state: Operation) -> None:
        """Show a state in place of the previous one."""
        with self._lock:
            self._state = state
            self._show(state)

    def _tick(self) -> None:
        while not self._closed.wait(_SECOND):
            with self._lock:
                if self._state:
                    self._show(self._state)

    def _show(self, state: Operation) -> None:
        now = clock()
        lines = self._draw(state, now)
        if self._terminal:
            lines = _fit_terminal(lines)
        if lines == self._shown:
            return
        if self._notebook is not None:
            # Only the default table has a form in HTML.
            html = operation_html(state, now) if self._draw is rows else None
            self._notebook("\n".join(lines), html)
        elif self._terminal:
            # Move up to the first line of the previous state, and overwrite each line.
            up = f"\x1b[{len(self._shown)}A" if self._shown else ""
            new = "".join(f"\r\x1b[2K{coloured(line)}\n" for line in lines)
            self._out.write(f"{up}{new}\x1b[J")
        else:
            self._out.write(lines[0] + "\n")
        self._out.flush()
        self._shown = lines


def _fit_terminal(lines: list[str]) -> list[str]:
    """Cut the text to the terminal's size: lines that have scrolled away cannot be overwritten."""
    size = shutil.get_terminal_size()
    # A longer line would take two rows.
    cut = [line[: size.columns - 1] for line in lines]
    room = size.lines - 1
    return cut if len(cut) <= room else [*cut[: room - 1], f"… {len(cut) - room + 1} more"]


def _notebook() -> Any:
    """Return a function that shows lines in the current cell, or None outside a notebook."""
    shell = sys.modules.get("IPython")
    if shell is None or getattr(shell.get_ipython(), "kernel", None) is None:
        return None
    from IPython.display import Pretty, display

    handle = display(Pretty(""), display_id=True)

    return lambda text, html: handle.update(_Shown(text, html))


class _Shown:
    """A text, and its HTML for notebooks, which use the text if the HTML is None."""

    def __init__(self, text: str, html: str | None) -> None:
        self._text = text
        self._html = html

    @override
    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str | None:
        return self._html
