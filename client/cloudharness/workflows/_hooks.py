"""Methods of CloudHarness's classes that applications override in subclasses.

What an override changes is found by comparison with the base class, and becomes part of the
operation. A change that the operation cannot express raises an exception that names an alternative;
so does the definition of a method that is never called here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cloudharness.workflows import _layout
from cloudharness.workflows._pod_patch import PodPatch
from cloudharness.workflows._task_spec import task_names, with_tasks
from cloudharness.workflows.errors import bad

Manifest = dict[str, Any]

_OWN_PARAMETERS: Final = "use the parameters of the operation"


def is_overridden(one: object, base: type, name: str) -> bool:
    """Return whether a subclass defines a method of a base class."""
    return getattr(type(one), name) is not getattr(base, name)


def with_template(task: Manifest, old: Manifest, new: Manifest, what: str) -> Manifest:
    """Return a task of the resource whose template becomes the new one instead of the old one.

    Raises:
        BadOperationConfiguration: a change cannot be expressed.

    """
    old, new = _layout.with_fields(old), _layout.with_fields(new)
    if old.get("name") != new.get("name"):
        raise bad(what, "a template has the name of its task: do not change 'name'")
    kind = "script" if "script" in old else "container"
    if kind not in new:
        raise bad(what, f"the template has no {kind!r} any more: change its fields only")
    lists: dict[str, tuple[Manifest, ...]] = {
        "volumes": _additions(old, new, "volumes", "name", what)
    }
    for field, key in (("volumeMounts", "mountPath"), ("env", "name")):
        lists[field] = _additions(old[kind], new[kind], field, key, what)
    pods = PodPatch(lists["volumes"], tuple(map(_mount, lists["volumeMounts"])), lists["env"])
    patch = merge_patch(_without_lists(old, kind), _without_lists(new, kind))
    if patch:
        own = task.get("templatePatch") or {}
        task = {**task, "templatePatch": _both(own, patch)}
    return pods.added_to(task)


def _additions(
    old: Manifest, new: Manifest, field: str, key: str, what: str
) -> tuple[Manifest, ...]:
    """Return the new and changed items of a list."""
    before = {one.get(key): one for one in old.get(field) or ()}
    after = {one.get(key): one for one in new.get(field) or ()}
    if missing := [str(name) for name in before if name not in after]:
        raise bad(what, f"{field}: {', '.join(missing)} cannot be removed")
    return tuple(one for name, one in after.items() if before.get(name) != one)


def _mount(given: Manifest) -> Manifest:
    # CloudHarness's helper writes `readonly`, which Kubernetes ignores.
    renamed = {"readOnly" if key == "readonly" else key: value for key, value in given.items()}
    return {key: value for key, value in renamed.items() if value is not False}


def _without_lists(template: Manifest, kind: str) -> Manifest:
    inner = {k: v for k, v in template[kind].items() if k not in ("volumeMounts", "env")}
    outer = {key: value for key, value in template.items() if key != "volumes"}
    return {**outer, kind: inner}


def merge_patch(old: Manifest, new: Manifest) -> Manifest:
    """Return the JSON merge patch (RFC 7386) from one object to another."""
    patch: Manifest = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            if inner := merge_patch(old[key], value):
                patch[key] = inner
        elif value != old[key]:
            patch[key] = value
    return patch


def _both(first: Any, second: Any) -> Any:
    """Return one merge patch that does what two do, one after the other."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return second
    return {
        **first,
        **{key: _both(first[key], v) if key in first else v for key, v in second.items()},
    }


_FIELDS: Final[Mapping[str, str]] = {
    "activeDeadlineSeconds": "activeDeadlineSeconds",
    "parallelism": "parallelism",
    "serviceAccountName": "serviceAccountName",
    "nodeSelector": "nodeSelector",
    "tolerations": "tolerations",
    "podPriorityClassName": "priorityClassName",
    "imagePullSecrets": "imagePullSecrets",
    "securityContext": "securityContext",
    "podGC": "podGC",
    "ttlStrategy": "ttlStrategy",
}
"""Fields of a Workflow's spec that are fields of the operation, by their names there."""
_HANDLED: Final = ("templates", "volumes", "onExit")


def with_spec(manifest: Manifest, old: Manifest, new: Manifest, what: str) -> Manifest:
    """Return an operation whose Workflow has the new spec instead of the old one.

    It can have more volumes, changed templates, an exit task, and other values of fields that the
    operation has too.

    Raises:
        BadOperationConfiguration: a change cannot be expressed.

    """
    spec = dict(manifest["spec"])
    for field in dict.fromkeys([*old, *new]):
        if field in _HANDLED or old.get(field) == new.get(field):
            continue
        if field not in _FIELDS:
            raise bad(
                what, f"the field {field!r} of the Workflow cannot be changed: {_OWN_PARAMETERS}"
            )
        spec[_FIELDS[field]] = copy.deepcopy(new.get(field))
    spec = _with_exit(spec, old, new, what)
    volumes = _additions(old, new, "volumes", "name", what)
    return {**manifest, "spec": _with_templates(spec, old, new, volumes, what)}


def _with_templates(
    spec: Manifest, old: Manifest, new: Manifest, volumes: Iterable[Manifest], what: str
) -> Manifest:
    before = {one["name"]: one for one in old["templates"]}
    after = {one["name"]: one for one in new["templates"]}
    if missing := [name for name in before if name not in after]:
        raise bad(what, f"the templates {', '.join(missing)} cannot be removed")
    if unknown := [name for name in after if name not in before and name != new.get("onExit")]:
        raise bad(
            what,
            f"the templates {', '.join(unknown)} are not run by any task, nor by onExit: add tasks "
            "to the operation",
        )
    for name in sorted(before.keys() - task_names(spec)):
        if before[name] != after[name]:
            raise bad(what, f"the template {name!r} arranges the tasks and cannot be changed")

    def changed(task: Manifest) -> Manifest:
        name = task["name"]
        if name not in before:
            return task  # The exit task that the override adds.
        made = with_template(task, before[name], after[name], f"{what}: template {name!r}")
        return _with_volumes(made, after[name], volumes)

    return with_tasks(spec, changed)


def _with_volumes(task: Manifest, template: Manifest, volumes: Iterable[Manifest]) -> Manifest:
    """Return a task with those of the volumes that its template mounts."""
    kind = "script" if "script" in template else "container"
    mounted = {one.get("name") for one in template[kind].get("volumeMounts") or ()}
    return PodPatch(tuple(one for one in volumes if one["name"] in mounted)).added_to(task)


def _with_exit(spec: Manifest, old: Manifest, new: Manifest, what: str) -> Manifest:
    name = new.get("onExit")
    if name == old.get("onExit"):
        return spec
    found = next((one for one in new["templates"] if one["name"] == name), None)
    if found is None or not found.get("container"):
        raise bad(what, f"onExit: there is no template {name!r} with a container")
    container = found["container"]
    patch = merge_patch({"name": name, "container": {"image": container["image"]}}, found)
    task = {"name": name, "custom": {"image": container["image"]}, "templatePatch": patch}
    task = _with_volumes(task, found, new.get("volumes") or ())
    return {**spec, "onExit": {**(spec.get("onExit") or {}), "task": task}}


def with_task_templates(manifest: Manifest, base: Any, tasks: Iterable[Any]) -> Manifest:
    """Return an operation with what overrides of the tasks' `spec` change.

    `base` is the class that defines it.
    """
    changed = {task.name: task for task in tasks if is_overridden(task, base, "spec")}
    if not changed:
        return manifest

    def with_own(fields: Manifest) -> Manifest:
        task = changed.get(fields["name"])
        if task is None:
            return fields
        what, new = f"task {task.name!r}: {type(task).__name__}.spec", task.spec()
        if not isinstance(new, dict):
            raise bad(what, f"return a dict, not {new!r}")
        return with_template(fields, base.spec(task), new, what)

    return {**manifest, "spec": with_tasks(manifest["spec"], with_own)}


Override = Callable[[Manifest], Any]


def with_override(manifest: Manifest, spec: Manifest, base: Override, own: Override) -> Manifest:
    """Return an operation with what an override of `modify_template` changes.

    Args:
        manifest: the manifest of the operation.
        spec: the spec of its Workflow.
        base: the method of the base class.
        own: the override.

    """
    before = {one["name"]: one for one in spec["templates"]}

    def changed(task: Manifest) -> Manifest:
        template = before[task["name"]]
        what = f"modify_template: template {task['name']!r}"
        new = own(copy.deepcopy(template))
        if not isinstance(new, dict):
            raise bad(what, f"return the template, not {new!r}")
        return with_template(task, base(copy.deepcopy(template)), new, what)

    return {**manifest, "spec": with_tasks(manifest["spec"], changed)}
