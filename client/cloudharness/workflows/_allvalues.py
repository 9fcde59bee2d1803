"""Mount CloudHarness's ConfigMap `cloudharness-allvalues` into every task, as CloudHarness does."""

from __future__ import annotations

import json
import warnings
from typing import Any, Final

from cloudharness.workflows._api import CONFIG_MAPS, Connection
from cloudharness.workflows.errors import ClusterUnavailable, WorkflowNotFound

Manifest = dict[str, Any]

ALL_VALUES: Final = "cloudharness-allvalues"
"""Name of the ConfigMap with the deployment's Helm values, which CloudHarness's library reads."""
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


def with_allvalues_mounted(manifest: Manifest, connection: Connection) -> Manifest:
    """Return the operation with the ConfigMap mounted into its tasks, if the ConfigMap exists.

    A task that sets `podSpecPatch` itself is not changed.
    """
    if not _config_map_exists(connection):
        return manifest
    tasks = [_patched(task) for task in manifest["spec"]["tasks"]]
    return {**manifest, "spec": {**manifest["spec"], "tasks": tasks}}


def _config_map_exists(connection: Connection) -> bool:
    try:
        connection.get(CONFIG_MAPS, ALL_VALUES)
    except WorkflowNotFound:
        return False
    except ClusterUnavailable as error:
        if not error.is_final:
            raise
        warnings.warn(
            f"the ConfigMap {ALL_VALUES} is not mounted into the tasks, since it cannot be read: "
            f"{error}; grant this account `get` on it",
            stacklevel=2,
        )
        return False
    return True


def _patched(task: Manifest) -> Manifest:
    return {**task, "templatePatch": {"podSpecPatch": _PATCH, **task.get("templatePatch", {})}}
