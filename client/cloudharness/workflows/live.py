"""A table of an operation's tasks that is redrawn while it runs, in a terminal or a notebook."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Self, TextIO

from typing_extensions import override

from cloudharness.workflows.colours import painted
from cloudharness.workflows.wording import MARKS, aligned, all_tasks, said, took
from cloudharness_operation.model import Operation
from cloudharness_operation.status import TaskStatus

_COLUMNS: Final = ("", "TASK", "PHASE", "TIME", "NODE", "")


def rows(state: Operation, now: datetime) -> list[str]:
    """Return the lines of the table."""
    status = state.status
    lines = aligned([_COLUMNS, *(_row(task, now) for task in all_tasks(state).values())])
    phase = status.phase.value if status.phase else "Pending"
    head = " ".join(part for part in (state.metadata.name, phase, status.progress) if part)
    message = f": {status.message}" if status.message else ""
    return [head + message, *lines]


def _row(task: TaskStatus, now: datetime) -> tuple[str, ...]:
    where = task.node_name or ""
    return MARKS[task.phase], task.name, task.phase.value, took(task, now), where, said(task)[:60]


Draw = Callable[[Operation, datetime], list[str]]
"""Makes lines of a state, at a time; of the first alone something is seen where no screen is."""

_SECOND: Final = 1.0


class Display:
    """Shows states, one in place of the other.

    As long as it is open, times that pass are seen to pass on a terminal, also while nothing
    else changes.

    Args:
        out: where to.
        draw: what is shown of a state.

    """

    def __init__(self, out: TextIO, draw: Draw = rows) -> None:
        self._out = out
        self._draw = draw
        self._notebook = _notebook()
        self._terminal = out.isatty()
        self._shown: list[str] = []
        self._state: Operation | None = None
        self._showing = threading.Lock()
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="display", daemon=True)

    @classmethod
    def chosen(cls, show: bool | Display | None, out: TextIO | None = None) -> Display | None:  # noqa: FBT001
        """Return a display, or None if nobody would see it. None: where somebody looks."""
        if isinstance(show, Display):
            return show
        one = cls(out or sys.stderr)
        wanted = (one._terminal or one._notebook is not None) if show is None else show
        return one if wanted else None

    def __enter__(self) -> Self:
        """Have time pass."""
        if self._terminal:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what is shown as it is."""
        self._over.set()
        if self._clock.is_alive():
            self._clock.join()

    def show(self, state: Operation) -> None:
        """Show a state."""
        with self._showing:
            self._state = state
            self._show(state)

    def _tick(self) -> None:
        while not self._over.wait(_SECOND):
            with self._showing:
                if self._state:
                    self._show(self._state)

    def _show(self, state: Operation) -> None:
        lines = self._draw(state, datetime.now(UTC))  # noqa: TID251 - a clock on a screen.
        if self._terminal:
            lines = _fitting(lines)
        if lines == self._shown:
            return
        if self._notebook is not None:
            self._notebook(lines)
        elif self._terminal:
            # Up to where the last one began, and each line anew.
            up = f"\x1b[{len(self._shown)}A" if self._shown else ""
            new = "".join(f"\r\x1b[2K{painted(line)}\n" for line in lines)
            self._out.write(f"{up}{new}\x1b[J")
        else:
            self._out.write(lines[0] + "\n")
        self._out.flush()
        self._shown = lines


def _fitting(lines: list[str]) -> list[str]:
    """Return what a terminal has room for: it cannot be redrawn above its first line."""
    size = shutil.get_terminal_size()
    # A line that is wrapped would be two.
    cut = [line[: size.columns - 1] for line in lines]
    room = size.lines - 1
    return cut if len(cut) <= room else [*cut[: room - 1], f"… {len(cut) - room + 1} more"]


def _notebook() -> Any:
    """Return what shows lines in the cell of a notebook, if this is one."""
    shell = sys.modules.get("IPython")
    if shell is None or getattr(shell.get_ipython(), "kernel", None) is None:
        return None
    from IPython.display import Pretty, display

    handle = display(Pretty(""), display_id=True)

    class _Text:
        def __init__(self, text: str) -> None:
            self._text = text

        @override
        def __repr__(self) -> str:
            return self._text

    return lambda lines: handle.update(_Text("\n".join(lines)))
