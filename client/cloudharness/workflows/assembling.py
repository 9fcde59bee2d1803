"""From an operation's arguments to its resource, and to the Workflow that comes of it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import yaml
from pydantic import ValidationError

from cloudharness.workflows.building import problems, texts
from cloudharness.workflows.defaults import DEFAULT_SHARED_DIRECTORY, DEFAULT_TTL_STRATEGY
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
from cloudharness_operation.resource import LABEL_PATTERN
from cloudharness_operation.tasks import Task
from cloudharness_operation.volumes import TAKEN_KEYS_PATTERN, PodContext

Manifest = dict[str, Any]

DEFAULTS: Final = Defaults(task_image="python:3.13-slim", service_account="cloudharness-task")
"""How the operator is set up if nothing is said: values.yaml of its chart."""

TEMPORARY_JOB: Final = {
    "key": "cloudharness/temporary-job",
    "operator": "Equal",
    "value": "true",
}
"""What CloudHarness's clusters taint nodes for batch work with."""

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes unique names of (apimachinery, util/rand): no words come of it."""
_SUFFIX: Final = 5


def base_name(name: str) -> str:
    """Return the name of an operation, or the beginning of one if it ends in `-`, as it is."""
    if not isinstance(name, str):
        raise bad("basename", f"an operation's name is a str, not {name!r}")
    room = MAX_OPERATION_NAME_LENGTH - (_SUFFIX if name.endswith("-") else 0)
    if len(name) > room:
        raise bad(f"basename {name!r}", f"write at most {room} characters")
    if not re.match(LABEL_PATTERN, name.removesuffix("-")):
        raise bad(
            f"basename {name!r}",
            "use lower-case letters, digits and '-', beginning with a letter or a digit; at the "
            "end one '-' has a unique suffix put behind it",
        )
    return name


def unique_name(name: str) -> str:
    """Return a name that nothing else has, if it ends in `-`; else the name itself."""
    if not name.endswith("-"):
        return name
    return name + "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))


def token() -> str:
    """Return a text that nobody else has."""
    return secrets.token_hex(16)


def directories(given: object) -> tuple[str, ...]:
    """Return what `shared_directory` asks for, each as `[CLAIM:]PATH[:MODE]`."""
    if given is True:
        return (DEFAULT_SHARED_DIRECTORY,)
    if not given:
        return ()
    if not isinstance(given, str | Iterable):
        raise bad("shared_directory", f"give True, a str or a list of them, not {given!r}")
    return texts(given, "shared_directory")


def contexts(given: object) -> list[PodExecutionContext]:
    """Return what `pod_context` asks for."""
    if given is None:
        return []
    found = [given] if isinstance(given, PodExecutionContext) else given
    if not isinstance(found, Iterable):
        raise bad("pod_context", f"give a PodExecutionContext or several, not {given!r}")
    listed = list(found)
    for one in listed:
        if not isinstance(one, PodExecutionContext):
            raise bad("pod_context", f"give each as a PodExecutionContext, not {one!r}")
    return listed


def volume_size(given: int | str) -> str:
    """Return a size of volumes: a number counts MiB."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise bad("shared_volume_size", f"give a number of MiB, or as '10Gi', not {given!r}")
    return f"{given}Mi" if isinstance(given, int) else given


def notification(given: object) -> Manifest | None:
    """Return what `on_exit_notify` asks for."""
    what = "on_exit_notify"
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise bad(what, f"give a dict with 'queue' and 'payload', not {given!r}")
    if unknown := set(given) - {"queue", "payload", "traceparent", "image"}:
        raise bad(what, f"takes 'queue' and 'payload', not {', '.join(map(repr, sorted(unknown)))}")
    if not given.get("queue"):
        raise bad(what, "'queue' is missing: name the topic that is told")
    if given.get("image") not in (None, "workflows-notify-queue"):
        raise bad(
            what,
            "'image' is not run: the operator itself tells the topic; have what the image did "
            "listen to it",
        )
    payload = given.get("payload", "")
    text = payload if isinstance(payload, str) else json.dumps(payload)
    trace = given.get("traceparent")
    traced = {} if trace is None else {"traceparent": trace}
    return {"notify": {"topic": given["queue"], "payload": text, **traced}}


def ttl(given: object) -> TtlStrategy:
    """Return what `ttl_strategy` asks for: None and `{}` keep the Workflow for ever."""
    if given is not None and not isinstance(given, Mapping):
        raise bad("ttl_strategy", f"give a dict or None, not {given!r}")
    try:
        return TtlStrategy.model_validate(dict(given or {}))
    except ValidationError as error:
        known = ", ".join(DEFAULT_TTL_STRATEGY)
        raise bad("ttl_strategy", f"{problems(error)}; it takes seconds for {known}") from error


def seconds(given: Any) -> Any:
    """Return a time in seconds; what is none is told by the name of its field."""
    if isinstance(given, timedelta):
        whole = given.total_seconds()
        return int(whole) if whole.is_integer() else whole
    return given


def exclusion(policy: str | None, group: str | None) -> Manifest:
    """Return what `concurrency_policy` and `concurrency_group` ask for."""
    if group is not None and policy is None:
        raise bad(
            "concurrency_policy",
            "concurrency_group needs one: give 'Forbid' to wait for the others of the group, "
            "'Replace' to end them, or 'Allow' to run beside them",
        )
    if policy == "Forbid" and group is None:
        raise bad(
            "concurrency_group",
            "'Forbid' needs one: name the group whose operations exclude each other",
        )
    return {"concurrencyPolicy": policy, "concurrencyGroup": group}


def pod_gc(given: object) -> PodGC | None:
    """Return what `pod_gc` asks for. A delay may be a number: of seconds."""
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


def pod_contexts(given: Sequence[PodExecutionContext]) -> tuple[PodContext, ...]:
    """Return contexts as the resource has them."""
    made: dict[str, PodContext] = {}
    for one in given:
        try:
            context = PodContext(key=one.key, value=one.value, required=one.required)
        except ValidationError as error:
            raise bad("pod_context", problems(error)) from error
        if re.search(TAKEN_KEYS_PATTERN, one.key):
            raise bad("pod_context", f"key {one.key!r} has a meaning of its own: choose another")
        if one.key in made:
            raise bad("pod_context", f"key {one.key!r} is there twice: a pod has one value for it")
        made[one.key] = context
    return tuple(made.values())


def spec(
    kind: str,
    tasks: Sequence[Task],
    **fields: Any,
) -> OperationSpec:
    """Return what is run.

    Raises:
        BadOperationConfiguration: it does not fit together; the message names what.

    """
    if not tasks:
        raise bad("tasks", "give at least one")
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise bad("tasks", f"two are called {name!r}: give each a name of its own")
    given = {key: value for key, value in fields.items() if value not in (None, ())}
    try:
        return OperationSpec.model_validate(
            {"type": kind, "tasks": tuple(tasks), "tolerations": [TEMPORARY_JOB], **given}
        )
    except ValidationError as error:
        raise bad("operation", problems(error)) from error


def manifest(name: str, what: OperationSpec) -> Manifest:
    """Return the resource; of a name that ends in `-`, Kubernetes makes a unique one."""
    key = "generateName" if name.endswith("-") else "name"
    fields = what.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    # As a person would write it.
    first = {field: fields.pop(field) for field in ("type", "tasks")}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {key: name},
        "spec": {**first, **fields},
    }


def text(of: Manifest) -> str:
    """Return a manifest as YAML."""
    return yaml.dump(of, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a person does."""


def _text(dumper: yaml.SafeDumper, of: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", of, style="|" if "\n" in of else "")


_Dumper.add_representer(str, _text)


def argo_workflow(name: str, what: OperationSpec, namespace: str = "default") -> Manifest:
    """Return the Workflow that the operator makes of an operation, free of it.

    Claims that are named are taken to be there, as ReadWriteOnce. What ties the Workflow to its
    operation is left out: it can be submitted as it is.
    """
    operation = Operation(metadata=ObjectMeta(name=name, namespace=namespace, uid=""), spec=what)
    wishes = (*what.shared_volumes, *(w for task in what.tasks for w in task.shared_volumes))
    there = {wish.claim: frozenset({"ReadWriteOnce"}) for wish in wishes if wish.claim}
    made = workflow(operation, DEFAULTS, ClusterFacts(claims=there))
    labels = {LABEL_OPERATION: name}
    return {**made, "metadata": {"name": made["metadata"]["name"], "labels": labels}}
