"""The picture of the dashboard: its own queries, of an operator under a mixed load.

`python -m dev.dashboard_picture`, on the cluster that runs. Grafana is not needed for it.
"""

from __future__ import annotations

import html
import math
import os
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from cloudharness_operator.clock import precisely
from dev.dashboard import FIGURES, GROUPS, Panel, sent
from tests.cluster.choice import open_cluster
from tests.support import prometheus
from tests.support.examples import ROOT
from tests.support.installation import Installation, eventually
from tests.support.installations import installed
from tests.support.operations import Manifest, bash, operation
from tests.support.prometheus import Prometheus

PICTURE: Final = ROOT / "docs" / "pictures" / "dashboard.svg"
MINUTES: Final = int(os.environ.get("MINUTES", "6"))
PERIOD: Final = 2.0
"""Seconds between two operations."""
_COLUMNS, _WIDTH, _HEIGHT, _GAP, _TOP = 3, 420, 170, 12, 34
_COLOURS: Final = (
    "#3f8f4f",
    "#2f6fb0",
    "#c2702f",
    "#a03f5f",
    "#7f63b5",
    "#4f8f9f",
    "#8f7f3f",
    "#666",
)
_LINES: Final = 5
"""Series that a legend names."""
_SUFFIXES: Final = {"s": "s", "bytes": "B", "percentunit": "%", "ops": "/s", "reqps": "/s"}


class Series(NamedTuple):
    """A line of a graph: seconds since 1970, and values."""

    legend: str
    points: list[tuple[float, float]]


def drawn(groups: Sequence[tuple[str, Sequence[tuple[Panel, Sequence[Series]]]]]) -> str:
    """Return the panels as an SVG."""
    y, parts = float(_GAP), list[str]()
    width = _COLUMNS * (_WIDTH + _GAP) + _GAP
    for title, panels in groups:
        parts.append(f'<text x="{_GAP}" y="{y + 16}" class="group">{html.escape(title)}</text>')
        y += 26
        for at, (panel, series) in enumerate(panels):
            x = _GAP + at % _COLUMNS * (_WIDTH + _GAP)
            place = y + at // _COLUMNS * (_HEIGHT + _GAP)
            parts.append(f'<g transform="translate({x},{place})">{_panel(panel, series)}</g>')
        y += math.ceil(len(panels) / _COLUMNS) * (_HEIGHT + _GAP)
    style = (
        "text{font:11px system-ui,sans-serif;fill:#444}.title{font-weight:600;font-size:12px;"
        "fill:#222}.group{font-weight:600;font-size:15px;fill:#222}path{fill:none;stroke-width:1.5}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y:.0f}" width="{width}" '
        f'height="{y:.0f}">\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" fill="#f4f5f5"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(panel: Panel, series: Sequence[Series]) -> str:
    frame = f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="3" fill="#fff" stroke="#ddd"/>'
    title = f'<text x="10" y="18" class="title">{html.escape(panel.title)}</text>'
    shown = sorted(series, key=lambda one: -max(value for _, value in one.points))
    bottom = _HEIGHT - 14 * (min(len(shown), _LINES) + 1)
    top = max((value for one in shown for _, value in one.points), default=0.0) or 1.0
    begin = min((one.points[0][0] for one in shown), default=0.0)
    end = max((one.points[-1][0] for one in shown), default=1.0)
    scale = (_WIDTH - 70) / max(end - begin, 1.0), (bottom - _TOP) / top
    axis = (
        f'<text x="{_WIDTH - 8}" y="{_TOP}" text-anchor="end">{_value(top, panel.unit)}</text>'
        f'<line x1="10" x2="{_WIDTH - 60}" y1="{bottom}" y2="{bottom}" stroke="#ccc"/>'
    )
    lines = "".join(
        _line(one, _COLOURS[at % len(_COLOURS)], begin, bottom, scale)
        for at, one in enumerate(shown)
    )
    names = "".join(
        f'<text x="10" y="{bottom + 16 + at * 14}" style="fill:{_COLOURS[at % len(_COLOURS)]}">'
        f"{html.escape(one.legend)}: {_value(one.points[-1][1], panel.unit)}</text>"
        for at, one in enumerate(shown[:_LINES])
    )
    return frame + title + axis + lines + names


def _line(one: Series, colour: str, begin: float, bottom: float, scale: tuple[float, float]) -> str:
    places = (
        f"{10 + (at - begin) * scale[0]:.1f},{bottom - value * scale[1]:.1f}"
        for at, value in one.points
    )
    return f'<path d="M{"L".join(places)}" style="stroke:{colour}"/>'


def _value(value: float, unit: str) -> str:
    if unit == "percentunit":
        value *= 100
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.3g} {_SUFFIXES.get(unit, '')}".strip()


def series(one: Prometheus, panel: Panel, namespace: str, begin: float, end: float) -> list[Series]:
    """Return the series of a panel over some time."""
    return [
        Series(_named(query.legend, found["metric"]) or panel.title, points)
        for query in panel.queries
        for found in one.query_range(sent(query, namespace, "30s"), begin, end, 5)
        if (points := _numbers(found["values"]))
    ]


def _named(legend: str, labels: Mapping[str, str]) -> str:
    """Return a legend with the values of the labels that it names."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend).strip()


def _numbers(values: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in values if value != "NaN"]


def load(one: Installation) -> None:
    """Create operations of several kinds, one after the other, for some minutes."""
    begun = time.monotonic()
    for number in count():
        if time.monotonic() - begun > MINUTES * 60:
            return
        one.apply(_operation(one, number))
        time.sleep(max(0.0, begun + number * PERIOD - time.monotonic()))


def _operation(one: Installation, number: int) -> Manifest:
    name, topic = f"load-{number}", f"{one.namespace}-load"
    brief = {"secondsAfterCompletion": 20}
    match number % 5:
        case 0:
            return operation(name, bash("exit 3"), ttlSecondsAfterFinished=60)
        case 1:
            return operation(name, bash("sleep 20"), topic=topic)
        case 2:
            return operation(name, bash("true", "a"), bash("sleep 3", "b"), ttlStrategy=brief)
        case 3:
            return operation(name, bash("true"), suspend=True, ttlSecondsAfterFinished=60)
        case _:
            return operation(name, bash("sleep 5"), topic=topic, ttlStrategy=brief)


def main() -> None:
    """Run the load, and draw what the dashboard shows."""
    with open_cluster() as cluster, tempfile.TemporaryDirectory() as home:
        cluster.join()
        for one in installed(cluster, "dashboard"):
            with prometheus.beside(one, {"groups": []}, Path(home)) as server:
                eventually(server.scrapes)
                begin = precisely().timestamp()
                load(one)
                end = precisely().timestamp()
                groups = [
                    (title, [(p, series(server, p, one.namespace, begin, end)) for p in panels])
                    for title, panels in {"Overview": FIGURES, **GROUPS}.items()
                ]
    PICTURE.write_text(drawn(groups))
    print(f"  Drawn: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
