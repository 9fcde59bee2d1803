"""What a controller used: processor time, memory, and requests to the API server."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READS: Final = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Usage:
    """Of a process."""

    cpu: float
    """Seconds of processor time so far."""
    resident: float
    """MiB."""


def of_process(pid: int) -> Usage:
    """Return what a process without children has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int(fields[21])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1024**2)


@dataclass(frozen=True)
class AuditLog:
    """The API server's audit log."""

    path: Path

    def size(self) -> int:
        """Return its size in bytes now."""
        return self.path.stat().st_size

    def writes(self, since: int, user: str) -> tuple[Counter[str], int]:
        """Return a user's writes by verb and resource, and how many of them were refused.

        `since` is the size of the log before the first of them.
        """
        writes, refused = Counter[str](), 0
        with self.path.open("rb") as lines:
            lines.seek(since)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # Half written.
                entry = json.loads(line)
                if entry["user"].get("username") != user or entry["verb"] in READS:
                    continue
                about = entry.get("objectRef", {})
                resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
                writes[f"{entry['verb']} {resource}"] += 1
                refused += entry["responseStatus"]["code"] >= 400
        return writes, refused
