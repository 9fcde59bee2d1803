"""Writes what each release of Argo knows, from the API descriptions that releases come with.

`python -m dev.engine_types 3.6=FILE 3.7=FILE ...`, where FILE is `api/openapi-spec/swagger.json`
of that release, oldest first. Needed when a new release is to be supported.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dev.generate import ROOT

TARGET = ROOT / "core" / "cloudharness_operation" / "render" / "engine_types.py"
START = "io.argoproj.workflow.v1alpha1.WorkflowSpec"
HEAD = '''"""The fields of a Workflow's spec in each release of Argo: one type a line.

Written by `python -m dev.engine_types` from the API descriptions of Argo's releases; `[]` is a
list of, `{{}}` a map to, `>=` and `<` name releases, and a type with no field takes anything.
"""

from __future__ import annotations

from typing import Final

ENGINES: Final = ({engines})
"""The releases, oldest first."""

TYPES: Final = """\\
'''

Definitions = dict[str, dict[str, Any]]


def main(arguments: Sequence[str]) -> None:
    """Write the module."""
    files = dict(argument.split("=", 1) for argument in arguments)
    engines = {
        name: json.loads(Path(file).read_text())["definitions"] for name, file in files.items()
    }
    listed = ", ".join(f'"{name}"' for name in engines)
    lines = [f"{_short(kind)}: {' '.join(fields(kind, engines))}" for kind in reachable(engines)]
    text = "\n".join(sorted(line.strip() for line in lines))
    TARGET.write_text(HEAD.format(engines=listed) + text + '\n"""\n')


def reachable(engines: dict[str, Definitions]) -> set[str]:
    """Return the names of all types of a spec, in any engine."""
    found: set[str] = set()
    waiting = [START]
    while waiting:
        kind = waiting.pop()
        if kind not in found and any(kind in known for known in engines.values()):
            found.add(kind)
            for known in engines.values():
                described = known.get(kind, {})
                parts = [described, *described.get("properties", {}).values()]
                waiting += [_kind(part).lstrip("[]{}") for part in parts]
    return found


def fields(kind: str, engines: dict[str, Definitions]) -> Iterator[str]:
    """Return the fields of a type: `name=type`, with the engines that have it, if not all do."""
    known = {name: all_.get(kind, {}).get("properties", {}) for name, all_ in engines.items()}
    if not any(known.values()):
        # Not an object: the type that it stands for.
        yield _brief(_kind(next(all_[kind] for all_ in engines.values() if kind in all_)))
    for field in sorted(set().union(*known.values())):
        in_engines = {name: _brief(_kind(of[field])) for name, of in known.items() if field in of}
        for taken in dict.fromkeys(in_engines.values()):
            having = [name for name, brief in in_engines.items() if brief == taken]
            yield f"{field}={taken}{_when(having, list(engines))}"


def _when(having: list[str], engines: list[str]) -> str:
    since = "" if having[0] == engines[0] else f">={having[0]}"
    after = engines.index(having[-1]) + 1
    return since if after == len(engines) else f"{since}<{engines[after]}"


def _kind(described: dict[str, Any]) -> str:
    if reference := described.get("$ref"):
        return str(reference).removeprefix("#/definitions/")
    if described.get("type") == "array":
        return "[]" + _kind(described["items"])
    if isinstance(described.get("additionalProperties"), dict):
        return "{}" + _kind(described["additionalProperties"])
    return str(described.get("type", "any"))


def _brief(kind: str) -> str:
    name = kind.lstrip("[]{}")
    return kind.removesuffix(name) + _short(name)


def _short(name: str) -> str:
    # Argo and Kubernetes both have an HTTPHeader, so Kubernetes' types keep their package's name.
    return ".".join(name.split(".")[-1 if "argoproj" in name else -2 :])


if __name__ == "__main__":
    main(sys.argv[1:])
