"""Follow names across the given files, and collect the uses of the library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudharness.workflows._migration import library
from cloudharness.workflows._migration.calls import argument
from cloudharness.workflows._migration.files import Problem, Source
from cloudharness.workflows._migration.kinds import Kind, OwnClass, OwnFunction, Symbol
from cloudharness.workflows._migration.statements import Module
from cloudharness.workflows._migration.uses import Use

_DEEP = "the file cannot be read: it is nested too deeply"


class Project:
    """The given files."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._modules = [Module(one, self._resolve) for one in sources]
        self._by_name: dict[str, list[Module]] = {}
        self.problems: list[Problem] = []
        for one in self._modules:
            self._by_name.setdefault(one.source.parts[-1], []).append(one)

    def read(self) -> Iterator[tuple[Source, list[Use]]]:
        """Yield the uses of each file."""
        for step in (Module.read_module_level, Module.read_functions, self._follow_helpers):
            for one in self._modules:
                try:
                    step(one)
                except RecursionError:
                    self.problems.append(Problem(one.source.path, 1, 1, _DEEP))
        for one in self._modules:
            yield one.source, one.uses.found

    def _resolve(self, path: str) -> Kind | None:
        """Return what a dotted name is in the file that defines it, or None."""
        known: set[str] = set()
        found: Kind | None = Symbol(path)
        while isinstance(found, Symbol) and found.path not in known:
            if library.is_library(found.path):
                return found
            known.add(found.path)
            defined = self._defined(found.path)
            if defined is None:
                return found if found.path != path else None
            found = defined
        return found

    def _defined(self, path: str) -> Kind | None:
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            if (module := self._module(tuple(parts[:length]))) is not None:
                module.read_module_level()
                rest = parts[length:]
                return module.scope.names.get(rest[0]) if len(rest) == 1 else None
        return None

    def _module(self, parts: tuple[str, ...]) -> Module | None:
        named = self._by_name.get(parts[-1], ())
        found = [one for one in named if one.source.parts[-len(parts) :] == parts]
        return found[0] if len(found) == 1 else None

    def _follow_helpers(self, module: Module) -> None:
        """Record arguments that reach the library through `**kwargs` of the application."""
        for function, given in module.calls.helped:
            for name, (kind, at) in given.placed([]).items():
                owners = _receivers(function, name, set())
                facts = [argument(one, name, kind, at) for one in owners]
                if facts:
                    module.uses.add(f"{name}=", at, facts, counted=False)


def _receivers(
    function: OwnFunction, name: str, known: set[OwnFunction]
) -> Iterator[frozenset[str]]:
    """Yield the classes of the library that a function passes an argument to."""
    if function in known or name in function.parameters():
        return
    known.add(function)
    for one in function.passes:
        yield from _accepting(one, name, known)


def _accepting(kind: Kind, name: str, known: set[OwnFunction]) -> Iterator[frozenset[str]]:
    match kind:
        case OwnFunction():
            yield from _receivers(kind, name, known)
        case OwnClass(init=OwnFunction() as init):
            yield from _receivers(init, name, known)
        case OwnClass(lineage=lineage) if lineage:
            yield lineage
        case Symbol(path) if cls := library.class_of(path):
            yield library.lineage(cls)
