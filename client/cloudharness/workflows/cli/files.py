"""Read operations from files, and check them without a cluster."""

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
        BadOperationConfiguration: the file cannot be read, or contains another kind of object.

    """
    try:
        given = sys.stdin.read() if file == _STDIN else Path(file).read_text()
        found = [one for one in yaml.safe_load_all(given) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadOperationConfiguration(f"{file}: {error}") from error
    if not found:
        raise BadOperationConfiguration(f"{file}: the file is empty")
    return [_checked(file, one) for one in found]


def spec(file: str, manifest: Manifest) -> OperationSpec:
    """Return the spec of a manifest.

    Raises:
        BadOperationConfiguration: a field is invalid; the message names it.

    """
    try:
        return OperationSpec.model_validate(manifest.get("spec"), by_alias=True)
    except ValidationError as error:
        raise BadOperationConfiguration(f"{file}: spec: {'; '.join(problems(error))}") from error


def _checked(file: str, one: Any) -> Manifest:
    if not isinstance(one, dict):
        raise BadOperationConfiguration(f"{file}: expected a manifest of a {KIND}, not {one!r:.50}")
    for field, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if one.get(field) != expected:
            raise BadOperationConfiguration(
                f"{file}: {field}: is {one.get(field)!r}, not {expected}"
            )
    meta = one.get("metadata")
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise BadOperationConfiguration(f"{file}: metadata: set name or generateName")
    return one
