"""Outputs of tasks, as later tasks are given them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OutputReference:
    """An output of a task, to be given to a later one as a variable. See `Task.output`."""

    task: str
    name: str

    def to_source(self) -> dict[str, Any]:
        """Return this as the resource has it."""
        return {"taskOutput": {"task": self.task, "name": self.name}}
