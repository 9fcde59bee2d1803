"""What tests of rendering share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cloudharness_operation.render.containers import RESULT_PATH, RUNNER

GPU = "nvidia.com/gpu"

SETTINGS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        {
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B"},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ]
        },
        {
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": ""},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ]
        },
        {},
    ),
    (
        {"envFrom": [{"configMapRef": {"name": "c", "optional": False}, "prefix": "P_"}]},
        {"envFrom": [{"configMapRef": {"name": "c", "optional": False}, "prefix": "P_"}]},
        {},
    ),
    (
        {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {GPU: 1}}},
        {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {GPU: "1"}}},
        {},
    ),
    (
        {"securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}}},
        {"securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}}},
        {},
    ),
    ({"nodeSelector": {"disk": "ssd"}}, {}, {"nodeSelector": {"disk": "ssd"}}),
    (
        {"tolerations": [{"key": "gpu", "operator": "Exists"}, {"operator": "Exists"}]},
        {},
        {"tolerations": [{"key": "gpu", "operator": "Exists"}, {"operator": "Exists"}]},
    ),
    ({"priorityClassName": "high"}, {}, {"priorityClassName": "high"}),
    ({"serviceAccountName": "me"}, {}, {"serviceAccountName": "me"}),
]  # fmt: skip


CODE = """\
import sys
from helper import two

def double(n, names=()):
    print("argv", sys.argv, "name", __name__)
    return {"n": n * two, "names": list(names)}

def secret():
    return object()

if __name__ == "__main__":
    print("must not run")
"""


def run(tmp_path: Path, function: str, arguments: dict[str, Any], code: str = CODE) -> Any:
    (tmp_path / "source.py").write_text(code)
    (tmp_path / "helper.py").write_text("two = 2\n")
    result = tmp_path / "result.json"
    program = RUNNER.replace(RESULT_PATH, str(result))
    command = [sys.executable, "-c", program, str(tmp_path / "source.py"), function]
    done = subprocess.run(
        [*command, json.dumps(arguments)], capture_output=True, text=True, timeout=20, check=False
    )
    value = json.loads(result.read_text()) if result.exists() else None
    return done.returncode, done.stdout + done.stderr, value


RWO, RWX = frozenset({"ReadWriteOnce"}), frozenset({"ReadWriteMany"})


def at(path: str, claim: str = "", **fields: Any) -> dict[str, Any]:
    return {"mountPath": path, **({"claim": claim} if claim else {}), **fields}
