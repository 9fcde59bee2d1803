"""The Argo Workflow of an operation in the layout of CloudHarness's `to_workflow`.

It does what the operator's Workflow does, but can be submitted without the operator. Programs that
read it find templates, volumes, labels and affinity where CloudHarness has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cloudharness.workflows import _operation_spec
from cloudharness.workflows._deployed import SECRETS_PATH
from cloudharness.workflows._deployment import Deployment
from cloudharness_operation.model import OperationSpec, OperationType
from cloudharness_operation.render import ENTRYPOINT

Manifest = dict[str, Any]

NOTIFIER: Final = "workflows-notify-queue"
"""CloudHarness's task that publishes the end of a Workflow."""
EXIT_HANDLER: Final = "exit-handler"
"""CloudHarness's name of the template that runs at the end."""


def workflow(manifest: Manifest, deployment: Deployment) -> Manifest:
    """Return the Workflow of an operation.

    Args:
        manifest: the manifest of the operation.
        deployment: the deployment it belongs to. If it has CloudHarness's workflows application,
            a task publishes the exit event, as there is no operator to do that.

    """
    fields = _with_notifier(manifest["spec"], deployment)
    spec = OperationSpec.model_validate(fields, by_alias=True, extra="ignore")
    made = _operation_spec.argo_workflow(manifest["metadata"]["name"], spec)
    return {**made, "spec": _arranged(made["spec"], spec)}


def templates(manifest: Manifest) -> list[Manifest]:
    """Return the templates of the Workflow of an operation on a cluster."""
    found: list[Manifest] = workflow(manifest, Deployment())["spec"]["templates"]
    return found


def _with_notifier(spec: Manifest, deployment: Deployment) -> Manifest:
    on_exit = spec.get("onExit") or {}
    notify = on_exit.get("notify")
    if not notify or on_exit.get("task") or not deployment.application("workflows"):
        return spec
    values = {"queue_name": notify["topic"], "payload": notify.get("payload") or ""}
    env = [{"name": name, "value": value} for name, value in values.items()]
    task = {"name": EXIT_HANDLER, "custom": {"image": deployment.image(NOTIFIER)}, "env": env}
    return {**spec, "onExit": {**on_exit, "task": task}}


def _arranged(made: Manifest, spec: OperationSpec) -> Manifest:
    unpacked = [_unpacked(template) for template in made["templates"]]
    first, *tasks = (template for template, _ in unpacked)
    volumes = {one["name"]: one for _, found in unpacked for one in found}
    arranged = {**made, "templates": [_labelled(first, spec), *tasks]}
    if spec.type is OperationType.SINGLE_TASK and "outputs" not in first:
        arranged |= {"entrypoint": spec.tasks[0].name, "templates": tasks}
    if volumes:
        arranged["volumes"] = [*volumes.values(), *(made.get("volumes") or ())]
    if affinity := _affinity(spec):
        arranged["affinity"] = affinity
    return arranged


def _unpacked(template: Manifest) -> tuple[Manifest, list[Manifest]]:
    """Return a template with the mounts and variables of its podSpecPatch, and its volumes.

    The mount that CloudHarness's workflows lack is left out.
    """
    patch = _decoded(template.get("podSpecPatch"))
    containers = patch.get("containers") or [{}]
    kind = "script" if "script" in template else "container"
    main = {key: value for key, value in containers[0].items() if key != "name"}
    simple = set(patch) <= {"volumes", "containers"} and len(containers) == 1
    if not patch or not simple or not set(main) <= {"volumeMounts", "env"} or kind not in template:
        return template, []
    container = dict(template[kind])
    for field, values in main.items():
        known = [one for one in values if one.get("mountPath") != SECRETS_PATH]
        container[field] = [*known, *(container.get(field) or ())]
    rest = {key: value for key, value in template.items() if key != "podSpecPatch"}
    return {**rest, kind: container}, list(patch.get("volumes") or ())


def _decoded(text: Any) -> Manifest:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _labelled(template: Manifest, spec: OperationSpec) -> Manifest:
    """Return the template of steps with the labels of the contexts, which have no effect there."""
    labels = {context.key: context.value for context in spec.pod_contexts}
    return {**template, "metadata": {"labels": labels}} if labels else template


def _affinity(spec: OperationSpec) -> Manifest | None:
    """Return the affinity that follows from the operation's volumes and contexts, or None.

    Argo uses that of a template, which follows from the task's own volumes too.
    """
    task = {"name": "any", "bash": {"source": "true"}}
    shared = {"shared_volumes": spec.shared_volumes, "pod_contexts": spec.pod_contexts}
    alone = OperationSpec.model_validate({"type": "SingleTask", "tasks": [task]})
    made = _operation_spec.argo_workflow("any", alone.model_copy(update=shared))
    (found,) = (one for one in made["spec"]["templates"] if one["name"] != ENTRYPOINT)
    affinity: Manifest | None = found.get("affinity")
    return affinity


def with_fields(template: Mapping[str, Any]) -> Manifest:
    """Return a template with the fields that code for CloudHarness expects, if they are missing."""
    made = {**template, "metadata": {**(template.get("metadata") or {})}}
    made["metadata"]["labels"] = dict(made["metadata"].get("labels") or {})
    for kind in ("container", "script"):
        if kind in made:
            lists = {key: list(made[kind].get(key) or ()) for key in ("env", "volumeMounts")}
            made[kind] = {**made[kind], **lists}
    return made
