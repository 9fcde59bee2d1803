"""What is kept of an operation in memory, of which there may be a hundred thousand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.status import Phase, are_settled
from cloudharness_operator import bounded_json
from cloudharness_operator.decide import concurrency, expiry
from cloudharness_operator.decide.concurrency import GroupKey
from cloudharness_operator.decide.expiry import Expiry

Manifest = dict[str, Any]

_PHASES: Final = {str(one): one for one in Phase}


@dataclass(slots=True)
class CachedOperation:
    """What is kept of an operation in memory."""

    namespace: str
    name: str
    version: int
    text: bytes | None
    """The operation as JSON, which takes a fifth of the memory of Python objects. None once it is
    settled: then only `expiry` is needed."""
    since: float
    """When this process first read it, by the monotonic clock."""
    written: float | None = None
    """When this process last wrote its status."""
    expiry: Expiry | None = None
    """The expiry of a settled operation."""
    run: int = FIRST_RUN
    """The number of the run that its status is about."""
    phase: Phase = Phase.PENDING
    """Its phase, for the metrics."""
    group: GroupKey | None = None
    """Its concurrency group."""
    is_large: bool = False
    """Whether `text` is a reduced operation, and the whole must be read from the API server."""

    @property
    def settled(self) -> bool:
        """Whether the operation has ended and its status is complete."""
        return self.text is None

    @property
    def manifest(self) -> Manifest | None:
        """The operation, or None once it is settled."""
        found: Manifest | None = None if self.text is None else orjson.loads(self.text)
        return found

    @property
    def needs_reconcile(self) -> bool:
        """Whether it must be reconciled even without a Workflow."""
        return not self.settled or (self.expiry is not None and self.expiry.needs_reconcile)


def cached(
    manifest: Manifest, old: CachedOperation | None, clock: Callable[[], float]
) -> CachedOperation:
    """Return what is kept of an operation, of which `old` was kept before."""
    meta, settled = manifest["metadata"], is_settled(manifest)
    text, is_large = (None, False) if settled else kept(manifest)
    return CachedOperation(
        namespace=sys.intern(meta["namespace"]),
        name=meta["name"],
        version=int(meta["resourceVersion"]),
        text=text,
        since=old.since if old else clock(),
        written=old.written if old else None,
        expiry=expiry.read(manifest) if settled else None,
        run=(manifest.get("status") or {}).get("run") or FIRST_RUN,
        phase=_phase(manifest),
        group=concurrency.group_key(manifest),
        is_large=is_large,
    )


def _phase(manifest: Manifest) -> Phase:
    """Return the phase of an operation. Only the known ones are labels of a metric."""
    found = (manifest.get("status") or {}).get("phase")
    return _PHASES.get(found, Phase.PENDING) if isinstance(found, str) else Phase.PENDING


def is_settled(manifest: Manifest) -> bool:
    """Return whether an operation has ended and no exit event is pending."""
    status, generation = manifest.get("status") or {}, manifest["metadata"].get("generation")
    if status.get("observedGeneration", generation) != generation:
        return False  # The new spec must be acknowledged, at least.
    if concurrency.is_superseded(manifest):
        return False  # It must run again.
    conditions = status.get("conditions") or ()
    return are_settled({one["type"]: (one["status"], one.get("reason", "")) for one in conditions})


def kept(manifest: Manifest) -> tuple[bytes, bool]:
    """Return an operation as JSON, and whether it was reduced to fit."""
    text = bounded_json.encoded(_trimmed(manifest))
    if isinstance(text, bytes) and len(text) <= bounded_json.LARGE:
        return _exact(text), bounded_json.REDUCED in manifest
    return _exact(orjson.dumps(_trimmed(bounded_json.reduced(manifest)))), True


def _exact(text: bytes) -> bytes:
    """Copy a text into memory of its size.

    orjson 3.13 doubles the memory of a text as it grows, and does not give the rest back: with
    100,000 operations that wait, it was 260 MB.
    """
    return bytes(memoryview(text))


def _trimmed(manifest: Manifest) -> Manifest:
    # They can be as large as all the rest, and are not read again.
    unread = ("managedFields", "annotations", "labels")
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in unread}
    return {**manifest, "metadata": metadata}
