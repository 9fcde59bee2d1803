"""Read what an ended operation has left: return values, outputs, and the cause of a failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudharness.workflows._api import WORKFLOWS, Connection
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


def raise_unless_succeeded(state: Operation) -> None:
    """Return if the operation has succeeded.

    Raises:
        OperationFailed: the operation did not succeed.

    """
    status, name = state.status, state.metadata.name
    if status.phase is Phase.SUCCEEDED:
        return
    kind = OperationCancelled if status.phase is Phase.CANCELLED else OperationFailed
    failure = status.failure
    raise kind(
        _failure_message(state),
        operation=name,
        phase=status.phase.value if status.phase else "Failed",
        reason=status.reason or "",
        task=failure.task if failure else None,
        exit_code=failure.exit_code if failure else None,
        task_reason=failure.reason if failure else None,
        log_tail=failure.log_tail if failure else (),
    )


def _failure_message(state: Operation) -> str:
    status = state.status
    phase = (status.phase.value if status.phase else "Failed").lower()
    message = f"operation {state.metadata.name} {phase}: {status.reason}: {status.message}"
    failure = status.failure
    if failure and failure.task not in (status.message or ""):
        message += f"; task {failure.task!r}: {failure.message or failure.reason}"
    return message


def return_values(state: Operation, connection: Connection) -> dict[str, Any]:
    """Return what the functions of Python tasks have returned, by task, in the order of the tasks.

    Raises:
        ResultUnavailable: a value is missing, or it is too large for the status and its Workflow
            has been deleted.

    """
    return {
        output.task: _parse(_text(output, connection), output.task)
        for output in _in_task_order(state)
        if output.name == RESULT
    }


def output_texts(state: Operation, connection: Connection) -> dict[str, dict[str, str]]:
    """Return the text of each output, by task and by name, in the order of the tasks.

    Raises:
        ResultUnavailable: as `return_values`.

    """
    texts: dict[str, dict[str, str]] = {}
    for output in _in_task_order(state):
        texts.setdefault(output.task, {})[output.name] = _text(output, connection)
    return texts


def _in_task_order(state: Operation) -> list[OutputStatus]:
    """Return the outputs in the order of the spec; the status has them as their tasks ended."""
    position = {task.name: number for number, task in enumerate(state.spec.all_tasks)}
    return sorted(state.status.outputs, key=lambda one: position.get(one.task, len(position)))


def _parse(text: str, task: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ResultUnavailable(f"the result of task {task!r} is not JSON: {error}") from error


def _text(output: OutputStatus, connection: Connection) -> str:
    task, source = output.task, output.value_from
    if output.value is not None:
        return output.value
    if source is None:
        raise ResultUnavailable(f"the status does not contain the result of task {task!r}")
    try:
        manifest = connection.get(WORKFLOWS, source.workflow)
    except WorkflowNotFound as error:
        raise ResultUnavailable(
            f"the output {output.name!r} of task {task!r} is too large for the status, and its "
            f"Workflow {source.workflow} has been deleted: read it before the ttl_strategy expires,"
            " or write large results to a shared volume"
        ) from error
    node = nodes(manifest.get("status") or {}).get(source.node) or {}
    text = _parameter(node, output.name)
    if text is None:
        raise ResultUnavailable(
            f"the Workflow {source.workflow} has no output {output.name!r} of task {task!r}"
        )
    return text


def _parameter(node: Mapping[str, Any], name: str) -> str | None:
    outputs = node.get("outputs") or {}
    if name == STDOUT:
        # Argo calls the captured stdout `result`, which is not the result of a Python function.
        return outputs.get("result")
    parameters = outputs.get("parameters") or ()
    return next((str(one["value"]) for one in parameters if one["name"] == name), None)
