"""The exceptions that this room raises.

Exception
└── InvalidOperation   the user's object is wrong; the message names the field and the fix
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError


class InvalidOperation(ValueError):
    """A `CloudHarnessOperation` that the API server accepted but that cannot be run."""


def problems(error: ValidationError) -> Iterator[str]:
    """Yield what is wrong with a manifest, each with the path of its field."""
    found = error.errors(include_url=False, include_input=False)
    holders = {e["loc"][:depth] for e in found for depth in range(len(e["loc"]))}
    for e in found:
        # pydantic does not count what is wrong in a list, and then calls the list too short.
        if e["type"] != "too_short" or e["loc"] not in holders:
            yield f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
