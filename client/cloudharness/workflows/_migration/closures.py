"""Find the variables of enclosing functions that a function uses."""

from __future__ import annotations

import ast
import symtable

from cloudharness.workflows._migration.files import Source
from cloudharness.workflows._migration.kinds import Scope, Symbol

_NOT_VARIABLES = frozenset({"__class__"})


def free_variables(
    source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope
) -> tuple[str, ...]:
    """Return the variables of enclosing functions, without imported modules and itself."""
    try:
        table = symtable.symtable(source.text, source.path, "exec")
    except (SyntaxError, ValueError, RecursionError):
        return ()
    found = _find(table, node)
    frees = found.get_frees() if found is not None else ()
    return tuple(
        name
        for name in sorted(frees)
        if name not in _NOT_VARIABLES
        and name != node.name
        and not isinstance(scope.find(name), Symbol)
    )


def _find(
    table: symtable.SymbolTable, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> symtable.Function | None:
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    for child in table.get_children():
        at = first <= child.get_lineno() <= node.lineno
        if isinstance(child, symtable.Function) and child.get_name() == node.name and at:
            return child
        if (found := _find(child, node)) is not None:
            return found
    return None
