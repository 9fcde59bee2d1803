"""What the reader knows of a value without executing the code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

UNKNOWN_PART: Final = "\0"
"""Stands in a `Text` for the parts of an f-string that are not known."""


@dataclass(frozen=True)
class Symbol:
    """An imported name, such as `os.environ.get`."""

    path: str


@dataclass(frozen=True)
class Text:
    """A str, of which some parts may be unknown."""

    value: str


@dataclass(frozen=True)
class Constant:
    """Another constant: None, a number, a boolean; or a list, whose value is ()."""

    value: object


@dataclass(frozen=True)
class Lambda:
    """A lambda."""


@dataclass(frozen=True)
class Table:
    """A dict literal. Its keys are those that are known."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """An object of a class of the library, or of the application."""

    lineage: frozenset[str]
    """Names of the library's classes that it is an instance of; empty if there is none."""
    arguments: Mapping[str, Kind | None] = field(default_factory=dict, compare=False)
    own: OwnClass | None = None


@dataclass(frozen=True)
class Field:
    """A value inside a `Workflow`, such as `raw.spec.templates`."""

    path: str


@dataclass(frozen=True)
class Method:
    """A bound method."""

    of: Instance
    name: str


@dataclass(frozen=True)
class Parent:
    """The result of `super()`."""

    of: Instance


@dataclass(eq=False)
class OwnClass:
    """A class of the application."""

    name: str
    lineage: frozenset[str]
    parents: tuple[Kind, ...]
    members: frozenset[str]
    methods: frozenset[str]
    """Names of the methods that are bound to an object."""
    init: OwnFunction | None = None
    attributes: dict[str, Kind | None] = field(default_factory=dict)
    """What methods assign to attributes of `self`."""


@dataclass(eq=False)
class OwnFunction:
    """A function of the application."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    scope: Scope
    """The scope that it is defined in."""
    read_body: Callable[[OwnFunction], None]
    """Reads the body, as a part of the file that defines the function."""
    own_class: OwnClass | None = None
    free: Callable[[], tuple[str, ...]] = tuple
    """Finds the variables of enclosing functions that it uses."""
    passes: list[Kind] = field(default_factory=list)
    """What it calls with its own `**kwargs`."""
    returns: list[Kind | None] = field(default_factory=list)
    read: bool = False

    def parameters(self) -> frozenset[str]:
        """Return the names of the parameters that are passed by keyword."""
        arguments = self.node.args
        return frozenset(one.arg for one in (*arguments.args, *arguments.kwonlyargs))


Kind: TypeAlias = (
    Symbol
    | Text
    | Constant
    | Lambda
    | Table
    | Instance
    | Field
    | Method
    | Parent
    | OwnClass
    | OwnFunction
)


@dataclass(eq=False)
class Scope:
    """The names of a module, a class or a function. A value that is not known is None."""

    parent: Scope | None = None
    function: OwnFunction | None = None
    names: dict[str, Kind | None] = field(default_factory=dict)
    complete: bool = False

    def find(self, name: str) -> Kind | None:
        """Return what a name is, or None if it is not known."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def bind(self, name: str, kind: Kind | None, *, maybe: bool = False) -> None:
        """Assign a value.

        If the assignment is conditional, neither a constant, such as None, nor a value that is not
        known replaces a known one.
        """
        says_nothing = kind is None or isinstance(kind, Constant)
        if not (maybe and says_nothing and self.names.get(name) is not None):
            self.names[name] = kind
