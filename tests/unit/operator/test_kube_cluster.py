"""The port to the API server: which requests each step becomes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from cloudharness_operation.render import workflow
from cloudharness_operator.decide.child import Child
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube.cluster import KubernetesCluster, operations_path, workflows_path
from cloudharness_operator.kube.http import JSON_PATCH, MERGE_PATCH, Api
from tests.support.builders import (
    CHILD,
    CHILD_UID,
    DEFAULTS,
    FINALIZER,
    NOW,
    UID,
    child,
    operation,
    operation_manifest,
    workflow_manifest,
)

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/lab/workflows"
OPERATIONS = "/apis/cloudharness.io/v1alpha1/namespaces/lab/cloudharnessoperations"

MISSING = ApiError(404, "NotFound", "not found")
INVALID = ApiError(422, "Invalid", "the server rejected our request")


class FakeApi(Api):
    """Answers what it is told to, and notes what it is asked."""

    def __init__(self, answer: dict[str, Any] | ApiError | OSError) -> None:
        self._answer = answer
        self.asked: list[tuple[object, ...]] = []

    @override
    async def get(self, path: str) -> dict[str, Any]:
        return self._answered("GET", path)

    @override
    async def post(
        self, path: str, body: dict[str, Any], query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return self._answered("POST", path, body, query)

    @override
    async def patch(
        self, path: str, body: dict[str, Any] | list[dict[str, Any]], kind: str
    ) -> dict[str, Any]:
        return self._answered("PATCH", path, body, kind)

    @override
    async def delete(
        self, path: str, body: dict[str, Any], query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        return self._answered("DELETE", path, body, *([query] if query else []))

    def _answered(self, *asked: object) -> dict[str, Any]:
        self.asked.append(asked)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("namespace", "operations", "workflows"),
    [
        ("lab", OPERATIONS, WORKFLOWS),
        (
            "",
            "/apis/cloudharness.io/v1alpha1/cloudharnessoperations",
            "/apis/argoproj.io/v1alpha1/workflows",
        ),
    ],
    ids=["one namespace", "all"],
)
def test_paths(namespace: str, operations: str, workflows: str) -> None:
    assert operations_path(namespace) == operations
    assert workflows_path(namespace) == workflows


def test_a_workflow_is_created_in_its_namespace_with_all_fields_or_not_at_all() -> None:
    api, wanted = FakeApi(workflow_manifest()), workflow(operation(), DEFAULTS)
    made = asyncio.run(KubernetesCluster(api).create_workflow(wanted))
    assert made == child()
    assert api.asked == [("POST", WORKFLOWS, wanted, {"fieldValidation": "Strict"})]


def test_a_workflow_is_read() -> None:
    api = FakeApi(workflow_manifest(status={"phase": "Running"}))
    found = asyncio.run(KubernetesCluster(api).get_workflow("lab", CHILD))
    assert found is not None
    assert (found.uid, found.phase) == (CHILD_UID, "Running")
    assert api.asked == [("GET", f"{WORKFLOWS}/{CHILD}")]


def test_an_operation_is_read() -> None:
    api = FakeApi(operation_manifest())
    assert asyncio.run(KubernetesCluster(api).get_operation("lab", "sums")) == operation_manifest()
    assert api.asked == [("GET", f"{OPERATIONS}/sums")]


def test_a_status_is_changed_in_the_version_that_was_seen() -> None:
    api = FakeApi(operation_manifest(version=11))
    reply = asyncio.run(
        KubernetesCluster(api).patch_status("lab", "sums", "10", {"phase": "Running", "x": None})
    )
    assert reply == operation_manifest(version=11)
    body = {"metadata": {"resourceVersion": "10"}, "status": {"phase": "Running", "x": None}}
    assert api.asked == [("PATCH", f"{OPERATIONS}/sums/status", body, MERGE_PATCH)]


@pytest.mark.parametrize(
    ("finalizers", "place"),
    [((FINALIZER,), 0), (("a/b", FINALIZER, "c/d"), 1), (("a/b", "c/d", FINALIZER), 2)],
    ids=["alone", "in the middle", "last"],
)
def test_only_our_finalizer_is_taken_off(finalizers: tuple[str, ...], place: int) -> None:
    api = FakeApi(workflow_manifest(finalizers=("a/b",), version=21))
    held = child(finalizers=finalizers)
    left = asyncio.run(KubernetesCluster(api).remove_finalizer(held))
    assert left == child(finalizers=("a/b",), resource_version=21)
    body = [
        {"op": "test", "path": "/metadata/uid", "value": CHILD_UID},
        {"op": "test", "path": f"/metadata/finalizers/{place}", "value": FINALIZER},
        {"op": "remove", "path": f"/metadata/finalizers/{place}"},
    ]
    assert api.asked == [("PATCH", f"{WORKFLOWS}/{CHILD}", body, JSON_PATCH)]


GONE_AT_ONCE = {"kind": "Status", "status": "Success", "details": {"name": CHILD}}


def options(uid: str, version: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid, "resourceVersion": version},
        "propagationPolicy": "Background",
    }


@pytest.mark.parametrize("held", [False, True], ids=["gone at once", "held by another"])
def test_a_workflow_is_deleted_as_it_was_seen(held: bool) -> None:
    left = workflow_manifest(finalizers=("a/b",), deleted=NOW, version=21)
    api = FakeApi(left if held else GONE_AT_ONCE)
    found = asyncio.run(KubernetesCluster(api).delete_workflow(child()))
    assert found == (Child.read(left) if held else None)
    assert api.asked == [("DELETE", f"{WORKFLOWS}/{CHILD}", options(CHILD_UID, "20"))]


@pytest.mark.parametrize("held", [False, True], ids=["gone at once", "held by another"])
def test_an_operation_is_deleted_as_it_was_seen(held: bool) -> None:
    left = operation_manifest(deleted=NOW)
    api = FakeApi(left if held else GONE_AT_ONCE)
    found = asyncio.run(KubernetesCluster(api).delete_operation("lab", "sums", UID, "10"))
    assert found == (left if held else None)
    assert api.asked == [("DELETE", f"{OPERATIONS}/sums", options(UID, "10"))]


def test_the_pods_of_one_workflow_are_stopped() -> None:
    api = FakeApi({"items": [{"metadata": {"name": name}} for name in ("one", "two")]})
    assert asyncio.run(KubernetesCluster(api).delete_pods(child())) == ("one", "two")
    asked = {
        "labelSelector": f"workflows.argoproj.io/workflow={CHILD}",
        "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
    }
    body = {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert api.asked == [("DELETE", "/api/v1/namespaces/lab/pods", body, asked)]


async def asked_for_all(cluster: KubernetesCluster) -> list[object]:
    return [
        await cluster.get_workflow("lab", CHILD),
        await cluster.get_operation("lab", "sums"),
        await cluster.remove_finalizer(child(held=True)),
        await cluster.delete_workflow(child()),
        await cluster.delete_operation("lab", "sums", UID, "10"),
    ]


def test_what_is_gone_is_no_error() -> None:
    assert asyncio.run(asked_for_all(KubernetesCluster(FakeApi(MISSING)))) == [None] * 5


@pytest.mark.parametrize("call", ["get_workflow", "get_operation", "remove_finalizer"])
def test_another_refusal_is_an_error(call: str) -> None:
    cluster = KubernetesCluster(FakeApi(INVALID))
    arguments: tuple[str | Child, ...] = (
        ("lab", "x") if call != "remove_finalizer" else (child(held=True),)
    )
    with pytest.raises(ApiError, match="422"):
        asyncio.run(getattr(cluster, call)(*arguments))


@pytest.mark.parametrize("error", [MISSING, INVALID], ids=["gone", "refused"])
def test_who_writes_is_told_of_every_refusal(error: ApiError) -> None:
    cluster = KubernetesCluster(FakeApi(error))
    with pytest.raises(ApiError):
        asyncio.run(cluster.patch_status("lab", "sums", "10", {}))
    with pytest.raises(ApiError):
        asyncio.run(cluster.create_workflow(workflow_manifest()))


def test_a_workflow_is_changed_in_the_version_that_was_seen() -> None:
    api = FakeApi(workflow_manifest(version=21, spec={"suspend": True}))
    changes = {"spec": {"suspend": True}, "metadata": {"annotations": {"a": "b"}}}
    left = asyncio.run(KubernetesCluster(api).patch_workflow(child(), changes))
    assert left == child(resource_version=21, suspended=True)
    body = {
        "spec": {"suspend": True},
        "metadata": {"annotations": {"a": "b"}, "uid": CHILD_UID, "resourceVersion": "20"},
    }
    assert api.asked == [("PATCH", f"{WORKFLOWS}/{CHILD}", body, MERGE_PATCH)]
