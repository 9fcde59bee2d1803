"""The container of each kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cloudharness_operation.outputs import RESULT
from cloudharness_operation.pods import EnvVar, KeyReference
from cloudharness_operation.render import escaping, passing
from cloudharness_operation.render.volumes import Volume
from cloudharness_operation.tasks import PythonCode, Task

Manifest = dict[str, Any]

SOURCE_DIRECTORY: Final = "/cloudharness/source"
SOURCE_FILE: Final = "source.py"
RESULT_PATH: Final = "/tmp/cloudharness-result.json"  # noqa: S108 - in the task's container.
WORKFLOW_NAME: Final = "CH_WORKFLOW_NAME"
"""Variable that CloudHarness's `get_workflow_name` reads."""
SHARED_DIRECTORY: Final = "shared_directory"
"""Variable that its `get_shared_directory` reads: a path alone, the first if there are several."""
WORKFLOW_RESULT: Final = "workflow_result"
"""Variable of an exit task, with CloudHarness's name: how the other tasks ended."""
EXIT_ENV: Final[Mapping[str, str]] = {WORKFLOW_RESULT: "{{workflow.status}}"}
"""Argo replaces it when it creates the exit task's pod (workflow/controller/operator.go)."""
MAX_RESULT: Final = 120 * 1024
"""Bytes of a return value, at most: Linux limits a variable to 128 KiB (MAX_ARG_STRLEN)."""

RUNNER: Final = f"""\
import json, runpy, sys
path, name, arguments = sys.argv[1:]
sys.argv[:] = [path]
sys.path.insert(0, path.rpartition("/")[0])
function = runpy.run_path(path, run_name="operation").get(name)
if function is None:
    sys.exit(f"this code has no function {{name}}: define it, or change python.function")
result = function(**json.loads(arguments))
try:
    text = json.dumps(result)
except (TypeError, ValueError) as error:
    sys.exit(f"the return value of {{name}} is no JSON: {{error}}")
if len(text) > {MAX_RESULT}:
    sys.exit(f"the return value of {{name}} is {{len(text)}} characters as JSON, and at most "
             "{MAX_RESULT} are kept: write it to a shared volume, and return where it is")
with open("{RESULT_PATH}", "w") as file:
    file.write(text)
"""
"""Calls a function of the user's code. It runs in the task, and needs no library of ours."""


@dataclass(frozen=True, slots=True)
class Images:
    """Images of tasks, and how they are pulled."""

    default: str
    pull_policy: str = ""
    catalogue: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """Return the image of that name: from the catalogue, or the name itself."""
        return self.catalogue.get(name, name)


def body(task: Task, images: Images) -> Manifest:
    """Return the parts of a template that say what runs: container or script, inputs, outputs."""
    if task.custom:
        return {"container": _custom(task, images)}
    base = _pulled({"image": images.default}, images.pull_policy)
    if task.bash:
        return {"script": {**base, "command": ["bash"], "source": escaping.bash(task.bash.source)}}
    if task.command:
        return {"container": {**base, "command": list(task.command.command)}}
    assert task.python is not None  # noqa: S101 - for the type checker: a task is of one kind.
    return _python(task.python, base)


def _pulled(container: Manifest, policy: str | None) -> Manifest:
    return {**container, "imagePullPolicy": policy} if policy else container


def _custom(task: Task, images: Images) -> Manifest:
    custom = task.custom
    assert custom is not None  # noqa: S101 - for the type checker: the caller has looked.
    container: Manifest = {"image": images.find(custom.image)}
    if custom.command:
        container["command"] = list(custom.command)
    if custom.args:
        container["args"] = list(custom.args)
    return _pulled(container, custom.image_pull_policy or images.pull_policy)


def _python(code: PythonCode, base: Manifest) -> Manifest:
    if code.function is None and code.source is not None:
        return {"script": {**base, "command": ["python3"], "source": escaping.python(code.source)}}
    path = f"{SOURCE_DIRECTORY}/{SOURCE_FILE}"
    parts: Manifest = {"container": {**base, "command": ["python3", path]}}
    if code.function is not None:
        arguments = escaping.arguments(code.args or {})
        parts["container"]["command"] = ["python3", "-c", RUNNER, path, code.function, arguments]
        value = {"path": RESULT_PATH, "default": "null"}
        parts["outputs"] = {"parameters": [{"name": RESULT, "valueFrom": value}]}
    if code.source is None:
        _mount(parts, code.source_from)
    else:
        data = escaping.python(code.source)
        artifact = {"name": "source", "path": path, "raw": {"data": data}}
        parts["inputs"] = {"artifacts": [artifact]}
    return parts


def _mount(parts: Manifest, reference: KeyReference | None) -> None:
    """Have the code of a ConfigMap mounted as a file."""
    if reference is None:
        return
    item = {"key": reference.key, "path": SOURCE_FILE}
    volume: Manifest = {"name": reference.name, "items": [item]}
    if reference.optional is not None:
        volume["optional"] = reference.optional
    parts["volumes"] = [{"name": "source", "configMap": volume}]
    mount = {"name": "source", "mountPath": SOURCE_DIRECTORY, "readOnly": True}
    parts["container"]["volumeMounts"] = [mount]


def injected_env(child: str, mounted: Sequence[Volume]) -> dict[str, str]:
    """Return the variables that CloudHarness's library reads in a task."""
    variables = {WORKFLOW_NAME: child}
    if mounted:
        variables[SHARED_DIRECTORY] = mounted[0].mount.mount_path
    return variables


def environment(task: Task, injected: Mapping[str, str]) -> Manifest:
    """Return the parts of a container with its variables; the user's own override injected ones."""
    own = {variable.name for variable in task.env}
    env = [{"name": name, "value": value} for name, value in injected.items() if name not in own]
    parts: Manifest = {"env": [*env, *(_variable(variable) for variable in task.env)]}
    if task.env_from:
        parts["envFrom"] = [to_manifest(source) for source in task.env_from]
    return parts


def _variable(variable: EnvVar) -> Manifest:
    if variable.value_from and variable.value_from.task_output:
        return {"name": variable.name, "value": passing.value(variable.value_from.task_output)}
    if variable.value_from:
        return {"name": variable.name, "valueFrom": to_manifest(variable.value_from)}
    return {"name": variable.name, "value": variable.value or ""}


def to_manifest(model: Any) -> Manifest:  # noqa: ANN401 - any pydantic model.
    """Return a model as part of a manifest, without unset fields."""
    dumped: Manifest = model.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    return dumped
