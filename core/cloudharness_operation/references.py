"""Whether each output that a task uses is available when it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cloudharness_operation.outputs import RESULT, STDOUT, TaskOutput
from cloudharness_operation.tasks import Task

BRACE: Final = "CH_BRACE"
"""Variable that is injected into tasks that are passed outputs: see `render.passing`."""


NO_OUTPUT_ON_EXIT: Final = (
    "the exit task runs also if a task has no output: let the tasks write to a shared volume, and "
    "remove taskOutput"
)


def available(task: Task) -> tuple[str, ...]:
    """Return the names of a task's outputs."""
    function = bool(task.python and task.python.function)
    own = (output.name for output in task.outputs)
    return (*((RESULT,) if function else ()), *((STDOUT,) if task.stdout else ()), *own)


def errors_in(
    tasks: Sequence[Task], stages: Mapping[str, int], exit_task: Task | None = None
) -> Iterator[str]:
    """Yield the errors of outputs that tasks are passed, with the field and the fix.

    `stages` are the stages of tasks: those of lower stages have ended before.
    """
    if exit_task and asks(exit_task):
        yield f"onExit.task.env: {NO_OUTPUT_ON_EXIT}"
    known = {task.name: task for task in tasks}
    for index, task in enumerate(tasks):
        for place, variable in enumerate(task.env):
            source = variable.value_from and variable.value_from.task_output
            if not source:
                continue
            at = f"tasks[{index}].env[{place}]"
            if problem := _error_in(source, known, stages, task):
                yield f"{at}.valueFrom.taskOutput.{problem}"
        if any(v.name == BRACE for v in task.env) and asks(task):
            yield f"tasks[{index}].env: {BRACE} is set for tasks that are passed outputs: rename it"


def asks(task: Task) -> tuple[TaskOutput, ...]:
    """Return the outputs that a task is passed, each once."""
    sources = (variable.value_from for variable in task.env if variable.value_from)
    return tuple(dict.fromkeys(one.task_output for one in sources if one.task_output))


def _error_in(
    source: TaskOutput, known: Mapping[str, Task], stages: Mapping[str, int], asking: Task
) -> str | None:
    giver = known.get(source.task)
    if giver is None:
        return f"task: there is no task {source.task!r}: name one of the tasks"
    if stages[giver.name] >= stages[asking.name]:
        return (
            f"task: {source.task!r} has not ended when {asking.name!r} begins: name a task before "
            "it in a Pipeline, or of a lower group in a SimpleDag"
        )
    names = available(giver)
    if source.name not in names:
        has = f"it has {', '.join(names)}" if names else "it has none"
        return (
            f"name: task {source.task!r} has no output {source.name!r} ({has}): add it to the "
            "task's outputs, set its stdout, or call a python.function for result"
        )
    return None
