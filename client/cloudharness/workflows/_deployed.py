"""Add to an operation what CloudHarness adds to all of a deployment's workflows.

Images are those of the deployment. Tasks get the variables of the service that are no secrets, and
the files from which CloudHarness's library reads its configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudharness.workflows._deployment import ALL_VALUES, Deployment, variables
from cloudharness.workflows._pod_patch import PodPatch
from cloudharness.workflows._task_spec import template_kind, with_tasks
from cloudharness.workflows.errors import bad
from cloudharness_operation.pods import TAKEN_ENV

Manifest = dict[str, Any]

ACCOUNTS: Final = "cloudharness-kc-accounts"
VOLUMES: Final[Mapping[str, Manifest]] = {
    ALL_VALUES: {"name": ALL_VALUES, "configMap": {"name": ALL_VALUES}},
    ACCOUNTS: {"name": ACCOUNTS, "secret": {"secretName": "accounts", "optional": True}},
}
"""The volumes of CloudHarness's workflows (workflows/operations.py of its library)."""


_RESOURCES: Final = "/opt/cloudharness/resources"
SECRETS_PATH: Final = f"{_RESOURCES}/secrets/accounts"
"""Where the library 3.0 reads the Secret (cloudharness/utils/secrets.py). CloudHarness's workflows
mount it at another path only."""


def configuration_mounts(deployment: Deployment) -> list[Manifest]:
    """Return the mounts of the files that CloudHarness's library reads in a task."""
    if not deployment:
        return []
    file = "allvalues.yaml"
    mounts = [{"name": ALL_VALUES, "mountPath": f"{_RESOURCES}/{file}", "subPath": file}]
    if deployment.has_accounts:
        paths = (f"{_RESOURCES}/auth", SECRETS_PATH)
        mounts += [{"name": ACCOUNTS, "mountPath": path} for path in paths]
    return mounts


def with_deployment(
    manifest: Manifest, deployment: Deployment, mounts: Mapping[str, Sequence[Manifest]]
) -> Manifest:
    """Return the manifest of an operation with what a deployment adds to it.

    Args:
        manifest: the manifest.
        deployment: the deployment.
        mounts: mounts of configuration files by task name; a task that is left out has those of
            `configuration_mounts`.

    """
    default = configuration_mounts(deployment)

    def added(task: Manifest) -> Manifest:
        own = mounts.get(task["name"], default)
        return _task(_with_variables(task), deployment, own)

    spec = with_tasks(manifest["spec"], added)
    if secret := deployment.pull_secret:
        own = [one for one in spec.get("imagePullSecrets") or () if one["name"] != secret]
        spec["imagePullSecrets"] = [*own, {"name": secret}]
    return {**manifest, "spec": spec}


def _with_variables(task: Manifest) -> Manifest:
    own = task.get("env") or []
    names = {one["name"] for one in own} | set(TAKEN_ENV)
    found = [
        {"name": name, "value": value} for name, value in variables().items() if name not in names
    ]
    return {**task, "env": [*found, *own]} if found else task


def _task(task: Manifest, deployment: Deployment, mounts: Sequence[Manifest]) -> Manifest:
    if custom := task.get("custom"):
        image = deployment.image(custom["image"])
        task = {**task, "custom": {**custom, "image": image}}
    else:
        task = _with_image(task, deployment)
    return _mounted(task, mounts)


def _with_image(task: Manifest, deployment: Deployment) -> Manifest:
    """Return a Python, bash or command task with its image: of a patch, or the base image."""
    own = task.get("templatePatch") or {}
    kind = template_kind(task)
    container = own.get(kind) or {}
    image = deployment.image(container.get("image") or "") or deployment.base_image
    if not image:
        return task
    return {**task, "templatePatch": {**own, kind: {**container, "image": image}}}


def _mounted(task: Manifest, mounts: Sequence[Manifest]) -> Manifest:
    for one in mounts:
        if one.get("name") not in VOLUMES:
            raise bad(
                f"task {task['name']!r}: cloudharness_configmap_spec",
                f"a CloudHarness deployment has no volume {one.get('name')!r}: add it in `spec` of "
                "the operation, or give the task volume_mounts",
            )
    volumes = tuple(VOLUMES[name] for name in dict.fromkeys(one["name"] for one in mounts))
    return PodPatch(volumes=volumes, mounts=tuple(mounts)).added_to(task)
