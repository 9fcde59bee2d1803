"""The templates of a Workflow: one for each task, and one that arranges them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from cloudharness_operation.model import Operation, OperationSpec, OperationType
from cloudharness_operation.render import containers, passing, volumes
from cloudharness_operation.render.containers import Images, to_manifest
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.render.patch import merged
from cloudharness_operation.render.placement import (
    ColocationRule,
    Placement,
    colocation_groups,
    context_rule,
    place,
    volume_rule,
)
from cloudharness_operation.render.volumes import Volume
from cloudharness_operation.tasks import Retry, Task

Manifest = dict[str, Any]


def steps(spec: OperationSpec) -> list[list[Manifest]]:
    """Return the tasks as Argo's steps: lists run one after the other, what is in one at once."""
    match spec.type:
        case OperationType.SINGLE_TASK | OperationType.PIPELINE:
            groups = [[task] for task in spec.tasks]
        case OperationType.PARALLEL:
            groups = [list(spec.tasks)]
        case OperationType.SIMPLE_DAG:
            ordered = sorted(spec.tasks, key=_group)
            groups = [list(group) for _, group in groupby(ordered, key=_group)]
    return [[_step(task) for task in group] for group in groups]


def _step(task: Task) -> Manifest:
    return {"name": task.name, "template": task.name, **passing.arguments(task)}


def _group(task: Task) -> int:
    return task.group or 0


def templates(
    operation: Operation, child: str, images: Images, facts: ClusterFacts
) -> list[Manifest]:
    """Return the template of each task."""
    spec, namespace = operation.spec, operation.metadata.namespace
    mounted = {
        task.name: [volumes.volume(mount, facts) for mount in volumes.task_mounts(spec, task)]
        for task in spec.all_tasks
    }
    contexts = [context_rule(context) for context in spec.pod_contexts]
    rules = {name: [*_rules(own, child, namespace), *contexts] for name, own in mounted.items()}
    group = colocation_groups(rules)
    return [
        template(
            task,
            images,
            mounted[task.name],
            place(rules[task.name], group.get(task.name), facts.pods),
            {
                **containers.injected_env(child, mounted[task.name]),
                **passing.brace_env(task),
                **(containers.EXIT_ENV if task is spec.exit_task else {}),
            },
        )
        for task in spec.all_tasks
    ]


def _rules(mounted: list[Volume], child: str, namespace: str) -> list[ColocationRule]:
    found = (volume_rule(volume, child, namespace) for volume in mounted)
    return list(dict.fromkeys(rule for rule in found if rule))


def template(
    task: Task,
    images: Images,
    mounted: list[Volume],
    placement: Placement,
    injected: Mapping[str, str],
) -> Manifest:
    """Return the template of a task; `injected` are variables for CloudHarness's library."""
    made: Manifest = {"name": task.name, **containers.body(task, images)}
    _add(made, "inputs", passing.inputs(task))
    _add(made, "outputs", passing.files(task))
    container = made["script" if "script" in made else "container"]
    container |= containers.environment(task, injected)
    if task.resources:
        container["resources"] = to_manifest(task.resources)
    if task.security_context:
        container["securityContext"] = to_manifest(task.security_context)
    if mounted:
        own = container.get("volumeMounts", [])
        container["volumeMounts"] = [*own, *volumes.mounts(mounted)]
    made |= pod_settings(task)
    if task.retry:
        made["retryStrategy"] = _retry_strategy(task.retry)
    if placement.labels:
        made["metadata"] = {"labels": placement.labels}
    if placement.affinity:
        made["affinity"] = placement.affinity
    return {**merged(made, task.template_patch or {}), "name": task.name}


def _add(made: Manifest, direction: str, parameters: list[Manifest]) -> None:
    if parameters:
        there = made.setdefault(direction, {})
        there["parameters"] = [*there.get("parameters", ()), *parameters]


def _retry_strategy(retry: Retry) -> Manifest:
    # Argo's own type takes a number or a text here, and writes a text.
    strategy: Manifest = {"limit": str(retry.limit)}
    if retry.policy:
        strategy["retryPolicy"] = retry.policy
    if backoff := retry.backoff:
        strategy["backoff"] = to_manifest(backoff)
        if backoff.factor is not None:
            strategy["backoff"]["factor"] = str(backoff.factor)
    return strategy


def pod_settings(settings: OperationSpec | Task) -> Manifest:
    """Return node placement and service account of pods, as fields of a template."""
    parts: Manifest = {}
    if settings.node_selector:
        parts["nodeSelector"] = dict(settings.node_selector)
    if settings.tolerations:
        parts["tolerations"] = [to_manifest(toleration) for toleration in settings.tolerations]
    if settings.priority_class_name:
        # The one name in which Argo's two types differ.
        name = "priorityClassName" if isinstance(settings, Task) else "podPriorityClassName"
        parts[name] = settings.priority_class_name
    if settings.service_account_name:
        parts["serviceAccountName"] = settings.service_account_name
    return parts


def workflow_settings(spec: OperationSpec) -> Manifest:
    """Return the same for all pods, as fields of a Workflow: one of them has another name."""
    parts = pod_settings(spec)
    if name := parts.pop("priorityClassName", None):
        parts["podPriorityClassName"] = name
    return parts
