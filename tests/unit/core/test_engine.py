"""What the releases of Argo understand, and that all that is rendered is understood by all."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from cloudharness_operation import pods, render, security
from cloudharness_operation.defaults import Defaults
from cloudharness_operation.model import Operation
from cloudharness_operation.render import unsupported, workflow
from cloudharness_operation.render.engine import errors_in, errors_in_template, respelled
from cloudharness_operation.render.engine_types import ENGINES, TYPES
from cloudharness_operation.render.facts import ClusterFacts, Pod
from cloudharness_operation.resource import Resource
from dev import engine_types
from tests.support.builders import operation, operation_manifest
from tests.support.rendering import SETTINGS

CHART = Path(__file__).parents[3] / "charts" / "cloudharness-operator"

KINDS: dict[str, dict[str, Any]] = {
    "bash": {"bash": {"source": "x"}},
    "script": {"python": {"source": "x"}},
    "function": {"python": {"source": "x", "function": "f", "args": {"a": 1}}},
    "braces": {"python": {"source": "{{", "function": "f"}},
    "map": {"python": {"sourceFrom": {"name": "m", "key": "k", "optional": True}}},
    "command": {"command": {"command": ["x"]}},
    "custom": {
        "custom": {"image": "x", "command": ["x"], "args": ["y"], "imagePullPolicy": "Never"}
    },
}
ENV: dict[str, Any] = {
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
    ],
    "outputs": [{"name": "o", "path": "/tmp/o"}],
    "stdout": True,
    "envFrom": [
        {"prefix": "P", "configMapRef": {"name": "m", "optional": True}},
        {"secretRef": {"name": "s"}},
    ],
}
IDENTITY: dict[str, Any] = {
    "runAsUser": 1,
    "runAsGroup": 1,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"},
}
POD: dict[str, Any] = {
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [
        {
            "key": "k",
            "operator": "Equal",
            "value": "v",
            "effect": "NoExecute",
            "tolerationSeconds": 3,
        }
    ],
    "priorityClassName": "high",
    "serviceAccountName": "me",
}
TASK: dict[str, Any] = {
    **ENV,
    **POD,
    "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 1}},
    "securityContext": {
        **IDENTITY,
        "allowPrivilegeEscalation": False,
        "privileged": True,
        "readOnlyRootFilesystem": True,
        "capabilities": {"add": ["X"], "drop": ["ALL"]},
    },
    "sharedVolumes": [{"mountPath": "/own", "claim": "there", "mode": "ro"}],
    "retry": {
        "limit": 1,
        "policy": "Always",
        "backoff": {"duration": "1s", "factor": 2, "maxDuration": "1h"},
    },
}
SPEC: dict[str, Any] = {
    **POD,
    "parallelism": 2,
    "concurrencyPolicy": "Forbid",
    "concurrencyGroup": "g",
    "activeDeadlineSeconds": 60,
    "securityContext": {
        **IDENTITY,
        "fsGroup": 1,
        "fsGroupChangePolicy": "Always",
        "supplementalGroups": [1],
    },
    "imagePullSecrets": [{"name": "mine"}],
    "podContexts": [
        {"key": "a", "value": "1", "required": True},
        {"key": "b", "value": "2", "required": True},
        {"key": "c", "value": "3"},
    ],
    "sharedVolumes": [
        {"mountPath": "/new", "size": "1Gi", "storageClassName": "fast"},
        {"mountPath": "/many", "mode": "rwx"},
        {"mountPath": "/found", "claim": "found"},
    ],
    "onExit": {
        "task": {"name": "bye", "bash": {"source": "x"}},
        "notify": {"topic": "t", "payload": "p"},
    },
    "podGC": {"strategy": "OnPodSuccess", "deleteDelayDuration": "5s"},
}
RICH = Defaults(
    "x", "account", "topic", image_pull_policy="Always", image_pull_secrets=("s",), catalogue="c"
)
RESTRICTED = replace(RICH, pod_security="restricted")
SET: dict[str, Any] = {
    "templatePatch": {
        "container": None,
        "containerSet": {"containers": [{"name": "a", "image": "x"}]},
        "initContainers": [{"name": "b", "image": "x"}],
    }
}
FACTS = ClusterFacts(
    claims={"there": frozenset({"ReadWriteOnce"}), "found": frozenset({"ReadWriteOnce"})},
    pods=(Pod({"b": "2"}, "node1"),),
    images={"x": "registry/x:1"},
)


def wide(kind: str, **spec: Any) -> Operation:
    """An operation with a task of each kind, which all have all settings."""
    manifest = operation_manifest()
    group = {"group": 0} if kind == "SimpleDag" else {}
    tasks = [{"name": name, **task, **TASK, **group} for name, task in KINDS.items()]
    manifest["spec"] = {"type": kind, "tasks": tasks, **SPEC, **spec}
    return Operation.parse(manifest)


def passing() -> Operation:
    """A pipeline whose second task is passed outputs of the first."""
    names = ("result", "stdout", "o")
    env = [
        {"name": name.upper(), "valueFrom": {"taskOutput": {"task": "first", "name": name}}}
        for name in names
    ]
    second = {"name": "second", "bash": {"source": "x"}, "env": env}
    return operation({"name": "first", **KINDS["function"], **ENV}, second)


RENDERED: list[tuple[str, dict[str, Any]]] = [
    *((kind, workflow(wide(kind), RICH, FACTS)) for kind in ("Pipeline", "Parallel", "SimpleDag")),
    ("outputs", workflow(passing(), RICH)),
    ("nothing found", workflow(wide("Parallel"), RICH)),
    ("restricted", workflow(wide("Parallel"), RESTRICTED, FACTS)),
    ("restricted set", workflow(operation({"name": "t", **KINDS["custom"], **SET}), RESTRICTED)),
    *(
        (f"{name} {next(iter(row[0]))}", workflow(operation({"name": "t", **kind, **row[0]}), RICH))
        for name, kind in KINDS.items()
        for row in SETTINGS
    ),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("_", "made"), RENDERED, ids=[name for name, _ in RENDERED])
def test_every_engine_understands_all_that_is_rendered(
    _: str, made: dict[str, Any], engine: str
) -> None:
    assert list(errors_in(made["spec"], "WorkflowSpec", engine)) == []


def keys(value: object) -> Iterator[str]:
    """Every key in a manifest."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value:  # type: ignore[attr-defined]
        if isinstance(item, dict | list):
            yield from keys(item)


EMITTED = {key for _, made in RENDERED for key in keys(made)}


def test_the_table_above_has_every_field_of_a_pod_that_a_task_can_set() -> None:
    modules = (pods, security)
    models = [one for module in modules for one in vars(module).values() if isinstance(one, type)]
    fields = {
        to_camel(name)
        for model in models
        if issubclass(model, Resource)
        for name in model.model_fields
    }
    # What we read ourselves; the other is the Workflow's own name for a field.
    fields -= {"taskOutput", "task"}
    assert fields | {"podPriorityClassName"} <= EMITTED


def test_the_table_above_has_every_field_that_the_code_names() -> None:
    """So a field that is added to rendering has to come into the table, and be checked."""
    named: set[str] = set()
    for path in Path(render.__file__).parent.glob("*.py"):
        if path.name == "policy.py":
            continue  # It names what authors write, and makes nothing.
        for node in ast.walk(ast.parse(path.read_text())):
            found: list[ast.expr | None] = []
            if isinstance(node, ast.Dict):
                found = node.keys
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                found = [node.slice]
            named |= {str(key.value) for key in found if isinstance(key, ast.Constant)}
    named -= {"bool", "boolean", "integer", "number", "object", "string", "any"}  # Of engine.py.
    assert {key for key in named if re.fullmatch(r"\w+", key)} <= EMITTED


@pytest.mark.parametrize(
    ("patch", "understood"),
    [
        ({"pendingTimeout": "1m"}, {"4.1"}),
        ({"podResources": {"limits": {"cpu": "1"}}}, {"4.1"}),
        ({"annotations": {"a": "b"}}, {"3.7", "4.0", "4.1"}),
        ({"retryStrategy": {"backoff": {"cap": "1m"}}}, {"3.7", "4.0", "4.1"}),
        ({"container": {"lifecycle": {"stopSignal": "SIGINT"}}}, {"3.7", "4.0", "4.1"}),
        ({"priority": 3}, {"3.6"}),
        ({"synchronization": {"mutex": {"name": "m"}}}, {"3.6", "3.7"}),
        ({"synchronization": {"mutexes": [{"name": "m"}]}}, set(ENGINES)),
        ({"memoize": {"cache": {"configMap": {"name": "m", "key": "k"}}}}, {"3.6", "3.7"}),
        ({"memoize": {"cache": {"configMap": {"name": "m"}}}}, set(ENGINES)),
        ({"retryStrategy": {"limit": 3}}, set(ENGINES)),
        ({"retryStrategy": {"limit": "3", "retryPolicy": "Always"}}, set(ENGINES)),
        ({"activeDeadlineSeconds": 3, "podSpecPatch": "{}", "daemon": True}, set(ENGINES)),
        ({"metadata": {"annotations": {"a": "b"}}, "timeout": None}, set(ENGINES)),
        ({"sidecars": [{"name": "s", "image": "i", "mirrorVolumeMounts": True}]}, set(ENGINES)),
        ({"steps": [[{"name": "a", "withItems": [1, "b", {"c": []}]}]]}, set(ENGINES)),
        ({"container": {"readinessProbe": {"httpGet": {"port": 80}}}}, set(ENGINES)),
        ({"container": {"resources": {"limits": {"cpu": 1.5}}}}, set(ENGINES)),
        ({"nonsense": None}, set(ENGINES)),
        ({"nonsense": {}}, set()),
    ],
)
def test_which_engines_understand_a_patch(patch: dict[str, Any], understood: set[str]) -> None:
    assert {one for one in ENGINES if errors_in_template(patch, one) is None} == understood
    # Not knowing which it is, only what all understand is right.
    assert (errors_in_template(patch, "") is None) == (understood == set(ENGINES))


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"pendingTimeut": "1m"}, "pendingTimeut: Argo 3.7 has no such field"),
        ({"container": {"imge": "x"}}, "container.imge: Argo 3.7 has no such field"),
        ({"container": {"image": 3}}, "container.image: Argo 3.7 takes a string here, not 3"),
        ({"daemon": 1}, "daemon: Argo 3.7 takes a boolean here, not 1"),
        ({"parallelism": True}, "parallelism: Argo 3.7 takes an integer here, not true"),
        ({"suspend": "no"}, 'suspend: Argo 3.7 takes an object here, not "no"'),
        ({"volumes": {}}, "volumes: Argo 3.7 takes a list here, not {}"),
        ({"nodeSelector": []}, "nodeSelector: Argo 3.7 takes an object here, not []"),
        (
            {"container": {"resources": {"limits": {"cpu": []}}}},
            "container.resources.limits[cpu]: Argo 3.7 takes a quantity here, not []",
        ),
        (
            {"sidecars": [{"name": "a"}, {"name": "b", "ports": [{"port": 1}]}]},
            "sidecars[1].ports[0].port: Argo 3.7 has no such field",
        ),
        (
            {"retryStrategy": {"limit": 1.5}},
            "retryStrategy.limit: Argo 3.7 takes an integer or a string here, not 1.5",
        ),
    ],
)
def test_what_is_wrong_with_a_patch_is_said_with_its_place(
    patch: dict[str, Any], message: str
) -> None:
    assert errors_in_template(patch, "3.7") == message


FIX = ": change it, or, if the installed Argo has it, set argo.version in the operator's Helm chart"


@pytest.mark.parametrize(
    ("argo", "problem"),
    [
        ("", f"spec.tasks[1].templatePatch.pendingTimeout: Argo 3.6 has no such field{FIX}"),
        ("3.7", f"spec.tasks[1].templatePatch.pendingTimeout: Argo 3.7 has no such field{FIX}"),
        ("4.1", None),
    ],
)
def test_a_patch_that_the_engine_does_not_understand_is_not_accepted(
    argo: str, problem: str | None
) -> None:
    tasks = [{"name": name, **KINDS["bash"]} for name in ("a", "b")]
    tasks[1]["templatePatch"] = {"pendingTimeout": "1m"}
    assert unsupported(operation(*tasks), Defaults("x", argo=argo)) == problem


def test_the_chart_knows_the_same_engines() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["argo"]["properties"]["version"]["enum"] == ["", *ENGINES]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["argo"]["version"] == ""


def test_every_type_that_is_named_is_described() -> None:
    lines = dict(line.split(": ", 1) for line in TYPES.splitlines())
    words = {word for text in lines.values() for word in text.split()}
    named = {re.split("[<>]", re.sub(r"^\w+=", "", word))[0].lstrip("[]{}") for word in words}
    assert named - lines.keys() == {"any", "boolean", "integer", "number", "object", "string"}


def test_types_are_read_from_argos_descriptions() -> None:
    spec = engine_types.START
    part = "io.argoproj.workflow.v1alpha1.Part"
    header = "io.k8s.api.core.v1.Part"
    reference = {"$ref": f"#/definitions/{part}"}
    old: engine_types.Definitions = {
        spec: {"properties": {"part": reference, "gone": {"type": "string"}}},
        part: {"properties": {"a": {"type": "string"}}},
    }
    new: engine_types.Definitions = {
        spec: {
            "properties": {
                "part": {"type": "array", "items": reference},
                "map": {"additionalProperties": {"$ref": f"#/definitions/{header}"}},
            }
        },
        part: {"type": "integer"},
        header: {"type": "string"},
    }
    engines = {"1": old, "2": new}
    assert engine_types.reachable(engines) == {spec, part, header}
    assert list(engine_types.fields(spec, engines)) == [
        "gone=string<2",
        "map={}v1.Part>=2",
        "part=Part<2",
        "part=[]Part>=2",
    ]
    assert list(engine_types.fields(header, engines)) == ["string"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"node_selector": {"my_label": "x"}}, {"nodeSelector": {"my_label": "x"}}),
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "b"}}),
        (
            {"container": {"volume_mounts": [{"mount_path": "/a", "read_only": True}]}},
            {"container": {"volumeMounts": [{"mountPath": "/a", "readOnly": True}]}},
        ),
        ({"host_aliases": [{"ip": "1.2.3.4"}]}, {"hostAliases": [{"ip": "1.2.3.4"}]}),
        ({"no_such": {"a_b": 1}}, {"no_such": {"a_b": 1}}),
        (
            {"retry_strategy": {"retry_policy": "Always"}},
            {"retryStrategy": {"retryPolicy": "Always"}},
        ),
        (
            {"container": {"env_from": [{"config_map_ref": {"name": "a_b"}}]}},
            {"container": {"envFrom": [{"configMapRef": {"name": "a_b"}}]}},
        ),
    ],
)
def test_pythons_spelling_of_fields_is_turned_into_the_engines(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert respelled(given, "Template") == expected
