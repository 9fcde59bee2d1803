"""What a controller used, and what the API server needed to serve it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.audit import READS, entries, full_resource

SERVER: Final = frozenset({"kube-apiserver", "etcd"})


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


def server_cpu(network: Path) -> float:
    """Return the seconds of processor time that the API server and etcd have used so far.

    They are found by their names among the processes of the cluster's network namespace.
    """
    return sum(of_process(pid).cpu for pid in _processes(network, SERVER))


def _processes(network: Path, names: frozenset[str]) -> Iterator[int]:
    wanted = network.stat()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # It has ended meanwhile.
            if (entry / "comm").read_text().strip() in names:
                found = (entry / "ns" / "net").stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    yield int(entry.name)


def writes(log: Path, since: int, user: str) -> tuple[Counter[str], int]:
    """Return a user's writes by verb and resource, and how many of them were refused.

    `since` is the size of the audit log before the first of them.
    """
    found, refused = Counter[str](), 0
    for entry in entries(log, since):
        if entry["user"].get("username") == user and entry["verb"] not in READS:
            found[f"{entry['verb']} {full_resource(entry.get('objectRef', {}))}"] += 1
            refused += entry["responseStatus"]["code"] >= 400
    return found, refused
