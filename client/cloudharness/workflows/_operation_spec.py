"""Build an operation of the resource, and its Argo Workflow, from arguments."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import yaml
from pydantic import ValidationError

from cloudharness.workflows._defaults import DEFAULT_SHARED_DIRECTORY, DEFAULT_TTL_STRATEGY
from cloudharness.workflows._task_spec import problems, texts
from cloudharness.workflows.errors import bad
from cloudharness.workflows.utils import PodExecutionContext
from cloudharness_operation.defaults import Defaults
from cloudharness_operation.lifetime import PodGC, TtlStrategy
from cloudharness_operation.model import ObjectMeta, Operation, OperationSpec
from cloudharness_operation.names import (
    API_VERSION,
    KIND,
    LABEL_OPERATION,
    MAX_OPERATION_NAME_LENGTH,
)
from cloudharness_operation.render import workflow
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.render.placement import USES_VOLUME
from cloudharness_operation.resource import LABEL_PATTERN
from cloudharness_operation.tasks import Task
from cloudharness_operation.volumes import TAKEN_KEYS_PATTERN, PodContext

Manifest = dict[str, Any]

DEFAULTS: Final = Defaults(task_image="python:3.13-slim", service_account="cloudharness-task")
"""The operator's default settings, as in values.yaml of its chart."""

TEMPORARY_JOB: Final = {
    "key": "cloudharness/temporary-job",
    "operator": "Equal",
    "value": "true",
}
"""Toleration for the taint of nodes for batch work on CloudHarness's clusters."""

_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Letters of generated names in Kubernetes (apimachinery, util/rand): they form no words."""
_SUFFIX_LENGTH: Final = 5
_MAX_BASE: Final = MAX_OPERATION_NAME_LENGTH - _SUFFIX_LENGTH - 1


def operation_name(basename: str, *, fixed: bool) -> str:
    """Return the name of a new operation: with a unique suffix, unless it is fixed.

    As in Kubernetes' `generateName`, a long basename is shortened to make room for the suffix.
    """
    if not isinstance(basename, str):
        raise bad("basename", f"an operation's name is a str, not {basename!r}")
    base = basename if fixed else basename.removesuffix("-")
    if len(base) > _MAX_BASE and not fixed:
        base = base[:_MAX_BASE].rstrip("-")
    if len(base) > MAX_OPERATION_NAME_LENGTH:
        raise bad(f"basename {basename!r}", f"write at most {MAX_OPERATION_NAME_LENGTH} characters")
    if not re.match(LABEL_PATTERN, base):
        raise bad(
            f"basename {basename!r}",
            "use lower-case letters, digits and '-', and start with a letter or a digit"
            + ("; a fixed name ends with one too" if fixed else ""),
        )
    return base if fixed else unique_name(f"{base}-")


def unique_name(name: str) -> str:
    """Return the name, with a random suffix if it ends in `-`."""
    if not name.endswith("-"):
        return name
    return name + "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(_SUFFIX_LENGTH))


def directories(given: object) -> tuple[str, ...]:
    """Return the volumes of the argument `shared_directory`, as `[CLAIM:]PATH[:MODE]`."""
    if given is True:
        return (DEFAULT_SHARED_DIRECTORY,)
    if not given:
        return ()
    if not isinstance(given, str | Iterable):
        raise bad("shared_directory", f"give True, a str or a list of them, not {given!r}")
    return texts(given, "shared_directory")


def contexts(given: object) -> list[PodExecutionContext]:
    """Return the contexts of the argument `pod_context`."""
    if given is None:
        return []
    several = [given] if isinstance(given, PodExecutionContext) else given
    if not isinstance(several, Iterable):
        raise bad("pod_context", f"give a PodExecutionContext or a list of them, not {given!r}")
    listed = list(several)
    for one in listed:
        if not isinstance(one, PodExecutionContext):
            raise bad("pod_context", f"each must be a PodExecutionContext, not {one!r}")
    return listed


def volume_size(given: int | str) -> str:
    """Return the size of volumes as a Kubernetes quantity; an int is in MiB."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise bad(
            "shared_volume_size",
            f"give a number of MiB, or a quantity such as '10Gi', not {given!r}",
        )
    return f"{given}Mi" if isinstance(given, int) else given


def on_exit(given: object, task: Task | None) -> Manifest | None:
    """Return the field `onExit` for the argument `on_exit_notify` and the exit task."""
    what = "on_exit_notify"
    fields: Manifest = {} if task is None else {"task": task}
    if not given:
        return fields or None
    if not isinstance(given, Mapping):
        raise bad(what, f"give a dict with 'queue' and 'payload', not {given!r}")
    asked = exit_arguments(given)
    if asked is None and (unknown := set(given) - {*_EVENT, "image"}):
        raise bad(
            what,
            f"takes 'queue' and 'payload', not {', '.join(map(repr, sorted(unknown)))}: with "
            "'image', they would be variables of the exit task",
        )
    if given.get("queue"):
        trace = given.get("traceparent")
        trace_field = {} if trace is None else {"traceparent": trace}
        payload = _payload(given)
        fields["notify"] = {"topic": given["queue"], "payload": payload, **trace_field}
    elif asked is None:
        raise bad(what, "'queue' is missing: give the name of the Kafka topic")
    return fields


def exit_arguments(given: object) -> Manifest | None:
    """Return the arguments of the exit task that `on_exit_notify` asks for, or None.

    The task has the name and the variables that CloudHarness gives it. Its default image publishes
    the event, which the operator does.
    """
    if not isinstance(given, Mapping) or given.get("image") in (None, "", _NOTIFIER):
        return None
    more = {key: value for key, value in given.items() if key not in {*_EVENT, "image", "command"}}
    known = {"queue_name": given.get("queue"), "payload": _payload(given)}
    if "payload" not in given:
        known["payload"] = None
    fields = {"name": "exit-handler", "image_name": given["image"]}
    return {**known, **more, **fields, "command": given.get("command")}


_EVENT: Final = ("queue", "payload", "traceparent")
"""Keys of `on_exit_notify` for the exit event."""
_NOTIFIER: Final = "workflows-notify-queue"
"""The default image of CloudHarness's exit task."""


def _payload(given: Mapping[str, Any]) -> str:
    payload = given.get("payload", "")
    return payload if isinstance(payload, str) else json.dumps(payload)


def ttl(given: object) -> TtlStrategy:
    """Return the field `ttlStrategy`; with None or `{}` the Workflow is never deleted."""
    if given is not None and not isinstance(given, Mapping):
        raise bad("ttl_strategy", f"give a dict or None, not {given!r}")
    try:
        return TtlStrategy.model_validate(dict(given or {}))
    except ValidationError as error:
        known = ", ".join(DEFAULT_TTL_STRATEGY)
        raise bad("ttl_strategy", f"{problems(error)}; it takes seconds for {known}") from error


def seconds(given: Any) -> Any:
    """Convert to seconds; invalid values are passed through, so that validation names the field."""
    if isinstance(given, timedelta):
        whole = given.total_seconds()
        return int(whole) if whole.is_integer() else whole
    return given


def exclusion(policy: str | None, group: str | None) -> Manifest:
    """Return the fields for the arguments `concurrency_policy` and `concurrency_group`."""
    if group is not None and policy is None:
        raise bad(
            "concurrency_policy",
            "concurrency_group requires it: give 'Forbid' to wait for the other operations of the "
            "group, 'Replace' to terminate them, or 'Allow' to run at the same time",
        )
    if policy == "Forbid" and group is None:
        raise bad(
            "concurrency_group",
            "'Forbid' requires it: give the name of the group whose operations exclude each other",
        )
    return {"concurrencyPolicy": policy, "concurrencyGroup": group}


def pod_gc(given: object) -> PodGC | None:
    """Return the field `podGC`. A delay that is an int is in seconds."""
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise bad("pod_gc", f"give a dict with 'strategy', not {given!r}")
    fields = dict(given)
    if isinstance(delay := fields.get("deleteDelayDuration"), int):
        fields["deleteDelayDuration"] = f"{delay}s"
    try:
        return PodGC.model_validate(fields)
    except ValidationError as error:
        raise bad("pod_gc", problems(error)) from error


def pod_contexts(
    given: Sequence[PodExecutionContext], claims: Collection[str] = ()
) -> tuple[PodContext, ...]:
    """Return the field `podContexts`.

    CloudHarness's context `usesvolume` of a claim that the tasks mount is left out: the operator
    places pods that mount a claim.
    """
    made: dict[str, PodContext] = {}
    for one in given:
        if one.key == USES_VOLUME:
            _check_is_mounted(one.value, claims)
            continue
        try:
            context = PodContext(key=one.key, value=one.value, required=one.required)
        except ValidationError as error:
            raise bad("pod_context", problems(error)) from error
        if re.search(TAKEN_KEYS_PATTERN, one.key):
            raise bad("pod_context", f"key {one.key!r} is reserved: choose another key")
        if one.key in made:
            raise bad("pod_context", f"key {one.key!r} is used twice: a pod label has one value")
        made[one.key] = context
    return tuple(made.values())


def _check_is_mounted(value: str, claims: Collection[str]) -> None:
    # The charts of CloudHarness append the namespace to the claim's name.
    if not any(value == claim or value.startswith(f"{claim}-") for claim in claims):
        raise bad(
            "pod_context",
            f"key {USES_VOLUME!r}: no task mounts the claim {value!r}: give it in shared_directory "
            "or volume_mounts, and the pods that mount it run on one node",
        )


def spec(
    kind: str,
    tasks: Sequence[Task],
    **fields: Any,
) -> OperationSpec:
    """Return the spec of an operation.

    Raises:
        BadOperationConfiguration: the arguments are invalid together; the message names them.

    """
    if not tasks:
        raise bad("tasks", "give at least one task")
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise bad("tasks", f"two tasks are named {name!r}: give each task a different name")
    exit_task = (fields.get("onExit") or {}).get("task")
    if exit_task and exit_task.name in names:
        raise bad("exit_task", f"has the name of a task, {exit_task.name!r}: give it another name")
    given = {key: value for key, value in fields.items() if value not in (None, ())}
    try:
        return OperationSpec.model_validate(
            {"type": kind, "tasks": tuple(tasks), "tolerations": [TEMPORARY_JOB], **given}
        )
    except ValidationError as error:
        raise bad("operation", problems(error)) from error


def manifest(name: str, content: OperationSpec) -> Manifest:
    """Return the manifest."""
    fields = content.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    # The order in which people write the fields.
    first = {field: fields.pop(field) for field in ("type", "tasks")}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {**first, **fields},
    }


def to_yaml(content: Manifest) -> str:
    """Return a manifest as YAML."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Dumps multi-line text as a block scalar."""


def _block_scalar(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else "")


_Dumper.add_representer(str, _block_scalar)


def argo_workflow(name: str, content: OperationSpec, namespace: str = "default") -> Manifest:
    """Return the Workflow without ownerReference, finalizer and annotations.

    Named claims are assumed to exist, with the access mode ReadWriteOnce.
    """
    operation = Operation(metadata=ObjectMeta(name=name, namespace=namespace, uid=""), spec=content)
    volumes = (*content.shared_volumes, *(v for t in content.all_tasks for v in t.shared_volumes))
    claims = {one.claim: frozenset({"ReadWriteOnce"}) for one in volumes if one.claim}
    rendered = workflow(operation, DEFAULTS, ClusterFacts(claims=claims), name)
    return {**rendered, "metadata": {"name": name, "labels": {LABEL_OPERATION: name}}}
