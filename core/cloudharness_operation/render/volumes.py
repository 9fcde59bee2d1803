"""Which volumes a run has, and where each task mounts them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cloudharness_operation.model import OperationSpec
from cloudharness_operation.render.facts import SHARED, ClusterFacts
from cloudharness_operation.resource import LABEL_PATTERN
from cloudharness_operation.tasks import Task
from cloudharness_operation.volumes import Mode, SharedVolume

Manifest = dict[str, Any]

_TAKEN: Final = re.compile("argo|var-run-argo|tmp-dir-argo|input-artifacts|kube-api-access|source")
"""Names that Argo and the API server give to volumes of their own, by their beginnings."""
_MAX_NAME: Final = 40
"""Leaves room for the Workflow's name before it, in the name of a new claim."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of the run, however often it is mounted."""

    name: str
    """Its name in the Workflow, the same for the same claim."""
    claim: str | None
    """The claim that exists; None if a new one is made."""
    mount: SharedVolume
    one_node: bool
    """It can be mounted on one node only at a time."""


def volume_name(mount: SharedVolume) -> str:
    """Return a valid name that differs for different claims, or paths where no claim is named."""
    wanted = mount.claim or mount.mount_path
    plain = len(wanted) <= _MAX_NAME and re.match(LABEL_PATTERN, wanted)
    if mount.claim and plain and not _TAKEN.match(wanted):
        return wanted
    slug = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[: _MAX_NAME - 10]
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    return "-".join(part for part in ("vol", slug.strip("-"), digest) if part)


def volume(mount: SharedVolume, facts: ClusterFacts) -> Volume:
    """Return the volume that is to fulfil a mount."""
    modes = facts.claims.get(mount.claim) if mount.claim else None
    if modes is None:
        shared = mount.mode is Mode.RWX or mount.access_mode == "ReadWriteMany"
        return Volume(volume_name(mount), None, mount, one_node=not shared)
    shared = mount.mode is Mode.RWX or bool(modes & SHARED)
    return Volume(volume_name(mount), mount.claim, mount, one_node=not shared)


def task_mounts(spec: OperationSpec, task: Task) -> tuple[SharedVolume, ...]:
    """Return what a task mounts: the operation's volumes, and its own, which win at a path."""
    at = {mount.mount_path: mount for mount in (*spec.shared_volumes, *task.shared_volumes)}
    return tuple(at.values())


def all_mounts(spec: OperationSpec) -> tuple[SharedVolume, ...]:
    """Return what any task mounts."""
    return tuple(
        dict.fromkeys(mount for task in spec.all_tasks for mount in task_mounts(spec, task))
    )


def made_name(child: str, volume: str) -> str:
    """Return the name that Argo gives to a new claim (workflow/controller/operator.go)."""
    return f"{child}-{volume}"


def workflow_volumes(volumes: Iterable[Volume]) -> Manifest:
    """Return the parts of a Workflow's spec that make volumes known."""
    one_each = _first_of_each(volumes)
    existing = [
        {"name": v.name, "persistentVolumeClaim": {"claimName": v.claim}}
        for v in one_each
        if v.claim
    ]
    new = [_template(v) for v in one_each if not v.claim]
    parts: Manifest = {}
    if existing:
        parts["volumes"] = existing
    if new:
        parts["volumeClaimTemplates"] = new
        # Argo's default keeps them after a failure, until the Workflow is deleted.
        parts["volumeClaimGC"] = {"strategy": "OnWorkflowCompletion"}
    return parts


def _first_of_each(volumes: Iterable[Volume]) -> list[Volume]:
    """Return one volume for each name: settings of the operation go before those of a task.

    A mount from many nodes goes before both: its new claim also fits the other mounts.
    """
    first: dict[str, Volume] = {}
    for volume in sorted(volumes, key=lambda volume: volume.mount.mode is not Mode.RWX):
        first.setdefault(volume.name, volume)
    return list(first.values())


def _template(made: Volume) -> Manifest:
    mount = made.mount
    default = "ReadWriteMany" if mount.mode is Mode.RWX else "ReadWriteOnce"
    spec: Manifest = {
        "accessModes": [mount.access_mode or default],
        "resources": {"requests": {"storage": mount.size}},
    }
    if mount.storage_class_name:
        spec["storageClassName"] = mount.storage_class_name
    return {"metadata": {"name": made.name}, "spec": spec}


def mounts(volumes: Iterable[Volume]) -> list[Manifest]:
    """Return a container's mounts."""
    return [
        {"name": v.name, "mountPath": v.mount.mount_path}
        | ({"readOnly": True} if v.mount.mode is Mode.RO else {})
        for v in volumes
    ]
