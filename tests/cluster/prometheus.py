"""Prometheus and promtool, for the tests that evaluate the chart's alerts with the real ones."""

from pathlib import Path

from tests.cluster import build
from tests.cluster.cache import Entry
from tests.cluster.companion import Companion
from tests.cluster.progress import Step
from tests.cluster.versions import Versions

MODULE = "github.com/prometheus/prometheus"
PINS = build.HERE / "go" / "prometheus"
PROGRAMS = ("prometheus", "promtool")


def _entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """Both programs, without the web interface."""
    flags = f"-X github.com/prometheus/common/version.Version={versions.prometheus}"

    def make(place: Path, step: Step) -> None:
        for program in PROGRAMS:
            what = f"{MODULE}/cmd/{program}"
            build.go_build(step, PINS, environment, flags, place / program, what)

    inputs = [flags, *build.contents(PINS, "go.mod", "go.sum")]
    return Entry(f"prometheus-{versions.prometheus}", inputs, make)


PROMETHEUS = Companion("Prometheus", "prometheus", (1, 24), _entry)
