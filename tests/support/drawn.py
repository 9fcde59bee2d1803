"""Operations drawn from the CRD's own schema, and from the examples, extremes included."""

import copy
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from cloudharness_operation import crd
from tests.support.builders import operation_manifest

Schema = dict[str, Any]
EXAMPLES: Final = Path(__file__).parents[2] / "examples"

WORDS: Final = (
    *("a", "t1", "task-a", "1", "x" * 63, "x" * 64, "", "-", "a.b/c", "nvidia.com/gpu", "cpu"),
    *("memory", "example.org/x", "python:3.13", "registry.example.org:5000/a/b:c", "/mnt/data"),
    *("/", "/../x", "10Gi", "1e30", "1e99", "1e-99", "0", ".5", "9" * 32, "1.5Ei", "500m", "10s"),
    *("99999999999h", "{{workflow.name}}", "{{=1}}", "$(A)", "$$", "result", "stdout", "events"),
    *("00-" + "a" * 32 + "-" + "b" * 16 + "-01", "\u202e", "\x00", "é" * 100, "\U0001f600"),
    *("metadata.labels['x']", "metadata.name", "CH_BRACE", "None", "function", "import"),
)
"""Texts that are right somewhere, and wrong elsewhere."""
NUMBERS: Final = (-1, 0, 1, 2, 100, 2**31 - 1, 2**31, 2**53, 2**63 - 1)
LONG: Final = st.sampled_from([size * text for size in (300, 70_000) for text in ("a", "{", "é")])
TEXTS: Final = st.one_of(st.sampled_from(WORDS), st.text(max_size=20), LONG)


def _nested(levels: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind == "list" else {"a": value}
    return value


JSON: Final = st.one_of(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.floats(), TEXTS),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=12,
    ),
    st.builds(_nested, st.sampled_from([5, 64, 65, 300]), st.sampled_from(["list", "object"])),
    st.builds(lambda: [{} for _ in range(40_000)]),
)


def value(schema: Schema) -> SearchStrategy[Any]:
    """Return what may stand where a schema is, and now and then what may not."""
    return st.one_of(_right(schema), _right(schema), _right(schema), JSON)


def _right(schema: Schema) -> SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return st.dictionaries(TEXTS, JSON, max_size=3)
    match schema.get("type", "string"):
        case "object" if "properties" in schema:
            return _object(schema)
        case "object":
            inner = schema.get("additionalProperties", {})
            return st.dictionaries(TEXTS, st.deferred(lambda: value(inner)), max_size=3)
        case "array":
            least = schema.get("minItems", 0)
            return st.lists(st.deferred(lambda: value(schema["items"])), min_size=least, max_size=3)
        case "integer" | "number":
            ends = [schema[end] for end in ("minimum", "maximum") if end in schema]
            return st.sampled_from([*NUMBERS, *ends])
        case "boolean":
            return st.booleans()
        case _:
            return TEXTS


@st.composite
def _object(draw: DrawFn, schema: Schema) -> Schema:
    found = {}
    for name, field in schema["properties"].items():
        if name in schema.get("required", ()) or draw(st.integers(0, 3)) == 0:
            found[name] = draw(value(field))
    return found


@cache
def _schema() -> Schema:
    schema: Schema = crd.manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    properties: Schema = schema["properties"]
    return properties


@cache
def _specs() -> tuple[Schema, ...]:
    found = [
        one for path in EXAMPLES.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())
    ]
    return tuple(one["spec"] for one in found if one and one.get("kind") == "CloudHarnessOperation")


@st.composite
def _changed(draw: DrawFn) -> Schema:
    """Return an example's spec in which one value or more is another one."""
    spec: Schema = copy.deepcopy(draw(st.sampled_from(_specs())))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = spec
        while holder:
            key = draw(
                st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
            )
            if not isinstance(holder[key], dict | list) or draw(st.integers(0, 4)) == 0:
                holder[key] = draw(JSON | TEXTS | st.sampled_from(NUMBERS))
                break
            holder = holder[key]
    return spec


@st.composite
def operations(draw: DrawFn) -> Schema:
    """Return operations as they might be stored, of this CRD or of another one."""
    spec = draw(st.one_of(_changed(), _right(_schema()["spec"])))
    status: Schema = draw(st.one_of(st.just({}), st.just({}), _right(_schema()["status"])))
    generation = draw(st.sampled_from([1, 2, 2**63 - 1]))
    return {**operation_manifest(generation=generation), "spec": spec, "status": status}
