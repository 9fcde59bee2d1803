"""The API server's audit log: which client sent which request, and when."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.support.installation import (
    DEPLOYMENT,
    Installation,
    Manifest,
    eventually,
)

READS = frozenset({"get", "list", "watch"})
"""Verbs of requests that write nothing."""


def writes(cluster: Cluster, namespace: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the operator's writes about an operation: verb, resource and the object's name."""
    account = f"system:serviceaccount:{namespace}:{DEPLOYMENT}"
    for entry in audit(cluster, namespace):
        verb, about = entry["verb"], entry["objectRef"]
        # A request whose token had not come through yet is of nobody.
        mine = entry["user"].get("username") == account and verb not in READS
        if mine and about.get("name", "").startswith(name):
            yield verb, full_resource(about), about.get("name", "")


def audit(cluster: Cluster, namespace: str) -> Iterator[Manifest]:
    """Yield what the API server has noted of requests to a namespace."""
    if cluster.audit_log is None:
        pytest.skip("this cluster keeps no audit log that we can read")
    for entry in entries(cluster.audit_log):
        if entry.get("objectRef", {}).get("namespace") == namespace:
            yield entry


def entries(log: Path, since: int = 0) -> Iterator[Manifest]:
    """Yield the entries of an audit log from a position in bytes on."""
    with log.open("rb") as lines:
        lines.seek(since)
        for line in lines:
            if not line.endswith(b"\n"):
                return  # Half written.
            yield json.loads(line)


def full_resource(about: Manifest) -> str:
    """Return the resource of an `objectRef`, with its subresource."""
    return "/".join(filter(None, (about.get("resource"), about.get("subresource"))))


def deletions(one: Installation, resource: str, *names: str) -> dict[str, float]:
    """Return when the API server got the operator's deletions, by the objects' names.

    An object is gone a moment before the audit log has the request that deleted it, so this waits
    for the entries of the objects that are named.
    """
    eventually(lambda: {*names} <= _deletions(one, resource).keys())
    return _deletions(one, resource)


def _deletions(one: Installation, resource: str) -> dict[str, float]:
    return {
        entry["objectRef"]["name"]: moment(entry["requestReceivedTimestamp"])
        for entry in audit(one.cluster, one.namespace)
        if (entry["verb"], entry["objectRef"]["resource"]) == ("delete", resource)
        and "cloudharness-operator" in entry["user"].get("username", "")
        and entry["responseStatus"]["code"] == 200
    }


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
