"""The port `Cluster` on a real API server: each thing that the operator does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from cloudharness_operation.names import (
    API_VERSION,
    FINALIZER,
    KIND,
    PLURAL,
    WORKFLOW_API_VERSION,
    WORKFLOW_KIND,
    WORKFLOW_PLURAL,
)
from cloudharness_operation.render.facts import Facts, Needs, Pod
from cloudharness_operator.api import JSON_PATCH, MERGE_PATCH, Api
from cloudharness_operator.child import Child
from cloudharness_operator.errors import ApiError

Manifest = dict[str, Any]


def operations_path(namespace: str) -> str:
    """Return the path of the operations of a namespace (`""`: of all)."""
    return _path(API_VERSION, namespace, PLURAL)


def workflows_path(namespace: str) -> str:
    """Return the path of the Workflows of a namespace (`""`: of all)."""
    return _path(WORKFLOW_API_VERSION, namespace, WORKFLOW_PLURAL)


def _path(api_version: str, namespace: str, plural: str) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    root = "/apis" if "/" in api_version else "/api"
    return f"{root}/{api_version}{scope}/{plural}"


STRICT: Final = {"fieldValidation": "Strict"}
POD_LABEL: Final = "workflows.argoproj.io/workflow"
"""Argo's label with the name of a pod's Workflow (workflow/common/common.go)."""
LIVING: Final = "status.phase!=Succeeded,status.phase!=Failed"
"""Field selector of pods that may still hold something."""


LOG: Final = {"container": "main", "tailLines": "60", "limitBytes": str(1024 * 1024)}
"""Some lines more than are kept, for those of Argo's executor. The bytes are counted from their
beginning, so there are enough for what a container runtime takes for one line: 16 KiB."""


def release_patch(uid: str, finalizers: Sequence[str]) -> list[Manifest]:
    """Return the JSON patch (RFC 6902) that takes our finalizer off a Workflow."""
    place = f"/metadata/finalizers/{finalizers.index(FINALIZER)}"
    # Others may add and remove theirs, so the place is checked in the same request.
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": place, "value": FINALIZER},
        {"op": "remove", "path": place},
    ]


class KubernetesCluster:
    """The API server, asked for what `ports.Cluster` lists."""

    def __init__(self, api: Api) -> None:
        """Take the API to ask."""
        self._api = api

    async def create_workflow(self, manifest: Manifest) -> Child:
        """Create a child and return it.

        A field that the server does not know is refused, not dropped.
        """
        namespace = manifest["metadata"]["namespace"]
        return Child.read(await self._api.post(workflows_path(namespace), manifest, STRICT))

    async def patch_workflow(self, child: Child, changes: Manifest) -> Child:
        """Change parts of a child, unless it has changed since it was seen."""
        seen = {"uid": child.uid, "resourceVersion": str(child.resource_version)}
        body = {**changes, "metadata": {**changes.get("metadata", {}), **seen}}
        path = f"{workflows_path(child.namespace)}/{child.name}"
        return Child.read(await self._api.patch(path, body, MERGE_PATCH))

    async def get_workflow(self, namespace: str, name: str) -> Child | None:
        """Return a child, or None if there is none."""
        found = await self._get(f"{workflows_path(namespace)}/{name}")
        return Child.read(found) if found else None

    async def get_operation(self, namespace: str, name: str) -> Manifest | None:
        """Return an operation, or None if there is none."""
        return await self._get(f"{operations_path(namespace)}/{name}")

    async def learn(self, namespace: str, needs: Needs, catalogue: str) -> Facts:
        """Return what a child depends on: claims, pods, and images by the named catalogue."""
        claims, pods, images, occupants = await asyncio.gather(
            asyncio.gather(*(self._claim(namespace, name) for name in needs.claims)),
            asyncio.gather(*(self._pods(namespace, selector) for selector in needs.pods)),
            self._catalogue(namespace, catalogue if needs.images else ""),
            self._living(namespace, needs.exclusive),
        )
        found = zip(needs.claims, claims, strict=True)
        return Facts(
            claims={name: modes for name, modes in found if modes is not None},
            pods=tuple(pod for some in pods for pod in some),
            images=images,
            occupants=occupants,
        )

    async def _claim(self, namespace: str, name: str) -> frozenset[str] | None:
        """Return a claim's access modes, or None if there is no such claim."""
        found = await self._get(f"{_path('v1', namespace, 'persistentvolumeclaims')}/{name}")
        return frozenset(found["spec"].get("accessModes") or ()) if found else None

    async def _pods(self, namespace: str, selector: str) -> list[Pod]:
        found = await self._api.list(_path("v1", namespace, "pods"), selector, LIVING)
        return [
            Pod(pod["metadata"].get("labels") or {}, node)
            for pod in found
            if (node := pod["spec"].get("nodeName"))
        ]

    async def _living(self, namespace: str, selector: str) -> tuple[str, ...]:
        """Return the names of pods that have not stopped, also of those without a node."""
        if not selector:
            return ()
        found = await self._api.list(_path("v1", namespace, "pods"), selector, LIVING)
        return tuple(pod["metadata"]["name"] for pod in found)

    async def _catalogue(self, namespace: str, name: str) -> dict[str, str]:
        if not name:
            return {}
        found = await self._get(f"{_path('v1', namespace, 'configmaps')}/{name}")
        return dict(found.get("data") or {}) if found else {}

    async def read_log(self, namespace: str, pod: str) -> str:
        """Return the end of the log of a task's pod."""
        return await self._api.text(f"{_path('v1', namespace, 'pods')}/{pod}/log", LOG)

    async def patch_status(
        self, namespace: str, name: str, resource_version: str, changes: Manifest
    ) -> Manifest:
        """Change parts of an operation's status, unless it has changed since that version."""
        path = f"{operations_path(namespace)}/{name}/status"
        body = {"metadata": {"resourceVersion": resource_version}, "status": changes}
        return await self._api.patch(path, body, MERGE_PATCH)

    async def create_event(self, manifest: Manifest) -> None:
        """Create an Event; one of that name that is there already is as good."""
        path = _path(manifest["apiVersion"], manifest["metadata"]["namespace"], "events")
        try:
            await self._api.post(path, manifest)
        except ApiError as error:
            if error.code != 409:
                raise

    async def release(self, child: Child) -> Child | None:
        """Take our finalizer off a child; return the child, or None if it is gone."""
        body = release_patch(child.uid, child.finalizers)
        path = f"{workflows_path(child.namespace)}/{child.name}"
        try:
            return Child.read(await self._api.patch(path, body, JSON_PATCH))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def delete_workflow(self, child: Child) -> Child | None:
        """Delete a child as it was seen; return it if something holds it, or None if it is gone."""
        path = f"{workflows_path(child.namespace)}/{child.name}"
        left = await self._delete(path, child.uid, str(child.resource_version), WORKFLOW_KIND)
        return Child.read(left) if left else None

    async def stop_pods(self, child: Child) -> tuple[str, ...]:
        """Delete those pods of a child that have not stopped; return their names."""
        chosen = {"labelSelector": f"{POD_LABEL}={child.name}", "fieldSelector": LIVING}
        # They have their own time to stop in; what they do not use the kubelet ends.
        body = {"apiVersion": "v1", "kind": "DeleteOptions"}
        reply = await self._api.delete(_path("v1", child.namespace, "pods"), body, chosen)
        return tuple(pod["metadata"]["name"] for pod in reply.get("items", ()))

    async def delete_operation(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> Manifest | None:
        """Delete an operation as it was seen; return it if something holds it, or None."""
        path = f"{operations_path(namespace)}/{name}"
        return await self._delete(path, uid, resource_version, KIND)

    async def _delete(self, path: str, uid: str, version: str, kind: str) -> Manifest | None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            # Neither another object of that name, nor one that was given more time meanwhile.
            "preconditions": {"uid": uid, "resourceVersion": version},
            "propagationPolicy": "Background",
        }
        try:
            reply = await self._api.delete(path, body)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        # What is gone at once is answered with a `Status`.
        return reply if reply.get("kind") == kind else None

    async def _get(self, path: str) -> Manifest | None:
        try:
            return await self._api.get(path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
