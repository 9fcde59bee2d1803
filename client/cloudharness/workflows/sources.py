"""Where in its file a function or a class is defined, and its text, whatever it is nested in."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudharness.workflows.errors import CannotBeShipped

Definition = ast.FunctionDef | ast.ClassDef | ast.Lambda


@dataclass(frozen=True)
class Source:
    """A definition, as it stands in a file."""

    node: Definition
    lines: tuple[str, ...]
    """The lines that it takes, its decorators' among them."""

    def text(self, name: str) -> str:
        """Return it as a statement of a module that defines this name."""
        if isinstance(self.node, ast.Lambda):
            return f"{name} = {ast.unparse(self.node)}"
        whole = "".join(self.lines).rstrip()
        plain = textwrap.dedent(whole)
        # Taking off the indentation must not reach into text of several lines.
        if _same(plain, self.node):
            return plain
        return f"if True:\n{whole}"


def of_function(func: types.FunctionType) -> Source:
    """Return the source of a function, decorators included.

    Raises:
        CannotBeShipped: there is none, as for what was typed at Python's prompt.

    """
    lines, tree = _file(func, func.__name__)
    first = func.__code__.co_firstlineno
    found = [node for node in _definitions(tree, func.__name__) if _begins(node) == first]
    if isinstance(next(iter(found), None), ast.Lambda):
        found = [node for node in found if _compiles_to(node, func.__code__)]
    if len({ast.dump(node) for node in found}) != 1:
        raise CannotBeShipped(
            f"the source of {func.__qualname__} is not to be told from what is beside it: "
            "write it as a function of its own, by def"
        )
    return _source(lines, found[0])


def of_class(cls: type) -> Source:
    """Return the source of a class, decorators included.

    Raises:
        CannotBeShipped: there is none.

    """
    lines, tree = _file(cls, cls.__name__)
    found = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    if not found:
        raise CannotBeShipped(
            f"the class {cls.__qualname__} is not at the top of its module: move it there"
        )
    return _source(lines, found[-1])


def _file(item: Any, name: str) -> tuple[list[str], ast.Module]:
    try:
        lines, _ = inspect.findsource(item)
        return lines, ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError) as error:
        raise CannotBeShipped(
            f"the source of {name} is not to be had ({error}): write it into a file or a notebook"
        ) from error


def _definitions(tree: ast.Module, name: str) -> Iterator[Definition]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            if name == "<lambda>":
                yield node
        elif isinstance(node, ast.FunctionDef) and node.name == name:
            yield node


def _begins(node: Definition) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(one.lineno for one in decorators)])


def _source(lines: list[str], node: Definition) -> Source:
    return Source(node, tuple(lines[_begins(node) - 1 : node.end_lineno]))


def _compiles_to(node: ast.AST, code: types.CodeType) -> bool:
    made: types.CodeType = compile(ast.unparse(node), "", "eval").co_consts[0]
    return _gist(made) == _gist(code)


def _gist(code: types.CodeType) -> tuple[object, ...]:
    return code.co_code, code.co_names, code.co_varnames, _values(code)


def _values(code: types.CodeType) -> list[object]:
    return [value for value in code.co_consts if not isinstance(value, types.CodeType)]


def _same(text: str, node: ast.AST) -> bool:
    try:
        (only,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return ast.dump(only) == ast.dump(node)
