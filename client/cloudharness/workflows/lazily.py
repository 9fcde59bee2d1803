"""Modules that are imported when they are first used.

A service that imports operations waits for what they are made of, which is most of the time that
an import takes, when it makes its first one.
"""

from __future__ import annotations

import importlib
from typing import Any


class _Later:
    """Stands for a module, and imports it when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazily(name: str) -> Any:
    """Return what stands for a module of this package."""
    return _Later(f"{__package__}.{name}")
