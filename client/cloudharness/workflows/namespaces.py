"""Which names of its module a piece of code uses, and how each is had in another process."""

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
class Used:
    """Names that a definition uses, each with the dotted paths that begin with it."""

    needed: dict[str, tuple[str, ...]]
    hints: dict[str, tuple[str, ...]]
    """Those that only type hints name."""


@dataclass(frozen=True)
class Written:
    """A value as Python writes it."""

    expression: str
    imports: tuple[str, ...] = field(default=())


def used(node: ast.AST) -> Used:
    """Return what a definition uses of its module, builtins and names of its own file alike."""
    paths: dict[str, set[str]] = {}
    for name, path in _paths(node):
        paths.setdefault(name, set()).add(path)
    bare = _Unhinted().visit(ast.parse(ast.unparse(node)))
    table = symtable.symtable(ast.unparse(bare), "<task>", "exec")
    needed = sorted(set(_free(table, top=True)))
    hints = sorted({name for hint in _hints(node) for name, _ in _paths(hint)} - set(needed))
    return Used(
        {name: tuple(sorted(paths.get(name, ()))) for name in needed},
        {name: tuple(sorted(paths.get(name, ()))) for name in hints},
    )


def imports(name: str, value: object, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the statements by which a module has this value under this name; none if none do.

    `paths` are the dotted paths that are used of it.
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


def written(value: object) -> Written | None:
    """Return a plain value as Python writes it, or None if it is not plain."""
    if isinstance(value, logging.Logger):
        return Written(f"logging.getLogger({value.name!r})", ("import logging",))
    if isinstance(value, re.Pattern):
        return Written(f"re.compile({value.pattern!r}, {value.flags})", ("import re",))
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None
    return Written(text) if same else None


def _module(name: str, module: types.ModuleType, paths: Iterable[str]) -> Iterator[str]:
    whole = module.__name__
    if whole == "__main__":
        return
    yield f"import {whole}" if whole == name else f"import {whole} as {name}"
    for path in paths:
        words = path.split(".")[1:]
        # `import a.b` binds `a` alone; which modules of it are used, the code says.
        depth = 0
        while depth < len(words) and ".".join([whole, *words[: depth + 1]]) in sys.modules:
            depth += 1
        if depth:
            yield f"import {'.'.join([whole, *words[:depth]])}"


def _paths(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each name with each dotted path that begins with it."""
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


class _Unhinted(ast.NodeTransformer):
    """Takes type hints off."""

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
