"""`onExit.task` on a real cluster: after each kind of end, and when it cannot run itself."""

from dataclasses import dataclass, field

import pytest

from tests.support.installation import Installation, eventually
from tests.support.operations import Manifest, bash, change, operation, runs

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("exit-task")]

BYE = bash("echo result=$workflow_result", "bye")
NO_SECRET = bash("true", "bye", envFrom=[{"secretRef": {"name": "none"}}])
"""A task whose pod never starts."""
STUCK = {**NO_SECRET, "name": "task"}
LONG = bash("sleep 300")


@dataclass(frozen=True)
class End:
    """A way in which the tasks end, and what then holds."""

    task: Manifest
    phase: str
    reason: str
    phases: list[str]
    """Of the task and of the exit task."""
    exit_task: Manifest | None = None
    cancel: str = ""
    spec: Manifest = field(default_factory=dict)
    result: str = ""
    """What the exit task prints as `workflow_result`."""


ENDS = {
    "success": End(
        bash("true"),
        "Succeeded",
        "AllTasksSucceeded",
        ["Succeeded", "Succeeded"],
        result="Succeeded",
    ),
    "failure": End(
        bash("exit 3"), "Failed", "TaskFailed", ["Failed", "Succeeded"], result="Failed"
    ),
    "it-fails": End(
        bash("true"),
        "Failed",
        "TaskFailed",
        ["Succeeded", "Failed"],
        exit_task=bash("echo result=$workflow_result; exit 4", "bye"),
        result="Succeeded",
    ),
    "stop": End(
        LONG, "Cancelled", "Cancelled", ["Failed", "Succeeded"], cancel="Stop", result="Failed"
    ),
    "terminate": End(LONG, "Cancelled", "Cancelled", ["Failed", "Skipped"], cancel="Terminate"),
    "deadline": End(
        LONG,
        "Failed",
        "DeadlineExceeded",
        ["Failed", "Succeeded"],
        spec={"activeDeadlineSeconds": 10},
        result="Failed",
    ),
    "pending": End(
        STUCK,
        "Failed",
        "PendingDeadlineExceeded",
        ["Failed", "Succeeded"],
        spec={"pendingDeadlineSeconds": 10},
        result="Failed",
    ),
    "it-is-stuck": End(
        bash("true"),
        "Failed",
        "PendingDeadlineExceeded",
        ["Succeeded", "Failed"],
        exit_task=NO_SECRET,
        spec={"pendingDeadlineSeconds": 10},
    ),
    "both-are-stuck": End(
        STUCK,
        "Failed",
        "PendingDeadlineExceeded",
        ["Failed", "Failed"],
        exit_task=NO_SECRET,
        spec={"pendingDeadlineSeconds": 10},
    ),
}


_LONG = ("failure", "it-is-stuck", "it-fails", "terminate", "deadline", "pending", "both-are-stuck")


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.long if one in _LONG else ()) for one in ENDS],
)
def test_the_exit_task_runs_unless_the_run_is_terminated(shared: Installation, name: str) -> None:
    end, name = ENDS[name], f"exit-{name}"
    spec = {**end.spec, "onExit": {"task": end.exit_task or BYE}}
    shared.apply(operation(name, end.task, **spec))
    if end.cancel:
        runs(shared, name)
        change(shared, name, cancel=end.cancel)
    status = shared.wait_for(name)
    assert (status["phase"], status["reason"]) == (end.phase, end.reason), status
    assert [task["name"] for task in status["tasks"]] == [end.task["name"], "bye"]
    # For Argo, a pending pod that it deletes is an error or a failure.
    found = [task["phase"].replace("Error", "Failed") for task in status["tasks"]]
    assert found == end.phases, status
    assert _result(shared, status) == end.result


def _result(one: Installation, status: Manifest) -> str:
    (bye,) = (task for task in status["tasks"] if task["name"] == "bye")
    if "podName" not in bye:
        return ""
    log = one.kubectl("logs", bye["podName"], "-c", "main", check=False)
    return next((line[7:] for line in log.splitlines() if line.startswith("result=")), "")


def test_the_exit_task_reads_what_the_tasks_wrote(shared: Installation) -> None:
    name = "exit-volume"
    read = bash("cat /data/said", "bye", outputs=[{"name": "said", "path": "/data/said"}])
    write = bash("printf hello > /data/said")
    shared.apply(
        operation(
            name,
            write,
            sharedVolumes=[{"mountPath": "/data", "size": "1Mi"}],
            onExit={"task": read},
        )
    )
    status = shared.wait_for(name)
    assert status["phase"] == "Succeeded", status
    assert [(one["task"], one["value"]) for one in status["outputs"]] == [("bye", "hello")]
    workflow = status["workflowRef"]["name"]
    eventually(lambda: not _claims(shared, workflow))


def _claims(one: Installation, workflow: str) -> list[str]:
    names = (claim["metadata"]["name"] for claim in one.find("persistentvolumeclaims"))
    return [name for name in names if name.startswith(workflow)]
