"""A real Prometheus beside a cluster: it scrapes an operator and evaluates the chart's alerts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.cache import Cache, default_root
from tests.cluster.process import Component, Processes
from tests.cluster.progress import MORTAL
from tests.cluster.prometheus import PROMETHEUS
from tests.cluster.versions import Versions
from tests.machine.container import free_port
from tests.support.installation import Installation

INTERVAL: Final = "1s"
"""Between two scrapes, and between two evaluations."""
_LABELS: Final = {
    "__meta_kubernetes_namespace": "namespace",
    "__meta_kubernetes_pod_name": "pod",
}

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Prometheus:
    """A running one, of one installation."""

    port: int

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        found = self._get("alerts", {})["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def query(self, expression: str) -> list[Manifest]:
        """Return the series of an expression, with their values now."""
        found: list[Manifest] = self._get("query", {"query": expression})["result"]
        return found

    def query_range(self, expression: str, begin: float, end: float, step: int) -> list[Manifest]:
        """Return the series of an expression between two times, in seconds since 1970."""
        query = {"query": expression, "start": str(begin), "end": str(end), "step": str(step)}
        found: list[Manifest] = self._get("query_range", query)["result"]
        return found

    def scrapes(self) -> bool:
        """Return whether all targets, at least one, have been scraped."""
        found = self._get("targets", {"state": "active"})["activeTargets"]
        return bool(found) and all(one["health"] == "up" for one in found)

    def is_ready(self) -> bool:
        """Return whether it serves."""
        address = f"http://127.0.0.1:{self.port}/-/ready"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as reply:
            return bool(reply.status == 200)
        return False

    def _get(self, what: str, query: dict[str, str]) -> Manifest:
        address = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=30) as reply:
            data: Manifest = json.loads(reply.read())["data"]
        return data


@contextlib.contextmanager
def beside(one: Installation, rules: Manifest, home: Path, port: int = 0) -> Iterator[Prometheus]:
    """Run Prometheus with rules while a test uses it.

    It scrapes the pods of the installation, or the operator that serves metrics at a port of
    loopback.
    """
    programs = PROMETHEUS.find(Cache(default_root()), Versions())
    (home / "rules.yaml").write_text(yaml.safe_dump(rules))
    target = _process(one, port) if port else _pods(one)
    settings = {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "operator", **target}],
    }
    (home / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    mine = Prometheus(free_port(0))
    command = (
        *(*MORTAL, str(programs / "prometheus"), f"--config.file={home / 'prometheus.yaml'}"),
        *(f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address=127.0.0.1:{mine.port}"),
    )
    processes = Processes(home, lambda _: None)
    try:
        processes.start_and_wait(Component("prometheus", command, mine.is_ready))
        yield mine
    finally:
        for name in processes.states():
            processes.stop(name)


def promtool(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool in a directory."""
    program = PROMETHEUS.find(Cache(default_root()), Versions()) / "promtool"
    return subprocess.run(
        [program, *arguments], cwd=at, capture_output=True, text=True, check=False, timeout=120
    )


def _process(one: Installation, port: int) -> Manifest:
    labels = {"namespace": one.namespace}
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}]}


def _pods(one: Installation) -> Manifest:
    """The configuration that the Prometheus operator makes of the chart's PodMonitor, in short."""
    pods = {
        "role": "pod",
        "kubeconfig_file": str(one.cluster.kubeconfig),
        "namespaces": {"names": [one.namespace]},
    }
    name = "__meta_kubernetes_pod_label_app_kubernetes_io_name"
    return {
        "kubernetes_sd_configs": [pods],
        "relabel_configs": [
            _kept([name], "cloudharness-operator"),
            _kept(["__meta_kubernetes_pod_container_port_name"], "http"),
            *({"source_labels": [key], "target_label": label} for key, label in _LABELS.items()),
        ],
    }


def _kept(labels: Sequence[str], value: str) -> Manifest:
    return {"source_labels": list(labels), "regex": value, "action": "keep"}
