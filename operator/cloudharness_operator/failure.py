"""The summary of a failure: which task, how, and the end of its log.

The log is asked for once, when the end is about to be written. That it cannot be had must cost
nothing but its lines.
"""

from __future__ import annotations

from typing import Any, Final

from cloudharness_operation.logs import own, readable
from cloudharness_operation.record import Failure, OperationStatus, TaskStatus
from cloudharness_operator import nodes
from cloudharness_operator.seen import Seen

MAX_LINES: Final = 20
MAX_SIZE: Final = 4 * 1024
"""Bytes of all lines."""
MAX_LINE: Final = 16 * 1024
"""Characters of a line that are read: of a longer one its end, where the executor's words are."""


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
    ends = (line[-MAX_LINE:] for line in log.removesuffix("\n").split("\n"))
    lines = [readable(line) for line in own(ends)]
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
