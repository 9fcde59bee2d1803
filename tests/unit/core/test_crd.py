"""The CustomResourceDefinition, by the rules of structural schemas and by our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cloudharness_operation import crd
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.resource import (
    LABEL_PATTERN,
    QUALIFIED_NAME_PATTERN,
    SUBDOMAIN_PATTERN,
    cel,
)
from cloudharness_operation.status import OperationStatus
from cloudharness_operation.tasks import KINDS
from tests.support.builders import holds

FORBIDDEN = {
    *("$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "title"),
    *("const", "examples", "prefixItems", "exclusiveMinimum", "exclusiveMaximum", "nullable"),
}
"""What Kubernetes refuses, ignores or does not apply in a structural schema of ours."""

TYPES = {"object", "array", "string", "integer", "boolean"}


def schema() -> dict[str, Any]:
    (version,) = crd.manifest()["spec"]["versions"]
    root: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return root


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, field in node.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{path}[]")


NODES = dict(nodes(schema()))
DESCRIBED = [
    path
    for path, node in NODES.items()
    if path.startswith((".spec", ".status"))
    and (path[-1] != "]" or node.get("type") in ("object", "array"))
]
"""All fields, and what is in lists unless it is but a text or a number."""


def test_it_is_a_namespaced_resource_with_these_names() -> None:
    manifest = crd.manifest()
    assert manifest["metadata"] == {"name": "cloudharnessoperations.cloudharness.io"}
    assert manifest["spec"]["group"] == "cloudharness.io"
    assert manifest["spec"]["scope"] == "Namespaced"
    assert manifest["spec"]["names"] == {
        "plural": "cloudharnessoperations",
        "singular": "cloudharnessoperation",
        "kind": "CloudHarnessOperation",
        "listKind": "CloudHarnessOperationList",
        "shortNames": ["cho"],
        "categories": ["cloudharness"],
    }


def test_there_is_one_version_which_is_served_and_stored() -> None:
    (version,) = crd.manifest()["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["subresources"] == {"status": {}}


def test_the_walk_reaches_the_leaves() -> None:
    assert {
        ".spec.tasks[].custom.args[]",
        ".spec.onExit.notify.payload",
        ".status.conditions[].lastTransitionTime",
        ".status.workflowRef.uid",
    } <= NODES.keys()


@pytest.mark.parametrize("path", NODES)
def test_every_node_is_structural(path: str) -> None:
    node = NODES[path]
    assert not FORBIDDEN & node.keys()
    if node.get("x-kubernetes-int-or-string"):
        assert "type" not in node
        return
    assert node.get("type") in TYPES
    if node["type"] == "array":
        assert "items" in node
    if node["type"] == "object" and path != ".metadata":
        kinds = ("properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields")
        assert any(node.get(kind) for kind in kinds)
    assert set(node.get("required", ())) <= node.get("properties", {}).keys()


@pytest.mark.parametrize("path", DESCRIBED)
def test_every_field_is_described(path: str) -> None:
    description = NODES[path]["description"]
    assert len(description.split()) > 1
    assert description.rstrip().endswith(".")
    assert "\n" not in description
    assert "`None`" not in description


@pytest.mark.parametrize("path", [path for path in NODES if path.startswith(".spec")])
def test_everything_a_person_writes_has_a_bound(path: str) -> None:
    node = NODES[path]
    if node.get("type", "string") == "string" and "templatePatch" not in path:
        assert "maxLength" in node or "enum" in node
    if node.get("type") == "array":
        assert "maxItems" in node
    if "additionalProperties" in node:
        assert "maxProperties" in node


@pytest.mark.parametrize(
    ("path", "required"),
    [
        (".spec", {"type", "tasks"}),
        (".spec.tasks[]", {"name"}),
        (".spec.tasks[].python", set()),
        (".spec.tasks[].python.sourceFrom", {"name", "key"}),
        (".spec.tasks[].command", {"command"}),
        (".spec.sharedVolumes[]", {"mountPath"}),
        (".spec.podContexts[]", {"key", "value"}),
        (".spec.tasks[].bash", {"source"}),
        (".spec.tasks[].custom", {"image"}),
        (".spec.tasks[].env[]", {"name"}),
        (".spec.onExit", set()),
        (".spec.onExit.notify", {"topic"}),
        (".spec.onExit.task", {"name"}),
        (".status", set()),
        (".status.conditions[]", {"type", "status", "reason", "lastTransitionTime"}),
    ],
)
def test_what_must_be_given(path: str, required: set[str]) -> None:
    assert set(NODES[path].get("required", ())) == required


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.type", {"enum": ["SingleTask", "Pipeline", "Parallel", "SimpleDag"]}),
        (".spec.tasks", {"minItems": 1, "maxItems": 100, "x-kubernetes-list-map-keys": ["name"]}),
        (".spec.tasks[].name", {"maxLength": 63}),
        (".spec.tasks[].resources.limits[]", {"x-kubernetes-int-or-string": True, "minimum": 0}),
        (".spec.tasks[].bash.source", {"minLength": 1, "maxLength": 65536}),
        (".spec.onExit.notify.payload", {"maxLength": 32768}),
        (".status.conditions", {"x-kubernetes-list-map-keys": ["type"]}),
        (".status.conditions[].lastTransitionTime", {"format": "date-time"}),
        (".status.observedGeneration", {"type": "integer", "format": "int64", "minimum": 0}),
        (
            ".status.phase",
            {
                "enum": [
                    *("Pending", "Suspended", "Running"),
                    *("Succeeded", "Failed", "Error", "Cancelled"),
                ]
            },
        ),
    ],
)
def test_what_the_server_checks(path: str, expected: dict[str, Any]) -> None:
    assert NODES[path].items() >= expected.items()


MAY_CHANGE = {
    *("suspend", "cancel", "pendingDeadlineSeconds"),
    *("ttlStrategy", "ttlSecondsAfterFinished", "runId"),
}


def rules(path: str) -> dict[str, str]:
    """Return the messages of the CEL rules at a node by rule."""
    found = NODES[path].get("x-kubernetes-validations", [])
    return {rule["rule"]: rule["message"] for rule in found}


@pytest.mark.parametrize(
    "field",
    sorted({f.alias or name for name, f in OperationSpec.model_fields.items()} - MAY_CHANGE),
)
def test_no_other_field_of_the_spec_can_change_without_the_run(field: str) -> None:
    rule = (
        f"(has(self.{field}) ? has(oldSelf.{field}) && self.{field} == oldSelf.{field} "
        f": !has(oldSelf.{field})) || self.runId != oldSelf.runId"
    )
    assert rules(".spec")[rule].startswith(f"{field} cannot change within a run: ")


def test_what_is_cancelled_stays_so() -> None:
    (rule,) = (one for one in rules(".spec") if "oldSelf.cancel" in one)
    assert rule.startswith("!has(oldSelf.cancel) || self.runId != oldSelf.runId || ")
    assert "change runId and remove cancel" in rules(".spec")[rule]


@pytest.mark.parametrize("field", sorted(MAY_CHANGE - {"cancel", "runId"}))
def test_other_fields_can_change(field: str) -> None:
    assert field in {f.alias or name for name, f in OperationSpec.model_fields.items()}
    assert not any(f"oldSelf.{field}" in rule for rule in rules(".spec"))


def test_a_single_task_is_one() -> None:
    assert "self.type != 'SingleTask' || size(self.tasks) <= 1" in rules(".spec")


def test_a_task_is_of_one_kind() -> None:
    (rule,) = rules(".spec.tasks[]")
    assert all(kind in rules(".spec.tasks[]")[rule] for kind in KINDS)
    assert all(f"has(self.{kind})" in rule for kind in KINDS)
    assert rule.endswith(".filter(x, x).size() == 1")
    assert rule.count("has(") == len(KINDS) == 4


def test_the_name_leaves_room_for_the_workflows() -> None:
    length, form = rules("")
    assert length == "size(self.metadata.name) <= 57"
    assert form == "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')"


RULED = [path for path in NODES if rules(path)]


@pytest.mark.parametrize("path", RULED)
def test_every_rule_says_what_to_do(path: str) -> None:
    fix = re.compile(
        r"\b(use|write|give|set|choose|removed?|put|raise|correct|change runId|name|at most|must)\b"
    )
    assert all(fix.search(message) for message in rules(path).values())


LABELS = [
    ("a", True),
    ("0-a--b", True),
    ("", False),
    ("A", False),
    ("-a", False),
    ("a-", False),
    ("a_b", False),
    ("a.b", False),
]
SUBDOMAINS = [*LABELS[:-1], ("a.b", True), ("a--b.c", True), ("a..b", False), ("a.-b", False)]
KEYS = [
    ("a", True),
    ("A_b.c-D", True),
    ("example.org/A", True),
    ("a" * 63, True),
    ("a" * 64, False),
    ("/a", False),
    ("a/", False),
    ("Example.org/a", False),
    ("a/b/c", False),
]
FORMS = [
    *((LABEL_PATTERN, text, right) for text, right in LABELS),
    *((SUBDOMAIN_PATTERN, text, right) for text, right in SUBDOMAINS),
    *((QUALIFIED_NAME_PATTERN, text, right) for text, right in KEYS),
]


@pytest.mark.parametrize(("pattern", "text", "right"), FORMS)
def test_names_are_those_that_kubernetes_takes(pattern: str, text: str, right: bool) -> None:
    assert bool(re.search(pattern, text)) is right


@pytest.mark.parametrize("path", RULED)
def test_a_rule_points_to_a_field_that_is_there(path: str) -> None:
    for rule in NODES[path]["x-kubernetes-validations"]:
        assert path + rule.get("fieldPath", "") in NODES


@pytest.mark.parametrize("path", RULED)
def test_what_a_rule_says_no_pattern_says_again(path: str) -> None:
    assert "pattern" not in NODES[path]


def test_a_pattern_is_left_only_where_a_rule_would_cost_too_much() -> None:
    left = [path for path in NODES if path.startswith(".spec") and "pattern" in NODES[path]]
    assert set(left) == {
        f".spec.{task}.resources.{kind}[]"
        for task in ("tasks[]", "onExit.task")
        for kind in ("requests", "limits")
    }


@pytest.mark.parametrize(
    ("text", "written"),
    [("^a$", "'^a$'"), (r"\s", r"'\\s'"), ("['x']", r"'[\'x\']'")],
)
def test_a_text_is_written_as_cel_reads_it(text: str, written: str) -> None:
    assert cel(text) == written


def test_nobody_has_seen_a_new_operation() -> None:
    default = NODES[".status"]["default"]
    status = OperationStatus.model_validate(default)
    assert holds(status) == {"Accepted": "Unknown", "Reconciling": "True"}
    assert (status.phase, status.reason) == ("Pending", "Pending")
    assert status.observed_generation is None
    assert {one["lastTransitionTime"] for one in default["conditions"]} == {"1970-01-01T00:00:00Z"}


def test_a_person_sees_these_columns() -> None:
    (version,) = crd.manifest()["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    assert [column["name"] for column in columns if "priority" not in column] == [
        *("Type", "Phase", "Progress", "Reason", "Started", "Finished", "Age"),
    ]
    assert [column["name"] for column in columns if column.get("priority")] == [
        "Workflow",
        "Message",
    ]
    paths = {column["jsonPath"] for column in columns}
    assert {path for path in paths if not path.startswith(".metadata")} <= NODES.keys()


def test_no_default_is_nothing() -> None:
    defaults = [node["default"] for node in NODES.values() if "default" in node]
    assert all(value not in (None, "", []) for value in defaults)


def test_these_defaults_are_stored_with_a_spec() -> None:
    found = {
        p: node["default"] for p, node in NODES.items() if "default" in node and p[1:5] == "spec"
    }
    volumes = {
        f".spec.{where}sharedVolumes[].{field}": value
        for where in ("", "tasks[].", "onExit.task.")
        for field, value in (("mode", "rw"), ("size", "10Gi"))
    }
    ttl = {"secondsAfterCompletion": 3600, "secondsAfterSuccess": 1200, "secondsAfterFailure": 7200}
    own = {".spec.podContexts[].required": False, ".spec.suspend": False, ".spec.ttlStrategy": ttl}
    assert found == {**volumes, **own, ".spec.runId": "1"}


def test_the_text_is_the_manifest() -> None:
    assert not re.search(r"[&*]id[0-9]", crd.text())
    assert yaml.safe_load(crd.text()) == crd.manifest()
    assert crd.text().startswith("# Generated from ")


def test_a_field_that_is_either_of_two_kinds_is_refused() -> None:
    either = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    with pytest.raises(ValueError, match="too many values"):
        crd.structural({"type": "object", "properties": {"port": either}})


def test_a_definition_is_put_where_it_is_used() -> None:
    found = crd.structural(
        {
            "$defs": {"Inner": {"type": "object", "title": "Inner", "description": "Theirs."}},
            "type": "object",
            "properties": {
                "own": {"$ref": "#/$defs/Inner", "description": "Ours."},
                "maybe": {
                    "anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}],
                    "default": None,
                },
            },
        }
    )
    assert found == {
        "type": "object",
        "properties": {
            "own": {"type": "object", "description": "Ours."},
            "maybe": {"type": "object", "description": "Theirs."},
        },
    }
