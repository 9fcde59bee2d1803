"""What the operator keeps of a child Workflow: a small record instead of the whole object."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from cloudharness_operation.bounds import MAX_MESSAGE, shortened
from cloudharness_operation.model import MAX_TASKS
from cloudharness_operation.names import (
    ANNOTATION_CUT,
    ANNOTATION_EXIT_EVENT,
    ANNOTATION_RUN_ID,
    ANNOTATION_STEERED,
    FINALIZER,
    FIRST_RUN,
    GROUP,
    KIND,
    LABEL_OPERATION,
    LABEL_RUN,
    LABEL_UID,
)
from cloudharness_operation.record import ClaimStatus, OutputStatus, TaskStatus
from cloudharness_operation.render.volumes import made_name
from cloudharness_operation.volumes import MAX_VOLUMES
from cloudharness_operator import cut, nodes, outputs, steered
from cloudharness_operator.cut import Cut
from cloudharness_operator.nodes import Wait
from cloudharness_operator.steered import Steered

Manifest = dict[str, Any]

ENDED: Final = frozenset({"Succeeded", "Failed", "Error"})
"""Argo's phases of a Workflow that nothing follows."""

_DEADLINE: Final = "activeDeadlineSeconds"
"""Of a Workflow, of a template and of a pod: Argo's name and Kubernetes' are the same."""

MAX_FINALIZERS: Final = 64
MAX_CLAIMS: Final = (MAX_TASKS + 1) * MAX_VOLUMES
_MAX_WORD: Final = 64
"""What is kept of a Workflow is bounded, whoever has written it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Note:
    """A reason for programs and a message for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Child:
    """A Workflow that carries out an operation, as last seen."""

    namespace: str
    name: str
    uid: str
    resource_version: int
    operation_uid: str
    operation: str
    """The name of its operation."""
    run: int = FIRST_RUN
    """The number of the run that it carries out."""
    run_id: str | None = None
    """The runId that it was made for."""
    owner_uid: str = ""
    created: datetime | None = None
    phase: str = ""
    message: str = ""
    progress: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    deleted: datetime | None = None
    """When its deletion was asked for."""
    finalizers: tuple[str, ...] = ()
    exit_event: str = ""
    """The annotation with what its exit event needs."""
    tasks: tuple[TaskStatus, ...] = ()
    """Those that Argo has come to."""
    outputs: tuple[OutputStatus, ...] = ()
    """What those have left that have ended."""
    claims: tuple[ClaimStatus, ...] = ()
    """Those that it uses, without their paths."""
    suspended: bool = False
    """Whether its spec says so."""
    shutdown: str = ""
    """Stop or Terminate, where its spec says so."""
    deadline: int | None = None
    """Seconds after which Argo ends it."""
    bounded: tuple[str, ...] = ()
    """Tasks that have a deadline of their own."""
    cut: Cut | None = None
    """Why the operator has ended it."""
    steered: Steered | None = None
    """When the operator last changed what Argo is to do with it."""
    waits: tuple[Wait, ...] = ()
    """Pods of it that wait to start."""

    @property
    def has_ended(self) -> bool:
        """Whether Argo is done with it."""
        return self.phase in ENDED

    @property
    def waiting(self) -> Note | None:
        """Why a pod of it cannot start, where that takes a person."""
        one = None if self.has_ended else nodes.waiting(self.tasks)
        return Note(one.reason or "", f"task {one.name}: {one.message}") if one else None

    @property
    def failure(self) -> str:
        """Which task failed, and how."""
        one = nodes.first_failed(self.tasks) if self.has_ended else None
        return f"task {one.name}: {one.message}" if one else ""

    @property
    def is_held(self) -> bool:
        """Whether our finalizer keeps it."""
        return FINALIZER in self.finalizers

    @classmethod
    def read(cls, manifest: Manifest) -> Child:
        """Take what matters out of a Workflow."""
        meta, status = manifest["metadata"], manifest.get("status") or {}
        labels = meta.get("labels") or {}
        owners, spec = meta.get("ownerReferences") or (), manifest.get("spec") or {}
        annotations = meta.get("annotations") or {}
        tasks, waits, left = _details(manifest)
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
            tasks=tasks,
            outputs=left,
            claims=_claims(meta["name"], spec)[:MAX_CLAIMS],
            suspended=bool(spec.get("suspend")),
            shutdown=_word(spec.get("shutdown")),
            deadline=spec.get(_DEADLINE),
            bounded=tuple(islice(_bounded(spec.get("templates") or ()), MAX_TASKS)),
            cut=cut.from_annotation(annotations.get(ANNOTATION_CUT, "")),
            steered=steered.from_annotation(annotations.get(ANNOTATION_STEERED, "")),
            waits=waits,
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


def _details(
    manifest: Manifest,
) -> tuple[tuple[TaskStatus, ...], tuple[Wait, ...], tuple[OutputStatus, ...]]:
    try:
        found = nodes.by_task(manifest)
        left = outputs.read(manifest["metadata"]["name"], found)
        return nodes.tasks(manifest, found), nodes.waits(found), left
    except Exception as error:  # noqa: BLE001 - whoever may write Workflows can write anything.
        # Details must not cost the end of the run, which `status.phase` tells.
        log.warning("nodes of Workflow %s: %r", manifest["metadata"]["name"], error)
        return (), (), ()


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
