"""The summary of a failure: which task, how, and the end of its log.

The log is asked for once, when the end is about to be written. That it cannot be had must cost
nothing but its lines.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cloudharness_operation.record import Failure, OperationStatus, TaskStatus
from cloudharness_operator import nodes
from cloudharness_operator.seen import Seen

MAX_LINES: Final = 20
MAX_SIZE: Final = 4 * 1024
"""Bytes of all lines."""

_EXECUTOR: Final = re.compile(
    r'time="?[^" ]+"? level=\w+ msg=("([^"\\]|\\.)*"|\S+) argo=true( .*)?$'
)
"""What Argo's executor writes into a task's own log, even behind a line that has not ended."""
_LAST: Final = re.compile(r"Error: (exit status \d+|signal: .+)")
"""What it writes at the very end (cobra's word for the error of `argoexec emissary`)."""
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours and moves of the cursor (ECMA-48, control sequences)."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def unread(seen: Seen, changes: dict[str, Any] | None) -> str | None:
    """Return the pod whose log is missing in changes of the status, or None."""
    if seen.log is not None or not changes or not changes.get("failure"):
        return None
    failed = _failed(seen)
    return failed.pod_name if failed else None


def told(status: OperationStatus, seen: Seen) -> OperationStatus:
    """Return the status of an end with what failed in it, if anything did."""
    return status.model_copy(update={"failure": _recorded(seen) or _summary(seen)})


def _recorded(seen: Seen) -> Failure | None:
    # With the second write of an end, its pod may be gone.
    return seen.status.failure if seen.status.is_true("Finished") else None


def _failed(seen: Seen) -> TaskStatus | None:
    if seen.child is None or seen.child.phase == "Succeeded":
        return None
    return nodes.first_failed(seen.child.tasks)


def _summary(seen: Seen) -> Failure | None:
    failed = _failed(seen)
    if failed is None:
        return None
    return Failure(
        task=failed.name,
        exit_code=failed.exit_code,
        reason=failed.reason,
        message=failed.message,
        log_tail=tail(seen.log or ""),
    )


def tail(log: str) -> tuple[str, ...]:
    """Return the last lines of a task's own, as text that is fit to be read."""
    lines = [_readable(line) for line in _own(log)]
    while lines and not lines[-1]:
        lines.pop()
    kept: list[str] = []
    room = MAX_SIZE
    for line in reversed(lines[-MAX_LINES:]):
        data = line.encode()
        if len(data) > room:
            # Of a line that is too long, the end is kept.
            if not kept:
                kept.append(data[-room:].decode(errors="ignore"))
            break
        room -= len(data) + 1
        kept.append(line)
    return tuple(reversed(kept))


def _own(log: str) -> list[str]:
    """Return the lines of a log that are not of Argo's executor."""
    lines = log.removesuffix("\n").split("\n")
    # What the task printed without ending the line comes after it.
    for place in range(len(lines) - 1, max(len(lines) - 3, -1), -1):
        if _LAST.fullmatch(lines[place]):
            del lines[place]
            break
    cut = ((line, _EXECUTOR.sub("", line)) for line in lines)
    return [rest for line, rest in cut if rest or not line]


def _readable(line: str) -> str:
    # A progress bar writes over itself: the last that it says counts.
    shown = _ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2]
    return _CONTROLS.sub("", shown).rstrip()
