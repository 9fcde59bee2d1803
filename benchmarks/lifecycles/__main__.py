"""Whole lifecycles, side by side: this operator, a controller in Go, and JobSet.

One real API server, on which the benchmark plays the user and Argo, which is stopped. Each
controller is a process; they take turns, in another order in each round. The peer in Go does the
least that a controller can do for an operation, without validation and Kubernetes Events; JobSet
has another kind of parent and child.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import accounts
from benchmarks.lifecycles import arms, idle, report, usage
from benchmarks.lifecycles.arms import Arm, Run
from benchmarks.lifecycles.play import Moments, Scenario, create, played
from benchmarks.lifecycles.report import Figures
from benchmarks.lifecycles.stage import stage
from cloudharness_operator.kube.http import Api, session
from tests.cluster import config
from tests.cluster.embedded import EmbeddedCluster, Place

COUNT: Final = int(os.environ.get("COUNT", "1000"))
ROUNDS: Final = int(os.environ.get("ROUNDS", "3"))
RATE: Final = 15
"""Operations created a second, at a steady rate."""
TIMEOUT: Final = 300.0
SETTLING: Final = 5.0
"""Seconds for what is still sent at the end, and until the audit log is written."""


EVENTS: Final = "events"
"""The scenario in which the operator also publishes an exit event of each operation."""

SCENARIOS: Final = (
    Scenario("burst", COUNT),
    Scenario("removal", COUNT, ttl=3),
    Scenario("steady", min(450, COUNT), rate=RATE),
    Scenario(EVENTS, COUNT),
)


def main() -> None:
    """Measure, and print it as it comes."""
    asked = sys.argv[1:] or [*(one.name for one in SCENARIOS), idle.NAMESPACE]
    place = Place.default("default")
    peer, jobset = arms.obtain(place)
    with stage(jobset / "crd.yaml") as (cluster, directory):
        go, ours = arms.peer(peer / "peer"), arms.operator()
        third = {EVENTS: arms.operator(config.KAFKA, EVENTS_TOPIC="lifecycles")}
        bench = Bench(cluster, directory)
        for scenario in (one for one in SCENARIOS if one.name in asked):
            controllers = (go, ours, third.get(scenario.name, arms.jobset(jobset / "jobset")))
            print(f"\n{scenario.name}: {scenario.count} operations", flush=True)
            found = asyncio.run(bench.measure(scenario, controllers))
            report.table(found, report.ROWS)
            report.print_writes(found)
        if idle.NAMESPACE in asked:
            print(f"\n{idle.NAMESPACE}: {idle.FINISHED} finished operations", flush=True)
            report.table(asyncio.run(bench.idle(ours, (go, ours))), idle.ROWS)


class Bench:
    """Runs controllers on a cluster, one after the other."""

    def __init__(self, cluster: EmbeddedCluster, place: Path) -> None:
        """Take a directory for files of accounts and logs."""
        self._cluster = cluster
        self._place = place
        self._me = accounts.make(cluster, "benchmark", place)
        self._runs = itertools.count()

    async def measure(
        self, scenario: Scenario, controllers: Sequence[Arm]
    ) -> dict[str, list[Figures]]:
        """Return the figures of each round of each controller, by its name."""
        found: dict[str, list[Figures]] = {arm.name: [] for arm in controllers}
        async with session(self._me.directory, time.monotonic) as http:
            api = Api(self._me.server, http)
            for number, arm in arms.turns(controllers, ROUNDS):
                figures = await self._once(api, scenario, arm)
                print(f"  {number}. {arm.name}: {figures.per_second:.1f} a second", flush=True)
                found[arm.name].append(figures)
        return found

    async def idle(
        self, ends_them: Arm, controllers: Sequence[Arm]
    ) -> dict[str, list[idle.Figures]]:
        """Return what controllers cost beside finished operations."""
        account = accounts.make(self._cluster, idle.NAMESPACE, self._place)
        async with session(self._me.directory, time.monotonic) as http:
            api = Api(self._me.server, http)
            beside = idle.Idle(api, account, self._place, self._cluster.audit_log)
            return await beside.measure(ends_them, controllers, ROUNDS)

    async def _once(self, api: Api, scenario: Scenario, arm: Arm) -> Figures:
        name = f"lifecycles-{next(self._runs)}"
        directory = self._place / name
        directory.mkdir()
        account = accounts.make(self._cluster, name, directory)
        run = Run(account, name, directory, scenario.ttl)
        async with played(api, arm.shape, name) as moments:
            return await Round(api, scenario, arm, run, moments).measure(self._cluster)


@dataclass(frozen=True)
class Round:
    """One run of a controller, from its start to its end."""

    api: Api
    scenario: Scenario
    arm: Arm
    run: Run
    moments: Moments

    async def measure(self, cluster: EmbeddedCluster) -> Figures:
        """Start the controller, create the parents, wait for their ends, and stop it."""
        log, network = cluster.audit_log, cluster.state.network()
        with self.arm.running(self.run) as process:
            await self._first(process)
            size, before = log.stat().st_size, usage.of_process(process.pid)
            server = usage.server_cpu(network)
            begun = time.monotonic()
            await create(self.api, self.arm.shape, self.run.namespace, self.moments, self.scenario)
            ends = await self._ends(process)
            # What is still sent beside, as Kubernetes Events are, is part of the cost.
            await asyncio.sleep(SETTLING)
            after = usage.of_process(process.pid)
            server = usage.server_cpu(network) - server
        writes, refused = usage.writes(log, size, self.run.account.user)
        count = self.scenario.count
        return Figures(
            per_second=count / (max(ends) - begun),
            child=_between(self.moments.created, self.moments.child),
            recorded=_between(self.moments.ended, self.moments.recorded),
            cpu=(after.cpu - before.cpu) * 1000 / count,
            server=server * 1000 / count,
            resident=after.resident,
            writes={what: number / count for what, number in writes.items()},
            refused=refused,
        )

    async def _first(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the controller has started, and has led a first parent to its end."""
        shape, name = self.arm.shape, "first"
        await self.api.post(shape.parents(self.run.namespace), shape.parent(name, None))
        await self.run.until(process, lambda: name in self.moments.recorded, TIMEOUT)
        await asyncio.sleep(SETTLING)
        for known in (self.moments.ended, self.moments.recorded, self.moments.removed):
            known.pop(name, None)

    async def _ends(self, process: subprocess.Popen[bytes]) -> list[float]:
        """Wait until all lifecycles are over; return when each was."""
        expires = self.scenario.ttl is not None
        over = self.moments.removed if expires else self.moments.recorded
        await self.run.until(process, lambda: len(over) >= self.scenario.count, TIMEOUT)
        return list(over.values())


def _between(first: dict[str, float], second: dict[str, float]) -> list[float]:
    return sorted(second[name] - at for name, at in first.items() if name in second)


if __name__ == "__main__":
    main()
