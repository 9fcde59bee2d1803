"""The outputs of tasks, as Argo keeps them in a Workflow's nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cloudharness_operation.outputs import MAX_OUTPUTS, RESULT, STDOUT
from cloudharness_operation.record import OutputReference, OutputStatus
from cloudharness_operator import nodes

Manifest = dict[str, Any]

MAX_VALUE: Final = 4 * 1024
"""Bytes of a value that stands in the status, at most."""
MAX_VALUES: Final = 32 * 1024
"""Bytes of all that do."""
MOST: Final = 2 * MAX_OUTPUTS
"""Outputs of a task that are read, at most. Whoever may write Workflows can write any number."""
MAX_NAME: Final = 63


def read(workflow: str, found: Mapping[str, Sequence[Manifest]]) -> tuple[OutputStatus, ...]:
    """Return the outputs of the tasks that have ended, from each task's nodes, as they ended.

    In this order, what once stood in the status stays there.
    """
    ended = [(name, node) for name, some in found.items() if (node := nodes.ended(some))]
    ended.sort(key=lambda one: (one[1].get("finishedAt") or "", one[0]))
    return tuple(_limited(one for name, node in ended for one in _outputs(workflow, name, node)))


def _outputs(workflow: str, task: str, node: Manifest) -> Iterator[OutputStatus]:
    outputs = node.get("outputs") or {}
    where = OutputReference(workflow=workflow, node=node.get("id") or "")
    parameters = (outputs.get("parameters") or ())[:MOST]
    found = {one["name"][:MAX_NAME]: one.get("value") for one in parameters}
    if node.get("phase") != "Succeeded":
        found.pop(RESULT, None)  # What stands there is not what the function returned.
    if "result" in outputs:
        found[STDOUT] = outputs["result"]
    for name, value in found.items():
        if value is not None:
            size = len(value.encode(errors="replace"))
            yield OutputStatus(task=task, name=name, size=size, value=value, value_from=where)


def _limited(outputs: Iterator[OutputStatus]) -> Iterator[OutputStatus]:
    """Yield outputs with a value, or with where it is."""
    room = MAX_VALUES
    for output in outputs:
        if output.size > min(MAX_VALUE, room):
            yield output.model_copy(update={"value": None})
            continue
        room -= output.size
        yield output.model_copy(update={"value_from": None})
