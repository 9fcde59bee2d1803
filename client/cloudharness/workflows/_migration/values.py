"""Evaluate expressions as far as names of the library are concerned."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from cloudharness.workflows._migration import calls, library
from cloudharness.workflows._migration.kinds import (
    UNKNOWN_PART,
    Constant,
    Field,
    Instance,
    Kind,
    Lambda,
    Method,
    OwnClass,
    OwnFunction,
    Parent,
    Scope,
    Symbol,
    Table,
    Text,
)
from cloudharness.workflows._migration.uses import Arguments, Fact, Uses

Resolve = Callable[[str], Kind | None]

_ENVIRON: Final = Symbol("os.environ")


class Values:
    """Evaluates each expression of one file once, and records what it does with the library."""

    def __init__(self, uses: Uses, resolve: Resolve) -> None:
        self._uses = uses
        self._resolve = resolve
        self.calls = calls.Calls(uses)

    def value(self, node: ast.expr | None, scope: Scope) -> Kind | None:
        """Return what an expression is, or None if that is not known."""
        found = None if node is None else self._kind(node, scope)
        if node is not None and isinstance(found, Field) and found.path.startswith("raw."):
            fact = Fact("field", frozenset({"Workflow"}), found.path, node)
            self._uses.add(found.path, node, [fact])
        return found

    def _kind(self, node: ast.expr, scope: Scope) -> Kind | None:
        match node:
            case ast.Name(id=name):
                return self._known(scope.find(name))
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Call():
                return self._call(node, scope)
            case ast.Subscript():
                return self._subscript(node, scope)
            case ast.NamedExpr(target=target, value=given):
                kind = self.value(given, scope)
                scope.bind(target.id, kind, maybe=True)
                return kind
            case ast.Await(value=given):
                return self.value(given, scope)
            case _:
                return self._literal(node, scope)

    def _literal(self, node: ast.expr, scope: Scope) -> Kind | None:
        match node:
            case ast.Constant(value=str() as text):
                return Text(text)
            case ast.Constant(value=value):
                return Constant(value)
            case ast.JoinedStr(values=parts):
                return self._text(parts, scope)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined(self.value(left, scope), self.value(right, scope))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node, scope)
            case _:
                self.inside(node, scope)
                return _display(node)

    def inside(self, node: ast.AST, scope: Scope) -> None:
        """Evaluate all expressions inside a node."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child, scope)
            else:
                self.inside(child, scope)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
    ) -> Kind | None:
        inner = Scope(scope, scope.function)
        for one in node.generators:
            item = calls.element(self.value(one.iter, inner))
            bind_target(one.target, item, inner)
            for test in one.ifs:
                self.value(test, inner)
        made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        kinds = [self.value(one, inner) for one in made]
        return Field("items") if kinds == [calls.WORKFLOW] else None

    def _text(self, parts: list[ast.expr], scope: Scope) -> Kind:
        texts = []
        for part in parts:
            given = part.value if isinstance(part, ast.FormattedValue) else part
            kind = self.value(given, scope)
            texts.append(kind.value if isinstance(kind, Text) else UNKNOWN_PART)
        return Text("".join(texts))

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Kind | None:
        of = self._kind(node.value, scope)
        match of:
            case Symbol(path):
                return self._member(f"{path}.{node.attr}", node)
            case Field(path) if path.startswith("raw"):
                return Field(f"{path}.{node.attr}")
            case Instance():
                return self._of_instance(of, node)
            case Parent():
                return calls.parent_call(of, node.attr)
            case _:
                return None

    def _of_instance(self, of: Instance, node: ast.Attribute) -> Kind | None:
        name = node.attr
        if of.own is not None:
            if name in of.own.attributes:
                return of.own.attributes[name]
            if name in of.own.members:
                return Method(of, name) if name in of.own.methods else None
        if not of.lineage:
            return None
        if not library.has_member(of.lineage, name):
            fact = Fact("member", of.lineage, name, node)
            self._uses.add(name, node, [fact], counted=False)
        return calls.attribute(of, name)

    def _member(self, path: str, node: ast.expr) -> Kind | None:
        fact = imported(path, node)
        if fact is not None:
            self._uses.add(path, node, [fact], counted=False)
        return self._known(Symbol(path))

    def _known(self, kind: Kind | None) -> Kind | None:
        """Return the application's own class, function or value that a name stands for."""
        if isinstance(kind, Symbol) and not library.is_library(kind.path):
            return self._resolve(kind.path) or kind
        return kind

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Kind | None:
        of, key = self._kind(node.value, scope), self.value(node.slice, scope)
        if of == _ENVIRON and isinstance(node.ctx, ast.Load):
            self.calls.variable(key, node)
        if isinstance(of, Field) and of.path.startswith("raw"):
            part = key.value if isinstance(key, Text | Constant) else "*"
            return Field(f"{of.path}.{part}")
        return calls.element(of)

    def _call(self, node: ast.Call, scope: Scope) -> Kind | None:
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return self._super(scope)
        called = self.value(node.func, scope)
        positional = tuple(
            self.value(one.value if isinstance(one, ast.Starred) else one, scope)
            for one in node.args
        )
        keywords = [(one.arg, self.value(one.value, scope)) for one in node.keywords]
        named = {name: kind for name, kind in keywords if name is not None}
        given = Arguments(node, positional, named)
        if isinstance(node.func, ast.Name) and node.func.id == "dict":
            return Table(tuple(named))
        self._passed_on(called, given, scope)
        if isinstance(called, OwnFunction) and called.scope.complete:
            called.read_body(called)
        if isinstance(node.func, ast.Attribute):
            self.calls.request(node.func.attr, given)
            if node.func.attr == "__init__":
                self._initialised(node.func, scope, given)
        return self.calls.result(called, given)

    def _super(self, scope: Scope) -> Kind | None:
        own = scope.find("self")
        return Parent(own) if isinstance(own, Instance) and own.own else None

    def _initialised(self, func: ast.Attribute, scope: Scope, given: Arguments) -> None:
        """Record `super().__init__(...)`."""
        own = scope.find("self")
        called = func.value.func if isinstance(func.value, ast.Call) else None
        if isinstance(called, ast.Name) and called.id == "super" and isinstance(own, Instance):
            if own.own is None:
                return
            self.calls.initialise(own.own, given)
            for parent in own.own.parents:
                self._passed_on(parent, given, scope)

    def _passed_on(self, called: Kind | None, given: Arguments, scope: Scope) -> None:
        """Record that a function passes its own `**kwargs` on."""
        function = scope.function
        if function is None or function.node.args.kwarg is None:
            return
        name = function.node.args.kwarg.arg
        passed = any(isinstance(one, ast.Name) and one.id == name for one in given.starred)
        if passed and isinstance(called, Symbol | OwnClass | OwnFunction):
            function.passes.append(called)


def imported(path: str, at: ast.expr | ast.alias) -> Fact | None:
    """Return the fact that a name of the library, or of Argo's client, is used; or None."""
    if path.startswith(f"{library.ARGO_CLIENT}."):
        return Fact("argo-client", frozenset(), path.rpartition(".")[2], at)
    if not library.is_library(path):
        return None
    module, name = library.split(path)
    if name.count("."):
        return None
    return Fact("import", frozenset({module}), name, at)


def bind_target(target: ast.expr, kind: Kind | None, scope: Scope, *, maybe: bool = False) -> None:
    """Assign a value to a name, to several names, or to an attribute of `self`."""
    match target:
        case ast.Name(id=name):
            scope.bind(name, kind, maybe=maybe)
        case ast.Tuple(elts=several) | ast.List(elts=several):
            for one in several:
                bind_target(one, None, scope, maybe=maybe)
        case ast.Starred(value=one):
            bind_target(one, None, scope, maybe=maybe)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            owner = scope.find(name)
            if isinstance(owner, Instance) and owner.own and kind is not None:
                owner.own.attributes[attribute] = kind
        case _:
            pass


def _joined(left: Kind | None, right: Kind | None) -> Kind | None:
    if not isinstance(left, Text) and not isinstance(right, Text):
        return None
    texts = [one.value if isinstance(one, Text) else UNKNOWN_PART for one in (left, right)]
    return Text("".join(texts))


def _display(node: ast.expr) -> Kind | None:
    match node:
        case ast.Dict(keys=keys):
            texts = [key.value for key in keys if isinstance(key, ast.Constant)]
            return Table(tuple(text for text in texts if isinstance(text, str)))
        case ast.List() | ast.Tuple():
            return Constant(())
        case ast.Lambda():
            return Lambda()
        case _:
            return None
