"""Find the source code of a function or a class."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudharness.workflows.errors import CannotBeShipped

Node = ast.FunctionDef | ast.ClassDef | ast.Lambda


@dataclass(frozen=True)
class Definition:
    """A definition in a file."""

    node: Node
    lines: tuple[str, ...]
    """Its lines, including decorators."""

    def text(self, name: str) -> str:
        """Return a statement on module level that defines this name."""
        if isinstance(self.node, ast.Lambda):
            return f"{name} = {ast.unparse(self.node)}"
        whole = "".join(self.lines).rstrip()
        plain = textwrap.dedent(whole)
        # Removing the indentation must not change multi-line strings.
        if _is_source_of(plain, self.node):
            return plain
        return f"if True:\n{whole}"


def of_function(func: types.FunctionType) -> Definition:
    """Return the definition of a function.

    Raises:
        CannotBeShipped: the source code is not available, for example because the function was
            typed at the prompt of Python 3.12.

    """
    lines, tree = _read_file(func, func.__name__)
    first = func.__code__.co_firstlineno
    nodes = [node for node in _nodes(tree, func.__name__) if _first_line(node) == first]
    if isinstance(next(iter(nodes), None), ast.Lambda):
        nodes = [node for node in nodes if _compiles_to(node, func.__code__)]
    if len({ast.dump(node) for node in nodes}) != 1:
        raise CannotBeShipped(
            f"the source code of {func.__qualname__} cannot be identified in its file: define the "
            "function with def, on lines of its own"
        )
    return _definition(lines, nodes[0])


def of_class(cls: type) -> Definition:
    """Return the definition of a class.

    Raises:
        CannotBeShipped: the source code is not available.

    """
    lines, tree = _read_file(cls, cls.__name__)
    nodes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    if not nodes:
        raise CannotBeShipped(f"the class {cls.__qualname__} is not on module level: move it there")
    return _definition(lines, nodes[-1])


def _read_file(item: Any, name: str) -> tuple[list[str], ast.Module]:
    try:
        lines, _ = inspect.findsource(item)
        return lines, ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError) as error:
        raise CannotBeShipped(
            f"the source code of {name} is not available ({error}): put it into a file and import "
            "it, or use IPython, a notebook, or the prompt of Python 3.13; the prompts of Python "
            "3.11 and 3.12 do not keep source code"
        ) from error


def _nodes(tree: ast.Module, name: str) -> Iterator[Node]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            if name == "<lambda>":
                yield node
        elif isinstance(node, ast.FunctionDef) and node.name == name:
            yield node


def _first_line(node: Node) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(one.lineno for one in decorators)])


def _definition(lines: list[str], node: Node) -> Definition:
    return Definition(node, tuple(lines[_first_line(node) - 1 : node.end_lineno]))


def _compiles_to(node: ast.AST, code: types.CodeType) -> bool:
    made: types.CodeType = compile(ast.unparse(node), "", "eval").co_consts[0]
    return _essence(made) == _essence(code)


def _essence(code: types.CodeType) -> tuple[object, ...]:
    return code.co_code, code.co_names, code.co_varnames, _values(code)


def _values(code: types.CodeType) -> list[object]:
    return [value for value in code.co_consts if not isinstance(value, types.CodeType)]


def _is_source_of(text: str, node: ast.AST) -> bool:
    try:
        (only,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return ast.dump(only) == ast.dump(node)
