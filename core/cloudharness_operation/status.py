"""The status of an operation: what the operator has observed of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from cloudharness_operation.resource import Resource, keyed_by

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When nothing has been observed yet, as Gateway API's default conditions have it."""


GIVEN_UP: Final = "GivenUp"
"""Reason of `Notified` where the exit event is not tried again."""


class Phase(StrEnum):
    """Where an operation is in its life. For display: programs read the conditions."""

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
    """One CamelCase word for programs."""
    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    """A sentence for people."""
    last_transition_time: AwareDatetime
    """When `status` last changed."""
    observed_generation: int | None = Field(default=None, ge=0)
    """The `metadata.generation` that this was observed for."""


def are_settled(conditions: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether conditions say that all is over; each has a status and a reason."""
    finished, _ = conditions.get("Finished", ("False", ""))
    told, why = conditions.get("Notified", ("True", ""))
    return finished == "True" and (told == "True" or why == GIVEN_UP)


class WorkflowRef(Resource):
    """The child Workflow."""

    api_version: str
    """Its API version."""
    name: str
    """Its name, in the namespace of the operation."""
    uid: str
    """Its uid."""


class TaskPhase(StrEnum):
    """Where a task is in its life."""

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
    """Pending, Running, Succeeded; Failed: the task's own fault; Error: that of what runs it;
    Skipped: never run, since a task before it failed."""
    pod_name: str | None = None
    """Pod of the latest attempt."""
    node_name: str | None = None
    """Node that the pod was sent to."""
    start_time: AwareDatetime | None = None
    """When the first attempt began."""
    completion_time: AwareDatetime | None = None
    """When the last attempt ended."""
    attempts: int | None = Field(default=None, ge=1)
    """How many pods were started for it: more than one after a retry."""
    exit_code: int | None = None
    """Exit code of the latest attempt's main container."""
    reason: str | None = None
    """One CamelCase word for why it waits or failed, such as ImagePullFailed or OOMKilled."""
    message: str | None = None
    """The same for people, as Kubernetes or Argo words it."""


class TaskCounts(Resource):
    """How many tasks are in which phase."""

    total: int = 0
    """All tasks of the spec."""
    pending: int = 0
    """Not running yet."""
    running: int = 0
    """Running now."""
    succeeded: int = 0
    """Ended well."""
    failed: int = 0
    """Ended otherwise, by Failed or Error."""
    skipped: int = 0
    """Never run."""


class ClaimStatus(Resource):
    """One PersistentVolumeClaim that the run uses."""

    name: str
    """Its name, in the namespace of the operation."""
    ephemeral: bool
    """True: made for the run, and deleted when the run has ended. False: it was there."""
    mount_paths: tuple[str, ...] = ()
    """Where tasks find it."""


class OutputReference(Resource):
    """Where the whole value of an output is, as long as the Workflow is there."""

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
    """The value, where it has at most 4 KiB and those before it leave room: 32 KiB in all."""
    value_from: OutputReference | None = None
    """Where the value is that is too large to be here."""


class Failure(Resource):
    """What failed first, kept when its pod is gone."""

    task: str
    """Name of the task."""
    exit_code: int | None = None
    """Exit code of its main container."""
    reason: str | None = None
    """One CamelCase word, such as Error, OOMKilled or Evicted."""
    message: str | None = None
    """The same for people, as Kubernetes or Argo words it."""
    log_tail: tuple[str, ...] = ()
    """The last lines of its log: 20 and 4 KiB at most. None where the log was gone."""


MAX_HISTORY: Final = 10


class PastRun(Resource):
    """One run that is over."""

    run: int = Field(ge=1)
    """Its number."""
    run_id: str
    """The `spec.runId` that it was for."""
    phase: Phase
    """How it ended."""
    reason: str | None = None
    """One CamelCase word for why it ended so."""
    message: str | None = None
    """A sentence for people about how it ended."""
    start_time: AwareDatetime | None = None
    """When its Workflow started."""
    completion_time: AwareDatetime | None = None
    """When it ended."""
    workflow: str | None = None
    """Name of its Workflow, which the ttlStrategy may have deleted."""


class OperationStatus(Resource):
    """What the operator has observed. Written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0)
    """The `metadata.generation` that this status is about."""
    run: int | None = Field(default=None, ge=1)
    """The number of the run that this status is about: 1, and one more with each new runId."""
    run_id: str | None = None
    """The `spec.runId` of that run."""
    phase: Phase | None = None
    """Pending, Suspended, Running, Succeeded, Failed, Error or Cancelled, for display."""
    reason: str | None = None
    """One CamelCase word for why the operation is where it is."""
    message: str | None = None
    """A sentence for people about where the operation is."""
    progress: Annotated[str, StringConstraints(pattern=r"^[0-9]+/[0-9]+$")] | None = None
    """Tasks done of all tasks, as `N/M`."""
    task_counts: TaskCounts | None = None
    """How many tasks are in which phase."""
    tasks: tuple[TaskStatus, ...] = Field(default=(), json_schema_extra=keyed_by("name"))
    """Each task, in the order of the spec."""
    outputs: tuple[OutputStatus, ...] = ()
    """What tasks have left, in the order in which they ended."""
    failure: Failure | None = None
    """The task that failed first, with the end of its log."""
    claims: tuple[ClaimStatus, ...] = Field(default=(), json_schema_extra=keyed_by("name"))
    """The volumes' claims: which were found, and which were made."""
    start_time: AwareDatetime | None = None
    """When the child Workflow started."""
    completion_time: AwareDatetime | None = None
    """When the operation ended, however it ended."""
    workflow_ref: WorkflowRef | None = None
    """The child Workflow, once there is one."""
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra=keyed_by("type"),
    )
    """Observations, one of each type."""
    history: tuple[PastRun, ...] = Field(default=(), max_length=MAX_HISTORY)
    """The runs before, the latest first: 10 at most."""

    @property
    def is_settled(self) -> bool:
        """Whether the operation has ended, and nobody waits to be told."""
        found = {one.type: (one.status, one.reason) for one in self.conditions}
        return are_settled(found)

    def is_true(self, type_: str) -> bool:
        """Return whether the condition of this type is there and True."""
        return any(c.type == type_ and c.status == "True" for c in self.conditions)
