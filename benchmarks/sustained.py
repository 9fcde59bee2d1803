"""An hour of operations at a steady rate, to see whether memory, times or a backlog grow.

As in `benchmarks.lifecycles`, this plays the user and Argo. Each operation has two TTLs: after the
first its Workflow is deleted, after the second the operation itself. So after some minutes as many
are deleted as are created.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

import pygal
from pygal.style import CleanStyle

from benchmarks import accounts
from benchmarks.lifecycles import arms, usage
from benchmarks.lifecycles.play import Moments, Scenario, beside, create, played
from benchmarks.lifecycles.report import quantile
from benchmarks.lifecycles.shapes import OPERATION
from benchmarks.lifecycles.stage import stage
from benchmarks.lifecycles.usage import Usage
from cloudharness_operator.kube.http import Api, session
from tests.cluster import ClusterError
from tests.cluster.embedded import EmbeddedCluster
from tests.support.examples import ROOT

MINUTES: Final = int(os.environ.get("MINUTES", "60"))
RATE: Final = int(os.environ.get("RATE", "20"))
"""Operations created a second."""
WORKFLOW_TTL: Final = 30
OPERATION_TTL: Final = 120
"""Both in seconds after the end."""
EVERY: Final = 60.0
PICTURES: Final = ROOT / "docs" / "pictures"


@dataclass(frozen=True)
class Sample:
    """What the operator has used so far, and what exists."""

    at: float
    usage: Usage
    operations: int
    workflows: int


@dataclass(frozen=True)
class Minute:
    """The figures of a minute."""

    child: list[float]
    """Seconds from the creation of an operation to that of its Workflow, sorted."""
    recorded: list[float]
    """Seconds from the end of a Workflow until the operation's status has it, sorted."""
    late: list[float]
    """Seconds from the expiry of an operation to its deletion, sorted."""
    cpu: float
    """Milliseconds of processor time for each operation that was created."""
    end: Sample


def main() -> None:
    """Measure, and print it as it comes."""
    with stage() as (cluster, directory):
        minutes = asyncio.run(measure(cluster, directory))
    draw(minutes)


def _parent(name: str, ttl: int | None) -> dict[str, Any]:
    found = OPERATION.parent(name, ttl)
    found["spec"]["ttlSecondsAfterFinished"] = OPERATION_TTL
    return found


async def measure(cluster: EmbeddedCluster, place: Path) -> list[Minute]:
    """Run the operator until all have ended; return the figures of each minute."""
    namespace = "sustained"
    shape = replace(OPERATION, parent=_parent)
    scenario = Scenario(namespace, MINUTES * 60 * RATE, RATE, WORKFLOW_TTL)
    me, account = (accounts.make(cluster, name, place) for name in ("benchmark", namespace))
    run = arms.Run(account, namespace, place, WORKFLOW_TTL)
    async with session(me.directory, time.monotonic) as http:
        api = Api(me.server, http)
        async with played(api, shape, namespace) as moments:
            with arms.operator().running(run) as process:
                creating = create(api, shape, namespace, moments, scenario)
                return await _observe(process, run, moments, creating)


async def _observe(
    process: Popen[bytes], run: arms.Run, moments: Moments, creating: Coroutine[Any, Any, None]
) -> list[Minute]:
    """Print and return the figures of each minute."""
    print(f"| minute | {' | '.join(ROWS)} |\n|{' --- |' * (len(ROWS) + 1)}", flush=True)
    samples, minutes = [_sample(process, moments)], list[Minute]()
    async with beside(creating):
        for number in range(1, MINUTES + 1):
            await asyncio.sleep(samples[0].at + number * EVERY - time.monotonic())
            if process.poll() is not None:
                raise ClusterError(f"the operator ended:\n{run.log_tail()}")
            samples.append(_sample(process, moments))
            minutes.append(_minute(moments, *samples[-2:]))
            cells = [f"{value(minutes[-1]):.0f}" for value in ROWS.values()]
            print(f"| {number} | {' | '.join(cells)} |", flush=True)
    return minutes


def _sample(process: Popen[bytes], moments: Moments) -> Sample:
    return Sample(
        time.monotonic(),
        usage.of_process(process.pid),
        operations=len(moments.created) - len(moments.expired),
        workflows=len(moments.child) - len(moments.removed),
    )


def _minute(moments: Moments, begin: Sample, end: Sample) -> Minute:
    def between(first: Mapping[str, float], second: Mapping[str, float]) -> list[float]:
        inside = (pair for pair in second.items() if begin.at <= pair[1] < end.at)
        return sorted(at - first[name] for name, at in inside if name in first)

    due = {name: at + OPERATION_TTL for name, at in moments.ended.items()}
    return Minute(
        child=between(moments.created, moments.child),
        recorded=between(moments.ended, moments.recorded),
        late=between(due, moments.expired),
        cpu=(end.usage.cpu - begin.usage.cpu) * 1000 / (RATE * EVERY),
        end=end,
    )


def _milliseconds(times: Sequence[float], part: float) -> float:
    return quantile(times, part) * 1000 if times else math.nan


ROWS: Final[Mapping[str, Callable[[Minute], float]]] = {
    "created -> Workflow, p50, ms": lambda one: _milliseconds(one.child, 0.5),
    "created -> Workflow, p99, ms": lambda one: _milliseconds(one.child, 0.99),
    "ended -> recorded, p50, ms": lambda one: _milliseconds(one.recorded, 0.5),
    "ended -> recorded, p99, ms": lambda one: _milliseconds(one.recorded, 0.99),
    "expired -> deleted, p99, ms": lambda one: _milliseconds(one.late, 0.99),
    "CPU of an operation, us": lambda one: one.cpu * 1000,
    "resident, MiB": lambda one: one.end.usage.resident,
    "operations": lambda one: float(one.end.operations),
    "Workflows": lambda one: float(one.end.workflows),
}
_CHARTS: Final = {
    "sustained-latency": tuple(ROWS)[:5],
    "sustained-size": tuple(ROWS)[6:],
}


def draw(minutes: Sequence[Minute]) -> None:
    """Draw two charts, with a point for each minute."""
    labels = [str(number) for number in range(1, len(minutes) + 1)]
    for name, rows in _CHARTS.items():
        chart = pygal.Line(
            title=f"{RATE} operations a second, by the minute",
            x_labels=labels,
            x_labels_major=labels[9::10],
            show_minor_x_labels=False,
            truncate_label=-1,
            truncate_legend=-1,
            legend_at_bottom=True,
            legend_at_bottom_columns=1,
            logarithmic=True,
            show_dots=False,
            style=CleanStyle,
            js=[],
        )
        for row in rows:
            values = [ROWS[row](one) for one in minutes]
            chart.add(row, [None if math.isnan(one) else one for one in values])
        chart.render_to_file(str(PICTURES / f"{name}.svg"))


if __name__ == "__main__":
    main()
