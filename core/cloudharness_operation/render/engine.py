"""The fields that each release of Argo has, so that none is sent that the installed one would drop.

Argo's minimal CRDs accept any field, and the controller ignores those that it does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cloudharness_operation.render.engine_types import ENGINES, TYPES

LISTS: Final = "[]"
MAPS: Final = "{}"
_PLAIN: Final[Mapping[str, type | tuple[type, ...]]] = {
    "any": object,
    "object": dict,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    # These are described as text, and take numbers too.
    "intstr.IntOrString": (str, int),
    "resource.Quantity": (str, int, float),
}
_WORDS: Final[Mapping[str, str]] = {
    "object": "an object",
    "integer": "an integer",
    "intstr.IntOrString": "an integer or a string",
    "resource.Quantity": "a quantity",
}
_FIELD: Final = re.compile(
    r"(?P<name>\w+)=(?P<kind>[^<>]+)(?:>=(?P<since>[\d.]+))?(?:<(?P<end>.+))?"
)


class _Field(NamedTuple):
    kind: str
    engines: tuple[str, ...]


_Fields = dict[str, list[_Field]]


def _field(found: re.Match[str]) -> _Field:
    since, end = found["since"], found["end"]
    first = ENGINES.index(since) if since else 0
    return _Field(found["kind"], ENGINES[first : ENGINES.index(end) if end else None])


def _fields(text: str) -> _Fields:
    fields: _Fields = {}
    for word in text.split():
        if found := _FIELD.fullmatch(word):
            fields.setdefault(found["name"], []).append(_field(found))
    return fields


_LINES: Final = dict(line.split(": ", 1) for line in TYPES.splitlines() if ": " in line)
_STANDS_FOR: Final = {kind: text for kind, text in _LINES.items() if "=" not in text}
_OBJECTS: Final = {kind: _fields(text) for kind, text in _LINES.items() if "=" in text}


def errors_in_template(patch: Mapping[str, Any], engine: str) -> str | None:
    """Return the first error in a patch of a template, or None.

    `engine` is one of `ENGINES`, or empty if it is unknown: then all of them must have the fields.
    """
    chosen = (engine,) if engine else ENGINES
    return next((bad for one in chosen for bad in errors_in(patch, "Template", one)), None)


def respelled(value: Any, kind: str) -> Any:  # noqa: ANN401 - any JSON.
    """Return a value of an engine's type with the names of its fields as the engine has them.

    Python's clients write `node_selector` for `nodeSelector`. Keys of maps, such as labels, stay.
    """
    if kind.startswith((LISTS, MAPS)):
        inner = kind[2:]
        if isinstance(value, dict) and kind.startswith(MAPS):
            return {key: respelled(item, inner) for key, item in value.items()}
        if isinstance(value, list) and kind.startswith(LISTS):
            return [respelled(item, inner) for item in value]
        return value
    if kind in _STANDS_FOR:
        return respelled(value, _STANDS_FOR[kind])
    if kind in _OBJECTS and isinstance(value, dict):
        return dict(_respelled_field(key, item, _OBJECTS[kind]) for key, item in value.items())
    return value


def _respelled_field(key: str, value: object, fields: _Fields) -> tuple[str, object]:
    plain = key.replace("_", "").lower()
    # As `pod_ip` stands for `podIP`, capitals say nothing.
    name = key if key in fields else next((f for f in fields if f.lower() == plain), key)
    return name, respelled(value, fields[name][-1].kind) if name in fields else value


def errors_in(value: Any, kind: str, engine: str, path: str = "") -> Iterator[str]:  # noqa: ANN401
    """Yield the errors in a value (any JSON) of one of an engine's types.

    Each begins with the path to it. `null` fits everywhere: in a merge patch it removes.
    """
    if value is None:
        return
    if kind in _PLAIN:
        if not _is(value, _PLAIN[kind]):
            yield _wrong(path, engine, _WORDS.get(kind) or f"a {kind}", value)
    elif kind.startswith((LISTS, MAPS)):
        yield from _many(value, kind, engine, path)
    elif kind in _STANDS_FOR:
        yield from errors_in(value, _STANDS_FOR[kind], engine, path)
    else:
        yield from _object(value, _OBJECTS[kind], engine, path)


def _is(value: object, types: type | tuple[type, ...]) -> bool:
    # In Python, though not in JSON, a boolean is an integer.
    if isinstance(value, bool):
        return types in (bool, object)
    return isinstance(value, types)


def _wrong(path: str, engine: str, wanted: str, value: object) -> str:
    said = json.dumps(value)
    return f"{path}: Argo {engine} takes {wanted} here, not {said[:100]}"


def _many(value: object, kind: str, engine: str, path: str) -> Iterator[str]:
    whole, inner = (list if kind.startswith(LISTS) else dict), kind[2:]
    if not isinstance(value, whole):
        yield _wrong(path, engine, "a list" if whole is list else "an object", value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from errors_in(item, inner, engine, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from errors_in(item, inner, engine, f"{path}[{key}]")


def _object(value: object, fields: _Fields, engine: str, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _wrong(path, engine, "an object", value)
        return
    for name, item in value.items():
        at = f"{path}.{name}" if path else name
        known = [field.kind for field in fields.get(name, ()) if engine in field.engines]
        if known:
            yield from errors_in(item, known[0], engine, at)
        elif item is not None:
            yield f"{at}: Argo {engine} has no such field"
