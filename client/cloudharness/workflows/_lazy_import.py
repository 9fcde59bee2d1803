"""Import modules of this package on first use.

Importing `operations`, `tasks` or `argo` is fast: pydantic and the resource's models are imported
when the first task is created, and `kubernetes` when the first connection is made.
"""

from __future__ import annotations

import importlib
from typing import Any


class _LazyModule:
    """Proxy for a module, which imports it on the first attribute access."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazy_module(name: str) -> Any:
    """Return a proxy for the module of this name in this package."""
    return _LazyModule(f"{__package__}.{name}")
