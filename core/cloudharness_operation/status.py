"""The status of an operation: what the operator has observed of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from cloudharness_operation import reasons
from cloudharness_operation.resource import Resource, keyed_by

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Transition time of the CRD's default conditions, as in Gateway API."""


class Phase(StrEnum):
    """Phase of an operation. For display: programs read the conditions."""

    PENDING = "Pending"
    SUSPENDED = "Suspended"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    CANCELLED = "Cancelled"


class Condition(Resource):
    """One observation, as `metav1.Condition`."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """Accepted, Complete, Failed, Finished, Notified, Reconciling, Stalled or Suspended."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """Reason in CamelCase, for programs."""
    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    """The reason as a sentence."""
    last_transition_time: AwareDatetime
    """When `status` last changed."""
    observed_generation: int | None = Field(default=None, ge=0)
    """The `metadata.generation` that this was observed for."""


def are_settled(conditions: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether an operation has ended and no exit event is pending, by its conditions.

    Each condition has a status and a reason.
    """
    finished, _ = conditions.get("Finished", ("False", ""))
    notified, reason = conditions.get("Notified", ("True", ""))
    return finished == "True" and (notified == "True" or reason == reasons.GIVEN_UP)


class WorkflowRef(Resource):
    """A Workflow."""

    api_version: str
    """Its API version."""
    name: str
    """Its name, in the namespace of the operation."""
    uid: str
    """Its uid."""


class TaskPhase(StrEnum):
    """Phase of a task."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    SKIPPED = "Skipped"


class TaskStatus(Resource):
    """One task of the run."""

    name: str
    """Name of the task, as in the spec."""
    phase: TaskPhase = TaskPhase.PENDING
    """Pending, Running, Succeeded; Failed: the container failed; Error: the infrastructure failed;
    Skipped: not run, since a task before it failed."""
    pod_name: str | None = None
    """Pod of the latest attempt."""
    node_name: str | None = None
    """Node of the pod."""
    start_time: AwareDatetime | None = None
    """When the first attempt started."""
    completion_time: AwareDatetime | None = None
    """When the last attempt ended."""
    attempts: int | None = Field(default=None, ge=1)
    """Number of pods that were started for it: more than one after a retry."""
    exit_code: int | None = None
    """Exit code of the latest attempt's main container."""
    reason: str | None = None
    """Why it is pending or failed, in CamelCase, such as ImagePullFailed or OOMKilled."""
    message: str | None = None
    """The message of Kubernetes or Argo for it."""


class TaskCounts(Resource):
    """Number of tasks in each phase."""

    total: int = 0
    """All tasks of the spec."""
    pending: int = 0
    """Tasks that are pending."""
    running: int = 0
    """Tasks that are running."""
    succeeded: int = 0
    """Tasks that have succeeded."""
    failed: int = 0
    """Tasks with the phase Failed or Error."""
    skipped: int = 0
    """Tasks that were skipped."""


class ClaimStatus(Resource):
    """One PersistentVolumeClaim that the run uses."""

    name: str
    """Its name, in the namespace of the operation."""
    ephemeral: bool
    """True: created for the run, and deleted when the run has ended. False: it existed before."""
    mount_paths: tuple[str, ...] = ()
    """Where tasks mount it."""


class OutputReference(Resource):
    """Where the whole value of an output is, as long as the Workflow exists."""

    workflow: str
    """Name of the Workflow, in the namespace of the operation."""
    node: str
    """Key of the task's node in the Workflow's `status.nodes`."""


class OutputStatus(Resource):
    """One output of a task."""

    task: str
    """Name of the task."""
    name: str
    """Name of the output: `result` of a function, `stdout`, or one of the task's `outputs`."""
    size: int = Field(default=0, ge=0)
    """Length of the whole value in bytes."""
    value: str | None = None
    """The value, if it has at most 4 KiB, and all values together at most 32 KiB."""
    value_from: OutputReference | None = None
    """Where a larger value is."""


class Failure(Resource):
    """The task that failed first, kept after its pod is deleted."""

    task: str
    """Name of the task."""
    exit_code: int | None = None
    """Exit code of its main container."""
    reason: str | None = None
    """Why it failed, in CamelCase, such as Error, OOMKilled or Evicted."""
    message: str | None = None
    """The message of Kubernetes or Argo for it."""
    log_tail: tuple[str, ...] = ()
    """The last lines of its log: at most 20, and 4 KiB. Empty if the log could not be read."""


MAX_HISTORY: Final = 10


class PastRun(Resource):
    """A former run."""

    run: int = Field(ge=1)
    """Its number."""
    run_id: str
    """Its `spec.runId`."""
    phase: Phase
    """Its final phase."""
    reason: str | None = None
    """Why it ended so, in CamelCase."""
    message: str | None = None
    """The reason as a sentence."""
    start_time: AwareDatetime | None = None
    """When its Workflow started."""
    completion_time: AwareDatetime | None = None
    """When it ended."""
    workflow: str | None = None
    """Name of its Workflow, which may have expired."""


class OperationStatus(Resource):
    """Observed state. Written by the operator only."""

    observed_generation: int | None = Field(default=None, ge=0)
    """The `metadata.generation` that this status is about."""
    run: int | None = Field(default=None, ge=1)
    """Number of the run that this status is about: it starts at 1, and each new runId adds 1."""
    run_id: str | None = None
    """The `spec.runId` of that run."""
    phase: Phase | None = None
    """Pending, Suspended, Running, Succeeded, Failed, Error or Cancelled, for display."""
    reason: str | None = None
    """Reason of the phase, in CamelCase."""
    message: str | None = None
    """The reason as a sentence."""
    progress: Annotated[str, StringConstraints(pattern=r"^[0-9]+/[0-9]+$")] | None = None
    """Succeeded tasks of all tasks, as `N/M`."""
    task_counts: TaskCounts | None = None
    """Number of tasks in each phase."""
    tasks: tuple[TaskStatus, ...] = Field(default=(), json_schema_extra=keyed_by("name"))
    """Each task, in the order of the spec."""
    outputs: tuple[OutputStatus, ...] = ()
    """Outputs of tasks, in the order in which the tasks ended."""
    failure: Failure | None = None
    """The task that failed first, with the end of its log."""
    claims: tuple[ClaimStatus, ...] = Field(default=(), json_schema_extra=keyed_by("name"))
    """PersistentVolumeClaims of the volumes: existing ones, and those created for the run."""
    start_time: AwareDatetime | None = None
    """When the Workflow started."""
    completion_time: AwareDatetime | None = None
    """When the operation ended, whatever its outcome."""
    workflow_ref: WorkflowRef | None = None
    """The Workflow of the run, once it exists."""
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra=keyed_by("type"),
    )
    """Observations, one of each type."""
    history: tuple[PastRun, ...] = Field(default=(), max_length=MAX_HISTORY)
    """Former runs, the latest first: 10 at most."""

    @property
    def is_settled(self) -> bool:
        """Whether the operation has ended and no exit event is pending."""
        found = {one.type: (one.status, one.reason) for one in self.conditions}
        return are_settled(found)

    def is_true(self, type_: str) -> bool:
        """Return whether the condition of this type exists and is True."""
        return any(c.type == type_ and c.status == "True" for c in self.conditions)

    def has_become(self, type_: str, before: OperationStatus) -> bool:
        """Return whether the condition of this type is True, and was not in the status before."""
        return self.is_true(type_) and not before.is_true(type_)
