"""Find the names of its module that a definition uses, and the code that defines them elsewhere."""

from __future__ import annotations

import ast
import logging
import re
import symtable
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from typing_extensions import override


@dataclass(frozen=True)
class UsedNames:
    """Names that a definition uses, each with the dotted paths that start with it."""

    needed: dict[str, tuple[str, ...]]
    hints: dict[str, tuple[str, ...]]
    """Names in type hints only."""


@dataclass(frozen=True)
class Literal:
    """Python code of a value."""

    expression: str
    imports: tuple[str, ...] = field(default=())


def used_by(node: ast.AST) -> UsedNames:
    """Return the global names that a definition uses, including builtins."""
    paths: dict[str, set[str]] = {}
    for name, path in _paths(node):
        paths.setdefault(name, set()).add(path)
    bare = _RemoveHints().visit(ast.parse(ast.unparse(node)))
    table = symtable.symtable(ast.unparse(bare), "<task>", "exec")
    needed = sorted(set(_free(table, top=True)))
    hints = sorted({name for hint in _hints(node) for name, _ in _paths(hint)} - set(needed))
    return UsedNames(
        {name: tuple(sorted(paths.get(name, ()))) for name in needed},
        {name: tuple(sorted(paths.get(name, ()))) for name in hints},
    )


def imports(name: str, value: object, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the import statements that define this name with this value; empty if none do.

    Args:
        name: the name.
        value: its value.
        paths: the dotted paths that start with the name.

    """
    if isinstance(value, types.ModuleType):
        return tuple(_module(name, value, paths))
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    own = getattr(value, "__qualname__", None) or name
    if module is None or module.__name__ == "__main__" or "." in own:
        return ()
    if getattr(module, own, None) is not value:
        return ()
    return (f"from {module.__name__} import {own}" + (f" as {name}" if own != name else ""),)


def literal(value: object) -> Literal | None:
    """Return the Python code of a value, or None if it has none."""
    if isinstance(value, logging.Logger):
        return Literal(f"logging.getLogger({value.name!r})", ("import logging",))
    if isinstance(value, re.Pattern):
        return Literal(f"re.compile({value.pattern!r}, {value.flags})", ("import re",))
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None
    return Literal(text) if same else None


def _module(name: str, module: types.ModuleType, paths: Iterable[str]) -> Iterator[str]:
    whole = module.__name__
    if whole == "__main__":
        return
    yield f"import {whole}" if whole == name else f"import {whole} as {name}"
    for path in paths:
        words = path.split(".")[1:]
        # `import a.b` binds only `a`, so the paths determine which submodules are imported.
        depth = 0
        while depth < len(words) and ".".join([whole, *words[: depth + 1]]) in sys.modules:
            depth += 1
        if depth:
            yield f"import {'.'.join([whole, *words[:depth]])}"


def _paths(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each name with each dotted path that starts with it."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id, one.id
        elif isinstance(one, ast.Attribute):
            words: list[str] = []
            inner: ast.expr = one
            while isinstance(inner, ast.Attribute):
                words.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name):
                yield inner.id, ".".join([inner.id, *reversed(words)])


def _free(table: symtable.SymbolTable, *, top: bool = False) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or (top and not symbol.is_assigned())):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _free(child)


def _hints(node: ast.AST) -> Iterator[ast.expr]:
    for one in ast.walk(node):
        if isinstance(one, ast.arg | ast.AnnAssign) and one.annotation:
            yield one.annotation
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.returns:
            yield one.returns


class _RemoveHints(ast.NodeTransformer):
    """Removes type hints."""

    @override
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    @override
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    @override
    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)
