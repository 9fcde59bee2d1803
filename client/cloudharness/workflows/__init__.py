"""The Python client of `CloudHarnessOperation`, under CloudHarness's own names."""

from __future__ import annotations

import importlib
from types import ModuleType

_PUBLIC = ("argo", "argo_service", "attach", "errors", "operations", "tasks", "utils")


def __getattr__(name: str) -> ModuleType:
    """Import a public module on its first use as an attribute, as in `workflows.argo`."""
    if name in _PUBLIC:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the module, the public modules included."""
    return sorted({*globals(), *_PUBLIC})
