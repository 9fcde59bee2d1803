"""When a finished operation, its Workflow and its pods expire, and what keeps an operation.

Times are seconds since 1970 by the API server's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from cloudharness_operation.lifetime import TTL_DEFAULT, PositiveSeconds, TtlStrategy
from cloudharness_operator.decide.child import Child

Manifest = dict[str, Any]

LONGEST_WAIT: Final = 3600.0
"""Seconds after which a distant expiry is computed again, in case a clock has jumped."""

EVENT_TTL: Final = 3600.0
"""For how many seconds after expiry the Event `TTLDeletionSkipped` is emitted: the default TTL of
Events in the API server."""

STOP_SECONDS: Final = 10
"""Seconds after a run was terminated in which its pods may stop by themselves. Those that still run
are deleted, which gives them their termination grace period once more."""

ARGO_CD: Final = "Argo CD"
FLUX: Final = "Flux"
HELM: Final = "Helm"

_ARGO_CD: Final = "argocd.argoproj.io/"
_TRACKED: Final = (f"{_ARGO_CD}tracking-id", f"{_ARGO_CD}instance")
"""Argo CD docs, "Resource Tracking": the annotation, and the label that it advises to use instead
of the common one."""
_INSTANCE: Final = "app.kubernetes.io/instance"
_CONTROLLER: Final = "argocd-controller"
"""Argo CD's field manager (its docs, "Sync Options", "Server-Side Apply")."""
_FLUX: Final = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
_HOOKS: Final = (f"{_ARGO_CD}hook", "helm.sh/hook")
_HELM: Final = "meta.helm.sh/release-name"
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"

_SECONDS: Final = TypeAdapter(PositiveSeconds)


class Retention(NamedTuple):
    """Seconds for which Workflows are kept after their end; None: for ever."""

    success: int | None = None
    failure: int | None = None


FOR_EVER: Final = Retention()


@dataclass(frozen=True, slots=True)
class Expiry:
    """The fields of a settled operation from which its expiry is computed."""

    finished: float
    """When the operation ended."""
    retention: Retention = FOR_EVER
    """How long its Workflows are kept."""
    ttl: int | None = None
    """Seconds after which the operation itself expires; None: never."""
    owner: str = ""
    """The GitOps tool that would create the operation again."""

    @property
    def needs_reconcile(self) -> bool:
        """Whether it must be reconciled even without a Workflow."""
        return self.ttl is not None


@dataclass(frozen=True, slots=True)
class Due:
    """What has expired, and when to check again."""

    workflow: Child | None = None
    """An expired Workflow."""
    pods: Child | None = None
    """A terminated Workflow whose pods did not stop in time."""
    operation: bool = False
    """Whether the operation itself has expired."""
    retained_by: str | None = None
    """The GitOps tool because of which an expired operation is not deleted."""
    requeue_after: float | None = None


def read(manifest: Manifest) -> Expiry | None:
    """Return the expiry of an operation that has ended, or None if its end time is unknown."""
    meta, spec, status = (manifest.get(part) or {} for part in ("metadata", "spec", "status"))
    try:
        finished = datetime.fromisoformat(status["completionTime"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
    # An operation with a deletion timestamp is deleted once.
    ttl = None if meta.get("deletionTimestamp") else _ttl(spec)
    # Even if nothing expires, the end time counts for pods that do not stop.
    return Expiry(finished, retention(manifest), ttl, "" if ttl is None else gitops_owner(manifest))


def retention(manifest: Manifest) -> Retention:
    """Return how long an operation keeps the Workflows of its runs."""
    # The API server sets the default, unless the operation is older than the field.
    given = (manifest.get("spec") or {}).get("ttlStrategy", TTL_DEFAULT)
    try:
        strategy = TtlStrategy.model_validate(given, extra="ignore")
    except ValidationError:
        return FOR_EVER  # Stored under another CRD: a value that cannot be read deletes nothing.
    return Retention(strategy.after(success=True), strategy.after(success=False))


def _ttl(spec: Manifest) -> int | None:
    given = spec.get("ttlSecondsAfterFinished")
    try:
        return None if given is None else _SECONDS.validate_python(given, strict=True)
    except ValidationError:
        return None


def of_former_run(retention: Retention) -> Expiry:
    """Return the expiry of a Workflow whose operation has moved on to another run."""
    return Expiry(math.inf, retention)


def due(
    expiry: Expiry | None, child: Child | None, now: float, *, pods_deleted: bool = False
) -> Due:
    """Return what of a settled operation, or of a former run, has expired.

    `pods_deleted`: this process has deleted the pods that did not stop.
    """
    expiry = expiry or Expiry(math.inf)
    operation = _left(expiry.ttl, expiry.finished, now)
    if operation is not None and operation <= 0 and not expiry.owner:
        return Due(operation=True)  # The garbage collector deletes its Workflow.
    workflow = of_child(expiry.retention, child, expiry.finished, now) if child else None
    expired = workflow is not None and workflow <= 0
    # The garbage collector deletes the pods of an expired Workflow.
    running = child if not (expired or pods_deleted) else None
    pods = _of_pods(running, expiry.finished, now) if running else None
    waits = [left for left in (operation, workflow, pods) if left is not None and left > 0]
    is_retained = operation is not None and -EVENT_TTL < operation <= 0
    return Due(
        workflow=child if expired else None,
        pods=child if pods is not None and pods <= 0 else None,
        retained_by=expiry.owner if is_retained else None,
        requeue_after=min(*waits, LONGEST_WAIT) if waits else None,
    )


def of_child(retention: Retention, child: Child, finished: float, now: float) -> float | None:
    """Return the seconds until a Workflow expires, or None if it never does in its present state.

    `finished` is when its run ended, in case the Workflow does not say so.
    """
    # One that was retried runs again, and the event of one with our finalizer is pending.
    # One that was shut down does not continue, whether Argo runs or not.
    over = child.has_ended or child.shutdown
    if child.is_held or child.deleted or not over:
        return None
    after = retention.success if child.phase == "Succeeded" else retention.failure
    return _left(after, _end(child, finished), now)


def _of_pods(child: Child, finished: float, now: float) -> float | None:
    """Return the seconds until the pods of a terminated Workflow are deleted, or None.

    Argo asks them to stop, but cannot force them: its executor sends signals from within the
    container, where the first process can ignore all of them, SIGKILL included.
    """
    if not child.shutdown or child.deleted:
        return None
    left = _end(child, finished) + STOP_SECONDS - now
    return left if left > -EVENT_TTL else None


def _end(child: Child, finished: float) -> float:
    return child.finished.timestamp() if child.finished else finished


def _left(after: int | None, since: float, now: float) -> float | None:
    """Return the seconds until an expiry."""
    return None if after is None else since + after - now


def gitops_owner(manifest: Manifest) -> str:
    """Return the GitOps tool that would create a deleted object again, or an empty text.

    None would do that for a hook, which is made for one sync or release.
    """
    meta = manifest["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    if any(label.startswith(_FLUX) for label in labels):
        return FLUX
    if any(hook in annotations for hook in _HOOKS):
        return ""
    if _is_tracked(labels, annotations, meta.get("managedFields") or ()):
        return ARGO_CD
    return HELM if labels.get(_MANAGED_BY) == HELM or _HELM in annotations else ""


def _is_tracked(labels: Manifest, annotations: Manifest, managers: Any) -> bool:  # noqa: ANN401
    if any(name in holder for name in _TRACKED for holder in (labels, annotations)):
        return True
    # Many tools set the common label, so alone it says nothing of Argo CD.
    return _INSTANCE in labels and (
        any(name.startswith(_ARGO_CD) for name in annotations)
        or any(one.get("manager") == _CONTROLLER for one in managers)
    )
