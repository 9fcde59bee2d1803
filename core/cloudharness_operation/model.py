"""The `CloudHarnessOperation` resource: the single source of the CRD, of its docs and of parsing.

The docstring below each field is its description in the CRD, so one sentence serves the reader
of this file, of `kubectl explain` and of the docs. Its parts are in `tasks`, `volumes`, `pods`
and `record`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from cloudharness_operation.errors import InvalidOperation, problems
from cloudharness_operation.lifetime import TTL_DEFAULT, PodGC, PositiveSeconds, TtlStrategy
from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.pods import NameReference, PodSettings
from cloudharness_operation.references import misfits
from cloudharness_operation.resource import Resource, form, keyed_by, rules
from cloudharness_operation.runs import (
    FIRST_RUN_ID,
    RULES,
    ConcurrencyGroup,
    ConcurrencyPolicy,
    RunId,
    fixed,
)
from cloudharness_operation.security import PodSecurityContext
from cloudharness_operation.status import OperationStatus
from cloudharness_operation.tasks import MAX_SOURCES_LENGTH, Task
from cloudharness_operation.volumes import ACROSS, ALIKE, PodContext, Sharing, conflict

MAX_TASKS: Final = 100
MAX_PAYLOAD_LENGTH: Final = 32768


class OperationType(StrEnum):
    """How the tasks of an operation are arranged."""

    SINGLE_TASK = "SingleTask"
    PIPELINE = "Pipeline"
    PARALLEL = "Parallel"
    SIMPLE_DAG = "SimpleDag"


class Cancel(StrEnum):
    """How a run is cancelled: Argo's own words for a shutdown."""

    STOP = "Stop"
    TERMINATE = "Terminate"


MAX_SECONDS: Final = 365 * 24 * 3600
"""A year: longer than any run, and far from what a number of seconds can overflow."""

Topic = Annotated[
    str,
    form(
        r"^[a-zA-Z0-9._-]+$",
        249,
        "write a Kafka topic: letters, digits, '.', '_' and '-'",
        ("self != '.' && self != '..'", "topic cannot be '.' or '..': choose another name"),
    ),
]


TraceParent = Annotated[
    str,
    form(
        r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        55,
        "write a W3C traceparent of version 00: 00-<trace id>-<parent id>-<flags>, in lower case",
    ),
]


class Notify(Resource):
    """Where the exit of the operation is told, and with what."""

    topic: Topic
    """Kafka topic that the exit event is published to."""
    payload: Annotated[str, StringConstraints(max_length=MAX_PAYLOAD_LENGTH)] = ""
    """Text handed through to the event's `payload` as it is, at most 32768 characters. Often
    JSON."""
    traceparent: TraceParent | None = None
    """The trace that the event belongs to, as W3C Trace Context has it: the event's attribute of
    that name (CloudEvents, distributed tracing extension)."""


class OnExit(Resource):
    """What happens when the operation has ended, however it ended."""

    notify: Notify | None = None
    """Publish an event to Kafka, at least once, always under the same id."""


FIXED: Final = (
    "type",
    "tasks",
    "parallelism",
    "sharedVolumes",
    "podContexts",
    "onExit",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "serviceAccountName",
    "securityContext",
    "imagePullSecrets",
    "podGC",
    "activeDeadlineSeconds",
    "concurrencyPolicy",
    "concurrencyGroup",
)
"""What is of one run. All other fields may change at any time."""


class OperationSpec(PodSettings):
    """What to run. What is run changes with `runId` alone."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.type != 'SingleTask' || size(self.tasks) <= 1",
                "type SingleTask takes exactly one task: use type Pipeline for several",
                "tasks",
            ),
            (
                "self.type != 'SimpleDag' || self.tasks.all(task, has(task.group))",
                "type SimpleDag needs a group for each task: give each task a group, 0 runs first",
                "tasks",
            ),
            (
                "self.type == 'SimpleDag' || !self.tasks.exists(task, has(task.group))",
                "group is for type SimpleDag: remove it from the tasks, or use that type",
                "tasks",
            ),
            (ACROSS, ALIKE, "tasks"),
            (
                "self.tasks.map(task, has(task.bash) ? size(task.bash.source) : "
                "has(task.python) && has(task.python.source) ? size(task.python.source) : 0)"
                f".sum() <= {MAX_SOURCES_LENGTH}",
                f"the sources of all tasks together must not exceed {MAX_SOURCES_LENGTH} "
                "characters: put code into a ConfigMap or an image",
                "tasks",
            ),
            *RULES,
            *map(fixed, FIXED),
        )
    )

    type: OperationType
    """SingleTask runs one task; Pipeline runs its tasks one after the other; Parallel all at once;
    SimpleDag runs groups of parallel tasks, one group after the other."""
    tasks: tuple[Task, ...] = Field(
        min_length=1, max_length=MAX_TASKS, json_schema_extra=keyed_by("name")
    )
    """The tasks. In a Pipeline they run in this order. What has more than 200 KiB in all takes
    `kubectl apply --server-side`."""
    parallelism: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many tasks run at the same time, at most. Left out: as many as can."""
    shared_volumes: Sharing = ()
    """Volumes that are mounted into all tasks."""
    pod_contexts: tuple[PodContext, ...] = Field(
        default=(), max_length=16, json_schema_extra=keyed_by("key")
    )
    """Labels by which pods are put on one node, also with those of other operations."""
    on_exit: OnExit | None = None
    """What happens at the end, on success and on failure."""
    security_context: PodSecurityContext | None = None
    """What the pods may do."""
    image_pull_secrets: tuple[NameReference, ...] = Field(default=(), max_length=16)
    """Secrets to pull images with, besides those that the operator is set up with."""
    suspend: bool = False
    """True before it has begun: nothing is made until this is false. True while it runs: no new
    task starts; what runs goes on. May be changed at any time."""
    cancel: Cancel | None = None
    """Ends the run for good, also while it is suspended; the record stays. Stop lets exit handlers
    run that a templatePatch has brought in, Terminate does not. Cannot be taken back."""
    run_id: RunId = FIRST_RUN_ID
    """Names the run. Another one runs the operation again, and lets all other fields change with
    it; what a file in Git takes is a tag or a hash. A run that goes on is waited for, or, with the
    concurrencyPolicy Replace, ended. What has run is in `status.history`."""
    concurrency_policy: ConcurrencyPolicy | None = None
    """What is done about other operations of the concurrencyGroup. Allow: run beside them.
    Forbid: begin when no other runs, in the order of their creation. Replace: end those that are
    older, running or waiting, then begin."""
    concurrency_group: ConcurrencyGroup | None = None
    """Name of a group of operations in this namespace. Pods have it as their label
    `cloudharness.io/concurrency-group`."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS)] | None = None
    """Seconds after its start at which a run that goes on is ended, as failed, with the reason
    DeadlineExceeded; they go on while it is suspended. Left out: none."""
    pending_deadline_seconds: Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None = None
    """Seconds that a task's pod may wait to start, as for an image, a Secret or a node, before
    the run is ended, as failed, with the reason PendingDeadlineExceeded. Waiting for a node that
    tasks of the same run occupy does not count. 0: for ever. Left out: as the operator is set up,
    mostly 600. May be changed at any time."""
    pod_gc: PodGC | None = Field(default=None, alias="podGC")
    """When pods are deleted, where that is to be before their Workflow is. Left out: with it."""
    ttl_strategy: TtlStrategy = TTL_DEFAULT
    """How long the run's Workflow is kept after its end, with its pods and their logs; the
    operation stays, as the record. `{}`: for ever. May change at any time, also after the end."""
    ttl_seconds_after_finished: PositiveSeconds | None = None
    """Seconds after its end for which the operation itself is kept. Left out: for ever. May change
    at any time. Passed over if Argo CD, Flux or Helm owns the operation, since they would make it
    again, and so run it again."""

    @model_validator(mode="after")
    def _volumes_agree(self) -> Self:
        # CEL compares what one list holds, and the tasks' with the operation's; comparing all tasks
        # with each other would cost more than a rule may.
        wishes = (*self.shared_volumes, *(w for t in self.tasks for w in t.shared_volumes))
        if name := conflict(wishes):
            raise PydanticCustomError("volumes", "{name}: {fix}", {"name": name, "fix": ALIKE})
        return self

    @model_validator(mode="after")
    def _outputs_are_there(self) -> Self:
        # Comparing all tasks with each other in CEL would cost more than a rule may.
        if problem := next(misfits(self.tasks, self.stages()), None):
            raise PydanticCustomError("outputs", "{problem}", {"problem": problem})
        return self

    def stages(self) -> dict[str, int]:
        """Return when each task runs: those of a lower number have ended before."""
        match self.type:
            case OperationType.PIPELINE:
                return {task.name: place for place, task in enumerate(self.tasks)}
            case OperationType.SIMPLE_DAG:
                return {task.name: task.group or 0 for task in self.tasks}
            case OperationType.SINGLE_TASK | OperationType.PARALLEL:
                return {task.name: 0 for task in self.tasks}


class ObjectMeta(BaseModel):
    """The part of `metav1.ObjectMeta` that the operator reads."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, populate_by_name=True)

    name: str
    namespace: str
    uid: str
    generation: int = 1
    resource_version: str = ""
    deletion_timestamp: AwareDatetime | None = None


class Operation(BaseModel):
    """One `CloudHarnessOperation` as read from the API server."""

    model_config = ConfigDict(frozen=True)

    metadata: ObjectMeta
    spec: OperationSpec
    status: OperationStatus = OperationStatus()

    @property
    def run(self) -> int:
        """The number of the run that is under way, or was the last."""
        return self.status.run or FIRST_RUN

    @classmethod
    def parse(cls, manifest: dict[str, Any]) -> Self:
        """Read an object of the API server.

        Fields that this version does not know are ignored: the API server has validated the
        object already, and after a rollback of the operator it may hold newer ones.

        Raises:
            InvalidOperation: a known field is missing or wrong, which takes an object stored
                under an older or newer CRD.

        """
        try:
            return cls.model_validate(manifest, extra="ignore", by_alias=True)
        except ValidationError as error:
            raise InvalidOperation("; ".join(problems(error))) from error
