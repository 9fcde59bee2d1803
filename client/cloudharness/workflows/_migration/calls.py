"""What a call does with the library, and what it returns."""

from __future__ import annotations

from typing import Final

from cloudharness.workflows._migration import library
from cloudharness.workflows._migration.kinds import (
    Field,
    Instance,
    Kind,
    Method,
    OwnClass,
    OwnFunction,
    Parent,
    Symbol,
    Text,
)
from cloudharness.workflows._migration.uses import Arguments, Fact, Located, Uses

WORKFLOW: Final = Instance(frozenset({"Workflow"}))
SEARCH: Final = Instance(frozenset({"SearchResult"}))
_RETURNED: Final = {
    "argo.get_workflow": WORKFLOW,
    "argo.submit_workflow": WORKFLOW,
    "argo.get_workflows": SEARCH,
}
_READS_VARIABLE: Final = ("os.getenv", "os.environ.get", "cloudharness.utils.env.get_variable")
_EVENT_CLIENT: Final = "cloudharness.events.client.EventClient"
_PARTIAL: Final = "functools.partial"
_REQUEST: Final = "_custom_object"
"""Part of the names of the methods of `CustomObjectsApi`."""
_ENGINE: Final = ("argoproj.io", "workflows")
_REMOTE: Final = frozenset({"ContainerizedOperation"})


class Calls:
    """Records the calls of one file."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self.helped: list[tuple[OwnFunction, Arguments]] = []
        """Calls of the application's own functions."""

    def result(self, called: Kind | None, given: Arguments) -> Kind | None:
        """Record a call, and return what it returns, or None if that is not known."""
        match called:
            case Symbol(path):
                return self._symbol(path, given)
            case OwnClass():
                return self._construct_own(called, given)
            case OwnFunction():
                self.helped.append((called, given))
                known = [one for one in called.returns if one is not None]
                return known[-1] if known else None
            case Method(of, name):
                return self._method(of, name, given)
            case _:
                return None

    def request(self, method: str, given: Arguments) -> None:
        """Record a request of `CustomObjectsApi` for Argo's Workflows."""
        values = (*given.positional, *given.named.values())
        texts = {one.value for one in values if isinstance(one, Text)}
        if _REQUEST in method and texts.issuperset(_ENGINE):
            verb = method.partition("_")[0]
            fact = Fact("request", frozenset(), verb, given.node)
            self._uses.add(f"{method}(...)", given.node, [fact])

    def construct(
        self, lineage: frozenset[str], cls: type, given: Arguments, skip: int = 0
    ) -> Kind:
        """Record the call of a constructor of the library."""
        placed = given.placed(library.positional(cls), skip)
        values = {name: kind for name, (kind, _) in placed.items()}
        facts = [Fact("call", lineage, "__init__", given.node, arguments=values)]
        facts += [argument(lineage, name, *one) for name, one in placed.items()]
        if given.starred:
            facts.append(Fact("star", lineage, cls.__name__, given.node))
        self._uses.add(f"{cls.__name__}(...)", given.node, facts)
        return Instance(lineage, values)

    def initialise(self, of: OwnClass, given: Arguments, skip: int = 0) -> None:
        """Record a call of the constructor that a class of the application inherits."""
        for parent in of.parents:
            if isinstance(parent, OwnClass):
                if parent.init is not None:
                    self.helped.append((parent.init, given))
                else:
                    self.initialise(parent, given, skip)
            elif isinstance(parent, Symbol) and (cls := library.class_of(parent.path)):
                self.construct(library.lineage(cls), cls, given, skip)
            else:
                continue
            return

    def _symbol(self, path: str, given: Arguments) -> Kind | None:
        if cls := library.class_of(path):
            if given.positional and _is_self(given.positional[0]):
                return None
            return self.construct(library.lineage(cls), cls, given)
        if library.is_library(path):
            return self._library(path, given)
        if path in _READS_VARIABLE:
            self.variable(next(iter(given.positional), None), given.node)
        elif path == _PARTIAL:
            return next(iter(given.positional), None)
        elif path == _EVENT_CLIENT:
            values = [*given.positional, *given.named.values()]
            if Field("name") in values:
                self._uses.add("EventClient(...)", given.node, [_fact("topic", given)])
        return None

    def _library(self, path: str, given: Arguments) -> Kind | None:
        module, name = library.split(path)
        if module and name.endswith(".__init__"):
            cls = library.class_of(path.removesuffix(".__init__"))
            if cls and given.positional and _is_self(given.positional[0]):
                self.construct(library.lineage(cls), cls, given, skip=1)
            return None
        if not module or library.find(path) is library.MISSING:
            return None
        owners = frozenset({module})
        facts = [Fact("call", owners, name, given.node, arguments=dict(given.named))]
        facts += [argument(owners, key, *one) for key, one in given.placed([]).items()]
        self._uses.add(f"{name}(...)", given.node, facts)
        return _RETURNED.get(f"{module}.{name}")

    def variable(self, name: Kind | None, at: Located) -> None:
        """Record that an environment variable is read."""
        if isinstance(name, Text):
            fact = Fact("variable", frozenset(), name.value, at)
            self._uses.add(f"variable {name.value}", at, [fact], counted=False)

    def _construct_own(self, cls: OwnClass, given: Arguments) -> Kind:
        if cls.init is not None:
            self.helped.append((cls.init, given))
            return Instance(cls.lineage, own=cls)
        before = len(self._uses.found)
        self.initialise(cls, given)
        added = self._uses.found[before:]
        arguments = added[0].facts[0].arguments if added else {}
        return Instance(cls.lineage, arguments, own=cls)

    def _method(self, of: Instance, name: str, given: Arguments) -> Kind | None:
        own = of.own.members if of.own else ()
        if not of.lineage or name in own:
            return None
        fact = Fact("call", of.lineage, name, given.node, arguments=dict(of.arguments))
        self._uses.add(f"{name}(...)", given.node, [fact])
        if of.lineage >= _REMOTE and name in ("execute", "submit", "wait", "refresh"):
            results = "DistributedSyncOperationWithResults" in of.lineage and name == "execute"
            return None if results else WORKFLOW
        return None


def argument(owners: frozenset[str], name: str, value: Kind | None, at: Located) -> Fact:
    """Return the fact that an argument is passed."""
    return Fact("argument", owners, name, at, value)


def _fact(does: str, given: Arguments) -> Fact:
    return Fact(does, frozenset(), "", given.node)


def _is_self(kind: Kind | None) -> bool:
    return isinstance(kind, Instance) and kind.own is not None


def parent_call(of: Parent, name: str) -> Method | None:
    """Return a method of `super()`, other than the constructor."""
    return None if name == "__init__" else Method(Instance(of.of.lineage), name)


def element(of: Kind | None) -> Kind | None:
    """Return what iterating over a value yields."""
    searched = isinstance(of, Instance) and of.lineage == SEARCH.lineage
    return WORKFLOW if searched or of == Field("items") else None


def attribute(of: Instance, name: str) -> Kind | None:
    """Return an attribute of an object of the library."""
    if of.lineage == WORKFLOW.lineage:
        return Field(name) if name in ("raw", "name") else Method(of, name)
    if of.lineage == SEARCH.lineage:
        return Field(name) if name == "items" else None
    if name == "persisted" and of.lineage >= _REMOTE:
        return WORKFLOW
    return Method(of, name)
