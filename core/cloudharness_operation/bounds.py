"""Bounds of what an author may write where no schema says what it is: depth and size.

A schema cannot say either of a free-form field: `x-kubernetes-preserve-unknown-fields` hides the
field from CEL, and the API server accepts 10,000 levels. Decoders, encoders and everything that
walks through a value have a limit of their own, so each free-form field has a lower one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from pydantic_core import PydanticCustomError

MAX_DEPTH: Final = 64
"""Levels of lists and objects in a free-form field."""
MAX_OBJECT_SIZE: Final = 1024 * 1024
"""Bytes of an operation as JSON, without managed fields, annotations and status. etcd takes 1.5 MiB
in all, and the status must have room beside it."""
MAX_MESSAGE: Final = 4096
"""Characters of a message of an operation."""
MAX_TASK_MESSAGE: Final = 1024
"""Characters of a message of a task; an operation has up to 100 of them."""

_CONTAINERS: Final = (dict, list, tuple)


def is_deeper(value: Any, limit: int) -> bool:  # noqa: ANN401 - any JSON.
    """Return whether lists and objects are nested in more than `limit` levels. Not recursive."""
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(limit):
        level = [part for one in level for part in _parts(one) if isinstance(part, _CONTAINERS)]
    return bool(level)


def _parts(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else cast("Iterable[object]", value)


def within(size: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a validator of a free-form field that has at most `size` characters as JSON."""

    def validated(value: dict[str, Any]) -> dict[str, Any]:
        if is_deeper(value, MAX_DEPTH):
            raise PydanticCustomError(
                "depth",
                "nested in more than {most} levels: flatten it, or pass it as a file",
                {"most": MAX_DEPTH},
            )
        # What is no JSON is refused elsewhere, with its own words.
        if (found := len(json.dumps(value, default=str))) > size:
            raise PydanticCustomError(
                "size",
                "{found} characters as JSON, at most {most}: pass it as a file on a volume or in "
                "a ConfigMap",
                {"found": found, "most": size},
            )
        return value

    return validated


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, which ends in `...` if something was cut."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
