"""The operator's log: lines for people, or JSON for programs.

Lines about an operation have its fields, which JSON shows: `operation`, `namespace`, `uid`, `run`
and `reason`. No line has the payload of an event or a value from a Secret, but for events that are
given up: they are logged whole, since nothing else has them then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from pythonjsonlogger.orjson import OrjsonFormatter

FORMATS: Final = ("text", "json")

_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def configure(level: str, form: str) -> None:
    """Log lines of a level and above to the standard error output, in one of `FORMATS`."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    logging.basicConfig(level=level, handlers=[handler])


def formatter(form: str) -> logging.Formatter:
    """Return the formatter of lines in one of `FORMATS`."""
    if form == "text":
        return logging.Formatter(_TEXT)
    return OrjsonFormatter(
        ["levelname", "name", "message"],
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
    )


def about(
    *,
    uid: str,
    namespace: str = "",
    operation: str = "",
    run: int | None = None,
    reason: str | None = None,
) -> Mapping[str, object]:
    """Return the fields of a line about an operation, for `extra`; unknown ones are left out."""
    known = {
        "uid": uid,
        "namespace": namespace,
        "operation": operation,
        "run": run,
        "reason": reason,
    }
    return {name: value for name, value in known.items() if value not in ("", None)}
