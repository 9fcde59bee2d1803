"""Turn a Python function into source code that runs in a task.

The source code contains the function and everything of its module that the function uses: imports,
other functions, classes and constants. An object that exists in this process only, such as an open
connection or a variable of an enclosing function, raises `CannotBeShipped`.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloudharness.workflows import _function_source, _module_names
from cloudharness.workflows._task_options import OutputReference
from cloudharness.workflows.errors import CannotBeShipped

_PREFACE: Final = "from __future__ import annotations"
"""Type hints are not evaluated, so the names in them need not exist."""
_LAMBDA: Final = "<lambda>"
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Shipment:
    """A function in the form in which a task runs it."""

    source: str
    """Source code of a module that defines the function and does not call it."""
    function: str
    """Name of the function."""
    args: Mapping[str, Any]
    """Its keyword arguments, as JSON."""


def ship(func: Callable[..., Any], arguments: Mapping[str, Any]) -> Shipment:
    """Return the source code of a function, and the keyword arguments for its call.

    Args:
        func: a function, or a `functools.partial` of one, whose arguments are added.
        arguments: keyword arguments of the function.

    Raises:
        CannotBeShipped: `func` is not a plain function, its source code is not available, it uses
            an object that exists in this process only, or it does not accept the arguments. The
            message gives the reason and the fix.

    """
    func, arguments = _without_partial(func, arguments)
    plain = _plain(func)
    args = _json_arguments(plain, arguments)
    bundle = _SourceBundle(plain)
    name = bundle.add_function(plain)
    return Shipment(bundle.text(), name, args)


def parameters(func: Callable[..., Any]) -> frozenset[str]:
    """Return the names of a function's keyword arguments; empty if it is not a function."""
    while isinstance(func, functools.partial):
        func = func.func
    plain = inspect.unwrap(func)
    return _parameter_names(plain) if isinstance(plain, types.FunctionType) else frozenset()


def _without_partial(
    func: Callable[..., Any], arguments: Mapping[str, Any]
) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    if not isinstance(func, functools.partial):
        return func, arguments
    if func.args:
        raise CannotBeShipped(
            "a partial with positional arguments cannot run in a task: use keyword arguments"
        )
    return _without_partial(func.func, {**func.keywords, **arguments})


def _plain(func: Callable[..., Any]) -> types.FunctionType:
    """Return the function without its decorators."""
    plain = inspect.unwrap(func)
    if not isinstance(plain, types.FunctionType):
        kind = type(plain).__name__
        raise CannotBeShipped(
            f"{plain!r} is a {kind}, and only a function can run in a task: write a function that "
            "calls it"
        )
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise CannotBeShipped(
            f"{plain.__name__} is asynchronous: write a function that calls asyncio.run"
        )
    if inspect.isgeneratorfunction(plain):
        raise CannotBeShipped(f"{plain.__name__} is a generator: return a list instead")
    return plain


def _parameter_names(func: types.FunctionType) -> frozenset[str]:
    """Return the names of the parameters that can be passed by keyword."""
    parameters = inspect.signature(func).parameters.values()
    return frozenset(one.name for one in parameters if one.kind in _BY_NAME)


def _json_arguments(func: types.FunctionType, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments converted to JSON: a tuple becomes a list.

    Raises:
        CannotBeShipped: the function does not accept the arguments, or an argument is not JSON.

    """
    signature = inspect.signature(func)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise CannotBeShipped(
            f"{func.__name__}{_signature_text(signature)}: {error}; pass arguments by keyword, as "
            f"in PythonTask(NAME, {func.__name__}, ARGUMENT=VALUE)"
        ) from error
    what = f"argument {{!r}} of {func.__name__}"
    return {name: _to_json(value, what.format(name)) for name, value in arguments.items()}


def _signature_text(signature: inspect.Signature) -> str:
    bare = [
        one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def _to_json(value: object, what: str) -> Any:
    if isinstance(value, OutputReference):
        raise CannotBeShipped(
            f"{what} is an output, whose value is not known yet: pass it as an environment "
            "variable of another name, and read that from os.environ"
        )
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CannotBeShipped(f"{what} is not JSON: {error}") from error
    parsed = json.loads(text)
    if parsed != _with_lists(value):
        raise CannotBeShipped(f"{what} would become {text[:80]}: keys of a dict must be str")
    return parsed


def _with_lists(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_with_lists(one) for one in value]
    if isinstance(value, dict):
        return {key: _with_lists(one) for key, one in value.items()}
    return value


def _import_order(statement: str) -> tuple[bool, str]:
    """Return the sort key of an import statement, as isort has it."""
    return statement.startswith("from "), statement


class _SourceBundle:
    """Collects the source code that one function needs."""

    def __init__(self, func: types.FunctionType) -> None:
        self._name = func.__name__
        self._globals = func.__globals__
        self._imports: dict[str, None] = {}
        self._values: dict[str, str] = {}
        self._definitions: dict[str, str] = {}
        self._added: dict[int, str] = {}

    def text(self) -> str:
        """Return the source code of a module."""
        parts = [
            _PREFACE,
            "\n".join(sorted(self._imports, key=_import_order)),
            "\n".join(self._values.values()),
        ]
        return "\n\n".join(part for part in (*parts, *self._definitions.values()) if part) + "\n"

    def add_function(self, func: types.FunctionType) -> str:
        """Add a function and everything it uses, and return its name."""
        if known := self._added.get(id(func)):
            return known
        self._check_closure(func)
        definition = _function_source.of_function(func)
        name = "function" if func.__name__ == _LAMBDA else func.__name__
        self._added[id(func)] = name  # Before its names: functions may call each other.
        self._add_names_used_by(definition.node)
        self._define(name, definition.text(name))
        return name

    def _add_class(self, cls: type) -> str:
        if known := self._added.get(id(cls)):
            return known
        definition = _function_source.of_class(cls)
        self._added[id(cls)] = cls.__name__
        self._add_names_used_by(definition.node)
        self._define(cls.__name__, definition.text(cls.__name__))
        return cls.__name__

    def _define(self, name: str, text: str) -> None:
        if name in self._definitions or name in self._values:
            raise CannotBeShipped(
                f"{self._name} uses two definitions named {name}: rename one of them"
            )
        self._definitions[name] = text

    def _check_closure(self, func: types.FunctionType) -> None:
        for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # Not assigned yet: the function is being defined.
                value = None
            if isinstance(value, types.ModuleType):
                self._imports |= dict.fromkeys(_module_names.imports(name, value, ()))
            elif not (isinstance(value, types.FunctionType) and inspect.unwrap(value) is func):
                raise CannotBeShipped(
                    f"{func.__qualname__} uses {name}, a variable of the enclosing function, which "
                    f"does not exist in a task: make {name} a parameter, and pass it as an argument"
                )

    def _add_names_used_by(self, node: ast.AST) -> None:
        used = _module_names.used_by(node)
        for name, paths in used.needed.items():
            self._add_name(name, paths)
        for name, paths in used.hints.items():
            try:
                self._add_name(name, paths)
            except CannotBeShipped:
                continue  # Type hints are never evaluated, so the name need not exist.

    def _add_name(self, name: str, paths: tuple[str, ...]) -> None:
        if name not in self._globals or name in ("__builtins__", "__file__", "__name__"):
            return  # A builtin, or an undefined name, which fails in this process too.
        value = self._globals[name]
        if self._is_own(value):
            plain = inspect.unwrap(value)
            defined = (
                self._add_class(plain) if isinstance(plain, type) else self.add_function(plain)
            )
            if defined != name:
                self._values[name] = f"{name} = {defined}"
            return
        if lines := _module_names.imports(name, value, paths):
            self._imports |= dict.fromkeys(lines)
            return
        text = _module_names.literal(value)
        if text is None:
            raise CannotBeShipped(
                f"{self._name} uses {name}, a {type(value).__name__} that exists in this process "
                "only: create it inside the function, or pass it as an argument"
            )
        self._imports |= dict.fromkeys(text.imports)
        self._values[name] = f"{name} = {text.expression}"

    def _is_own(self, value: object) -> bool:
        """Return whether a value is a function or a class of the function's own module."""
        plain = inspect.unwrap(value) if callable(value) else value
        if isinstance(plain, types.FunctionType):
            return plain.__globals__ is self._globals
        return isinstance(plain, type) and plain.__module__ == self._globals.get("__name__")
