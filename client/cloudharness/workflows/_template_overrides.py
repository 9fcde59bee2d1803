"""Turn a task's `template_overrides` into a patch of its Argo template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudharness.workflows.errors import bad
from cloudharness_operation.render.engine import errors_in_template, respelled


def template_patch(overrides: object, task: str) -> dict[str, Any]:
    """Return the overrides with Argo's field names and without empty fields.

    The field `name` is dropped: a template is named after its task, but the classes of Argo's
    Python client require a name.

    Args:
        overrides: a mapping, or an object with `to_dict()`, in Python's or in Argo's spelling.
        task: name of the task, for errors.

    Raises:
        BadOperationConfiguration: a field does not exist or has the wrong type.

    """
    what = f"task {task!r}: template_overrides"
    if overrides is None:
        return {}
    fields = overrides.to_dict() if hasattr(overrides, "to_dict") else overrides
    if not isinstance(fields, Mapping):
        raise bad(what, f"give a mapping, or an object with to_dict(), not {overrides!r}")
    try:
        plain = json.loads(json.dumps(_without_none(fields), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise bad(what, f"not valid JSON: {error}") from error
    patch: dict[str, Any] = respelled(plain, "Template")
    patch.pop("name", None)
    if problem := errors_in_template(patch, ""):
        raise bad(what, problem)
    return patch


def _without_none(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list | tuple) else value
