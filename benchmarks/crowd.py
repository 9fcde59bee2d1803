"""What a crowd of finished operations costs on a real cluster, and how it is cleaned up.

They are cancelled from the beginning, so each ends at once, and without pods. Measured: how fast
they end, the operator's memory with all of them, its writes while nothing happens, how soon it is
ready after a kill, and at what rate those are deleted that expire at the same moment.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

from benchmarks import accounts
from benchmarks.accounts import Account
from benchmarks.lifecycles.play import beside, each, events, version_of
from cloudharness_operator.kube.cluster import operations_path
from cloudharness_operator.kube.http import MERGE_PATCH, Api, session
from tests.cluster import open_cluster
from tests.support.audit import READS, audit, deletions
from tests.support.installation import Installation, eventually
from tests.support.operations import bash, operation

CROWD: Final = int(os.environ.get("CROWD", "10000"))
EXPIRING: Final = min(1000, CROWD)
IDLE: Final = 60.0
SETTLING: Final = 10.0
"""Seconds until the Kubernetes Events of the last ends are sent."""
TIMEOUT: Final = 3600.0


class Crowd:
    """The operations of the crowd, and which of them have ended and are deleted."""

    def __init__(self, api: Api, namespace: str) -> None:
        """Take a namespace without operations."""
        self._api = api
        self._path = operations_path(namespace)
        self.ended: set[str] = set()
        self.deleted: set[str] = set()
        self._changed = asyncio.Event()

    async def follow(self, version: str) -> None:
        """Note what happens after a version, for ever."""
        async for event in events(self._api, self._path, version):
            name = event["object"]["metadata"]["name"]
            if event["type"] == "DELETED":
                self.deleted.add(name)
            elif "completionTime" in (event["object"].get("status") or {}):
                self.ended.add(name)
            self._changed.set()

    async def until(self, what: Callable[[], object]) -> None:
        """Wait until something holds, which is checked after each change."""
        async with asyncio.timeout(TIMEOUT):
            while not what():
                self._changed.clear()
                await self._changed.wait()

    async def create(self, count: int, more: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Create operations, with more fields in `spec`, and wait until all have ended."""
        begun = time.monotonic()

        async def one(number: int) -> None:
            manifest = operation(_name(number), bash("true"), cancel="Stop", **more)
            await self._api.post(self._path, manifest)

        await each(range(count), one)
        print(f"{count} created in {time.monotonic() - begun:.0f} s", flush=True)
        await self.until(lambda: len(self.ended) == count)
        took = time.monotonic() - begun
        print(f"all ended after {took:.0f} s: {count / took:.0f} a second", flush=True)

    async def expire(self, count: int) -> None:
        """Give the first of them a TTL that is over."""
        changes = {"spec": {"ttlSecondsAfterFinished": 1}}

        async def one(number: int) -> None:
            await self._api.patch(f"{self._path}/{_name(number)}", changes, MERGE_PATCH)

        await each(range(count), one)


def _name(number: int) -> str:
    return f"crowd-{number}"


@asynccontextmanager
async def crowd(account: Account, namespace: str) -> AsyncIterator[Crowd]:
    """Follow a crowd while this is open."""
    async with session(account.directory, time.monotonic) as http:
        api = Api(account.server, http)
        found, version = Crowd(api, namespace), await version_of(api, operations_path(namespace))
        async with beside(found.follow(version)):
            yield found


def main() -> None:
    """Measure, and print it as it comes."""
    with open_cluster() as cluster, TemporaryDirectory() as place:
        cluster.join()
        one = Installation(cluster, "crowd")
        one.install(f"kafka.bootstrapServers={cluster.kafka}")
        try:
            with accounts.namespace(cluster):
                asyncio.run(measure(one, accounts.make(cluster, "crowd", Path(place))))
        finally:
            cluster.kubectl("delete", "namespace", one.namespace, "--wait=false")


async def measure(one: Installation, account: Account) -> None:
    """Go through it once."""
    async with crowd(account, one.namespace) as those:
        await those.create(CROWD)
        print(f"resident memory of the operator: {resident():.0f} MiB", flush=True)
        await asyncio.to_thread(_idle, one)
        await asyncio.to_thread(_restart, one)
        await asyncio.to_thread(one.scale_operator, 0)
        await those.expire(EXPIRING)
        await asyncio.to_thread(one.scale_operator, 1)
        await those.until(lambda: those.deleted)  # Ready is not yet leading.
        await asyncio.to_thread(_other, one)
        await those.until(lambda: len(those.deleted) == EXPIRING)
    times = sorted(deletions(one, "cloudharnessoperations").values())
    busiest = max(sum(first <= at < first + 1 for at in times) for first in times)
    took = times[-1] - times[0]
    print(
        f"{len(times)} whose time had come deleted in {took:.1f} s: "
        f"{len(times) / took:.1f} a second, {busiest} in the busiest",
        flush=True,
    )


def _idle(one: Installation) -> None:
    time.sleep(SETTLING)
    before = _writes(one)
    time.sleep(IDLE)
    print(f"writes in {IDLE:.0f} idle seconds: {_writes(one) - before}", flush=True)


def _restart(one: Installation) -> None:
    one.kill_operator()
    killed = time.monotonic()
    time.sleep(0.5)
    one.rolled_out()
    print(f"ready {time.monotonic() - killed:.1f} s after a kill", flush=True)
    print(f"resident memory then: {resident():.0f} MiB", flush=True)


def _other(one: Installation) -> None:
    begun = time.monotonic()
    one.apply(operation("other", bash("true")))
    eventually(lambda: one.workflows("other"), every=0.02)
    took = time.monotonic() - begun
    print(f"another one has its Workflow meanwhile after {took:.2f} s", flush=True)


def _writes(one: Installation) -> int:
    """Count the operator's writes so far; of all but its Lease: each would be one too many."""
    return sum(
        "cloudharness-operator" in entry["user"].get("username", "")
        and entry["verb"] not in READS
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
