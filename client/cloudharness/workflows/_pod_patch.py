"""Additions to the pod of a task, as a `podSpecPatch` of its Argo template.

Kubernetes merges lists of such a patch by name or path (a strategic merge patch), so additions of
several origins do not replace each other, nor what the operator renders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudharness.workflows.errors import bad

Manifest = dict[str, Any]


@dataclass(frozen=True)
class PodPatch:
    """Volumes of a pod, and mounts and variables of its main container."""

    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    env: tuple[Manifest, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is an addition."""
        return bool(self.volumes or self.mounts or self.env)

    def to_patch(self) -> Manifest:
        """Return the patch of a pod's spec."""
        main = {"volumeMounts": list(self.mounts), "env": list(self.env)}
        container = {key: value for key, value in main.items() if value}
        patch: Manifest = {"volumes": list(self.volumes)} if self.volumes else {}
        if container:
            patch["containers"] = [{"name": "main", **container}]
        return patch

    def added_to(self, task: Manifest) -> Manifest:
        """Return a task of the resource with these additions; the author's own fields win.

        Raises:
            BadOperationConfiguration: the task's `podSpecPatch` is not a JSON object.

        """
        if not self:
            return task
        own = task.get("templatePatch") or {}
        text = own.get("podSpecPatch")
        patch = _merged(self.to_patch(), _parsed(text, task["name"]) if text else {})
        return {**task, "templatePatch": {**own, "podSpecPatch": json.dumps(patch)}}


def _parsed(text: str, task: str) -> Manifest:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise bad(
            f"task {task!r}: template_overrides: podSpecPatch",
            "in a CloudHarness deployment it must be a JSON object, since volumes are added to it",
        )
    return found


_KEYS = {"containers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath"}
"""Merge keys of lists (k8s.io/api/core/v1, `patchMergeKey`)."""


def _merged(one: Any, other: Any, name: str = "") -> Any:
    """Return both patches as one; where they contradict each other, the second one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: _merged(one[key], other[key], key)
            if key in one and key in other
            else other.get(key, one.get(key))
            for key in (*one, *(key for key in other if key not in one))
        }
    if name in _KEYS and isinstance(one, list) and isinstance(other, list):
        return _by_key(_KEYS[name], one, other)
    return other


def _by_key(key: str, one: Iterable[Mapping[str, Any]], other: Iterable[Any]) -> list[Any]:
    found: dict[Any, Any] = {item.get(key): item for item in one}
    for item in other:
        known = found.get(item.get(key))
        found[item.get(key)] = _merged(known, item) if known else item
    return list(found.values())
