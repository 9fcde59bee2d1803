"""The figures of the controllers, and their ratios to the first one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
Row = tuple[str, Callable[[T], float]]
"""A row of a table: how its numbers are printed, and the number of one run."""


@dataclass(frozen=True)
class Figures:
    """Of one run of a controller."""

    per_second: float
    """Lifecycles."""
    child: list[float]
    """Seconds from the creation of a parent to that of its child, sorted."""
    recorded: list[float]
    """Seconds from the end of a child until the parent's status has it, sorted."""
    cpu: float
    """Milliseconds of processor time for each operation."""
    server: float
    """Milliseconds of processor time of the API server and etcd for each operation."""
    resident: float
    """MiB at the end."""
    writes: dict[str, float]
    """For each operation, by verb and resource."""
    refused: int


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return a quantile of sorted numbers."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


ROWS: Final[Mapping[str, Row[Figures]]] = {
    "lifecycles a second": (".1f", lambda one: one.per_second),
    "CPU of an operation, ms": (".2f", lambda one: one.cpu),
    "CPU of API server and etcd, ms": (".1f", lambda one: one.server),
    "created -> child, p50, ms": (".0f", lambda one: quantile(one.child, 0.5) * 1000),
    "created -> child, p99, ms": (".0f", lambda one: quantile(one.child, 0.99) * 1000),
    "ended -> recorded, p50, ms": (".0f", lambda one: quantile(one.recorded, 0.5) * 1000),
    "ended -> recorded, p99, ms": (".0f", lambda one: quantile(one.recorded, 0.99) * 1000),
    "resident, MiB": (".0f", lambda one: one.resident),
    "writes of an operation": (".2f", lambda one: sum(one.writes.values())),
    "refused requests": (".0f", lambda one: float(one.refused)),
}


def table(rounds: Mapping[str, Sequence[T]], rows: Mapping[str, Row[T]]) -> None:
    """Print the medians, and the ratio of each round to the first controller's."""
    first, *_ = rounds
    print(f"\n| | {' | '.join(rounds)} |\n|{' --- |' * (len(rounds) + 1)}")
    for name, (form, value) in rows.items():
        base = [value(one) for one in rounds[first]]
        cells = [_cell([value(one) for one in some], base, form) for some in rounds.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def print_writes(rounds: Mapping[str, Sequence[Figures]]) -> None:
    """Print the writes of each controller in the last round."""
    for name, some in rounds.items():
        writes = ", ".join(
            f"{what} {number:.2f}" for what, number in sorted(some[-1].writes.items())
        )
        print(f"{name}: {writes}", flush=True)


def _cell(values: Sequence[float], base: Sequence[float], form: str) -> str:
    text = format(statistics.median(values), form)
    if values == base or not all(base):
        return text
    ratios = [one / other for one, other in zip(values, base, strict=True)]
    middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
    return f"{text} ({middle:.2f}x, {least:.2f} to {most:.2f})"
