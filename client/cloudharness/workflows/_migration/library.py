"""What this client has under the names of the library."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any, Final

PACKAGE: Final = "cloudharness.workflows"
ARGO_CLIENT: Final = "argo.workflows"
"""The package argo-workflows, which the original library used."""

_MODULES: Final = ("argo", "argo_service", "attach", "errors", "operations", "tasks", "utils")


class Missing:
    """Stands for a name that the client does not have."""


MISSING: Final = Missing()


def is_library(path: str) -> bool:
    """Return whether a dotted name is the package, or a name in it."""
    return path == PACKAGE or path.startswith(f"{PACKAGE}.")


def split(path: str) -> tuple[str, str]:
    """Return the module and the name in it of a dotted name; both can be empty."""
    module, _, name = path.removeprefix(PACKAGE).removeprefix(".").partition(".")
    return {"argo_service": "argo"}.get(module, module), name


def find(path: str) -> Any:
    """Return the client's object of a dotted name, or `MISSING`; for the package itself, None."""
    module, name = split(path)
    if not module:
        return None
    if module not in _MODULES:
        return MISSING
    found = importlib.import_module(f"{PACKAGE}.{module}")
    for part in name.split(".") if name else ():
        private = part.startswith("_") and not part.endswith("__")
        if private or not hasattr(found, part):
            return MISSING
        found = getattr(found, part)
    return found


def names(path: str) -> list[str]:
    """Return the names that `from MODULE import *` binds."""
    module = find(path)
    if not isinstance(module, ModuleType):
        return []
    own: list[str] = getattr(module, "__all__", dir(module))
    return [name for name in own if not name.startswith("_")]


def lineage(cls: type) -> frozenset[str]:
    """Return the names of a class of the client and of its base classes."""
    return frozenset(one.__name__ for one in cls.__mro__ if one.__module__.startswith(PACKAGE))


def class_of(path: str) -> type | None:
    """Return the client's class of a dotted name, or None."""
    found = find(path) if is_library(path) else None
    return found if isinstance(found, type) and lineage(found) else None


def positional(cls: type) -> list[str]:
    """Return the names of the parameters that a constructor accepts by position."""
    own = [*inspect.signature(cls).parameters.values()]
    return [one.name for one in own if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


def has_member(owners: frozenset[str], name: str) -> bool:
    """Return whether a class of the client, or one of its bases, has an attribute."""
    modules = [importlib.import_module(f"{PACKAGE}.{one}") for one in ("operations", "tasks")]
    classes = [getattr(one, owner) for one in modules for owner in owners if hasattr(one, owner)]
    return any(hasattr(cls, name) for cls in classes)
