"""Changes to a task's Argo template: from whatever says them to a patch with Argo's own names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudharness.workflows.errors import bad
from cloudharness_operation.render.engine import errors_in_template, respelled


def patch(given: object, name: str) -> dict[str, Any]:
    """Return changes to a template with Argo's own names, and without what says nothing.

    A name is dropped: a template has its task's, and Argo's Python classes cannot do without one.
    """
    what = f"task {name!r}: template_overrides"
    if given is None:
        return {}
    fields = given.to_dict() if hasattr(given, "to_dict") else given
    if not isinstance(fields, Mapping):
        raise bad(what, f"give a mapping, or something with to_dict(), not {given!r}")
    try:
        plain = json.loads(json.dumps(_without_none(fields), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise bad(what, f"is no JSON: {error}") from error
    changes: dict[str, Any] = respelled(plain, "Template")
    changes.pop("name", None)
    if problem := errors_in_template(changes, ""):
        raise bad(what, problem)
    return changes


def _without_none(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list | tuple) else value
