"""Build a task of the resource from arguments. Errors name the argument."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from cloudharness.workflows._task_options import OutputReference, Retry
from cloudharness.workflows.errors import bad
from cloudharness_operation.environment import variables
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.outputs import RESULT, STDOUT
from cloudharness_operation.pods import TAKEN_ENV, EnvVar
from cloudharness_operation.resource import LABEL_PATTERN
from cloudharness_operation.tasks import Task
from cloudharness_operation.volumes import RESERVED_PATHS, RESERVED_PATTERN, Mode, SharedVolume

MAX_TASK_NAME: Final = 63
_AS_VARIABLE: Final = "for an environment variable of this name use add_env"

_ARGUMENTS: Final = {
    "retry.limit": "retry_limit",
    "sharedVolumes": "volume_mounts",
    "templatePatch": "template_overrides",
    "custom.image": "image_name",
    "custom.imagePullPolicy": "image_pull_policy",
    "custom.command": "command",
    "command.command": "command",
    "activeDeadlineSeconds": "active_deadline_seconds",
    "pendingDeadlineSeconds": "pending_deadline_seconds",
    "concurrencyPolicy": "concurrency_policy",
    "concurrencyGroup": "concurrency_group",
    "ttlSecondsAfterFinished": "ttl_seconds_after_finished",
    "bash.source": "source",
    "python.source": "func",
}
"""The argument for each field of the resource that has another name."""


def task_name(name: str) -> str:
    """Return a task name that Kubernetes accepts: lower case, with dashes for spaces."""
    if not isinstance(name, str):
        raise bad("name", f"a task's name is a str, not {name!r}")
    normalized = name.replace(" ", "-").lower()
    if len(normalized) > MAX_TASK_NAME or not re.match(LABEL_PATTERN, normalized):
        raise bad(
            f"name {name!r}",
            "use letters, digits and '-', start and end with a letter or a digit, at most "
            f"{MAX_TASK_NAME} characters",
        )
    return normalized


def texts(given: str | Iterable[str], what: str) -> tuple[str, ...]:
    """Return a str, or an iterable of str, as a tuple of str."""
    values = (given,) if isinstance(given, str) else tuple(given)
    for one in values:
        if not isinstance(one, str):
            raise bad(what, f"each must be a str, not {one!r}")
    return values


def volumes(given: Iterable[str], size: str | None, what: str) -> tuple[SharedVolume, ...]:
    """Parse volumes of the form `[CLAIM:]PATH[:MODE]`."""
    made: dict[str, SharedVolume] = {}
    for text in given:
        try:
            parsed = SharedVolume.parse(_absolute(text)).model_dump(
                exclude_none=True, exclude_unset=True
            )
            volume = SharedVolume(**parsed, **({"size": size} if size else {}))
        except ValidationError as error:
            raise bad(what, f"{text!r}: {problems(error)}") from error
        except InvalidOperation as error:
            raise bad(what, str(error)) from error
        path = volume.mount_path
        if re.match(RESERVED_PATTERN, path):
            raise bad(what, f"{path} is reserved: use a path outside {', '.join(RESERVED_PATHS)}")
        if {".", ".."} & set(path.split("/")):
            raise bad(what, f"{path} contains '.' or '..': use a path without them")
        if path in made:
            raise bad(what, f"{path} is used twice: give each volume a different path")
        made[path] = volume
    return tuple(made.values())


def _absolute(text: str) -> str:
    """Return a volume with an absolute path: a container resolves `CLAIM:data` from its root."""
    claim, colon, rest = text.partition(":")
    is_relative = colon and "/" not in claim and rest and rest[0] != "/" and rest not in list(Mode)
    return f"{claim}:/{rest}" if is_relative else text


def command(given: str | Sequence[str] | None, name: str) -> list[str]:
    """Return a command as a list. A str is split as a shell splits it, but no shell runs it."""
    if given is None:
        return []
    words = shlex.split(given) if isinstance(given, str) else list(given)
    if not words or not all(isinstance(word, str) for word in words) or not words[0]:
        what = f"task {name!r}: command"
        raise bad(what, f"give the program and its arguments as str, not {given!r}")
    return words


def task(
    name: str,
    kind: Mapping[str, Any],
    *,
    resources: Mapping[str, Any],
    volumes: tuple[SharedVolume, ...],
    retry: Mapping[str, Any] | None,
    overrides: Mapping[str, Any],
    env: Mapping[str, Any],
    outputs: Sequence[Mapping[str, str]],
    stdout: bool,
) -> Task:
    """Return a task of the resource.

    Raises:
        BadOperationConfiguration: an argument is wrong; the message names it.

    """
    what = f"task {name!r}"
    fields = {
        "env": _variables(env, what),
        "retry": retry,
        "resources": resources,
        "sharedVolumes": volumes,
        "templatePatch": overrides,
        "outputs": tuple(outputs),
        "stdout": stdout,
    }
    try:
        return Task.model_validate(
            {"name": name, **kind, **{key: value for key, value in fields.items() if value}}
        )
    except ValidationError as error:
        raise bad(what, problems(error)) from error


def task_names(spec: Mapping[str, Any]) -> set[str]:
    """Return the names of the tasks in the spec of an operation, also of the exit task."""
    exit_task = (spec.get("onExit") or {}).get("task")
    return {one["name"] for one in (*spec["tasks"], *([exit_task] if exit_task else ()))}


def with_tasks(
    spec: Mapping[str, Any], changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return the spec of an operation with each task changed, also the exit task."""
    found = {**spec, "tasks": [changed(one) for one in spec["tasks"]]}
    if task := (spec.get("onExit") or {}).get("task"):
        found["onExit"] = {**spec["onExit"], "task": changed(task)}
    return found


def template_kind(kind: Mapping[str, Any]) -> str:
    """Return whether Argo's template of a task is a `script` or a `container`."""
    python = kind.get("python") or {}
    code = python.get("source") and not python.get("function")
    return "script" if code or kind.get("bash") else "container"


def with_image(patch: Mapping[str, Any], kind: Mapping[str, Any], image: str) -> dict[str, Any]:
    """Return the patch of a template with an image, unless it is empty; the patch's own wins."""
    if not image:
        return dict(patch)
    where = template_kind(kind)
    return {**patch, where: {"image": image, **(patch.get(where) or {})}}


def retry(given: Retry | None, limit: int, name: str) -> Mapping[str, Any] | None:
    """Return the field `retry`."""
    if given is None:
        return {"limit": limit} if limit else None
    if not isinstance(given, Retry):
        raise bad(
            f"task {name!r}: retry",
            f"give a Retry, such as Retry(limit=3), not {given!r}; {_AS_VARIABLE}",
        )
    return given.to_manifest()


def outputs(given: Mapping[str, str] | None, name: str) -> tuple[Mapping[str, str], ...]:
    """Return the field `outputs`."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        what = f"task {name!r}: outputs"
        raise bad(
            what,
            f"give a dict of paths, such as {{'mean': '/tmp/mean.txt'}}, not {given!r}; "
            f"{_AS_VARIABLE}",
        )
    if taken := {RESULT, STDOUT} & set(given):
        raise bad(
            f"task {name!r}: outputs",
            f"{taken.pop()!r} is reserved: {RESULT!r} is the return value of a function, "
            f"{STDOUT!r} the standard output with stdout=True",
        )
    return tuple({"name": key, "path": path} for key, path in given.items())


def flag(given: object, what: str) -> bool:
    """Return a bool unchanged."""
    if not isinstance(given, bool):
        raise bad(what, f"give True or False, not {given!r}; {_AS_VARIABLE}")
    return given


def _variables(env: Mapping[str, Any], what: str) -> tuple[EnvVar, ...]:
    for name in set(TAKEN_ENV) & set(env):
        raise bad(what, f"environment variable {name!r} is set by Argo: choose another name")
    try:
        references = {name: one for name, one in env.items() if isinstance(one, OutputReference)}
        made = {one.name: one for one in variables({**env, **dict.fromkeys(references)})}
        made |= {name: _reference(name, one) for name, one in references.items()}
        return tuple(made[name] for name in env if name in made)
    except InvalidOperation as error:
        raise bad(what, str(error)) from error


def _reference(name: str, one: OutputReference) -> EnvVar:
    return EnvVar.model_validate({"name": name, "valueFrom": one.to_source()})


def problems(error: ValidationError) -> str:
    """Return the validation errors, with the names of arguments in place of fields."""
    details = error.errors(include_url=False, include_context=False)
    texts = (_problem(one["loc"], one["msg"], one["input"]) for one in details)
    return "; ".join(dict.fromkeys(texts))


def _problem(location: tuple[int | str, ...], message: str, given: object) -> str:
    words = [str(word) for word in location]
    for length in (2, 1):
        if argument := _ARGUMENTS.get(".".join(words[:length])):
            words = [argument, *words[length:]]
            break
    shown = repr(given)
    got = f" (got {shown[:60]})" if words and len(shown) <= 60 else ""
    return ": ".join(part for part in (".".join(words), f"{message}{got}") if part)
