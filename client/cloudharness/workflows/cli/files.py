"""Operations out of files, checked before anybody is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness_operation.errors import problems
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.names import API_VERSION, KIND

Manifest = dict[str, Any]

_STDIN: Final = "-"


def operations(file: str) -> list[Manifest]:
    """Return the operations of a YAML or JSON file; `-` is stdin.

    Raises:
        BadOperationConfiguration: it cannot be read, or holds something else.

    """
    try:
        given = sys.stdin.read() if file == _STDIN else Path(file).read_text()
        found = [one for one in yaml.safe_load_all(given) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadOperationConfiguration(f"{file}: {error}") from error
    if not found:
        raise BadOperationConfiguration(f"{file}: there is nothing in it")
    return [_checked(file, one) for one in found]


def spec(file: str, manifest: Manifest) -> OperationSpec:
    """Return what an operation runs, checked without a cluster.

    Raises:
        BadOperationConfiguration: a field is wrong; the message names it.

    """
    try:
        return OperationSpec.model_validate(manifest.get("spec"), by_alias=True)
    except ValidationError as error:
        raise BadOperationConfiguration(f"{file}: spec: {'; '.join(problems(error))}") from error


def _checked(file: str, one: Any) -> Manifest:
    if not isinstance(one, dict):
        raise BadOperationConfiguration(f"{file}: write a manifest of a {KIND}, not {one!r:.50}")
    for field, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if one.get(field) != wanted:
            raise BadOperationConfiguration(f"{file}: {field}: is {one.get(field)!r}, not {wanted}")
    meta = one.get("metadata")
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise BadOperationConfiguration(
            f"{file}: metadata: give a name, or a generateName, from which one is made"
        )
    return one
