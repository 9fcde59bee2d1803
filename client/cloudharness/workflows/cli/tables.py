"""Operations as lines of a table, and times as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

Manifest = Mapping[str, Any]

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


def listed(
    found: Iterable[Manifest], now: datetime, *, wide: bool = False, everywhere: bool = False
) -> list[str]:
    """Return operations as lines below a head.

    They are taken as they are: one that this version cannot read is to be seen in a list too.

    Args:
        found: what the API server has listed.
        now: the time, with its zone.
        wide: more columns.
        everywhere: a column for the namespace.

    """
    head = ["NAME", "TYPE", "PHASE", "PROGRESS", "DURATION", "AGE"]
    more = ["REASON", "RUN", "WORKFLOW", "MESSAGE"] if wide else []
    rows = [[*(["NAMESPACE"] if everywhere else []), *head, *more]]
    for one in found:
        cells = [*_cells(one, now), *(_more(one) if wide else [])]
        rows.append([*([one["metadata"]["namespace"]] if everywhere else []), *cells])
    return aligned(rows)


def _cells(one: Manifest, now: datetime) -> list[str]:
    meta, status = one["metadata"], one.get("status") or {}
    created = datetime.fromisoformat(meta["creationTimestamp"])
    return [
        meta["name"],
        str((one.get("spec") or {}).get("type", "")),
        status.get("phase") or "Pending",
        status.get("progress") or "",
        _took(status, now),
        duration((now - created).total_seconds()),
    ]


def _more(one: Manifest) -> list[str]:
    status = one.get("status") or {}
    workflow = (status.get("workflowRef") or {}).get("name") or ""
    message = (status.get("message") or "").replace("\n", " ")
    return [status.get("reason") or "", status.get("runId") or "", workflow, message]


def _took(status: Manifest, now: datetime) -> str:
    begun, ended = status.get("startTime"), status.get("completionTime")
    if not begun:
        return ""
    end = datetime.fromisoformat(ended) if ended else now
    return duration((end - datetime.fromisoformat(begun)).total_seconds())
