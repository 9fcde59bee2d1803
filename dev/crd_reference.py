"""The reference of the resource, `docs/reference/api.md`, made from the CRD's own schema."""

import json
from collections.abc import Iterator
from typing import Any, Final

from cloudharness_operation import crd

Schema = dict[str, Any]

_HEAD: Final = """\
# API reference

All fields of a `CloudHarnessOperation`, generated from the schema of its CRD.
`kubectl explain cho.spec --recursive` lists the same fields.
"""
_BOUNDS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} item(s)",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} keys",
    "minimum": "at least {}",
    "maximum": "at most {}",
}
_FIXED: Final = " cannot change within a run"


def text() -> str:
    """Return the whole page."""
    root = crd.manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = [_HEAD]
    for path in ("spec", "status"):
        parts += _sections(path, root["properties"][path], {})
    return "\n".join(parts)


def _sections(path: str, schema: Schema, places: dict[str, str]) -> Iterator[str]:
    """Yield the sections of an object and of those inside it; equal objects share the first one."""
    yield f"## `{path}`\n\n{_cell(schema.get('description', ''))}\n"
    required = schema.get("required", [])
    rows, inner = [], []
    for name, field in _fields(schema).items():
        about = _about(field)
        below = field.get("items", field)
        if _fields(below):
            here = f"{path}.{name}{'[]' * ('items' in field)}"
            place = places.setdefault(repr(_fields(below)), here)
            about = f"{about} See [`{place}`](#{_anchor(place)})."
            if place == here:
                inner.append((place, below))
        mark = " (required)" if name in required else ""
        rows.append(f"| `{name}`{mark} | {_kind(field)} | {about} |\n")
    yield "| Field | Type | Description |\n| --- | --- | --- |\n" + "".join(rows)
    if rules := "".join(f"- {rule}\n" for rule in _rules(schema)):
        yield f"The API server rejects an object that breaks one of these rules:\n\n{rules}"
    for place, below in inner:
        yield from _sections(place, below, places)


def _rules(schema: Schema) -> Iterator[str]:
    """Yield the rules of an object; those with the same words about many fields are one."""
    fields: dict[str, list[str]] = {}
    for rule in schema.get("x-kubernetes-validations", ()):
        name, _, words = rule["message"].partition(_FIXED)
        fields.setdefault(_FIXED + words if words else name, []).append(f"`{name}`")
    for words, names in fields.items():
        yield _cell(", ".join(names) + words if words.startswith(_FIXED) else words)


def _fields(schema: Schema) -> dict[str, Schema]:
    fields: dict[str, Schema] = schema.get("properties", {})
    return fields


def _kind(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind: str = field.get("type", "any")
    match kind:
        case "array":
            return f"list of {_kind(field['items'])}s"
        case "object" if "additionalProperties" in field:
            return f"map of {_kind(field['additionalProperties'])}s"
        case _:
            return kind


def _about(field: Schema) -> str:
    parts = [field.get("description", "")]
    if "enum" in field:
        parts.append("One of " + ", ".join(f"`{value}`" for value in field["enum"]) + ".")
    bounds = [form.format(field[name]) for name, form in _BOUNDS.items() if name in field]
    if bounds:
        words = ", ".join(bounds)
        parts.append(f"{words[0].upper()}{words[1:]}.")
    if "default" in field and not isinstance(field["default"], dict | list):
        default = json.dumps(field["default"]).strip('"')
        parts.append(f"Default: `{default}`.")
    return _cell(" ".join(filter(None, parts)))


def _cell(words: str) -> str:
    return " ".join(words.replace("|", r"\|").replace("<", r"\<").split())


def _anchor(path: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    return "".join(letter for letter in path.lower() if letter.isalnum() or letter in "-_")
