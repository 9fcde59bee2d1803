"""Operations that run in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from cloudharness.workflows.containerized import ManagedOperation
from cloudharness.workflows.errors import bad


class SyncOperation(ManagedOperation):
    """An operation whose `execute` returns the result."""


class DirectOperation(SyncOperation):
    """A function, called in this process.

    Args:
        name: for people.
        callback: the function.

    """

    def __init__(self, name: str, callback: Callable[..., Any]) -> None:
        super().__init__(name)
        if not callable(callback):
            raise bad("callback", f"give a function, not {callback!r}")
        self.callback = callback

    @override
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with these arguments and return what it returns."""
        return self.callback(*args, **kwargs)


class ResourceQueryOperation(DirectOperation):
    """Asks for a resource, in this process."""


class DataQueryOperation(DirectOperation):
    """Asks for data, in this process."""
