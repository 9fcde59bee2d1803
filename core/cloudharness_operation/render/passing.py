"""Outputs of tasks: how Argo keeps them, and how one is passed to a later task's variable.

A value must survive three rounds of interpolation unchanged. Argo inserts values into templates by
Go's quoting, which is no JSON for control characters, and then interpolates the result again for
`{{...}}`; so values are inserted by expressions, which produce JSON, and no `{{` is left in them.
Kubernetes interpolates `$(NAME)` in variables; so each `$` is doubled, and an injected variable
restores the second brace.
"""

from __future__ import annotations

from typing import Any

from cloudharness_operation.model import OperationSpec
from cloudharness_operation.outputs import STDOUT, TaskOutput
from cloudharness_operation.references import BRACE, asks
from cloudharness_operation.tasks import Task

Manifest = dict[str, Any]


def parameter(source: TaskOutput) -> str:
    """Return the name of the input that an output is passed as; a task's name has no `_`."""
    return f"{source.task}_{source.name}"


def value(source: TaskOutput) -> str:
    """Return what a variable is given: the input as it is."""
    return f"{{{{=inputs.parameters['{parameter(source)}']}}}}"


def arguments(task: Task) -> Manifest:
    """Return the part of a step that passes outputs on to a task."""
    given = [{"name": parameter(one), "value": _escaped(one)} for one in asks(task)]
    return {"arguments": {"parameters": given}} if given else {}


def _escaped(source: TaskOutput) -> str:
    place = f"steps['{source.task}'].outputs"
    found = "result" if source.name == STDOUT else f"parameters['{source.name}']"
    doubled = f"replace({place}.{found}, '$', '$$')"
    return f"{{{{=replace({doubled}, '{{'+'{{', '{{$({BRACE})')}}}}"


def inputs(task: Task) -> list[Manifest]:
    """Return the inputs of a task's template."""
    return [{"name": parameter(one)} for one in asks(task)]


def brace_env(task: Task) -> dict[str, str]:
    """Return the variable that the values of passed outputs refer to."""
    return {BRACE: "{"} if asks(task) else {}


def files(task: Task) -> list[Manifest]:
    """Return a task's own outputs, for its template."""
    return [{"name": one.name, "valueFrom": {"path": one.path}} for one in task.outputs]


def printed(spec: OperationSpec) -> Manifest:
    """Return the part of the template of steps that has Argo keep what tasks print.

    Argo keeps it where something refers to it (workflow/controller/operator.go,
    hasOutputResultRef); this does, and takes nothing of it.
    """
    names = [task.name for task in spec.tasks if task.stdout]
    kept = [
        {
            "name": name,
            "valueFrom": {
                "default": "",
                "expression": f"steps['{name}'].outputs.result == '' ? '' : ''",
            },
        }
        for name in names
    ]
    return {"outputs": {"parameters": kept}} if kept else {}
