"""What the chart installs with some values, by the helm of the cluster."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from tests.cluster import Cluster
from tests.support.installation import CHART, RELEASE

Manifest = dict[str, Any]


def manifests(
    cluster: Cluster, values: Mapping[str, object], *words: str, namespace: str = "ops"
) -> list[Manifest]:
    """Return all that the chart installs in a namespace, hooks too; `words` are helm's."""
    settings = ("--set-json=" + f"{key}={json.dumps(value)}" for key, value in values.items())
    base = ("template", RELEASE, str(CHART), f"--namespace={namespace}", "--kube-version=1.34.0")
    return [one for one in yaml.safe_load_all(cluster.helm(*base, *words, *settings)) if one]


def by_name(made: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """Return manifests of one namespace by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


def rendered(cluster: Cluster, values: Mapping[str, object]) -> dict[tuple[str, str], Manifest]:
    """Return all that the chart installs, by kind and name."""
    return by_name(manifests(cluster, values))
