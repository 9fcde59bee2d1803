"""Places where code uses the library, and the facts that the rules are applied to."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cloudharness.workflows._migration.kinds import Kind


class Located(Protocol):
    """A node of the syntax tree that has a position."""

    lineno: int
    col_offset: int


@dataclass(frozen=True)
class Fact:
    """Something that code does with the library."""

    does: str
    """import, argo-client, call, argument, star, override, member, field, variable, topic or
    request."""
    owners: frozenset[str]
    """Names of the classes, or of the module, that `name` belongs to."""
    name: str
    at: Located
    value: Kind | None = None
    arguments: dict[str, Kind | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """A place where code uses the library."""

    what: str
    at: Located
    facts: tuple[Fact, ...]
    counted: bool = True
    """Whether it is reported if it works."""


@dataclass
class Uses:
    """Collects the uses of one file."""

    found: list[Use] = field(default_factory=list)

    def add(
        self, what: str, at: Located, facts: Iterable[Fact] = (), *, counted: bool = True
    ) -> None:
        """Add a use."""
        self.found.append(Use(what, at, tuple(facts), counted=counted))


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call."""

    node: ast.Call
    positional: tuple[Kind | None, ...]
    named: dict[str, Kind | None]

    @property
    def starred(self) -> list[ast.expr]:
        """The values of `*args` and `**kwargs`."""
        stars = [one.value for one in self.node.args if isinstance(one, ast.Starred)]
        return stars + [one.value for one in self.node.keywords if one.arg is None]

    def placed(self, names: list[str], skip: int = 0) -> dict[str, tuple[Kind | None, Located]]:
        """Return the arguments by name, with their positions in the file."""
        found: dict[str, tuple[Kind | None, Located]] = {}
        pairs = zip(self.node.args[skip:], self.positional[skip:], strict=True)
        for name, (node, kind) in zip(names, pairs, strict=False):
            if isinstance(node, ast.Starred):
                break
            found[name] = kind, node
        for keyword in self.node.keywords:
            if keyword.arg is not None:
                found[keyword.arg] = self.named[keyword.arg], keyword
        return found
