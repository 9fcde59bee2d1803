"""From the models to the CustomResourceDefinition.

`python -m cloudharness_operation.crd` prints it.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import yaml

from cloudharness_operation import reasons
from cloudharness_operation.event import timestamp
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.names import (
    CATEGORY,
    GROUP,
    KIND,
    MAX_OPERATION_NAME_LENGTH,
    PLURAL,
    SHORT_NAME,
    SINGULAR,
    VERSION,
)
from cloudharness_operation.resource import LABEL_PATTERN, cel, rules
from cloudharness_operation.states import UNSEEN
from cloudharness_operation.status import NEVER, OperationStatus

Schema = dict[str, Any]

_NAME_RULES: Final = rules(
    (
        f"size(self.metadata.name) <= {MAX_OPERATION_NAME_LENGTH}",
        f"metadata.name is too long: at most {MAX_OPERATION_NAME_LENGTH} characters, "
        "since the Workflow's name is made from it",
        "metadata.name",
    ),
    (
        f"self.metadata.name.matches({cel(LABEL_PATTERN)})",
        "metadata.name must be lower-case letters, digits and '-', with no dots, "
        "since it becomes a part of pods' names",
        "metadata.name",
    ),
)

_WAITING: Final = {"reason": reasons.PENDING, "message": "waiting for the operator"}

_INITIAL_STATUS: Final = {
    "phase": UNSEEN.phase.value,
    **_WAITING,
    "conditions": [
        {"type": kind, "status": status, **_WAITING, "lastTransitionTime": timestamp(NEVER)}
        for kind, status in UNSEEN.conditions
    ],
}
"""The status before the operator's first write; the API server sets it, which costs no write.

Without it Flux and `kubectl wait` would take an operation that the operator has not observed yet
for one that has ended: for kstatus an object without conditions is Current.
"""

_COLUMNS: Final = (
    ("Type", "string", ".spec.type", False),
    ("Phase", "string", ".status.phase", False),
    ("Progress", "string", ".status.progress", False),
    ("Reason", "string", ".status.reason", False),
    ("Started", "date", ".status.startTime", False),
    ("Finished", "date", ".status.completionTime", False),
    ("Age", "date", ".metadata.creationTimestamp", False),
    ("Workflow", "string", ".status.workflowRef.name", True),
    ("Message", "string", ".status.message", True),
)
"""Name, type and path, and whether it is shown by `-o wide` alone."""


def manifest() -> Schema:
    """Return the CustomResourceDefinition."""
    names = {
        "plural": PLURAL,
        "singular": SINGULAR,
        "kind": KIND,
        "listKind": f"{KIND}List",
        "shortNames": [SHORT_NAME],
        "categories": [CATEGORY],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root()},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            # The API server leaves out a priority of 0, and Argo CD would apply it for ever.
            {"name": name, "type": type_, "jsonPath": path} | ({"priority": 1} if wide else {})
            for name, type_, path, wide in _COLUMNS
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _root() -> Schema:
    return {
        "description": "One run of a batch operation: of a task, of tasks one after the other "
        "or in parallel, or of groups of them.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            # Named, so that rules can point to it. 253 is what the API server allows anyway.
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 253}},
            },
            "spec": structural(OperationSpec.model_json_schema()),
            "status": {
                **structural(OperationStatus.model_json_schema()),
                "default": _INITIAL_STATUS,
            },
        },
        **_NAME_RULES,
    }


def structural(schema: Schema) -> Schema:
    """Return a JSON schema as Kubernetes takes it: nothing by reference, null or closed.

    A field that may be None is one that may be left out. A closed object is what Kubernetes
    has anyway: it refuses unknown fields (or drops them, by the client's wish), and the
    schema may not say so itself.
    """
    return _inlined(schema, schema.get("$defs", {}))


_DROPPED: Final = frozenset({"$defs", "$ref", "title", "additionalProperties", "anyOf", "allOf"})


def _inlined(node: Schema, definitions: Schema) -> Schema:
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _inlined({**target, **_without(node, "$ref")}, definitions)
    if "anyOf" in node:
        (some,) = (option for option in node["anyOf"] if option.get("type") != "null")
        return _inlined({**some, **_without(node, "anyOf")}, definitions)
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if "properties" in node:
        result["properties"] = {
            name: _inlined(field, definitions) for name, field in node["properties"].items()
        }
    if "items" in node:
        result["items"] = _inlined(node["items"], definitions)
    if isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _inlined(node["additionalProperties"], definitions)
    return _scalars(result)


def _without(node: Schema, key: str) -> Schema:
    return {k: v for k, v in node.items() if k != key}


def _scalars(node: Schema) -> Schema:
    # A default of nothing is no default. Others show in the stored object, as a person wants.
    if node.get("default") in (None, "", []):
        node.pop("default", None)
    if node.get("type") == "integer":
        node["format"] = "int64"
    if "x-kubernetes-validations" in node:
        node.pop("pattern", None)  # A rule says the same in words; both messages would be shown.
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    return node


def text() -> str:
    """Return the manifest as the YAML that is kept in the repository."""
    head = "# Generated from core/cloudharness_operation/model.py by `make generate`.\n"
    tree = json.loads(json.dumps(manifest()))  # Else YAML points to what occurs twice.
    return head + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    sys.stdout.write(text())
