"""What the Pod Security Standard `restricted` requires, given to the pods of tasks as defaults.

A field that the operation's author wrote stays as it is. A default that contradicts such a field is
left out: where `restricted` is enforced the API server refuses the pod and names the field.

Argo's init and wait containers have no other securityContext than `executor.securityContext` of the
controller's ConfigMap (workflow/controller/workflowpod.go, newExecContainer), so a podSpecPatch
gives them one. Argo applies the patch of a template after that of the Workflow: the author's wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

Manifest = dict[str, Any]

RESTRICTED: Final = "restricted"
USER: Final = 1000
"""The first id of an ordinary user on Debian and Ubuntu. It owns no file of `python:slim`."""
HOME: Final = "/tmp"  # noqa: S108 - in the task's container.
"""A directory that every user may write to: without an entry in /etc/passwd, HOME would be `/`."""
POD: Final[Manifest] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER: Final[Manifest] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
EXECUTOR: Final = json.dumps(
    {
        "initContainers": [{"name": "init", "securityContext": CONTAINER}],
        "containers": [{"name": "wait", "securityContext": CONTAINER}],
    }
)
"""Patch of Argo's own containers, which inherit user and seccomp profile from the pod."""


def restrict(spec: Manifest, task_image: str) -> Manifest:
    """Return the spec of a Workflow with the defaults; containers of `task_image` get a HOME."""
    templates = [_template(template, task_image) for template in spec["templates"]]
    made = {**spec, "securityContext": pod(spec.get("securityContext")), "templates": templates}
    # The pod of a `resource` or `data` template has no wait container, and a patch would add one.
    if not any(kind in template for template in templates for kind in ("resource", "data")):
        made["podSpecPatch"] = EXECUTOR
    return made


def pod(own: Manifest | None) -> Manifest:
    """Return the securityContext of a pod with the defaults."""
    own = own or {}
    made = {**POD, **own}
    if own.get("runAsUser") == 0 and "runAsNonRoot" not in own:
        del made["runAsNonRoot"]
    return made


def container(own: Manifest | None) -> Manifest:
    """Return the securityContext of a container with the defaults."""
    own = own or {}
    capabilities = {**CONTAINER["capabilities"], **(own.get("capabilities") or {})}
    made = {**CONTAINER, **own, "capabilities": capabilities}
    if own.get("runAsUser") == 0 and "runAsNonRoot" not in own:
        made["runAsNonRoot"] = False
    if "allowPrivilegeEscalation" not in own and _escalates(made):
        del made["allowPrivilegeEscalation"]
    return made


def _escalates(context: Manifest) -> bool:
    """Whether the API server takes no `allowPrivilegeEscalation: false` beside these fields."""
    added = context["capabilities"].get("add") or ()
    return bool(context.get("privileged")) or any(one.endswith("SYS_ADMIN") for one in added)


def _template(template: Manifest, task_image: str) -> Manifest:
    made = dict(template)
    for name in ("container", "script"):
        if name in made:
            made[name] = _at_home(_contained(made[name]), task_image)
    for name in ("initContainers", "sidecars"):
        if made.get(name):
            made[name] = [_contained(one) for one in made[name]]
    if several := made.get("containerSet"):
        inner = [_contained(one) for one in several.get("containers") or ()]
        made["containerSet"] = {**several, "containers": inner}
    # Argo takes it in place of the Workflow's, not together with it.
    if "securityContext" in made:
        made["securityContext"] = pod(made["securityContext"])
    return made


def _contained(own: Manifest) -> Manifest:
    return {**own, "securityContext": container(own.get("securityContext"))}


def _at_home(own: Manifest, task_image: str) -> Manifest:
    env = own.get("env") or []
    if own.get("image") != task_image or "HOME" in _names(env):
        return own
    return {**own, "env": [*env, {"name": "HOME", "value": HOME}]}


def _names(env: list[Manifest]) -> Iterator[str]:
    return (variable["name"] for variable in env)
