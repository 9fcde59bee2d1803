"""The fields of a child Workflow that the operator needs, which is a small part of the object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from cloudharness_operation.bounds import MAX_MESSAGE, MAX_TASK_MESSAGE, shortened
from cloudharness_operation.model import MAX_TASKS
from cloudharness_operation.names import (
    ANNOTATION_EXIT_EVENT,
    ANNOTATION_INTERVENTION,
    ANNOTATION_RUN_ID,
    FINALIZER,
    FIRST_RUN,
    GROUP,
    KIND,
    LABEL_OPERATION,
    LABEL_RUN,
    LABEL_UID,
)
from cloudharness_operation.render.volumes import made_name
from cloudharness_operation.status import ClaimStatus, OutputStatus, TaskStatus
from cloudharness_operation.volumes import MAX_VOLUMES
from cloudharness_operator.decide import intervention, nodes
from cloudharness_operator.decide.intervention import Intervention, Termination
from cloudharness_operator.decide.nodes import Wait

Manifest = dict[str, Any]

ENDED: Final = frozenset({"Succeeded", "Failed", "Error"})
"""Argo's final phases of a Workflow."""

_DEADLINE: Final = "activeDeadlineSeconds"
"""Of a Workflow, of a template and of a pod: Argo and Kubernetes use the same name."""

MAX_FINALIZERS: Final = 64
MAX_CLAIMS: Final = (MAX_TASKS + 1) * MAX_VOLUMES
_MAX_WORD: Final = 64
"""Anybody with the right to write Workflows can write any value, so all sizes are bounded."""


@dataclass(frozen=True, slots=True)
class ReasonMessage:
    """A reason for programs and a message for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Child:
    """A Workflow that an operation owns, as last read."""

    namespace: str
    name: str
    uid: str
    resource_version: int
    operation_uid: str
    operation: str
    """The name of its operation."""
    run: int = FIRST_RUN
    """The number of its run."""
    run_id: str | None = None
    """The `spec.runId` of its run."""
    owner_uid: str = ""
    created: datetime | None = None
    phase: str = ""
    message: str = ""
    progress: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    deleted: datetime | None = None
    """Its deletion timestamp."""
    finalizers: tuple[str, ...] = ()
    exit_event: str = ""
    """The annotation from which its exit event is made."""
    tasks: tuple[TaskStatus, ...] = ()
    """Those that Argo has started or scheduled."""
    outputs: tuple[OutputStatus, ...] = ()
    """Outputs of the tasks that have ended."""
    claims: tuple[ClaimStatus, ...] = ()
    """The claims that it uses, without mount paths."""
    suspended: bool = False
    """`spec.suspend`."""
    shutdown: str = ""
    """`spec.shutdown`: Stop, Terminate or empty."""
    exit_task: str = ""
    """Name of the task that runs after all others: `spec.onExit`, or empty."""
    deadline: int | None = None
    """Its `activeDeadlineSeconds`."""
    bounded: tuple[str, ...] = ()
    """Tasks that have a deadline of their own."""
    intervention: Intervention | None = None
    """When the operator last suspended, resumed or ended it, and why it ended it."""
    waits: tuple[Wait, ...] = ()
    """Its pods that are pending."""
    details_error: str = ""
    """Why tasks, outputs and pending pods could not be read, or empty."""

    @property
    def has_ended(self) -> bool:
        """Whether Argo has set a final phase."""
        return self.phase in ENDED

    @property
    def termination(self) -> Termination | None:
        """Why the operator has ended it, or None if it has not."""
        return self.intervention.termination if self.intervention else None

    @property
    def waiting(self) -> ReasonMessage | None:
        """Reason a pod cannot start without user action, or None."""
        one = None if self.has_ended else nodes.waiting(self.tasks)
        return ReasonMessage(one.reason or "", f"task {one.name}: {one.message}") if one else None

    @property
    def failure(self) -> str:
        """The task that failed first, and its message; or an empty text."""
        one = nodes.first_failed(self.tasks) if self.has_ended else None
        return f"task {one.name}: {one.message}" if one else ""

    @property
    def has_begun_exit(self) -> bool:
        """Whether Argo has begun the exit task: all other tasks have ended."""
        return any(task.name == self.exit_task for task in self.tasks)

    @property
    def is_held(self) -> bool:
        """Whether it has the operator's finalizer."""
        return FINALIZER in self.finalizers

    @classmethod
    def read(cls, manifest: Manifest) -> Child:
        """Read a Workflow's manifest."""
        meta, status = manifest["metadata"], manifest.get("status") or {}
        labels = meta.get("labels") or {}
        owners, spec = meta.get("ownerReferences") or (), manifest.get("spec") or {}
        annotations = meta.get("annotations") or {}
        return cls(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            resource_version=int(meta["resourceVersion"]),
            operation_uid=labels.get(LABEL_UID, ""),
            operation=labels.get(LABEL_OPERATION, ""),
            run=int(labels.get(LABEL_RUN, FIRST_RUN)),
            run_id=annotations.get(ANNOTATION_RUN_ID),
            owner_uid=_owner_uid(owners, labels.get(LABEL_OPERATION, "")),
            created=nodes.moment(meta.get("creationTimestamp")),
            phase=_word(status.get("phase")),
            message=shortened(status.get("message") or "", MAX_MESSAGE),
            progress=_word(status.get("progress")),
            started=nodes.moment(status.get("startedAt")),
            finished=nodes.moment(status.get("finishedAt")),
            deleted=nodes.moment(meta.get("deletionTimestamp")),
            finalizers=tuple(meta.get("finalizers") or ())[:MAX_FINALIZERS],
            exit_event=annotations.get(ANNOTATION_EXIT_EVENT, ""),
            claims=_claims(meta["name"], spec)[:MAX_CLAIMS],
            suspended=bool(spec.get("suspend")),
            shutdown=_word(spec.get("shutdown")),
            exit_task=_word(spec.get("onExit")),
            deadline=spec.get(_DEADLINE),
            bounded=tuple(islice(_bounded(spec.get("templates") or ()), MAX_TASKS)),
            intervention=intervention.from_annotation(annotations.get(ANNOTATION_INTERVENTION, "")),
            **_details(manifest),
        )


def _word(text: str | None) -> str:
    return (text or "")[:_MAX_WORD]


def _owner_uid(owners: Iterable[Manifest], name: str) -> str:
    """Return the uid of the operation of that name which owns a Workflow, or an empty text."""
    for one in owners:
        group = str(one["apiVersion"]).partition("/")[0]
        if (group, one["kind"], one["name"]) == (GROUP, KIND, name):
            return str(one["uid"])
    return ""


def _details(manifest: Manifest) -> dict[str, Any]:
    """Return the fields that are read from `status.nodes`."""
    try:
        found = nodes.by_task(manifest)
        return {
            "tasks": nodes.tasks(manifest, found),
            "outputs": nodes.outputs(manifest["metadata"]["name"], found),
            "waits": nodes.waits(found),
        }
    except Exception as error:  # noqa: BLE001 - anybody may have written the nodes.
        # `status.phase`, which ends the run, must count even if the details cannot be read.
        return {"details_error": shortened(repr(error), MAX_TASK_MESSAGE)}


def _bounded(templates: Iterable[Manifest]) -> Iterator[str]:
    for one in templates:
        if _DEADLINE in one or _DEADLINE in (one.get("podSpecPatch") or ""):
            yield one["name"]


def _claims(name: str, spec: Manifest) -> tuple[ClaimStatus, ...]:
    found = [
        ClaimStatus(name=volume["persistentVolumeClaim"]["claimName"], ephemeral=False)
        for volume in spec.get("volumes") or ()
        if "persistentVolumeClaim" in volume
    ]
    made = [
        ClaimStatus(name=made_name(name, template["metadata"]["name"]), ephemeral=True)
        for template in spec.get("volumeClaimTemplates") or ()
    ]
    return (*found, *made)
