"""What operations may name and patch."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.model import Operation
from cloudharness_operation.policy import ANYTHING, Policy, TemplatePatch
from cloudharness_operation.render import forbidden, unsupported, workflow
from cloudharness_operation.render.facts import ClusterFacts
from tests.support.builders import NAMESPACE, operation_manifest

HOME = Policy(
    namespace=NAMESPACE,
    own_accounts=("operator", "operator-uninstall"),
    own_secrets=("kafka", "pull"),
)
"""Of an operator in the namespace of the operations."""
AWAY = replace(HOME, namespace="ops")
ACCOUNTS = replace(AWAY, accounts=("jobs-*",))
IMAGES = replace(AWAY, images=("registry.example.org/*", "busybox"))
LOCK = {"mutexes": [{"name": "m", "namespace": "other"}]}
OWN_LOCK = {"mutexes": [{"name": "m", "namespace": NAMESPACE}]}
OPEN = replace(AWAY, template_patch=TemplatePatch.ALLOWED)
CLOSED = replace(AWAY, template_patch=TemplatePatch.DENIED)
BASH = {"source": "x"}
ANY = (HOME, AWAY, ACCOUNTS, IMAGES, OPEN, ANYTHING)


def patched(patch: Any) -> dict[str, Any]:
    return {"bash": BASH, "templatePatch": patch}


def pod(**fields: Any) -> dict[str, Any]:
    return patched({"podSpecPatch": json.dumps(fields)})


def inline(**fields: Any) -> dict[str, Any]:
    step = {"name": "s", "inline": {"container": {"image": "busybox"}, **fields}}
    return patched({"script": None, "steps": [[step]]})


def volume(**source: Any) -> dict[str, Any]:
    return patched({"volumes": [{"name": "v", **source}]})


def secret_variable(name: str) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": name, "key": "k"}}
    return {"bash": BASH, "env": [{"name": "A", "valueFrom": reference}]}


ACCOUNT = "'operator' is the operator's own account"
SECRETS = "'kafka' is a Secret of the operator's own"
TEXT = "cannot be checked here"
NOT_LISTED = "is not one of the service accounts that this operator allows: use one like jobs-\\*"
ELSEWHERE = "a lock is of the operation's own namespace: remove the field"
NOT_ALLOWED = "this operator does not allow it"

REFUSED = [
    ("its account", HOME, {"bash": BASH, "serviceAccountName": "operator"}, ACCOUNT),
    ("its account, patched", HOME, patched({"serviceAccountName": "operator"}), ACCOUNT),
    ("the executor's", HOME, patched({"executor": {"serviceAccountName": "operator"}}), ACCOUNT),
    ("a pod's account", HOME, pod(serviceAccountName="operator"), ACCOUNT),
    ("its old name", HOME, pod(serviceAccount="operator"), ACCOUNT),
    ("in other letters", HOME, pod(serviceaccountNAME="operator"), ACCOUNT),
    ("an inline account", HOME, inline(serviceAccountName="operator"), ACCOUNT),
    ("uninstall", HOME, patched({"serviceAccountName": "operator-uninstall"}), "own account"),
    ("a computed account", HOME, patched({"serviceAccountName": "{{workflow.name}}"}), TEXT),
    ("a computed pod", HOME, patched({"podSpecPatch": '{"a": "{{=1}}"}'}), TEXT),
    ("YAML", HOME, patched({"podSpecPatch": "serviceAccountName: operator"}), TEXT),
    ("nested JSON", HOME, patched({"podSpecPatch": "[" * 5000}), TEXT),
    ("a variable", HOME, secret_variable("kafka"), SECRETS),
    ("variables", HOME, {"bash": BASH, "envFrom": [{"secretRef": {"name": "kafka"}}]}, SECRETS),
    ("a volume", HOME, volume(secret={"secretName": "kafka"}), SECRETS),
    ("projected", HOME, volume(projected={"sources": [{"secret": {"name": "kafka"}}]}), SECRETS),
    (
        "a pod's volume",
        HOME,
        pod(volumes=[{"name": "v", "secret": {"secretName": "kafka"}}]),
        SECRETS,
    ),
    ("a computed Secret", HOME, volume(secret={"secretName": "{{=sprig.lower('KAFKA')}}"}), TEXT),
    ("not listed", ACCOUNTS, {"bash": BASH, "serviceAccountName": "admin"}, NOT_LISTED),
    ("not listed, patched", ACCOUNTS, patched({"serviceAccountName": "admin"}), NOT_LISTED),
    ("a pod's, not listed", ACCOUNTS, pod(serviceAccountName="admin"), NOT_LISTED),
    ("computed", ACCOUNTS, patched({"serviceAccountName": "jobs-{{=1}}"}), TEXT),
    ("YAML, accounts", ACCOUNTS, patched({"podSpecPatch": "a: b"}), TEXT),
    ("YAML, images", IMAGES, patched({"podSpecPatch": "a: b"}), TEXT),
    *(("a lock elsewhere", one, patched({"synchronization": LOCK}), ELSEWHERE) for one in ANY),
    ("an inline lock", OPEN, inline(synchronization=LOCK), ELSEWHERE),
    (
        "a computed namespace",
        OPEN,
        patched({"synchronization": {"mutexes": [{"name": "m", "namespace": "{{=1}}"}]}}),
        ELSEWHERE,
    ),
    ("metrics", AWAY, patched({"metrics": {"prometheus": []}}), NOT_ALLOWED),
    ("inline metrics", AWAY, inline(metrics={"prometheus": []}), NOT_ALLOWED),
    ("plugin", AWAY, patched({"plugin": {"x": {}}}), NOT_ALLOWED),
    ("memoize", AWAY, patched({"memoize": {"key": "k"}}), NOT_ALLOWED),
    (
        "a cluster's template",
        AWAY,
        patched({"steps": [[{"name": "a", "templateRef": {"name": "b", "clusterScope": True}}]]}),
        NOT_ALLOWED,
    ),
    ("any patch", CLOSED, patched({"nodeSelector": {"a": "b"}}), NOT_ALLOWED),
]


def operation(task: Any) -> Operation:
    return Operation.parse(operation_manifest({"name": "t", **task}))


def defaults(policy: Policy) -> Defaults:
    return Defaults(task_image="python:3.13", service_account="tasks", policy=policy)


@pytest.mark.parametrize(
    ("policy", "task", "problem"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_not_allowed(policy: Policy, task: Any, problem: str) -> None:
    found = unsupported(operation(task), defaults(policy))
    assert found is not None
    assert found.startswith("spec.tasks[0].")
    assert re.search(problem, found)


ALLOWED = [
    ("nothing", HOME, {"bash": BASH}),
    ("another account", HOME, {"bash": BASH, "serviceAccountName": "jobs"}),
    ("its account elsewhere", AWAY, {"bash": BASH, "serviceAccountName": "operator"}),
    ("its Secret elsewhere", AWAY, secret_variable("kafka")),
    ("another Secret", HOME, secret_variable("mine")),
    ("a pod's volume", HOME, pod(volumes=[{"name": "v", "secret": {"secretName": "mine"}}])),
    ("computed arguments", HOME, patched({"script": {"args": ["{{workflow.name}}", "kafka"]}})),
    ("YAML elsewhere", AWAY, patched({"podSpecPatch": "a: {{workflow.name}}"})),
    ("listed", ACCOUNTS, {"bash": BASH, "serviceAccountName": "jobs-a"}),
    ("the default", ACCOUNTS, {"bash": BASH, "serviceAccountName": "tasks"}),
    ("listed, patched", ACCOUNTS, pod(serviceAccountName="jobs-a")),
    ("a lock", HOME, patched({"synchronization": OWN_LOCK})),
    ("a lock", AWAY, patched({"synchronization": {"mutexes": [{"name": "m", "namespace": None}]}})),
    ("no metrics", AWAY, patched({"metrics": None})),
    ("labels", AWAY, patched({"metadata": {"labels": {"metrics": "on", "plugin": "x"}}})),
    ("metrics", OPEN, patched({"metrics": {"prometheus": []}})),
    ("a template", AWAY, patched({"steps": [[{"name": "a", "templateRef": {"name": "b"}}]]})),
    ("no patch", CLOSED, {"bash": BASH}),
]


@pytest.mark.parametrize(
    ("policy", "task"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED]
)
def test_what_is_allowed(policy: Policy, task: Any) -> None:
    assert unsupported(operation(task), defaults(policy)) is None


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"serviceAccountName": "operator"}, "spec.serviceAccountName"),
        ({"imagePullSecrets": [{"name": "a"}, {"name": "pull"}]}, "spec.imagePullSecrets[1].name"),
    ],
)
def test_the_operations_own_fields_are_checked_too(spec: Any, path: str) -> None:
    found = unsupported(Operation.parse(operation_manifest(spec=spec)), defaults(HOME))
    assert found is not None
    assert found.startswith(f"{path}: ")


def custom(image: str) -> dict[str, Any]:
    return {"custom": {"image": image}}


@pytest.mark.parametrize(
    ("policy", "task", "allowed"),
    [
        (AWAY, custom("evil"), True),
        (IMAGES, {"bash": BASH}, True),
        (IMAGES, custom("python:3.13"), True),
        (IMAGES, custom("registry.example.org/team/tool:1"), True),
        (IMAGES, custom("listed"), True),
        (IMAGES, custom("busybox"), True),
        (IMAGES, custom("busybox:latest"), False),
        (IMAGES, custom("evil"), False),
        (IMAGES, custom("listed-elsewhere"), False),
        (IMAGES, patched({"script": {"image": "evil"}}), False),
        (IMAGES, patched({"sidecars": [{"name": "s", "image": "evil"}]}), False),
        (IMAGES, patched({"initContainers": [{"name": "s", "image": "evil"}]}), False),
        (IMAGES, inline(container={"image": "evil"}), False),
        (IMAGES, pod(containers=[{"name": "main", "image": "evil"}]), False),
        (IMAGES, pod(containers=[{"name": "main", "Image": "evil"}]), False),
        (IMAGES, patched({"script": {"image": "registry.example.org/{{=1}}"}}), False),
        (IMAGES, pod(containers=[{"name": "main", "image": "busybox"}]), True),
    ],
)
def test_images(policy: Policy, task: Any, allowed: bool) -> None:
    one, settings = operation(task), defaults(policy)
    assert unsupported(one, settings) is None
    images = {"listed": "registry.example.org/x", "listed-elsewhere": "example.com/x"}
    found = forbidden(workflow(one, settings, ClusterFacts(images=images)), settings)
    assert (found is None) is allowed
    if found:
        assert found.startswith("task t")
        assert "tasks.allowedImages" in found
