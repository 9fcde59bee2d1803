"""What a user creates, and what its child looks like while it runs and when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cloudharness_operation.event import timestamp
from cloudharness_operation.names import WORKFLOW_API_VERSION, WORKFLOW_KIND
from cloudharness_operator.clock import now
from cloudharness_operator.kube.cluster import operations_path, workflows_path
from tests.support.operations import bash, operation

Manifest = dict[str, Any]

IMAGE: Final = "localhost/none:1"
PLAYED: Final = "benchmarks.cloudharness.io/played"
"""`spec.managedBy` of Jobs, which Kubernetes' own controller then leaves alone."""
TASKS: Final = (
    {"name": "one", "python": {"source": "print('one')"}},
    bash("echo two", name="two"),
)


@dataclass(frozen=True)
class Shape:
    """A kind of parent with its kind of child."""

    parents: Callable[[str], str]
    """The path of the parents of a namespace."""
    children: Callable[[str], str]
    status: str
    """The subresource of the child's status; empty if there is none."""
    parent: Callable[[str, int | None], Manifest]
    """A parent with a name, and the seconds after which its child is deleted, or None."""
    running: Callable[[], Manifest]
    """The patch of a child that begins to run."""
    succeeded: Callable[[], Manifest]
    has_ended: Callable[[Manifest], bool]
    """Whether the status of a parent says that it has ended."""


def _now() -> str:
    return timestamp(now())


def _operation(name: str, ttl: int | None) -> Manifest:
    found = operation(name, *TASKS)
    if ttl is not None:
        found["spec"]["ttlStrategy"] = {"secondsAfterCompletion": ttl}
    return found


def _workflow(phase: str, progress: str, **times: str) -> Manifest:
    labels = {"workflows.argoproj.io/phase": phase}
    return {
        "metadata": {"labels": labels},
        "status": {"phase": phase, "progress": progress, **times},
    }


OPERATION: Final = Shape(
    parents=operations_path,
    children=workflows_path,
    status="",
    parent=_operation,
    running=lambda: _workflow("Running", "0/2", startedAt=_now()),
    succeeded=lambda: _workflow("Succeeded", "2/2", finishedAt=_now()),
    has_ended=lambda status: status.get("phase") in ("Succeeded", "Failed", "Error"),
)


def workflow() -> Manifest:
    """Return the Workflow that the peer in Go creates for each operation, without a name."""
    scripts = {
        "one": {"image": IMAGE, "command": ["python3"], "source": "print('one')"},
        "two": {"image": IMAGE, "command": ["bash"], "source": "echo two"},
    }
    return {
        "apiVersion": WORKFLOW_API_VERSION,
        "kind": WORKFLOW_KIND,
        "metadata": {},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {"name": "main", "steps": [[{"name": one, "template": one}] for one in scripts]},
                *({"name": one, "script": script} for one, script in scripts.items()),
            ],
        },
    }


def _jobset(name: str, ttl: int | None) -> Manifest:
    # All that JobSet's admission webhooks, which are off, would set is written out.
    pod = {
        "restartPolicy": "OnFailure",
        "containers": [{"name": "main", "image": IMAGE, "command": ["true"]}],
    }
    job = {
        "managedBy": PLAYED,
        "parallelism": 1,
        "completions": 1,
        "completionMode": "NonIndexed",
        "backoffLimit": 6,
        "template": {"spec": pod},
    }
    jobs = {"name": "main", "groupName": "default", "replicas": 1, "template": {"spec": job}}
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name},
        "spec": {
            "network": {"enableDNSHostnames": False, "publishNotReadyAddresses": True},
            "suspend": False,
            "successPolicy": {"operator": "All"},
            "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
            **({} if ttl is None else {"ttlSecondsAfterFinished": ttl}),
            "replicatedJobs": [jobs],
        },
    }


def _job_succeeded() -> Manifest:
    at = _now()
    conditions = [
        {"type": kind, "status": "True", "reason": "CompletionsReached", "lastTransitionTime": at}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    counts = {"active": 0, "ready": 0, "succeeded": 1, "completionTime": at}
    return {"status": {**counts, "conditions": conditions}}


JOBSET: Final = Shape(
    parents=lambda namespace: f"/apis/jobset.x-k8s.io/v1alpha2/namespaces/{namespace}/jobsets",
    children=lambda namespace: f"/apis/batch/v1/namespaces/{namespace}/jobs",
    status="/status",
    parent=_jobset,
    running=lambda: {"status": {"startTime": _now(), "active": 1, "ready": 1}},
    succeeded=_job_succeeded,
    has_ended=lambda status: any(
        (one["type"], one["status"]) == ("Completed", "True")
        for one in status.get("conditions", ())
    ),
)
