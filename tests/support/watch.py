"""Every state that an object goes through, as the API server tells it to a watch."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudharness_operation.names import GROUP, PLURAL, VERSION
from tests.cluster import Cluster

OPERATIONS = f"{GROUP}/{VERSION}/{PLURAL}"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Watch:
    """What has come of a watch."""

    file: Path

    def states(self, name: str) -> list[Manifest | None]:
        """Return an object's states in their order; None where it was gone."""
        events = [json.loads(line) for line in self._lines()]
        bad = [event for event in events if event["type"] not in ("ADDED", "MODIFIED", "DELETED")]
        assert not bad, f"the watch has missed something: {bad}"
        return [
            None if event["type"] == "DELETED" else event["object"]
            for event in events
            if event["object"]["metadata"]["name"] == name
        ]

    def has_seen(self, name: str, version: str) -> bool:
        """Whether an object's state of this version has come: what comes may be late."""
        states = (state for state in self.states(name) if state)
        return any(state["metadata"]["resourceVersion"] == version for state in states)

    def _lines(self) -> list[str]:
        # The last line may be half written.
        return [
            line for line in self.file.read_text().splitlines(keepends=True) if line[-1] == "\n"
        ]


@contextlib.contextmanager
def watching(cluster: Cluster, kind: str, namespace: str) -> Iterator[Watch]:
    """Watch a namespace's objects of a kind, `group/version/plural`, missing none from now on."""
    group, version, plural = kind.split("/")
    path = f"/apis/{group}/{version}/namespaces/{namespace}/{plural}"
    last = json.loads(cluster.kubectl("get", "--raw", path))["metadata"]["resourceVersion"]
    query = f"{path}?watch=1&resourceVersion={last}&timeoutSeconds=600"
    kubectl = [*cluster.entering(), "kubectl", "get", "--raw", query]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        process = subprocess.Popen(kubectl, stdout=file, env=cluster.environment())
        try:
            yield Watch(Path(file.name))
        finally:
            process.terminate()
            process.wait(10)
