"""What a crowd of finished operations costs on a real cluster, and how it goes.

They are cancelled from the beginning, so each ends at once, and without pods. Measured: how fast
they end, the operator's memory with all of them, its writes while nothing happens, how soon it is
ready after a kill, and at what rate those are deleted whose time comes at one moment.
"""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.cluster import open_cluster
from tests.support.audit import audit, deletions
from tests.support.installation import FULL_KIND, Installation, eventually
from tests.support.operations import bash, operation

CROWD: Final = int(os.environ.get("CROWD", "10000"))
EXPIRING: Final = min(1000, CROWD)
IDLE: Final = 60.0
OVER: Final = operation("crowd", bash("true"), cancel="Stop")
PART: Final = 250
"""Operations that one kubectl takes at once; four of them run beside each other."""


def main() -> None:
    """Measure, and print it as it comes."""
    with open_cluster() as cluster:
        cluster.join()
        one = Installation(cluster, "crowd")
        one.install(f"kafka.bootstrapServers={cluster.kafka}")
        try:
            measure(one)
        finally:
            cluster.kubectl("delete", "namespace", one.namespace, "--wait=false")


def measure(one: Installation) -> None:
    """Go through it once."""
    begun = time.monotonic()
    apply_crowd(one, CROWD)
    print(f"{CROWD} created in {time.monotonic() - begun:.0f} s", flush=True)
    eventually(lambda: finished(one) == CROWD, timeout=900, every=2)
    print(f"all ended after {time.monotonic() - begun:.0f} s", flush=True)
    print(f"resident memory of the operator: {resident():.0f} MiB", flush=True)

    before = _writes(one)
    time.sleep(IDLE)
    print(f"writes in {IDLE:.0f} idle seconds: {_writes(one) - before}", flush=True)

    one.kill_operator()
    killed = time.monotonic()
    time.sleep(0.5)
    one.rolled_out()
    print(f"ready {time.monotonic() - killed:.1f} s after a kill", flush=True)
    print(f"resident memory then: {resident():.0f} MiB", flush=True)

    one.scale_operator(0)
    apply_crowd(one, EXPIRING, ttlSecondsAfterFinished=1)
    one.scale_operator(1)
    # Ready is not yet leading.
    eventually(lambda: _there(one) < CROWD, timeout=300)
    begun = time.monotonic()
    one.apply(operation("other", bash("true")))
    eventually(lambda: one.workflows("other"), every=0.02)
    print(
        f"another one has its Workflow meanwhile after {time.monotonic() - begun:.2f} s", flush=True
    )
    eventually(lambda: _there(one) == CROWD - EXPIRING + 1, timeout=300, every=1)
    times = sorted(deletions(one, "cloudharnessoperations").values())
    busiest = max(sum(first <= at < first + 1 for at in times) for first in times)
    took = times[-1] - times[0]
    print(
        f"{len(times)} whose time had come deleted in {took:.1f} s: "
        f"{len(times) / took:.1f} a second, {busiest} in the busiest",
        flush=True,
    )


def apply_crowd(one: Installation, count: int, **spec: object) -> None:
    """Write the first operations of the crowd, with these fields besides."""

    def part(first: int) -> None:
        crowd = [
            {**OVER, "metadata": {"name": f"crowd-{number}"}, "spec": {**OVER["spec"], **spec}}
            for number in range(first, min(first + PART, count))
        ]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": crowd})
        how = ("apply", "--server-side", "--force-conflicts", "-f", "-")
        one.kubectl(*how, text=text, timeout=300)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(part, range(0, count, PART)))


def finished(one: Installation) -> int:
    """Count the operations that have ended."""
    path = "jsonpath={range .items[?(@.status.completionTime)]}x{end}"
    return len(one.kubectl("get", FULL_KIND, "-o", path, timeout=120))


def _there(one: Installation) -> int:
    return len(one.kubectl("get", FULL_KIND, "-o", "name", timeout=120).split())


def _writes(one: Installation) -> int:
    """Count the operator's writes so far; of all but its Lease: each would be one too many."""
    return sum(
        "cloudharness-operator" in entry["user"].get("username", "")
        and entry["verb"] not in ("get", "list", "watch")
        and entry["objectRef"]["resource"] != "leases"
        for entry in audit(one.cluster, one.namespace)
    )


def resident() -> float:
    """Return the memory of the operator's process in MiB, as the kernel counts it.

    Only an embedded cluster's processes are seen from here.
    """
    sizes = [
        int(re.findall(r"VmRSS:\s+(\d+)", (path.parent / "status").read_text())[0]) / 1024
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"cloudharness_operator\0" in _read(path) and b"python" in _read(path)
    ]
    return max(sizes)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
