"""How fast operations become Workflows: 1,000 of them, of 20 tasks each.

Machines differ and are busy with other things, so each figure is also a ratio: to copying
the finished Workflows by way of JSON, which is the least that sending them takes, in the same run.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any, Final

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.model import Operation
from cloudharness_operation.names import API_VERSION, KIND
from cloudharness_operation.render import workflow
from cloudharness_operation.render.facts import ClusterFacts

Manifest = dict[str, Any]

OPERATIONS: Final = 1000
TASKS: Final = 20
ROUNDS: Final = 5
DEFAULTS: Final = Defaults(
    task_image="python:3.13-slim", service_account="cloudharness-task", topic="everything"
)
FACTS: Final = ClusterFacts(claims={"data": frozenset({"ReadWriteOnce"})})
KINDS: Final[tuple[Manifest, ...]] = (
    {"bash": {"source": "echo one\n" * 20}},
    {"python": {"source": "print(1)\n" * 20}},
    {"python": {"source": "def f(n): return n\n", "function": "f", "args": {"n": [1, None]}}},
    {"custom": {"image": "registry.example.org/a:1", "command": ["run"], "args": ["--fast"]}},
    {"command": {"command": ["ls", "-la"]}},
)


def manifest(number: int) -> Manifest:
    """Return an operation as the API server has it; every second one shares volumes and nodes."""
    spec: Manifest = {"type": "Parallel", "tasks": [task(one) for one in range(TASKS)]}
    if number % 2:
        volumes = [
            {"mountPath": "/mnt/data", "claim": "data", "mode": "rw", "size": "10Gi"},
            {"mountPath": "/mnt/new", "mode": "rw", "size": "1Gi"},
        ]
        contexts = [
            {"key": "team", "value": "blue", "required": True},
            {"key": "cache", "value": "warm", "required": False},
        ]
        spec |= {"sharedVolumes": volumes, "podContexts": contexts}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": f"operation-{number}",
            "namespace": "lab",
            "uid": f"00000000-0000-4000-8000-{number:012}",
        },
        "spec": spec,
    }


def task(number: int) -> Manifest:
    """Return a task with the settings that tasks often have."""
    return {
        "name": f"task-{number}",
        **KINDS[number % len(KINDS)],
        "env": [{"name": "NUMBER", "value": str(number)}, {"name": "WORD", "value": "hello"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
    }


def best(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least processor time that each took, in seconds: what is more is not its own."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            gc.collect()
            begun = time.process_time()
            work()
            times[name].append(time.process_time() - begun)
    return {name: min(one) for name, one in times.items()}


def main() -> None:
    """Measure, and print a table."""
    manifests = [manifest(number) for number in range(OPERATIONS)]
    operations = [Operation.parse(one) for one in manifests]
    made = [workflow(one, DEFAULTS, FACTS) for one in operations]
    plain = "copy the Workflows by way of JSON"
    took = best(
        {
            plain: lambda: [json.loads(json.dumps(one)) for one in made],
            "parse operations": lambda: [Operation.parse(one) for one in manifests],
            "render Workflows": lambda: [workflow(one, DEFAULTS, FACTS) for one in operations],
            "parse and render": lambda: [
                workflow(Operation.parse(one), DEFAULTS, FACTS) for one in manifests
            ],
        }
    )
    size = sum(len(json.dumps(one)) for one in made) / OPERATIONS / 1024
    print(f"{OPERATIONS:,} operations of {TASKS} tasks, Workflows of {size:.1f} KiB on average")
    print(f"{'':36}{'per second':>12}{'ms each':>10}{'ratio':>8}")
    for name, seconds in took.items():
        rate = OPERATIONS / seconds
        print(f"{name:36}{rate:>12,.0f}{1000 / rate:>10.2f}{seconds / took[plain]:>8.2f}")


if __name__ == "__main__":
    main()
