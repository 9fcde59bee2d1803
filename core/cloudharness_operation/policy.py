"""What operations may name and patch: the policy of the operator's administrator.

Anybody with the right to create operations can create pods. The checks here keep operations from
more than that: from the operator's own account and Secrets, if they are in its namespace; from
locks of other namespaces; and from what the administrator has not allowed.

Argo interpolates `{{...}}` in all texts of a template at run time. So a text on which a check
depends must contain none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from cloudharness_operation.model import Operation

Manifest = dict[str, Any]


class TemplatePatch(StrEnum):
    """What `templatePatch` may change."""

    ALLOWED = "Allowed"
    RESTRICTED = "Restricted"
    DENIED = "Denied"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator's settings allow operations."""

    template_patch: TemplatePatch = TemplatePatch.RESTRICTED
    """Restricted: not what reaches beyond the operation's namespace and the rights of a pod."""
    accounts: tuple[str, ...] = ()
    """Patterns of service accounts that operations may name. Empty: any but the operator's own."""
    images: tuple[str, ...] = ()
    """Patterns of images that tasks may run, besides the default one. Empty: any."""
    namespace: str = ""
    """The operator's own namespace."""
    own_accounts: tuple[str, ...] = ()
    """Service accounts of the operator, in that namespace."""
    own_secrets: tuple[str, ...] = ()
    """Secrets of the operator, in that namespace."""


ANYTHING: Final = Policy()

_BEYOND: Final[Mapping[str, str]] = {
    "metrics": "Argo's controller keeps them for all namespaces",
    "plugin": "a plugin runs with rights of its own",
    "memoize": "Argo's controller writes ConfigMaps for it",
    "clusterscope": "it reads what no namespace owns",
}
"""Fields of a template, in lower case, that do more than a pod of the namespace can, and why."""
_ACCOUNT: Final = frozenset({"serviceaccountname", "serviceaccount"})
_TEXTS: Final = frozenset({"source", "command", "args", "value", "data"})
"""Fields that hold a program and its input, which name nothing for Kubernetes."""
_POD_PATCH: Final = "podspecpatch"
_OPENING: Final = "{{"


class _Found(NamedTuple):
    """A field of a patch."""

    path: str
    keys: tuple[str, ...]
    """Names of the fields that lead to it and its own, in lower case: Go ignores the case."""
    value: Any


@dataclass(frozen=True, slots=True)
class _Rules:
    """What holds for the operations of a namespace."""

    policy: Policy
    namespace: str
    default_account: str

    @property
    def own(self) -> bool:
        """Whether it is the operator's own namespace."""
        return self.namespace == self.policy.namespace


def violation(operation: Operation, policy: Policy, default_account: str = "") -> str | None:
    """Return what an operation asks for that is not allowed, with the field and the fix, or None.

    Images are checked by `image_violation`, in the Workflow that is made.
    """
    rules = _Rules(policy, operation.metadata.namespace, default_account)
    return next(_violations(operation, rules), None)


def _violations(operation: Operation, rules: _Rules) -> Iterator[str]:
    spec = operation.spec
    accounts = [("spec", spec.service_account_name)]
    accounts += [(path, task.service_account_name) for path, task in spec.located_tasks()]
    for path, name in accounts:
        if name:
            yield from _account(f"{path}.serviceAccountName", name, rules)
    if rules.own:
        for path, name in _secrets(operation):
            if name in rules.policy.own_secrets:
                yield _own_secret(f"{path}.name", name)
    for path, task in spec.located_tasks():
        if task.template_patch:
            yield from _patch(task.template_patch, f"{path}.templatePatch", rules)


def _account(path: str, name: str, rules: _Rules) -> Iterator[str]:
    policy = rules.policy
    if rules.own and name in policy.own_accounts:
        yield f"{path}: {name!r} is the operator's own account: name another one"
    elif policy.accounts and name != rules.default_account and not _matches(name, policy.accounts):
        yield (
            f"{path}: {name!r} is not one of the service accounts that this operator allows: use "
            f"one like {', '.join(policy.accounts)}, or add it to tasks.allowedServiceAccounts in "
            "the operator's Helm chart"
        )


def _secrets(operation: Operation) -> Iterator[tuple[str, str]]:
    """Yield the Secrets that an operation names, each with the path to it."""
    for index, secret in enumerate(operation.spec.image_pull_secrets):
        yield f"spec.imagePullSecrets[{index}]", secret.name
    for path, task in operation.spec.located_tasks():
        for place, source in enumerate(task.env_from):
            if source.secret_ref:
                yield f"{path}.envFrom[{place}].secretRef", source.secret_ref.name
        for place, variable in enumerate(task.env):
            if variable.value_from and variable.value_from.secret_key_ref:
                at = f"{path}.env[{place}].valueFrom.secretKeyRef"
                yield at, variable.value_from.secret_key_ref.name


def _patch(patch: Manifest, path: str, rules: _Rules) -> Iterator[str]:
    if rules.policy.template_patch is TemplatePatch.DENIED:
        yield (
            f"{path}: this operator does not allow it: remove it, or set tasks.templatePatch in "
            "the operator's Helm chart"
        )
    for found in _fields(patch, path):
        yield from _patched(found, rules)


def _own_secret(path: str, name: str) -> str:
    return f"{path}: {name!r} is a Secret of the operator's own: name another one"


def _fields(value: Any, path: str, keys: tuple[str, ...] = ()) -> Iterator[_Found]:  # noqa: ANN401
    """Yield all fields of a patch, outer ones first. Bounds of a patch keep this shallow."""
    if isinstance(value, dict):
        for key, item in value.items():
            name = key.lower()
            yield _Found(f"{path}.{key}", (*keys, name), item)
            yield from _fields(item, f"{path}.{key}", (*keys, name))
            if name == _POD_PATCH and isinstance(item, str):
                # What is no JSON is judged with the field itself.
                inner = _decoded(item)
                yield from _fields(inner, f"{path}.{key}", (*keys, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, str):
                yield _Found(f"{path}[{index}]", keys, item)
            yield from _fields(item, f"{path}[{index}]", keys)


def _decoded(text: str) -> Any:  # noqa: ANN401 - any JSON.
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _patched(found: _Found, rules: _Rules) -> Iterator[str]:
    name, value = found.keys[-1], found.value
    elsewhere = name == "namespace" and "synchronization" in found.keys
    if elsewhere and value not in (None, rules.namespace):
        yield f"{found.path}: a lock is of the operation's own namespace: remove the field"
    if rules.policy.template_patch is TemplatePatch.RESTRICTED and (reason := _beyond(found)):
        yield (
            f"{found.path}: this operator does not allow it ({reason}): remove it, or set "
            "tasks.templatePatch to Allowed in the operator's Helm chart"
        )
    if isinstance(value, str):
        yield from _text(found, value, rules)


def _beyond(found: _Found) -> str | None:
    """Return why a field does more than a pod of the namespace can, or None where it does not."""
    *around, name = found.keys
    parents = {"clusterscope": ("templateref",)}.get(name, ("", "inline"))
    if found.value in (None, False) or (around or [""])[-1] not in parents:
        return None
    return _BEYOND.get(name)


def _text(found: _Found, value: str, rules: _Rules) -> Iterator[str]:
    name, path, policy = found.keys[-1], found.path, rules.policy
    if name in _ACCOUNT:
        yield from _account(path, value, rules)
    if name == _POD_PATCH and (rules.own or policy.accounts or policy.images):
        yield from _checkable(path, value)
    elif (rules.own and name not in _TEXTS) or (policy.accounts and name in _ACCOUNT):
        yield from _fixed(path, value)
        if rules.own and value in policy.own_secrets:
            yield _own_secret(path, value)


def _fixed(path: str, value: str) -> Iterator[str]:
    if _OPENING in value:
        yield f"{path}: {{{{...}}}} cannot be checked here: write the value itself"


def _checkable(path: str, text: str) -> Iterator[str]:
    yield from _fixed(path, text)
    if not isinstance(_decoded(text), dict):
        yield f"{path}: it cannot be checked here: write it as a JSON object"


def image_violation(workflow: Manifest, policy: Policy, default_image: str) -> str | None:
    """Return which image of a Workflow is not allowed, with the field and the fix, or None."""
    if not policy.images:
        return None
    for template in workflow["spec"]["templates"]:
        for found in _fields(template, f"task {template['name']}"):
            if found.keys[-1] != "image" or not isinstance(found.value, str):
                continue
            image = found.value
            if image != default_image and (_OPENING in image or not _matches(image, policy.images)):
                return (
                    f"{found.path}: {image!r} is not one of the images that this operator allows: "
                    f"use one like {', '.join(policy.images)}, or add it to tasks.allowedImages in "
                    "the operator's Helm chart"
                )
    return None


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
