"""What controllers cost beside many finished operations, with which nothing happens."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.accounts import Account
from benchmarks.lifecycles import usage
from benchmarks.lifecycles.arms import Arm, Run, turns
from benchmarks.lifecycles.play import Moments, Scenario, create, played
from benchmarks.lifecycles.report import Row
from benchmarks.lifecycles.shapes import OPERATION
from cloudharness_operator.kube.http import Api

FINISHED: Final = int(os.environ.get("FINISHED", "10000"))
IDLE: Final = 60.0
SETTLING: Final = 10.0
"""Seconds after the first operation until the idle minute begins."""
TIMEOUT: Final = 1200.0
NAMESPACE: Final = "idle"


@dataclass(frozen=True)
class Figures:
    """Of one run of a controller."""

    ready: float
    """Seconds from its start until a new operation has its Workflow."""
    resident: float
    """MiB."""
    cpu: float
    """Milliseconds of processor time in the idle minute."""
    writes: int
    """In the idle minute."""


ROWS: Final[Mapping[str, Row[Figures]]] = {
    "first Workflow after a start, s": (".1f", lambda one: one.ready),
    "resident, MiB": (".0f", lambda one: one.resident),
    "CPU of an idle minute, ms": (".0f", lambda one: one.cpu),
    "writes in an idle minute": (".0f", lambda one: float(one.writes)),
}


def _cancelled(name: str, ttl: int | None) -> dict[str, Any]:
    found = OPERATION.parent(name, ttl)
    found["spec"]["cancel"] = "Stop"  # It ends at once, and without a Workflow.
    return found


SHAPE: Final = replace(OPERATION, has_ended=lambda status: "completionTime" in status)


class Idle:
    """Runs controllers beside finished operations, one after the other."""

    def __init__(self, api: Api, account: Account, place: Path, audit_log: Path) -> None:
        """Take the API server as the user, and an account of the controllers."""
        self._api = api
        self._account = account
        self._place = place
        self._log = audit_log
        self._runs = itertools.count()

    async def measure(
        self, ends_them: Arm, controllers: Sequence[Arm], rounds: int
    ) -> dict[str, list[Figures]]:
        """Return the figures of each round of each controller, by its name.

        `ends_them` is the controller that ends the operations before.
        """
        found: dict[str, list[Figures]] = {arm.name: [] for arm in controllers}
        async with played(self._api, SHAPE, NAMESPACE) as moments:
            run = self._run()
            with ends_them.running(run) as process:
                scenario = Scenario(NAMESPACE, FINISHED)
                shape = replace(SHAPE, parent=_cancelled)
                await create(self._api, shape, NAMESPACE, moments, scenario)
                await run.until(process, lambda: len(moments.recorded) >= FINISHED, TIMEOUT)
            for _, arm in turns(controllers, rounds):
                found[arm.name].append(await self._once(arm, moments))
        return found

    def _run(self) -> Run:
        place = self._place / f"idle-{next(self._runs)}"
        place.mkdir()
        return Run(self._account, NAMESPACE, place, None)

    async def _once(self, arm: Arm, moments: Moments) -> Figures:
        run = self._run()
        name, begun = run.place.name, time.monotonic()
        with arm.running(run) as process:
            await self._api.post(SHAPE.parents(NAMESPACE), SHAPE.parent(name, None))
            await run.until(process, lambda: name in moments.child, TIMEOUT)
            ready = moments.child[name] - begun
            await run.until(process, lambda: name in moments.recorded, TIMEOUT)
            await asyncio.sleep(SETTLING)
            size, before = self._log.stat().st_size, usage.of_process(process.pid)
            await asyncio.sleep(IDLE)
            after = usage.of_process(process.pid)
        writes, _ = usage.writes(self._log, size, self._account.user)
        return Figures(ready, after.resident, (after.cpu - before.cpu) * 1000, writes.total())
