"""The way of each object into the store: one that cannot be read is skipped, and all others go on.

Whoever may create Workflows can write anything into them, and an operation may have been stored
under another CRD. No such object can end a list, a watch or the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from cloudharness_operator.child import Child
from cloudharness_operator.store import Store

Manifest = dict[str, Any]

OPERATION: Final = "CloudHarnessOperation"
WORKFLOW: Final = "Workflow"
_REMEMBERED: Final = 1000
"""Objects that have been logged already."""

log = logging.getLogger(__name__)


class Intake:
    """Reads objects into a store, and counts those that it cannot read."""

    def __init__(self, store: Store, skipped: Callable[[str, str], None] = lambda *_: None) -> None:
        """`skipped` is called with the kind of each such object, and the name of the error."""
        self._store = store
        self._skipped = skipped
        self._logged: dict[str, str] = {}

    def operation(self, manifest: Manifest) -> str:
        """Take in an operation; return its uid, or an empty text."""
        try:
            self._store.saw_operation(manifest)
            return str(manifest["metadata"]["uid"])
        except Exception as error:  # noqa: BLE001 - the next object has done nothing wrong.
            return self._skip(OPERATION, manifest, error)

    def lost_operation(self, manifest: Manifest) -> None:
        """Take in that an operation is gone."""
        try:
            self._store.lost_operation(manifest["metadata"]["uid"])
        except Exception as error:  # noqa: BLE001
            self._skip(OPERATION, manifest, error)

    def child(self, manifest: Manifest, *, gone: bool = False) -> str:
        """Take in a child, or that it is gone; return its uid, or an empty text."""
        try:
            child = Child.read(manifest)
            (self._store.lost_child if gone else self._store.saw_child)(child)
        except Exception as error:  # noqa: BLE001
            return self._skip(WORKFLOW, manifest, error)
        return child.uid

    def _skip(self, kind: str, manifest: Manifest, error: Exception) -> str:
        """Count an object that cannot be read, and log it once for each of its versions."""
        meta = manifest.get("metadata") or {} if isinstance(manifest, dict) else {}
        uid, version = str(meta.get("uid", "")), str(meta.get("resourceVersion", ""))
        self._skipped(kind, type(error).__name__)
        if self._logged.get(uid) != version:
            if len(self._logged) >= _REMEMBERED:
                self._logged.clear()
            self._logged[uid] = version
            name = f"{meta.get('namespace')}/{meta.get('name')}"
            log.warning("%s %s cannot be read and is skipped: %r", kind, name, error)
        # It is there, all the same.
        return uid
