"""Settings of the operator's connection to Kafka, and what they lead to."""

from __future__ import annotations

import urllib.request

from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
)

from tests.support.installation import Installation, condition, eventually


def make_topic(admin: AdminClient, topic: NewTopic) -> None:
    """Make a topic as a person does."""
    for future in admin.create_topics([topic]).values():
        future.result(30)


def secret(one: Installation, **keys: str) -> None:
    """Write the Secret, with `_` for `.` in the names of its keys."""
    data = {key.replace("_", "."): text for key, text in keys.items()}
    one.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kafka"}} | {"stringData": data}
    )


def connect(one: Installation, servers: str) -> None:
    """Install the operator anew, with the Secret."""
    one.install(f"kafka.bootstrapServers={servers}", "kafka.secret=kafka")


def wait_for_notified(
    one: Installation, name: str, status: str, reason: str, timeout: float = 60
) -> str:
    """Wait for what an operation says of its event; return the message."""

    def is_told() -> bool:
        said = condition(one.status(name), "Notified")
        return (said.get("status"), said.get("reason")) == (status, reason)

    eventually(is_told, timeout)
    return str(condition(one.status(name), "Notified")["message"])


def metrics(one: Installation) -> dict[str, float]:
    """What Prometheus reads of the operator."""
    address = one.operator_pod()["status"]["podIP"]
    with urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    return {
        name: float(number)
        for name, _, number in (line.rpartition(" ") for line in lines if line[:1] != "#")
    }
