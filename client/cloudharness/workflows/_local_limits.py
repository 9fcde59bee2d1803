"""Find the parts of an operation that need a cluster, before it runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from cloudharness_operation.model import OperationSpec
from cloudharness_operation.pods import EnvFrom, EnvSource
from cloudharness_operation.tasks import Task


def unsupported_locally(spec: OperationSpec) -> Iterator[str]:
    """Yield each object that exists on a cluster only, with the task and the field that use it."""
    for task in spec.all_tasks:
        yield from (f"task {task.name!r}: {what}" for what in _unsupported_in(task))


def _unsupported_in(task: Task) -> Iterator[str]:
    if task.python and task.python.source_from:
        yield f"python.sourceFrom: the ConfigMap {task.python.source_from.name}"
    for variable in task.env:
        if what := _env_source(variable.value_from):
            yield f"env {variable.name}: {what}"
    yield from (f"envFrom: {what}" for one in task.env_from if (what := _env_from(one)))


def _env_source(source: EnvSource | None) -> str | None:
    if source is None:
        return None
    if source.field_ref:
        return f"the pod's {source.field_ref.field_path}"
    for kind, one in (("ConfigMap", source.config_map_key_ref), ("Secret", source.secret_key_ref)):
        if one and not one.optional:
            return f"the {kind} {one.name}"
    return None


def _env_from(source: EnvFrom) -> str | None:
    for kind, one in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
        if one and not one.optional:
            return f"the {kind} {one.name}"
    return None
