"""What the API server has noted of requests: the truth for who wrote what, and when."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.installation import DEPLOYMENT, Manifest


def writes(cluster: Cluster, namespace: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the operator's writes about an operation: verb, resource and the object's name."""
    account = f"system:serviceaccount:{namespace}:{DEPLOYMENT}"
    for entry in audit(cluster, namespace):
        verb, about = entry["verb"], entry["objectRef"]
        # A request whose token had not come through yet is of nobody.
        mine = entry["user"].get("username") == account and verb not in ("get", "list", "watch")
        if mine and about.get("name", "").startswith(name):
            yield verb, _resource(about), about.get("name", "")


def audit(cluster: Cluster, namespace: str) -> Iterator[Manifest]:
    """Yield what the API server has noted of requests to a namespace."""
    if cluster.audit_log is None:
        pytest.skip("this cluster keeps no audit log that we can read")
    # The last line may be half written.
    for line in cluster.audit_log.read_text().split("\n")[:-1]:
        entry = json.loads(line)
        if entry.get("objectRef", {}).get("namespace") == namespace:
            yield entry


def _resource(about: Manifest) -> str:
    subresource = about.get("subresource")
    return f"{about['resource']}/{subresource}" if subresource else str(about["resource"])
