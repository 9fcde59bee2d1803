"""JSON from the API server, decoded within bounds of depth and size.

The API server stores objects that Python cannot read: JSON of 10,000 levels, while decoders raise
an error at 1,000, and 1.5 MiB of empty objects, which take 60 MiB of memory once decoded. Such an
object is read without the parts that are too deep or too large. It then fails validation, and
affects no other object.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

Manifest = dict[str, Any]

MAX_DEPTH: Final = 200
"""Levels that are read. More than bounds of ours allow, and less than any encoder refuses (254)."""
LARGE: Final = 64 * 1024
"""Bytes of an operation from which it is not kept in memory, but read again when it is needed."""
REDUCED: Final = "reduced"
"""Field of a reduced operation. The API server stores no field of that name."""

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_METADATA: Final = (
    *("name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp"),
    "deletionTimestamp",
)
_SPEC: Final = (
    *("runId", "suspend", "cancel", "concurrencyGroup", "concurrencyPolicy", "ttlStrategy"),
    "ttlSecondsAfterFinished",
)
_STATUS: Final = ("observedGeneration", "run", "runId", "workflowRef")
_CONDITION: Final = ("type", "status", "reason", "lastTransitionTime")
_MOST: Final = 16
"""Conditions, at most."""
_SMALL: Final = 1024
"""Bytes of a field that is kept, at most. One that is larger was stored under another CRD."""


def loads(text: bytes) -> Any:  # noqa: ANN401 - any JSON.
    """Read JSON. A list or an object that is nested too deeply is read as null.

    Raises:
        ValueError: the text is no JSON.

    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(shallow(text, MAX_DEPTH))


def shallow(text: bytes, levels: int) -> bytes:
    """Return JSON in which null stands for each list and object below so many levels."""
    parts: list[bytes] = []
    depth = begin = 0
    for found in _TOKEN.finditer(text):
        mark = text[found.start()]
        if mark in b"[{":
            depth += 1
            if depth == levels + 1:
                parts += (text[begin : found.start()], b"null")
        elif mark in b"]}":
            if depth == levels + 1:
                begin = found.end()
            depth -= 1
    return b"".join((*parts, text[begin:]))


def encoded(value: Any) -> bytes | str:  # noqa: ANN401 - any JSON.
    """Return a value as JSON, or why it cannot be written as such."""
    try:
        return orjson.dumps(value)
    except TypeError as error:  # Also where it is nested too deeply.
        return str(error)


def reduced(operation: Manifest) -> Manifest:
    """Return what the operator has to know of an operation that it does not act on now."""
    meta = operation["metadata"]
    return {
        "apiVersion": operation.get("apiVersion"),
        "kind": operation.get("kind"),
        "metadata": {**_some(meta, _METADATA), **_ownership(meta)},
        "spec": _some(operation.get("spec"), _SPEC),
        "status": {
            **_some(operation.get("status"), _STATUS),
            "conditions": _conditions(operation.get("status")),
        },
        REDUCED: True,
    }


def _ownership(meta: Manifest) -> Manifest:
    """Return what says which tool owns an operation: names alone."""
    managers = [one.get("manager", "") for one in meta.get("managedFields") or ()]
    return {
        "labels": meta.get("labels") or {},
        "annotations": dict.fromkeys(meta.get("annotations") or {}, ""),
        "managedFields": [{"manager": name} for name in dict.fromkeys(managers)],
    }


def _conditions(status: object) -> list[Manifest]:
    found = status.get("conditions") if isinstance(status, dict) else None
    return [_some(one, _CONDITION) for one in (found if isinstance(found, list) else [])[:_MOST]]


def _some(part: object, names: tuple[str, ...]) -> Manifest:
    fields = part if isinstance(part, dict) else {}
    return {name: fields[name] for name in names if name in fields and _is_small(fields[name])}


def _is_small(value: object) -> bool:
    text = encoded(value)
    return isinstance(text, bytes) and len(text) <= _SMALL
