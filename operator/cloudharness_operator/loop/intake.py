"""Puts what lists and watches read into the store; an object that cannot be read is skipped.

Anybody with the right to create Workflows can write any value into one, and an operation may have
been stored under another CRD. No such object can end a list, a watch or the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from cloudharness_operation.names import KIND, WORKFLOW_KIND
from cloudharness_operator.decide.child import Child
from cloudharness_operator.logs import about
from cloudharness_operator.loop.served import Served
from cloudharness_operator.loop.store import Store

Manifest = dict[str, Any]
Skipped = Callable[[str, str], None]
"""Called with the kind of a skipped object, and the name of the error."""

KINDS: Final = (KIND, WORKFLOW_KIND)
_REMEMBERED: Final = 1000
"""Objects that were logged already."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Intake:
    """The port `Sink` for one kind."""

    kind: str
    put: Callable[[Manifest], None]
    drop: Callable[[Manifest], None]
    drop_unlisted: Callable[[set[str], int, str], None]
    served: Served
    skipped: Skipped
    logged: dict[str, str] = field(default_factory=dict)

    def upsert(self, manifest: Manifest) -> str:
        """Put an object into the store; return its uid, or an empty text."""
        self._try(self.put, manifest)
        # An object that cannot be read exists, so a list must not count it as deleted.
        return str(_metadata(manifest).get("uid", ""))

    def remove(self, manifest: Manifest) -> None:
        """Remove an object from the store."""
        self._try(self.drop, manifest)

    def listed(self, namespace: str, found: set[str], version: int) -> None:
        """Remove the objects of a namespace (`""`: of all) that a list has not found."""
        self.drop_unlisted(found, version, namespace)
        self.served.listed(namespace, self.kind)

    def failed(self, namespace: str, error: Exception) -> None:
        """Report that the objects of a namespace could not be listed."""
        self.served.failed(namespace, self.kind, error)

    def heard(self, namespace: str) -> None:
        """Report a message of the watch of a namespace."""
        self.served.heard(namespace, self.kind)

    def _try(self, take: Callable[[Manifest], None], manifest: Manifest) -> None:
        try:
            take(manifest)
        except Exception as error:  # noqa: BLE001 - it must not affect other objects.
            self._skip(manifest, error)

    def _skip(self, manifest: Manifest, error: Exception) -> None:
        """Count an object that cannot be read, and log it once for each of its versions."""
        meta = _metadata(manifest)
        uid, version = str(meta.get("uid", "")), str(meta.get("resourceVersion", ""))
        self.skipped(self.kind, type(error).__name__)
        if self.logged.get(uid) != version:
            if len(self.logged) >= _REMEMBERED:
                self.logged.clear()
            self.logged[uid] = version
            namespace, name = str(meta.get("namespace")), str(meta.get("name"))
            fields = (
                about(uid=uid, namespace=namespace, operation=name) if self.kind == KIND else {}
            )
            what = f"{self.kind} {namespace}/{name}"
            log.warning("%s cannot be read and is skipped: %r", what, error, extra=fields)


def _metadata(manifest: Manifest) -> Manifest:
    meta = manifest.get("metadata") if isinstance(manifest, dict) else None
    return meta if isinstance(meta, dict) else {}


def operations(store: Store, served: Served, skipped: Skipped = lambda *_: None) -> Intake:
    """Return the intake of operations."""
    return Intake(
        KIND,
        store.upsert_operation,
        lambda manifest: store.remove_operation(manifest["metadata"]["uid"]),
        store.remove_unlisted_operations,
        served,
        skipped,
    )


def workflows(store: Store, served: Served, skipped: Skipped = lambda *_: None) -> Intake:
    """Return the intake of Workflows."""
    return Intake(
        WORKFLOW_KIND,
        partial(_upsert_workflow, store),
        lambda manifest: store.remove_workflow(Child.read(manifest)),
        store.remove_unlisted_workflows,
        served,
        skipped,
    )


def _upsert_workflow(store: Store, manifest: Manifest) -> None:
    child = Child.read(manifest)
    if child.details_error:
        fields = about(
            uid=child.operation_uid, namespace=child.namespace, operation=child.operation
        )
        what = f"{child.namespace}/{child.name}"
        log.warning("nodes of Workflow %s: %s", what, child.details_error, extra=fields)
    store.upsert_workflow(child)
