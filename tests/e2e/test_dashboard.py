"""Every query of the chart's dashboard has data, after some operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.dashboard import panels, sent
from tests.support import prometheus
from tests.support.installation import Installation, eventually
from tests.support.operations import bash, operation

pytestmark = [pytest.mark.e2e, pytest.mark.long]

MANY = 24


def test_each_panel_has_data(own: Installation, tmp_path: Path) -> None:
    topic = f"{own.namespace}-dashboard"
    with prometheus.beside(own, {"groups": []}, tmp_path) as one:
        eventually(one.scrapes)
        own.apply(operation("waits", bash("true"), suspend=True))
        # Some series begin with the first count, and have a rate from the second on.
        for name in ("first", "second"):
            own.apply(operation(name, bash("true"), topic=topic))
            own.wait_for(name, "Notified")
            fails = operation(f"{name}-fails", bash("exit 3"))
            fails["spec"]["ttlStrategy"] = {"secondsAfterCompletion": 0}
            own.apply(fails)
            own.wait_for(f"{name}-fails")
        asked = [sent(one, own.namespace, "5m") for panel in panels() for one in panel.queries]
        assert len(panels()) >= MANY

        def without_data() -> list[str]:
            return [expr for expr in asked if not any(map(_is_number, one.query(expr)))]

        try:
            eventually(lambda: not without_data())
        except AssertionError:
            raise AssertionError(without_data()) from None


def _is_number(series: prometheus.Manifest) -> bool:
    return bool(series["value"][1] != "NaN")
