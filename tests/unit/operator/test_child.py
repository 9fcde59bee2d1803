"""What the operator reads of a Workflow."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operation.status import ClaimStatus
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.loop import intake
from cloudharness_operator.loop.served import Served
from cloudharness_operator.loop.store import Store
from tests.support.builders import (
    CHILD,
    CHILD_UID,
    FINALIZER,
    FINISHED,
    NAME,
    NAMESPACE,
    NOW,
    STARTED,
    UID,
    child,
    task,
    workflow_manifest,
)


def node(task: str, phase: str, message: str = "") -> dict[str, Any]:
    """A node of a task that is not run in a pod, which has the fewest fields."""
    return {"type": "Suspend", "templateName": task, "phase": phase, "message": message}


def read(phase: str, *nodes: dict[str, Any]) -> Child:
    named = {f"n{number}": node for number, node in enumerate(nodes)}
    return Child.read(workflow_manifest(status={"phase": phase, "nodes": named}))


def test_a_whole_workflow_is_read() -> None:
    manifest = workflow_manifest(
        version=123,
        finalizers=("a/b", FINALIZER),
        event="kept",
        deleted=NOW,
        status={
            "phase": "Failed",
            "message": "child failed",
            "progress": "1/2",
            "startedAt": "2026-01-02T03:00:01Z",
            "finishedAt": "2026-01-02T03:04:00Z",
            "nodes": {"n": node("add", "Failed", "exit code 3")},
        },
        spec={
            "volumes": [
                {"name": "old", "persistentVolumeClaim": {"claimName": "old"}},
                {"name": "other", "emptyDir": {}},
            ],
            "volumeClaimTemplates": [{"metadata": {"name": "vol-new"}, "spec": {}}],
        },
    )
    assert Child.read(manifest) == Child(
        namespace=NAMESPACE,
        name=CHILD,
        uid=CHILD_UID,
        resource_version=123,
        operation_uid=UID,
        operation=NAME,
        owner_uid=UID,
        phase="Failed",
        message="child failed",
        progress="1/2",
        started=STARTED,
        finished=FINISHED,
        deleted=NOW,
        finalizers=("a/b", FINALIZER),
        exit_event="kept",
        tasks=(task(phase="Failed", message="exit code 3"),),
        claims=(
            ClaimStatus(name="old", ephemeral=False),
            ClaimStatus(name=f"{CHILD}-vol-new", ephemeral=True),
        ),
    )


@pytest.mark.parametrize("status", [None, {}, {"nodes": None}, {"phase": "", "nodes": {}}])
def test_a_workflow_that_argo_has_not_met_is_read(status: dict[str, Any] | None) -> None:
    assert Child.read(workflow_manifest(status=status)) == child()


def test_a_workflow_without_labels_and_owners_is_nobodys() -> None:
    manifest = workflow_manifest()
    for field in ("labels", "ownerReferences"):
        del manifest["metadata"][field]
    found = Child.read(manifest)
    assert (found.operation_uid, found.operation, found.owner_uid) == ("", "", "")


def test_an_owner_of_another_kind_is_not_ours() -> None:
    manifest = workflow_manifest()
    cron = {"kind": "CronWorkflow", "uid": "other", "name": "x", "apiVersion": "y"}
    manifest["metadata"]["ownerReferences"].insert(0, cron)
    assert Child.read(manifest).owner_uid == UID
    manifest["metadata"]["ownerReferences"] = [cron]
    assert Child.read(manifest).owner_uid == ""


@pytest.mark.parametrize(
    ("phase", "ended"),
    [("", False), ("Pending", False), ("Running", False)]
    + [(phase, True) for phase in ("Succeeded", "Failed", "Error")],
)
def test_the_phases_of_an_end(phase: str, ended: bool) -> None:
    assert read(phase).has_ended is ended


@pytest.mark.parametrize(
    ("finalizers", "held"),
    [((), False), (("a/b",), False), ((FINALIZER,), True), (("a/b", FINALIZER), True)],
)
def test_who_holds_it(finalizers: tuple[str, ...], held: bool) -> None:
    assert Child.read(workflow_manifest(finalizers=finalizers)).is_held is held


STUCK = node("add", "Pending", "Unschedulable: 0/2 nodes")
FAILED = node("add", "Failed", "main: Error (exit code 3)")


@pytest.mark.parametrize(
    ("phase", "nodes", "waiting", "failure"),
    [
        (
            "Running",
            [STUCK],
            ReasonMessage("Unschedulable", "task add: Unschedulable: 0/2 nodes"),
            "",
        ),
        ("Failed", [STUCK], None, ""),
        ("Running", [FAILED], None, ""),
        ("Failed", [FAILED], None, "task add: main: Error (exit code 3)"),
        ("Failed", [], None, ""),
    ],
    ids=["it waits", "it has ended", "a task failed", "and so has all", "nothing is known"],
)
def test_trouble_is_told_while_it_matters(
    phase: str, nodes: list[dict[str, Any]], waiting: ReasonMessage | None, failure: str
) -> None:
    found = read(phase, *nodes)
    assert (found.waiting, found.failure) == (waiting, failure)


@pytest.mark.parametrize(
    "status",
    [
        {"nodes": {"n": "no node"}},
        {"nodes": {"n": {"templateName": "add", "type": "Pod", "phase": "Running"}}},
        {"nodes": {"n": node("add", "Running") | {"startedAt": "yesterday"}}},
        {"compressedNodes": "no base64"},
    ],
    ids=["no object", "a pod without a name", "no time", "not packed"],
)
def test_what_cannot_be_read_of_nodes_costs_nothing_else(
    status: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    manifest = workflow_manifest(status={"phase": "Succeeded", **status})
    found = Child.read(manifest)
    assert (found.phase, found.tasks) == ("Succeeded", ())
    assert found.details_error
    store = Store(lambda _: None, lambda: 0.0)
    intake.workflows(store, Served((), intake.KINDS)).upsert(manifest)
    assert store.current(found) == found
    assert f"nodes of Workflow {NAMESPACE}/{CHILD}" in caplog.text


def test_tasks_with_a_deadline_of_their_own_are_known() -> None:
    manifest = workflow_manifest(
        spec={
            "templates": [
                {"name": "free", "podSpecPatch": "terminationGracePeriodSeconds: 1"},
                {"name": "own", "activeDeadlineSeconds": 5},
                {"name": "patched", "podSpecPatch": '{"activeDeadlineSeconds": 5}'},
            ]
        }
    )
    assert Child.read(manifest).bounded == ("own", "patched")
