"""What status says of single tasks and claims."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operation.model import Operation
from cloudharness_operation.render import workflow
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.status import (
    ClaimStatus,
    OperationStatus,
    TaskCounts,
    TaskPhase,
    TaskStatus,
)
from cloudharness_operator.decide import details
from cloudharness_operator.decide.child import Child
from tests.support.builders import (
    BASH,
    CHILD,
    DEFAULTS,
    FINISHED,
    PYTHON,
    child,
    operation,
    operation_manifest,
    outcome,
    task,
    workflow_manifest,
)

ADD, SHOW = task("add"), task("show", "Succeeded")
WAITS = task("add", "Pending", reason="ImagePullFailed", message="ErrImagePull: x")
REWORDED = task("add", "Pending", reason="ImagePullFailed", message="ImagePullBackOff: x")
FULL = task("add", "Pending", reason="Unschedulable", message="Unschedulable: x")


def known(*tasks: TaskStatus) -> OperationStatus:
    return OperationStatus(tasks=tasks)


@pytest.mark.parametrize(
    ("before", "found", "expected"),
    [
        pytest.param((), (), (), id="nothing is known"),
        pytest.param((), (SHOW, ADD), (ADD, SHOW), id="in the order of the spec"),
        pytest.param((), (ADD,), (ADD, task("show", "Pending")), id="Argo has not come to all"),
        pytest.param((ADD, SHOW), (), (ADD, SHOW), id="what was known stays"),
        pytest.param((WAITS,), (REWORDED, SHOW), (WAITS, SHOW), id="the first words stay"),
        pytest.param((FULL,), (WAITS, SHOW), (WAITS, SHOW), id="another trouble"),
        pytest.param((WAITS,), (ADD, SHOW), (ADD, SHOW), id="trouble is over"),
        pytest.param((), (ADD, SHOW, task("patched-in")), (ADD, SHOW), id="none of the spec's"),
    ],
)
def test_tasks_under_way(
    before: tuple[TaskStatus, ...],
    found: tuple[TaskStatus, ...],
    expected: tuple[TaskStatus, ...],
) -> None:
    of = operation(BASH, PYTHON, status=known(*before))
    assert details.in_progress(of, child("Running", tasks=found)) == expected


def test_tasks_of_a_child_that_is_gone_are_those_on_record() -> None:
    assert details.in_progress(operation(BASH, PYTHON, status=known(ADD, SHOW)), None) == (
        ADD,
        SHOW,
    )


LOST = outcome("Error", "WorkflowLost", "it is gone")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(SHOW, SHOW, id="it has ended"),
        pytest.param(
            task("show", "Running", pod_name="p"),
            task(
                "show",
                "Error",
                pod_name="p",
                reason="WorkflowLost",
                message="it is gone",
                completion_time=FINISHED,
            ),
            id="it ran",
        ),
        pytest.param(task("show", "Pending"), task("show", "Skipped"), id="it never ran"),
        pytest.param(task("show", "Skipped"), task("show", "Skipped"), id="nor does it now"),
    ],
)
def test_no_task_goes_on_after_the_end(found: TaskStatus, expected: TaskStatus) -> None:
    of = operation(BASH, PYTHON)
    assert details.ended(of, child("Error", tasks=(found,)), LOST) == (
        task("add", "Skipped"),
        expected,
    )


def test_counts_are_of_phases() -> None:
    phases = [phase for number, phase in enumerate(TaskPhase) for _ in range(number + 1)]
    assert details.counts(tuple(task(phase=phase) for phase in phases)) == TaskCounts(
        total=21, pending=1, running=2, succeeded=3, failed=4 + 5, skipped=6
    )
    assert details.counts(()) is None


def rendered(facts: ClusterFacts, *volumes: dict[str, Any]) -> tuple[Operation, Child]:
    manifest = operation_manifest()
    manifest["spec"]["sharedVolumes"] = list(volumes)
    of = Operation.parse(manifest)
    spec = workflow(of, DEFAULTS, facts)["spec"]
    return of, Child.read(workflow_manifest(spec=spec))


def test_claims_that_were_found_and_made() -> None:
    of, made = rendered(
        ClusterFacts(claims={"old": frozenset({"ReadWriteOnce"})}),
        {"claim": "old", "mountPath": "/mnt/old"},
        {"claim": "old", "mountPath": "/mnt/again"},
        {"claim": "new", "mountPath": "/mnt/new"},
        {"mountPath": "/mnt/nameless"},
    )
    found, new, nameless = details.claims(of, made)
    assert found == ClaimStatus(name="old", ephemeral=False, mount_paths=("/mnt/old", "/mnt/again"))
    assert new == ClaimStatus(name=f"{CHILD}-new", ephemeral=True, mount_paths=("/mnt/new",))
    assert (nameless.ephemeral, nameless.mount_paths) == (True, ("/mnt/nameless",))
    assert nameless.name.startswith(f"{CHILD}-vol-mnt-nameless-")


def test_claims_stay_on_record_when_the_child_is_gone() -> None:
    claims = (ClaimStatus(name="old", ephemeral=False, mount_paths=("/mnt",)),)
    of = operation(status=OperationStatus(claims=claims))
    assert details.claims(of, None) == claims
    assert details.claims(of, child()) == ()
