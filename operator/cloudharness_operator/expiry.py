"""When what a finished operation left behind is due to be deleted, and whether it may be.

Times are seconds since 1970 by the API server's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from cloudharness_operation.lifetime import TTL_DEFAULT, SecondsToSee, TtlStrategy
from cloudharness_operator.child import Child
from cloudharness_operator.owners import owner

Manifest = dict[str, Any]

LONGEST_WAIT: Final = 3600.0
"""Seconds after which a time that is far off is worked out again, should a clock have jumped."""

NEWS: Final = 3600.0
"""Seconds for which it is news that a record is kept: so long an API server keeps Events."""

TO_STOP: Final = 10
"""Seconds after the end of a run that was ended in which its pods may stop by themselves, before
they are deleted, which gives them their own time to stop once more."""

_SECONDS: Final = TypeAdapter(SecondsToSee)


class Keep(NamedTuple):
    """Seconds for which Workflows are kept after their end; None: for ever."""

    success: int | None = None
    failure: int | None = None


FOR_EVER: Final = Keep()


@dataclass(frozen=True, slots=True)
class Expiry:
    """What is kept of a settled operation for its clean-up: some numbers."""

    finished: float
    """When the operation ended."""
    keep: Keep = FOR_EVER
    """How long its Workflows are kept."""
    record_after: int | None = None
    """Seconds after which the operation itself goes; None: never."""
    owner: str = ""
    """Who would make the operation again."""

    @property
    def needs_a_look(self) -> bool:
        """Whether it must be looked at even without a child."""
        return self.record_after is not None


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be deleted now, and when to look again."""

    child: Child | None = None
    stubborn: Child | None = None
    """One whose pods have had their time to stop."""
    record: bool = False
    kept_for: str | None = None
    """The owner for whose sake the record is not deleted, though it is time."""
    after: float | None = None


def read(manifest: Manifest) -> Expiry | None:
    """Return the clean-up of an operation that has ended, or None if nobody can say when."""
    meta, spec, status = (manifest.get(part) or {} for part in ("metadata", "spec", "status"))
    try:
        finished = datetime.fromisoformat(status["completionTime"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
    # What is being deleted is deleted once.
    record = None if meta.get("deletionTimestamp") else _record_after(spec)
    # Where nothing is due, when it ended still counts for pods that would not stop.
    return Expiry(finished, kept(manifest), record, "" if record is None else owner(manifest))


def kept(manifest: Manifest) -> Keep:
    """Return how long an operation keeps the Workflows of its runs."""
    # The API server has filled the default in, unless the operation is older than the field.
    given = (manifest.get("spec") or {}).get("ttlStrategy", TTL_DEFAULT)
    try:
        strategy = TtlStrategy.model_validate(given, extra="ignore")
    except ValidationError:
        return FOR_EVER  # Stored under another CRD: what is not understood deletes nothing.
    return Keep(strategy.after(success=True), strategy.after(success=False))


def _record_after(spec: Manifest) -> int | None:
    given = spec.get("ttlSecondsAfterFinished")
    try:
        return None if given is None else _SECONDS.validate_python(given, strict=True)
    except ValidationError:
        return None


def of_former(keep: Keep) -> Expiry:
    """Return the clean-up of a Workflow whose operation has gone on to another run."""
    return Expiry(math.inf, keep)


def due(expiry: Expiry | None, child: Child | None, now: float, *, swept: bool = False) -> Due:
    """Return what is due of a settled operation, or of a former run.

    `swept` tells that its pods have been seen to already.
    """
    expiry = expiry or Expiry(math.inf)
    record = _left(expiry.record_after, expiry.finished, now)
    if record is not None and record <= 0 and not expiry.owner:
        return Due(record=True)  # Its Workflow follows it.
    workflow = of_child(expiry.keep, child, expiry.finished, now) if child else None
    expired = workflow is not None and workflow <= 0
    # The pods of one that goes follow it.
    unseen = child if not (expired or swept) else None
    pods = _of_pods(unseen, expiry.finished, now) if unseen else None
    waits = [left for left in (record, workflow, pods) if left is not None and left > 0]
    return Due(
        child=child if expired else None,
        stubborn=child if pods is not None and pods <= 0 else None,
        kept_for=expiry.owner if record is not None and -NEWS < record <= 0 else None,
        after=min(*waits, LONGEST_WAIT) if waits else None,
    )


def of_child(keep: Keep, child: Child, finished: float, now: float) -> float | None:
    """Return the seconds until a child is due, or None where it never is, as things are.

    `finished` is when its run ended, should the child not say so.
    """
    # One that was retried runs again, and one that is held is not told yet: both will change.
    # One that was shut down and has not ended will not run on, whether Argo is there or not.
    over = child.has_ended or child.shutdown
    if child.is_held or child.deleted or not over:
        return None
    after = keep.success if child.phase == "Succeeded" else keep.failure
    return _left(after, _end(child, finished), now)


def _of_pods(child: Child, finished: float, now: float) -> float | None:
    """Return the seconds until the pods of a child that was ended are ended too.

    Argo asks them to stop. It cannot make them: the signal that no process can pass over is one
    that the first process of a container does not get from within.
    """
    if not child.shutdown or child.deleted:
        return None
    left = _end(child, finished) + TO_STOP - now
    return left if left > -NEWS else None


def _end(child: Child, finished: float) -> float:
    return child.finished.timestamp() if child.finished else finished


def _left(after: int | None, since: float, now: float) -> float | None:
    """Return the seconds until something is due."""
    return None if after is None else since + after - now
