"""Outputs of tasks, and references to them."""

from __future__ import annotations

from typing import Annotated, Final

from cloudharness_operation.resource import Label, Resource, form

RESULT: Final = "result"
"""Name of the output that holds a function's return value, as JSON."""
STDOUT: Final = "stdout"
"""Name of the output that holds what a task prints."""

MAX_OUTPUTS: Final = 16
_NAME_PATTERN: Final = r"^[a-zA-Z0-9_-]+$"
_PATH_PATTERN: Final = r"^(/[^/:,{}\s]+)+$"
_NAME_HELP: Final = "write the name of an output: letters, digits, '_' and '-'"

OutputName = Annotated[str, form(_NAME_PATTERN, 63, _NAME_HELP)]
OwnName = Annotated[
    str,
    form(
        _NAME_PATTERN,
        63,
        _NAME_HELP,
        (
            f"!(self in ['{RESULT}', '{STDOUT}'])",
            f"{RESULT} is what python.function returns, and {STDOUT} what is printed with stdout: "
            "choose another name",
        ),
    ),
]
OutputPath = Annotated[
    str,
    form(
        _PATH_PATTERN,
        256,
        "write the absolute path of a file, such as /tmp/mean.txt, with no '/' at its end and no "
        "space, ':', ',' or brace",
    ),
]


class Output(Resource):
    """A file that the task writes, whose text is kept."""

    name: OwnName
    """Name of the output, unique in the task."""
    path: OutputPath
    """Where the task writes it: a file of UTF-8 text. A newline at its end is taken off. The task
    fails if it is not there at the end."""


class TaskOutput(Resource):
    """An output of a task that runs earlier."""

    task: Label
    """Name of the task."""
    name: OutputName
    """Name of its output: one of `outputs`, `result` of a function, or `stdout`."""
