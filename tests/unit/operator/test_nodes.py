"""What is read of a Workflow's nodes."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudharness_operation import argo
from cloudharness_operation.status import TaskStatus
from cloudharness_operator.decide import nodes
from cloudharness_operator.decide.nodes import first_failed, moment, tasks, waiting
from tests.support.builders import CHILD, NOW, task, workflow_manifest

BEGUN = "2026-01-02T03:00:00Z"
LATER = "2026-01-02T03:01:00Z"
ENDED = "2026-01-02T03:04:05Z"
ROOT = {"type": "Steps", "templateName": "Operation", "name": CHILD, "phase": "Running"}
GROUP = {"type": "StepGroup", "name": f"{CHILD}[0]", "phase": "Running"}


def pod(name: str, phase: str, message: str = "", attempt: str = "", **more: Any) -> dict[str, Any]:
    node = {
        "id": f"{CHILD}-17",
        "type": "Pod",
        "name": f"{CHILD}[0].{name}{attempt}",
        "templateName": name,
        "phase": phase,
        "message": message,
    }
    return {**node, **more}


def retry(name: str, phase: str, message: str = "", **more: Any) -> dict[str, Any]:
    return pod(name, phase, message, **more) | {"type": "Retry"}


def read(*found: dict[str, Any], **metadata: Any) -> tuple[TaskStatus, ...]:
    manifest = workflow_manifest(
        status={"nodes": {f"n{number}": node for number, node in enumerate((ROOT, GROUP, *found))}}
    )
    manifest["metadata"] |= metadata
    return tasks(manifest)


POD = f"{CHILD}-add-2990334172"


def test_a_task_is_read_whole() -> None:
    node = pod(
        "add",
        "Failed",
        "main: OOMKilled (exit code 137)",
        startedAt=BEGUN,
        finishedAt=ENDED,
        hostNodeName="node2",
        outputs={"exitCode": "137"},
    )
    assert read(node) == (
        TaskStatus(
            name="add",
            phase="Failed",
            pod_name=POD,
            node_name="node2",
            start_time=datetime(2026, 1, 2, 3, 0, tzinfo=UTC),
            completion_time=NOW,
            attempts=1,
            exit_code=137,
            reason="OOMKilled",
            message="main: OOMKilled (exit code 137)",
        ),
    )


@pytest.mark.parametrize(
    ("annotation", "expected"), [("v2", POD), ("", POD), ("v1", f"{CHILD}-17")]
)
def test_the_name_of_a_pod(annotation: str, expected: str) -> None:
    annotations = {"workflows.argoproj.io/pod-name-format": annotation}
    assert read(pod("add", "Running"), annotations=annotations)[0].pod_name == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    # From Go: hash/fnv, New32a.
    [("", 2166136261), ("a", 3826002220), ("foobar", 3214735720)],
)
def test_the_hash_in_the_name_of_a_pod(text: str, expected: int) -> None:
    assert argo._fnv1a(text) == expected  # noqa: SLF001 - known values of a standard.


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("Pending", "Pending"),
        ("Running", "Running"),
        ("Succeeded", "Succeeded"),
        ("Failed", "Failed"),
        ("Error", "Error"),
        ("Skipped", "Skipped"),
        ("Omitted", "Skipped"),
        ("", "Pending"),
        ("New in Argo 9", "Pending"),
    ],
)
def test_the_phases(phase: str, expected: str) -> None:
    assert read(pod("add", phase))[0].phase == expected


WAITS = {
    "pull": ("ErrImagePull: not found", "ImagePullFailed"),
    "pull again": ("ImagePullBackOff: Back-off", "ImagePullFailed"),
    "image name": ("InvalidImageName: x", "ImagePullFailed"),
    "never pull": ("ErrImageNeverPull: x", "ImagePullFailed"),
    "registry": ("RegistryUnavailable: x", "ImagePullFailed"),
    "no node": ("Unschedulable: 0/2 nodes", "Unschedulable"),
    "secret": ("CreateContainerConfigError: no secret", "CreateContainerConfigError"),
    "container": ("CreateContainerError: x", "CreateContainerError"),
    "entrypoint": ("RunContainerError: x", "RunContainerError"),
    "init containers run": ("PodInitializing", None),
    "the container is made": ("ContainerCreating", None),
    "init containers run, in words": ("PodInitializing: wait", None),
    "nothing said": ("", None),
    "a reason in the middle": ("the ErrImagePull: x", None),
}


@pytest.mark.parametrize(("message", "reason"), WAITS.values(), ids=WAITS)
def test_why_a_pod_waits(message: str, reason: str | None) -> None:
    (found,) = read(pod("add", "Pending", message))
    assert (found.reason, found.message) == (reason, message if reason else None)
    assert waiting([found]) == (found if reason else None)


@pytest.mark.parametrize(
    ("phase", "message", "reason"),
    [
        ("Failed", "main: Error (exit code 3)", "Error"),
        ("Failed", "main: OOMKilled (exit code 137): out of it", "OOMKilled"),
        ("Error", "wait: Error (exit code 64): no", "ExecutorFailed"),
        ("Error", "wait: OOMKilled (exit code 137)", "ExecutorFailed"),
        ("Error", "init: Error (exit code 2)", "ExecutorFailed"),
        ("Failed", "waiter: Error (exit code 2)", "Error"),
        ("Error", "Pod failed before main container starts due to Evicted: x", "Evicted"),
        ("Error", "pod deleted", "PodDeleted"),
        ("Failed", "The node was low on resource: memory. Threshold quantity: 100Mi", "Evicted"),
        ("Failed", "The node had condition: [DiskPressure]. ", "Evicted"),
        ("Failed", "Pod ephemeral local storage usage exceeds the total limit of 1Mi. ", "Evicted"),
        ("Failed", 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". ', "Evicted"),
        ("Failed", 'Container main exceeded its local ephemeral storage limit "1Mi". ', "Evicted"),
        ("Failed", "I say: The node was low on resource: memory", None),
        ("Succeeded", "main: Error (exit code 3)", None),
    ],
)
def test_why_a_task_failed(phase: str, message: str, reason: str | None) -> None:
    assert read(pod("add", phase, message))[0].reason == reason


def test_a_failure_without_words_has_its_phase_for_them() -> None:
    assert read(pod("add", "Failed"))[0].message == "Failed"


@pytest.mark.parametrize("message", ["", "main: Error (exit code 3)"])
def test_attempts_are_one_task(message: str) -> None:
    """The whole has the Retry node's phase and times, and the last attempt's pod and reason."""
    (found,) = read(
        pod("add", "Failed", "main: Error (exit code 4)", "(10)", startedAt=LATER)
        | {"outputs": {"exitCode": "4"}, "hostNodeName": "node1"},
        pod("add", "Failed", "main: Error (exit code 3)", "(9)", startedAt=LATER),
        retry("add", "Failed", message, startedAt=BEGUN, finishedAt=ENDED),
    )
    assert (found.phase, found.attempts, found.exit_code) == ("Failed", 2, 4)
    assert found.message == "main: Error (exit code 4)"
    assert found.node_name == "node1"
    assert (found.start_time, found.completion_time) == (moment(BEGUN), moment(ENDED))


def test_a_failed_attempt_is_no_failure_while_there_are_more() -> None:
    (found,) = read(
        retry("add", "Running", startedAt=BEGUN),
        pod("add", "Failed", "main: Error (exit code 3)", "(0)", startedAt=BEGUN),
    )
    assert (found.phase, found.attempts, found.reason) == ("Running", 1, None)
    assert first_failed([found]) is None


def test_a_retry_without_an_attempt_is_pending() -> None:
    (found,) = read(retry("add", "Pending"))
    assert (found.phase, found.attempts, found.pod_name) == ("Pending", None, None)


def test_packed_nodes_are_unpacked() -> None:
    text = json.dumps({"n": pod("add", "Running")}).encode()
    packed = base64.b64encode(gzip.compress(text)).decode()
    manifest = workflow_manifest(status={"nodes": None, "compressedNodes": packed})
    assert [one.name for one in tasks(manifest)] == ["add"]


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argo, "MAX_NODES_SIZE", 1000)
    packed = base64.b64encode(gzip.compress(b" " * 1001 + b"{}")).decode()
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        tasks(workflow_manifest(status={"compressedNodes": packed}))


def test_nodes_that_are_kept_elsewhere_are_not_there() -> None:
    assert tasks(workflow_manifest(status={"offloadNodeStatusVersion": "fnv:1"})) == ()


EARLY = task("early", "Failed", completion_time=moment(BEGUN))
LATE = task("late", "Error", completion_time=moment(ENDED))
OPEN = task("open", "Error")
GOOD = task("good", "Succeeded", completion_time=moment(BEGUN))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([LATE, EARLY], EARLY),
        ([GOOD, LATE], LATE),
        ([OPEN, LATE], LATE),
        ([OPEN], OPEN),
        ([GOOD], None),
        ([], None),
    ],
)
def test_the_first_failure(found: list[TaskStatus], expected: TaskStatus | None) -> None:
    assert first_failed(found) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        (ENDED, NOW),
        ("2026-01-02T03:04:05.250000Z", datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
    ],
)
def test_a_time_is_read(text: str | None, expected: datetime | None) -> None:
    assert moment(text) == expected


def workflow_of(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": {"nodes": {str(number): node for number, node in enumerate(found)}}}


def test_only_pods_wait() -> None:
    begun = "2026-01-02T03:00:00Z"
    node = {"type": "Pod", "templateName": "add", "startedAt": begun, "phase": "Pending"}
    others: list[dict[str, Any]] = [
        {**node, "phase": "Running"},
        {**node, "type": "Retry"},
        {**node, "startedAt": None},
        {**node, "synchronizationStatus": {"waiting": "lab/Mutex/m"}},
    ]
    found = nodes.waits(
        nodes.by_task(workflow_of(*others, node, {**node, "message": "ErrImagePull: x"}))
    )
    since = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    assert found == (("add", since, ""), ("add", since, "ErrImagePull: x"))


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [("Pending", "Pending"), ("Running", "Running"), ("Failed", "Running")],
)
def test_a_task_whose_attempt_waits_does_not_run(attempt: str, expected: str) -> None:
    whole = {"type": "Retry", "templateName": "add", "name": "a", "phase": "Running"}
    one = {"type": "Pod", "templateName": "add", "name": "a(0)", "phase": attempt}
    metadata = {"name": CHILD}
    (task,) = nodes.tasks({**workflow_of(whole, one), "metadata": metadata})
    assert task.phase == expected
