"""Format operations as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cloudharness.workflows._format import aligned, duration

Manifest = Mapping[str, Any]


def phase(one: Manifest) -> str:
    """Return the phase of an operation; `Pending` if it has no status yet."""
    return (one.get("status") or {}).get("phase") or "Pending"


def listed(
    found: Iterable[Manifest], now: datetime, *, wide: bool = False, everywhere: bool = False
) -> list[str]:
    """Return operations as a table with a header.

    Manifests are not validated, so that the list shows operations that this version cannot read.

    Args:
        found: manifests, as listed by the API server.
        now: the current time, with a time zone.
        wide: whether to add columns.
        everywhere: whether to add a column for the namespace.

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
        phase(one),
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
    start, end_time = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    end = datetime.fromisoformat(end_time) if end_time else now
    return duration((end - datetime.fromisoformat(start)).total_seconds())
