"""The port `Cluster` on a real API server: every request of the reconciler."""

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
from cloudharness_operation.render.facts import ClusterFacts, ClusterQuery, Pod
from cloudharness_operator.decide.child import Child
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube.http import JSON_PATCH, MERGE_PATCH, Api

Manifest = dict[str, Any]


def operations_path(namespace: str) -> str:
    """Return the path of the operations of a namespace (`""`: of all)."""
    return _path(API_VERSION, namespace, PLURAL)


def workflows_path(namespace: str) -> str:
    """Return the path of the Workflows of a namespace (`""`: of all)."""
    return _path(WORKFLOW_API_VERSION, namespace, WORKFLOW_PLURAL)


def events_path(namespace: str) -> str:
    """Return the path of the Kubernetes Events of a namespace."""
    return _path("events.k8s.io/v1", namespace, "events")


def _path(api_version: str, namespace: str, plural: str) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    root = "/apis" if "/" in api_version else "/api"
    return f"{root}/{api_version}{scope}/{plural}"


STRICT: Final = {"fieldValidation": "Strict"}
POD_LABEL: Final = "workflows.argoproj.io/workflow"
"""Argo's label with the name of a pod's Workflow (workflow/common/common.go)."""
LIVING: Final = "status.phase!=Succeeded,status.phase!=Failed"
"""Field selector of pods that may still use a volume or a lock."""


LOG: Final = {"container": "main", "tailLines": "60", "limitBytes": str(1024 * 1024)}
"""Some more lines than are kept, since some are of Argo's executor. The limit counts bytes from the
first of the lines, so it allows for the longest line of a container runtime: 16 KiB."""


def finalizer_patch(uid: str, finalizers: Sequence[str]) -> list[Manifest]:
    """Return the JSON patch (RFC 6902) that removes our finalizer from a Workflow."""
    place = f"/metadata/finalizers/{finalizers.index(FINALIZER)}"
    # Others may add and remove finalizers, so the same request checks the position.
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": place, "value": FINALIZER},
        {"op": "remove", "path": place},
    ]


class KubernetesCluster:
    """The port `Cluster`."""

    def __init__(self, api: Api) -> None:
        """Take the API server."""
        self._api = api

    async def create_workflow(self, manifest: Manifest) -> Child:
        """Create a Workflow and return it. The API server refuses unknown fields."""
        namespace = manifest["metadata"]["namespace"]
        return Child.read(await self._api.post(workflows_path(namespace), manifest, STRICT))

    async def patch_workflow(self, child: Child, changes: Manifest) -> Child:
        """Patch a Workflow, unless it has changed since it was read."""
        preconditions = {"uid": child.uid, "resourceVersion": str(child.resource_version)}
        metadata = {**changes.get("metadata", {}), **preconditions}
        body = {**changes, "metadata": metadata}
        path = f"{workflows_path(child.namespace)}/{child.name}"
        return Child.read(await self._api.patch(path, body, MERGE_PATCH))

    async def get_workflow(self, namespace: str, name: str) -> Child | None:
        """Return a Workflow, or None if there is none."""
        found = await self._get(f"{workflows_path(namespace)}/{name}")
        return Child.read(found) if found else None

    async def get_operation(self, namespace: str, name: str) -> Manifest | None:
        """Return an operation, or None if there is none."""
        return await self._get(f"{operations_path(namespace)}/{name}")

    async def fetch_facts(
        self, namespace: str, needs: ClusterQuery, catalogue: str
    ) -> ClusterFacts:
        """Return what a Workflow depends on: claims, pods, and images by the named catalogue."""
        claims, pods, images, occupants = await asyncio.gather(
            asyncio.gather(*(self._claim(namespace, name) for name in needs.claims)),
            asyncio.gather(*(self._pods(namespace, selector) for selector in needs.pods)),
            self._catalogue(namespace, catalogue if needs.images else ""),
            self._living(namespace, needs.exclusive),
        )
        found = zip(needs.claims, claims, strict=True)
        return ClusterFacts(
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
        """Return the names of pods that have not stopped, with or without a node."""
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
        """Patch an operation's status, unless the operation has changed since that version."""
        path = f"{operations_path(namespace)}/{name}/status"
        body = {"metadata": {"resourceVersion": resource_version}, "status": changes}
        return await self._api.patch(path, body, MERGE_PATCH)

    async def remove_finalizer(self, child: Child) -> Child | None:
        """Remove our finalizer from a Workflow; return the Workflow, or None if it is deleted."""
        body = finalizer_patch(child.uid, child.finalizers)
        path = f"{workflows_path(child.namespace)}/{child.name}"
        try:
            return Child.read(await self._api.patch(path, body, JSON_PATCH))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def delete_workflow(self, child: Child) -> Child | None:
        """Delete a Workflow as it was read; return it if a finalizer holds it, or None."""
        path = f"{workflows_path(child.namespace)}/{child.name}"
        left = await self._delete(path, child.uid, str(child.resource_version), WORKFLOW_KIND)
        return Child.read(left) if left else None

    async def delete_pods(self, child: Child) -> tuple[str, ...]:
        """Delete those pods of a Workflow that have not stopped; return their names."""
        chosen = {"labelSelector": f"{POD_LABEL}={child.name}", "fieldSelector": LIVING}
        # They get their termination grace period; after it the kubelet kills them.
        body = {"apiVersion": "v1", "kind": "DeleteOptions"}
        reply = await self._api.delete(_path("v1", child.namespace, "pods"), body, chosen)
        return tuple(pod["metadata"]["name"] for pod in reply.get("items", ()))

    async def delete_operation(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> Manifest | None:
        """Delete an operation as it was read; return it if a finalizer holds it, or None."""
        path = f"{operations_path(namespace)}/{name}"
        return await self._delete(path, uid, resource_version, KIND)

    async def _delete(self, path: str, uid: str, version: str, kind: str) -> Manifest | None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            # Neither another object of that name, nor one whose TTL was changed meanwhile.
            "preconditions": {"uid": uid, "resourceVersion": version},
            "propagationPolicy": "Background",
        }
        try:
            reply = await self._api.delete(path, body)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        # If it is deleted at once, the answer is a `Status`.
        return reply if reply.get("kind") == kind else None

    async def _get(self, path: str) -> Manifest | None:
        try:
            return await self._api.get(path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
