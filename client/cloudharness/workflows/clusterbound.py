"""What an operation asks for that is on a cluster alone."""

from __future__ import annotations

from collections.abc import Iterator

from cloudharness_operation.model import OperationSpec
from cloudharness_operation.pods import EnvFrom, EnvSource
from cloudharness_operation.tasks import Task


def wanted(spec: OperationSpec) -> Iterator[str]:
    """Yield what tasks need and this machine does not have, each with its task and field."""
    for task in spec.tasks:
        yield from (f"task {task.name!r}: {what}" for what in _of(task))


def _of(task: Task) -> Iterator[str]:
    if task.python and task.python.source_from:
        yield f"python.sourceFrom: the ConfigMap {task.python.source_from.name}"
    for variable in task.env:
        if what := _source(variable.value_from):
            yield f"env {variable.name}: {what}"
    yield from (f"envFrom: {what}" for one in task.env_from if (what := _all(one)))
    if task.custom and task.outputs:
        yield f"outputs: files of the image {task.custom.image}"


def _source(source: EnvSource | None) -> str | None:
    if source is None:
        return None
    if source.field_ref:
        return f"the pod's {source.field_ref.field_path}"
    for kind, one in (("ConfigMap", source.config_map_key_ref), ("Secret", source.secret_key_ref)):
        if one and not one.optional:
            return f"the {kind} {one.name}"
    return None


def _all(one: EnvFrom) -> str | None:
    for kind, of in (("ConfigMap", one.config_map_ref), ("Secret", one.secret_ref)):
        if of and not of.optional:
            return f"the {kind} {of.name}"
    return None
