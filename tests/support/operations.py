"""Manifests for end-to-end tests."""

import json
from typing import Any

from cloudharness_operation.names import API_VERSION, KIND, LABEL_OPERATION
from tests.support.installation import FULL_KIND, Installation, eventually

Manifest = dict[str, Any]


def bash(source: str, name: str = "task", **fields: object) -> Manifest:
    """A task that is a bash script."""
    return {"name": name, "bash": {"source": source}, **fields}


GATED = "until [ -e /tmp/go ]; do sleep 0.1; done; "
"""The beginning of a script that waits for `open_gate`."""


def open_gate(one: Installation, name: str) -> None:
    """Let the script of an operation's only pod continue, as soon as that pod runs."""

    def running() -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in one.pods(name)
            if pod["status"].get("phase") == "Running"
        ]

    eventually(running)
    (pod,) = running()
    one.kubectl("exec", pod, "-c", "main", "--", "touch", "/tmp/go")


DEAF = "trap '' TERM; echo deaf; sleep 600"
"""A script that does not end when it is asked to."""


def is_deaf(one: Installation, name: str) -> bool:
    """Whether an operation's script has come to that: its container runs before."""
    label = f"{LABEL_OPERATION}={name}"
    return "deaf" in one.kubectl("logs", "-l", label, "-c", "main", check=False)


def operation(name: str, *tasks: Manifest, topic: str = "", **spec: object) -> Manifest:
    """An operation: of one task, or a pipeline of several."""
    notify = {"onExit": {"notify": {"topic": topic, "payload": name}}} if topic else {}
    kind = "SingleTask" if len(tasks) == 1 else "Pipeline"
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"type": kind, "tasks": list(tasks), **notify, **spec},
    }


def claim(name: str, mode: str = "ReadWriteOnce") -> Manifest:
    """A claim of the default storage class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Mi"}}},
    }


def deployment(name: str, one: Installation, node: str, labels: dict[str, str]) -> Manifest:
    """A service on a node that has a claim of its own name mounted."""
    selector = {"app": name}
    container = {
        "name": "main",
        "image": one.cluster.python_image,
        "command": ["sleep", "3600"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": {**selector, **labels}},
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": node},
                    "terminationGracePeriodSeconds": 0,
                    "containers": [container],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
                },
            },
        },
    }


def change(one: Installation, name: str, **spec: object) -> None:
    """Change an operation's spec as a person does."""
    one.kubectl("patch", FULL_KIND, name, "--type=merge", "-p", json.dumps({"spec": spec}))


def runs(one: Installation, name: str) -> None:
    """Wait until a pod of an operation runs."""
    eventually(lambda: any(p["status"]["phase"] == "Running" for p in one.pods(name)), timeout=120)
