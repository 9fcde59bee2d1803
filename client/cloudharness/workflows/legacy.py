"""What CloudHarness puts into every task besides what it is asked for, where it is installed."""

from __future__ import annotations

import json
import warnings
from typing import Any, Final

from cloudharness.workflows.connection import CONFIG_MAPS, Connection
from cloudharness.workflows.errors import ClusterUnavailable, WorkflowNotFound

Manifest = dict[str, Any]

ALL_VALUES: Final = "cloudharness-allvalues"
"""ConfigMap with the values of the whole deployment, which CloudHarness's library reads."""
_PATCH: Final = json.dumps(
    {
        "volumes": [{"name": ALL_VALUES, "configMap": {"name": ALL_VALUES}}],
        "containers": [
            {
                "name": "main",
                "volumeMounts": [
                    {
                        "name": ALL_VALUES,
                        "mountPath": "/opt/cloudharness/resources/allvalues.yaml",
                        "subPath": "allvalues.yaml",
                    }
                ],
            }
        ],
    }
)


def completed(manifest: Manifest, connection: Connection) -> Manifest:
    """Return an operation whose tasks have CloudHarness's values mounted, where there are some.

    A task that has a `podSpecPatch` of its own stays as it is.
    """
    if not _has_values(connection):
        return manifest
    tasks = [_patched(task) for task in manifest["spec"]["tasks"]]
    return {**manifest, "spec": {**manifest["spec"], "tasks": tasks}}


def _has_values(connection: Connection) -> bool:
    try:
        connection.get(CONFIG_MAPS, ALL_VALUES)
    except WorkflowNotFound:
        return False
    except ClusterUnavailable as error:
        if not error.is_final:
            raise
        warnings.warn(
            f"tasks will not have CloudHarness's values mounted, if there are some: {error}; "
            f"to be told, this account needs the right to get the ConfigMap {ALL_VALUES}",
            stacklevel=2,
        )
        return False
    return True


def _patched(task: Manifest) -> Manifest:
    return {**task, "templatePatch": {"podSpecPatch": _PATCH, **task.get("templatePatch", {})}}
