"""Installations of the operator for tests, each in a namespace of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.support.installation import Installation


def installed(cluster: Cluster, namespace: str, *settings: str) -> Iterator[Installation]:
    """Install the operator in a namespace of its own; remove all of it in the end."""
    for one in empty(cluster, namespace):
        one.install(f"kafka.bootstrapServers={cluster.kafka}", *settings)
        yield one


def empty(cluster: Cluster, name: str) -> Iterator[Installation]:
    """Make a namespace of a name that begins so; remove all that is in it in the end."""
    if cluster.kafka is None:
        pytest.skip("this cluster has no Kafka: set KAFKA")
    # On a cluster that stays, an earlier run's topics stay too, and its namespaces for a while.
    one = Installation(cluster, f"{name}-{uuid.uuid4().hex[:6]}")
    cluster.kubectl("create", "namespace", one.namespace)
    yield one
    one.remove()
