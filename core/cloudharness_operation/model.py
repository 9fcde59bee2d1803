"""The `CloudHarnessOperation` resource: the single source of the CRD, of its docs and of parsing.

The docstring below each field is its description in the CRD, so one sentence serves the reader
of this file, of `kubectl explain` and of the docs. Its parts are in `tasks`, `volumes`, `pods`
and `status`.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from cloudharness_operation.references import NO_OUTPUT_ON_EXIT, errors_in
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
from cloudharness_operation.volumes import (
    CONFLICT_MESSAGE,
    NO_CONFLICT_ACROSS_TASKS,
    PodContext,
    SharedVolumes,
    conflict,
)

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
    """The exit event of the operation."""

    topic: Topic
    """Kafka topic that the exit event is published to."""
    payload: Annotated[str, StringConstraints(max_length=MAX_PAYLOAD_LENGTH)] = ""
    """Text that becomes the event's `payload` unchanged, at most 32768 characters. Often JSON."""
    traceparent: TraceParent | None = None
    """The W3C trace context of the event, which becomes its attribute of that name (CloudEvents,
    distributed tracing extension)."""


class OnExit(Resource):
    """What happens when the operation has ended, whatever its outcome."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.task) || !has(self.task.group)",
                "the exit task runs after all groups: remove group",
                "task",
            ),
            (
                "!has(self.task) || !has(self.task.stdout) || !self.task.stdout",
                "the exit task has no output stdout: remove stdout, or write a file and name it in "
                "outputs",
                "task",
            ),
            (
                "!has(self.task) || !has(self.task.env) || "
                "self.task.env.all(v, !has(v.valueFrom) || !has(v.valueFrom.taskOutput))",
                NO_OUTPUT_ON_EXIT,
                "task",
            ),
        )
    )

    task: Task | None = None
    """A task that runs after all others, also if one has failed or the run has exceeded a deadline.
    Its variable `workflow_result` is how they ended: Succeeded, Failed or Error. If it fails, the
    run fails. It does not run if the run is terminated: by `cancel: Terminate`, by the
    concurrencyPolicy Replace, or by deletion."""
    notify: Notify | None = None
    """Publish an event to Kafka, at least once, and always with the same id."""


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
"""Fields that are immutable within a run."""


class OperationSpec(PodSettings):
    """Desired state. Fields that affect execution can change only together with `runId`."""

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
            (NO_CONFLICT_ACROSS_TASKS, CONFLICT_MESSAGE, "tasks"),
            (
                "!has(self.onExit) || !has(self.onExit.task) || "
                "!self.tasks.exists(task, task.name == self.onExit.task.name)",
                "onExit.task has the name of another task: give it a different name",
                "onExit",
            ),
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
    """The tasks. In a Pipeline they run in this order. An operation of more than 200 KiB needs
    `kubectl apply --server-side`."""
    parallelism: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Maximum number of tasks that run at the same time. Left out: no limit."""
    shared_volumes: SharedVolumes = ()
    """Volumes that are mounted into all tasks."""
    pod_contexts: tuple[PodContext, ...] = Field(
        default=(), max_length=16, json_schema_extra=keyed_by("key")
    )
    """Labels that place pods on one node, together with pods of other operations that have them."""
    on_exit: OnExit | None = None
    """What happens at the end, on success and on failure."""
    security_context: PodSecurityContext | None = None
    """Security context of the pods."""
    image_pull_secrets: tuple[NameReference, ...] = Field(default=(), max_length=16)
    """Secrets to pull images with, besides those of the operator's settings."""
    suspend: bool = False
    """True before the run has begun: no Workflow is created until this is false. True during the
    run: no new task starts; running tasks continue. Can be changed at any time."""
    cancel: Cancel | None = None
    """Ends the run, also while it is suspended; the operation is kept. Stop runs `onExit.task`,
    Terminate does not. Cannot be undone."""
    run_id: RunId = FIRST_RUN_ID
    """Identifies the run. Changing it starts another run, after the current one has ended; all
    other fields can change with it. In Git, use a tag or a commit hash. With the concurrencyPolicy
    Replace the current run is terminated. Former runs are in `status.history`."""
    concurrency_policy: ConcurrencyPolicy | None = None
    """How to treat other operations of the concurrencyGroup. Allow: run beside them. Forbid: wait
    until no other one runs, in the order of creation. Replace: terminate older ones, running or
    waiting, then begin."""
    concurrency_group: ConcurrencyGroup | None = None
    """Name of a group of operations in this namespace. It is the label
    `cloudharness.io/concurrency-group` of the pods."""
    active_deadline_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS)] | None = None
    """Maximum duration of a run in seconds from its start, including the time in which it is
    suspended. After it the run is terminated and fails with the reason DeadlineExceeded. Left out:
    no limit."""
    pending_deadline_seconds: Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None = None
    """Maximum time in seconds that a task's pod may stay pending, for example for an image, a
    Secret or a node. After it the run is terminated and fails with the reason
    PendingDeadlineExceeded. Waiting for room that tasks of the same run occupy does not count. 0:
    no limit. Left out: the operator's setting, by default 600. Can be changed at any time."""
    pod_gc: PodGC | None = Field(default=None, alias="podGC")
    """When pods are deleted before their Workflow. Left out: together with it."""
    ttl_strategy: TtlStrategy = TTL_DEFAULT
    """How long the run's Workflow, its pods and their logs are kept after the end; the operation
    itself is kept. `{}`: for ever. Can be changed at any time, even after completion."""
    ttl_seconds_after_finished: PositiveSeconds | None = None
    """Seconds after its completion for which the operation itself is kept. Left out: for ever. Can
    be changed at any time. Has no effect if Argo CD, Flux or Helm owns the operation, since it
    would create the operation again, and so run it again."""

    @model_validator(mode="after")
    def _volumes_agree(self) -> Self:
        # CEL compares the volumes of one list, and those of tasks with the operation's. Comparing
        # all tasks with each other would exceed the cost limit of a rule.
        mounts = (*self.shared_volumes, *(w for t in self.all_tasks for w in t.shared_volumes))
        if name := conflict(mounts):
            raise PydanticCustomError(
                "volumes", "{name}: {fix}", {"name": name, "fix": CONFLICT_MESSAGE}
            )
        return self

    @model_validator(mode="after")
    def _outputs_are_there(self) -> Self:
        # Comparing all tasks with each other in CEL would exceed the cost limit of a rule.
        if problem := next(errors_in(self.tasks, self.stages(), self.exit_task), None):
            raise PydanticCustomError("outputs", "{problem}", {"problem": problem})
        return self

    @property
    def exit_task(self) -> Task | None:
        """The task that runs after all others, or None."""
        return self.on_exit.task if self.on_exit else None

    @property
    def all_tasks(self) -> tuple[Task, ...]:
        """The tasks, followed by the exit task if there is one."""
        return (*self.tasks, self.exit_task) if self.exit_task else self.tasks

    def located_tasks(self) -> Iterator[tuple[str, Task]]:
        """Yield all tasks, each with its path in the resource."""
        yield from ((f"spec.tasks[{index}]", task) for index, task in enumerate(self.tasks))
        if self.exit_task:
            yield "spec.onExit.task", self.exit_task

    def stages(self) -> dict[str, int]:
        """Return the stage of each task: tasks of lower stages have ended before it runs."""
        match self.type:
            case OperationType.PIPELINE:
                found = {task.name: place for place, task in enumerate(self.tasks)}
            case OperationType.SIMPLE_DAG:
                found = {task.name: task.group or 0 for task in self.tasks}
            case OperationType.SINGLE_TASK | OperationType.PARALLEL:
                found = {task.name: 0 for task in self.tasks}
        if self.exit_task:
            found[self.exit_task.name] = max(found.values()) + 1
        return found


class ObjectMeta(BaseModel):
    """The part of `metav1.ObjectMeta` that the operator reads."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, populate_by_name=True)

    name: str
    namespace: str
    uid: str
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: AwareDatetime | None = None
    deletion_timestamp: AwareDatetime | None = None


class Operation(BaseModel):
    """One `CloudHarnessOperation` as read from the API server."""

    model_config = ConfigDict(frozen=True)

    metadata: ObjectMeta
    spec: OperationSpec
    status: OperationStatus = OperationStatus()

    @property
    def run(self) -> int:
        """The number of the present run, or of the last one."""
        return self.status.run or FIRST_RUN

    @classmethod
    def parse(cls, manifest: dict[str, Any]) -> Self:
        """Read an object of the API server.

        Unknown fields are ignored: the API server has validated the object already, and after a
        rollback of the operator it may have newer fields.

        Raises:
            InvalidOperation: a known field is missing or wrong, which takes an object stored
                under an older or newer CRD.

        """
        try:
            return cls.model_validate(manifest, extra="ignore", by_alias=True)
        except ValidationError as error:
            raise InvalidOperation("; ".join(problems(error))) from error
