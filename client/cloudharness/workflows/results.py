"""What an operation has left: the return values of its Python tasks, and how it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudharness.workflows.connection import WORKFLOWS, Connection
from cloudharness.workflows.errors import (
    OperationCancelled,
    OperationFailed,
    ResultUnavailable,
    WorkflowNotFound,
)
from cloudharness_operation.argo import nodes
from cloudharness_operation.model import Operation
from cloudharness_operation.outputs import RESULT, STDOUT
from cloudharness_operation.status import OutputStatus, Phase


def check(state: Operation) -> None:
    """Return if an operation has ended well.

    Raises:
        OperationFailed: it has not.

    """
    status, name = state.status, state.metadata.name
    if status.phase is Phase.SUCCEEDED:
        return
    kind = OperationCancelled if status.phase is Phase.CANCELLED else OperationFailed
    failure = status.failure
    raise kind(
        _said(state),
        operation=name,
        phase=status.phase.value if status.phase else "Failed",
        reason=status.reason or "",
        task=failure.task if failure else None,
        exit_code=failure.exit_code if failure else None,
        task_reason=failure.reason if failure else None,
        log_tail=failure.log_tail if failure else (),
    )


def _said(state: Operation) -> str:
    status = state.status
    ended = (status.phase.value if status.phase else "Failed").lower()
    said = f"operation {state.metadata.name} {ended}: {status.reason}: {status.message}"
    failure = status.failure
    if failure and failure.task not in (status.message or ""):
        said += f"; task {failure.task!r}: {failure.message or failure.reason}"
    return said


def values(state: Operation, connection: Connection) -> dict[str, Any]:
    """Return what the functions of Python tasks have returned, by task.

    Raises:
        ResultUnavailable: one is too large for the status, and its Workflow is gone.

    """
    return {
        output.task: _read(_text(output, connection), output.task)
        for output in state.status.outputs
        if output.name == RESULT
    }


def outputs(state: Operation, connection: Connection) -> dict[str, dict[str, str]]:
    """Return the text of each output, by its task and its name.

    Raises:
        ResultUnavailable: as `values`.

    """
    found: dict[str, dict[str, str]] = {}
    for one in state.status.outputs:
        found.setdefault(one.task, {})[one.name] = _text(one, connection)
    return found


def _read(text: str, task: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ResultUnavailable(f"the result of task {task!r} is no JSON: {error}") from error


def _text(output: OutputStatus, connection: Connection) -> str:
    task, where = output.task, output.value_from
    if output.value is not None:
        return output.value
    if where is None:
        raise ResultUnavailable(f"the operator has not recorded the result of task {task!r}")
    try:
        manifest = connection.get(WORKFLOWS, where.workflow)
    except WorkflowNotFound as error:
        raise ResultUnavailable(
            f"the output {output.name!r} of task {task!r} was too large for the status, and its "
            f"Workflow {where.workflow} is gone: ask before the ttl_strategy deletes it, or write "
            "large results to a shared volume"
        ) from error
    node = nodes(manifest.get("status") or {}).get(where.node) or {}
    found = _parameter(node, output.name)
    if found is None:
        raise ResultUnavailable(f"Argo's record of task {task!r} has no output {output.name!r}")
    return found


def _parameter(node: Mapping[str, Any], name: str) -> str | None:
    left = node.get("outputs") or {}
    if name == STDOUT:
        # Argo has one name for all that is printed, which is none of ours.
        return left.get("result")
    parameters = left.get("parameters") or ()
    return next((str(one["value"]) for one in parameters if one["name"] == name), None)
