"""What is kept of an operation in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from cloudharness_operation.names import FIRST_RUN
from cloudharness_operation.record import are_settled
from cloudharness_operator import bounded, turns
from cloudharness_operator.expiry import Expiry
from cloudharness_operator.turns import Place

Manifest = dict[str, Any]


@dataclass(slots=True)
class CachedOperation:
    """One operation."""

    namespace: str
    name: str
    version: int
    text: bytes | None
    """The operation as JSON, which takes a fifth of the memory of the same as objects. None once it
    is settled, since nothing in it is needed any more but `expiry`."""
    since: float
    written: float | None = None
    expiry: Expiry | None = None
    """The clean-up of a settled operation."""
    run: int = FIRST_RUN
    """The number of the run that its status is about."""
    place: Place | None = None
    """Its concurrency group."""
    is_large: bool = False
    """Whether `text` is a reduced operation, and the whole has to be read from the API server."""

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
    def needs_a_look(self) -> bool:
        """Whether it must be looked at even without a child."""
        return not self.settled or (self.expiry is not None and self.expiry.needs_a_look)


def is_settled(manifest: Manifest) -> bool:
    """Return whether an operation has ended and no exit event is pending."""
    status, generation = manifest.get("status") or {}, manifest["metadata"].get("generation")
    if status.get("observedGeneration", generation) != generation:
        return False  # What somebody has changed since is to be observed, at least.
    if turns.is_superseded(manifest):
        return False  # It is to run again.
    conditions = status.get("conditions") or ()
    return are_settled({one["type"]: (one["status"], one.get("reason", "")) for one in conditions})


def kept(manifest: Manifest) -> tuple[bytes, bool]:
    """Return what is kept of an operation, and whether that is a part of it alone."""
    text = bounded.encoded(_trimmed(manifest))
    if isinstance(text, bytes) and len(text) <= bounded.LARGE:
        return text, bounded.REDUCED in manifest
    return orjson.dumps(_trimmed(bounded.reduced(manifest))), True


def _trimmed(manifest: Manifest) -> Manifest:
    # They can be as large as all the rest, and none of them is read again.
    unread = ("managedFields", "annotations", "labels")
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in unread}
    return {**manifest, "metadata": metadata}
