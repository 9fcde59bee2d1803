"""Tasks: the containers that an operation runs."""

from __future__ import annotations

import keyword
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cloudharness_operation.bounds import within
from cloudharness_operation.lifetime import Duration
from cloudharness_operation.outputs import MAX_OUTPUTS, Output
from cloudharness_operation.pods import (
    EnvFrom,
    EnvVar,
    KeyReference,
    PodSettings,
    Resources,
)
from cloudharness_operation.resource import FREE_FORM, Label, Resource, form, keyed_by, rules
from cloudharness_operation.security import SecurityContext
from cloudharness_operation.volumes import SharedVolumes

MAX_SOURCE_LENGTH: Final = 65536
"""64 KiB: client-side apply keeps a copy in an annotation; all annotations have 256 KiB."""
MAX_SOURCES_LENGTH: Final = 8 * MAX_SOURCE_LENGTH
"""Of all tasks: operation and Workflow are each limited to the 1.5 MiB that etcd accepts."""
MAX_ARGS_SIZE: Final = 96 * 1024
"""Characters of JSON: they become one argument of a program, which Linux limits to 128 KiB."""
MAX_PATCH_SIZE: Final = 128 * 1024
"""Characters of JSON."""
KINDS: Final = ("python", "bash", "command", "custom")
KINDS_TEXT: Final = "python, bash, command and custom"
ONE_KIND: Final = f"a task is exactly one of {KINDS_TEXT}: give one, and no other"

Source = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SOURCE_LENGTH)]
IMAGE_PATTERN: Final = (
    r"^([-._a-zA-Z0-9]+"
    r"|(([a-zA-Z0-9][-.a-zA-Z0-9]*|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?"
    r"[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*)*"
    r"(:[a-zA-Z0-9_][-._a-zA-Z0-9]*)?(@[a-z0-9+.]+:[0-9a-f]+)?)$"
)
"""A key of a ConfigMap, or [HOST[:PORT]/]PATH[:TAG][@DIGEST] as container registries have it."""
Image = Annotated[
    str,
    form(
        IMAGE_PATTERN,
        1024,
        "write an image as [HOST[:PORT]/]PATH[:TAG], with the path in lower case and no spaces, "
        "or a name from the operator's catalogue",
    ),
]
Argument = Annotated[str, StringConstraints(max_length=16384)]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
Arguments = Annotated[
    dict[str, Any],
    AfterValidator(within(MAX_ARGS_SIZE)),
    WithJsonSchema({**FREE_FORM, "maxProperties": 256}),
]
_NO_NAME: Final = {
    "type": "string",
    "description": "Must not be given: a template has the name of its task.",
}
PATCH_RULES: Final = rules(
    (
        "!has(self.name)",
        "templatePatch must not rename the template: remove name, the task's own is used",
        "name",
    ),
)


FunctionName = Annotated[
    str,
    form(
        r"^[A-Za-z_][A-Za-z0-9_]*$",
        128,
        "write the bare name of a function of the code, without module, parentheses or arguments",
        (
            f"!(self in {keyword.kwlist})",
            "function is a keyword of Python: write the name of a function of the code",
        ),
    ),
]


class PythonCode(Resource):
    """Python code, run by `python3` in the default task image."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.source) != has(self.sourceFrom)",
                "python needs either source or sourceFrom: give one of them",
            ),
            (
                "!has(self.args) || has(self.function)",
                "args need a function to take them: set function, or remove args",
                "args",
            ),
        )
    )

    source: Source | None = None
    """The code itself, at most 65536 characters."""
    source_from: KeyReference | None = None
    """A key of a ConfigMap with the code."""
    function: FunctionName | None = None
    """A function of the code to call. Its return value, as JSON, is the task's result. Left out:
    the code is run as a script."""
    args: Arguments | None = None
    """Keyword arguments of the function: any JSON of at most 98304 characters and 64 levels."""


class BashCode(Resource):
    """A bash script, run by `bash` in the default task image."""

    source: Source
    """The script itself, at most 65536 characters."""


_PROGRAM: Final = (
    "!has(self.command) || size(self.command) == 0 || self.command[0] != ''",
    "command begins with the program to run: write its name or path first",
    "command",
)


class CommandLine(Resource):
    """A command in the default task image."""

    model_config = ConfigDict(json_schema_extra=rules(_PROGRAM))

    command: tuple[Argument, ...] = Field(min_length=1, max_length=256)
    """The program and its arguments, not run in a shell."""


class CustomContainer(Resource):
    """A container of any image."""

    model_config = ConfigDict(json_schema_extra=rules(_PROGRAM))

    image: Image
    """Image to run: as in a pod, or a name from the operator's catalogue of images."""
    command: tuple[Argument, ...] = Field(default=(), max_length=256)
    """Entrypoint, not run in a shell. Left out: the image's own."""
    args: tuple[Argument, ...] = Field(default=(), max_length=256)
    """Arguments to the entrypoint."""
    image_pull_policy: PullPolicy | None = None
    """When to pull the image. Left out: the operator's setting, or by the image's tag."""


class Backoff(Resource):
    """Waits between attempts."""

    duration: Duration
    """Wait before the second attempt, such as `10s`, `5m` or `1h30m`."""
    factor: Annotated[int, Field(ge=1, le=100)] | None = None
    """Factor by which each wait is longer than the one before. Left out: all are equal."""
    max_duration: Duration | None = None
    """Time after the first attempt in which further attempts start."""


class Retry(Resource):
    """What happens when the task fails."""

    limit: Annotated[int, Field(ge=0, le=1000)]
    """Maximum number of attempts after the first."""
    policy: Literal["Always", "OnFailure", "OnError", "OnTransientError"] | None = None
    """Argo's retryPolicy. OnFailure: the container failed. OnError: the infrastructure failed, for
    example the node was lost. Left out: OnFailure."""
    backoff: Backoff | None = None
    """Waits between attempts. Left out: none."""


class Task(PodSettings):
    """One container execution. Give exactly one of `python`, `bash`, `command` and `custom`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"[{', '.join(f'has(self.{kind})' for kind in KINDS)}].filter(x, x).size() == 1",
                ONE_KIND,
            )
        )
    )

    name: Label
    """Name of the task, unique in the operation: lower-case letters, digits and '-'."""
    group: Annotated[int, Field(ge=0, le=1000)] | None = None
    """In a SimpleDag: groups run one after the other by number, tasks of one group in parallel."""
    python: PythonCode | None = None
    """Run Python code in the default task image."""
    bash: BashCode | None = None
    """Run a bash script in the default task image."""
    command: CommandLine | None = None
    """Run a command in the default task image."""
    custom: CustomContainer | None = None
    """Run a container of a given image."""
    env: tuple[EnvVar, ...] = Field(default=(), max_length=100, json_schema_extra=keyed_by("name"))
    """Environment variables of the container."""
    env_from: tuple[EnvFrom, ...] = Field(default=(), max_length=16)
    """ConfigMaps and Secrets whose keys become environment variables."""
    resources: Resources | None = None
    """Resource requests and limits of the container."""
    security_context: SecurityContext | None = None
    """Security context of the container."""
    retry: Retry | None = None
    """Retries of the task when it fails. Left out: one attempt."""
    shared_volumes: SharedVolumes = ()
    """Volumes of this task, besides those of the operation."""
    outputs: tuple[Output, ...] = Field(
        default=(), max_length=MAX_OUTPUTS, json_schema_extra=keyed_by("name")
    )
    """Files whose text is kept in `status.outputs`, and can be passed to later tasks."""
    stdout: bool | None = None
    """Keep the last 256 KiB of what the task prints as its output `stdout`."""
    template_patch: (
        Annotated[
            dict[str, Any],
            AfterValidator(within(MAX_PATCH_SIZE)),
            WithJsonSchema(
                {
                    **FREE_FORM,
                    "maxProperties": 64,
                    "properties": {"name": _NO_NAME},
                    **PATCH_RULES,
                }
            ),
        ]
        | None
    ) = None
    """Changes to the task's Argo template, as a JSON merge patch: for settings that have no field
    here. Refused are fields that the installed Argo does not know, more than 131072 characters or
    64 levels, and what this operator's `tasks.templatePatch` does not allow."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        # The CRD has the same rule; an older CRD may not have had it.
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise PydanticCustomError("kind", ONE_KIND)
        return self
