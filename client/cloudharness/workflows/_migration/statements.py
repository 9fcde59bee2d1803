"""Follow the imports, assignments and definitions of one file."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from cloudharness.workflows._migration import calls, closures, library
from cloudharness.workflows._migration.files import Source
from cloudharness.workflows._migration.kinds import (
    Instance,
    Kind,
    OwnClass,
    OwnFunction,
    Scope,
    Symbol,
)
from cloudharness.workflows._migration.uses import Fact, Uses
from cloudharness.workflows._migration.values import Resolve, Values, bind_target, imported

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FAMILIES = frozenset({"Task", "ManagedOperation"})


class Module:
    """Reads one file: its module level first, then the bodies of its functions."""

    def __init__(self, source: Source, resolve: Resolve) -> None:
        self.source = source
        self.uses = Uses()
        self.scope = Scope()
        self._values = Values(self.uses, resolve)
        self._pending: list[OwnFunction] = []
        self._begun = False

    @property
    def calls(self) -> calls.Calls:
        """The calls of the file."""
        return self._values.calls

    def read_module_level(self) -> None:
        """Read all statements on module level. A circle of imports ends here."""
        if not self._begun:
            self._begun = True
            self._block(self.source.tree.body, self.scope)
            self.scope.complete = True

    def read_functions(self) -> None:
        """Read the bodies of all functions."""
        while self._pending:
            self._read_function(self._pending.pop(0))

    def _block(self, statements: Iterable[ast.stmt], scope: Scope, *, maybe: bool = False) -> None:
        for one in statements:
            self._statement(one, scope, maybe)

    def _statement(self, node: ast.stmt, scope: Scope, maybe: bool) -> None:  # noqa: FBT001
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.ClassDef():
                self._class(node, scope)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.bind(node.name, self._function(node, scope))
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(node, scope, maybe)
            case ast.Return(value=value):
                kind = self._values.value(value, scope)
                if scope.function is not None:
                    scope.function.returns.append(kind)
            case ast.For() | ast.AsyncFor():
                item = calls.element(self._values.value(node.iter, scope))
                bind_target(node.target, item, scope)
                self._block([*node.body, *node.orelse], scope, maybe=True)
            case _:
                inside = maybe or not isinstance(node, ast.With | ast.AsyncWith)
                self._inside(node, scope, inside)

    def _inside(self, node: ast.AST, scope: Scope, maybe: bool) -> None:  # noqa: FBT001
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.stmt():
                    self._statement(child, scope, maybe)
                case ast.expr():
                    self._values.value(child, scope)
                case _:
                    self._inside(child, scope, maybe)

    def _assign(
        self,
        node: ast.Assign | ast.AnnAssign | ast.AugAssign,
        scope: Scope,
        maybe: bool,  # noqa: FBT001
    ) -> None:
        kind = self._values.value(node.value, scope)
        if isinstance(node, ast.AnnAssign):
            kind = kind or self._annotated(node.annotation, scope)
        elif isinstance(node, ast.AugAssign):
            kind = None
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if not isinstance(target, ast.Name):
                self._values.value(target, scope)
            bind_target(target, kind, scope, maybe=maybe)

    def _annotated(self, node: ast.expr | None, scope: Scope) -> Kind | None:
        """Return an object of the class that a hint names, also as `X | None` or `Optional[X]`."""
        match node:
            case ast.BinOp(left=inner, op=ast.BitOr(), right=ast.Constant(value=None)):
                return self._annotated(inner, scope)
            case ast.Subscript(
                value=ast.Name(id="Optional") | ast.Attribute(attr="Optional"), slice=inner
            ):
                return self._annotated(inner, scope)
            case _:
                kind = self._values.value(node, scope)
        if isinstance(kind, OwnClass) and kind.lineage:
            return Instance(kind.lineage, own=kind)
        cls = library.class_of(kind.path) if isinstance(kind, Symbol) else None
        return Instance(library.lineage(cls)) if cls else None

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        if isinstance(node, ast.ImportFrom):
            self._import_from(node, scope)
            return
        for one in node.names:
            self._record_import(one.name, one)
            name = one.asname or one.name.partition(".")[0]
            scope.bind(name, Symbol(one.name if one.asname else name))

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        parts = [node.module] if node.module else []
        if node.level:
            own = self.source.parts
            folder = own if self.source.is_package else own[:-1]
            parts = [*folder[: len(folder) - node.level + 1], *parts]
        module = ".".join(parts)
        for one in node.names:
            if one.name == "*":
                self._record_import(module, one)
                for name in library.names(module) if library.is_library(module) else ():
                    scope.bind(name, Symbol(f"{module}.{name}"))
                continue
            path = f"{module}.{one.name}"
            self._record_import(path, one)
            scope.bind(one.asname or one.name, Symbol(path))

    def _record_import(self, path: str, at: ast.alias) -> None:
        if fact := imported(path, at):
            self.uses.add(f"import of {path}", at, [fact])

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        for one in (*node.decorator_list, *(keyword.value for keyword in node.keywords)):
            self._values.value(one, scope)
        parents = [self._values.value(one, scope) for one in node.bases]
        known = tuple(one for one in parents if one is not None)
        functions = [one for one in node.body if isinstance(one, Function)]
        inherited = [one for one in known if isinstance(one, OwnClass)]
        inner = Scope(scope)
        own = OwnClass(
            node.name,
            frozenset().union(*map(_lineage, known)),
            known,
            frozenset(_defined(node)).union(*(one.members for one in inherited)),
            frozenset(one.name for one in functions if not one.decorator_list).union(
                *(one.methods for one in inherited)
            ),
        )
        if own.lineage & _FAMILIES:
            self._record_overrides(node, own)
        for statement in node.body:
            if isinstance(statement, Function):
                method = self._function(statement, scope, own)
                own.init = method if statement.name == "__init__" else own.init
            else:
                self._statement(statement, inner, maybe=False)
        scope.bind(node.name, own)

    def _record_overrides(self, node: ast.ClassDef, own: OwnClass) -> None:
        for name, at in _defined(node).items():
            fact = Fact("override", own.lineage, name, at)
            self.uses.add(f"{node.name}.{name}", at, [fact], counted=False)

    def _function(self, node: Function, scope: Scope, own: OwnClass | None = None) -> OwnFunction:
        for one in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            self._values.value(one, scope)
        made = OwnFunction(node, scope, self._read_function, own)
        if scope.function is not None:
            made.free = lambda: closures.free_variables(self.source, node, scope)
        self._pending.append(made)
        return made

    def _read_function(self, function: OwnFunction) -> None:
        """Read the body of a function, once."""
        if function.read:
            return
        function.read = True
        inner = Scope(function.scope, function)
        arguments = function.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for one in every:
            inner.bind(one.arg, self._annotated(one.annotation, function.scope))
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                inner.bind(rest.arg, None)
        if function.own_class is not None and every:
            own = Instance(function.own_class.lineage, own=function.own_class)
            inner.bind(every[0].arg, own)
            inner.bind("self", own)
        self._values.value(function.node.returns, function.scope)
        self._block(function.node.body, inner)
        inner.complete = True


def _defined(node: ast.ClassDef) -> dict[str, ast.stmt]:
    """Return what the body of a class defines."""
    found: dict[str, ast.stmt] = {}
    for one in node.body:
        if isinstance(one, Function):
            found.setdefault(one.name, one)
        elif isinstance(one, ast.Assign | ast.AnnAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            found |= {each.id: one for each in targets if isinstance(each, ast.Name)}
    return found


def _lineage(kind: Kind) -> frozenset[str]:
    if isinstance(kind, OwnClass):
        return kind.lineage
    cls = library.class_of(kind.path) if isinstance(kind, Symbol) else None
    return library.lineage(cls) if cls else frozenset()
