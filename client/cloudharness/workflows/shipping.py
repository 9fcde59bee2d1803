"""From a Python function to source code that runs without the program it was written in.

A function is shipped with what it uses of its module: imports, other functions, classes and plain
values. What exists in this process alone (an open connection, a variable of an enclosing function)
cannot be shipped, and is refused with its name.
"""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloudharness.workflows import arguments, namespaces, sources
from cloudharness.workflows.errors import CannotBeShipped

_PREFACE: Final = "from __future__ import annotations"
"""Type hints are not evaluated, so what they name need not be there."""
_LAMBDA: Final = "<lambda>"


@dataclass(frozen=True)
class Shipment:
    """A function as a task has it."""

    source: str
    """All of the code, with nothing called in it."""
    function: str
    """Name of the function."""
    args: Mapping[str, Any]
    """Its keyword arguments: JSON."""


def ship(func: Callable[..., Any], given: Mapping[str, Any]) -> Shipment:
    """Return a function as code, to be called with these keyword arguments.

    `functools.partial` of a function is that function with more arguments.

    Raises:
        CannotBeShipped: it is no plain function, its source is not to be had, it uses what exists
            in this process alone, or it cannot be called with these arguments. The message says
            what, and how to change it.

    """
    func, given = _without_partial(func, given)
    plain = _plain(func)
    args = arguments.bound(plain, given)
    shipped = _Hold(plain)
    name = shipped.take(plain)
    return Shipment(shipped.text(), name, args)


def parameters(func: Callable[..., Any]) -> frozenset[str]:
    """Return the names that a function takes as keyword arguments; none if it is no function."""
    while isinstance(func, functools.partial):
        func = func.func
    plain = inspect.unwrap(func)
    return arguments.names(plain) if isinstance(plain, types.FunctionType) else frozenset()


def _without_partial(
    func: Callable[..., Any], given: Mapping[str, Any]
) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    if not isinstance(func, functools.partial):
        return func, given
    if func.args:
        raise CannotBeShipped(
            "a partial with positional arguments cannot be shipped: give them by name"
        )
    return _without_partial(func.func, {**func.keywords, **given})


def _plain(func: Callable[..., Any]) -> types.FunctionType:
    """Return the function that its decorators, if there are any, were put around."""
    plain = inspect.unwrap(func)
    if not isinstance(plain, types.FunctionType):
        kind = type(plain).__name__
        raise CannotBeShipped(
            f"{plain!r} is a {kind}, and only a function has source code to ship: write one that "
            "calls it"
        )
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise CannotBeShipped(
            f"{plain.__name__} is asynchronous: write a function that calls asyncio.run"
        )
    if inspect.isgeneratorfunction(plain):
        raise CannotBeShipped(f"{plain.__name__} is a generator: return a list instead")
    return plain


def _place(statement: str) -> tuple[bool, str]:
    """Return where an import stands, as people sort them."""
    return statement.startswith("from "), statement


class _Hold:
    """What has been taken on board, for one function."""

    def __init__(self, func: types.FunctionType) -> None:
        self._name = func.__name__
        self._globals = func.__globals__
        self._imports: dict[str, None] = {}
        self._values: dict[str, str] = {}
        self._definitions: dict[str, str] = {}
        self._taken: dict[int, str] = {}

    def text(self) -> str:
        """Return all of it as one module."""
        parts = [
            _PREFACE,
            "\n".join(sorted(self._imports, key=_place)),
            "\n".join(self._values.values()),
        ]
        return "\n\n".join(part for part in (*parts, *self._definitions.values()) if part) + "\n"

    def take(self, func: types.FunctionType) -> str:
        """Take a function and all that it uses; return its name."""
        if known := self._taken.get(id(func)):
            return known
        self._closure(func)
        found = sources.of_function(func)
        name = "function" if func.__name__ == _LAMBDA else func.__name__
        self._taken[id(func)] = name  # First: functions may call each other.
        self._all_in(found.node)
        self._define(name, found.text(name))
        return name

    def _take_class(self, cls: type) -> str:
        if known := self._taken.get(id(cls)):
            return known
        found = sources.of_class(cls)
        self._taken[id(cls)] = cls.__name__
        self._all_in(found.node)
        self._define(cls.__name__, found.text(cls.__name__))
        return cls.__name__

    def _define(self, name: str, text: str) -> None:
        if name in self._definitions or name in self._values:
            raise CannotBeShipped(
                f"{self._name} uses two things that are both called {name}: rename one"
            )
        self._definitions[name] = text

    def _closure(self, func: types.FunctionType) -> None:
        for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # Not assigned yet, as of a function that is being defined.
                value = None
            if isinstance(value, types.ModuleType):
                self._imports |= dict.fromkeys(namespaces.imports(name, value, ()))
            elif not (isinstance(value, types.FunctionType) and inspect.unwrap(value) is func):
                raise CannotBeShipped(
                    f"{func.__qualname__} uses {name} of the function around it, which does not "
                    f"exist where a task runs: make {name} a parameter, and give it as an argument"
                )

    def _all_in(self, node: ast.AST) -> None:
        used = namespaces.used(node)
        for name, paths in used.needed.items():
            self._name_in(name, paths)
        for name, paths in used.hints.items():
            try:
                self._name_in(name, paths)
            except CannotBeShipped:
                continue  # A hint is never evaluated, so it may name what is not there.

    def _name_in(self, name: str, paths: tuple[str, ...]) -> None:
        if name not in self._globals or name in ("__builtins__", "__file__", "__name__"):
            return  # A builtin, or an error of the function's own, which it has here too.
        value = self._globals[name]
        if self._is_own(value):
            plain = inspect.unwrap(value)
            own = self._take_class(plain) if isinstance(plain, type) else self.take(plain)
            if own != name:
                self._values[name] = f"{name} = {own}"
            return
        if lines := namespaces.imports(name, value, paths):
            self._imports |= dict.fromkeys(lines)
            return
        text = namespaces.written(value)
        if text is None:
            raise CannotBeShipped(
                f"{self._name} uses {name}, a {type(value).__name__} that exists in this process "
                "alone: make it inside the function, or give it as an argument"
            )
        self._imports |= dict.fromkeys(text.imports)
        self._values[name] = f"{name} = {text.expression}"

    def _is_own(self, value: object) -> bool:
        """Whether something is defined in the function's own module."""
        plain = inspect.unwrap(value) if callable(value) else value
        if isinstance(plain, types.FunctionType):
            return plain.__globals__ is self._globals
        return isinstance(plain, type) and plain.__module__ == self._globals.get("__name__")
