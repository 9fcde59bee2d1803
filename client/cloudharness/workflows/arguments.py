"""Which arguments a function takes, and whether those that are given can be sent to it."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Mapping
from typing import Any, Final

from cloudharness.workflows.errors import CannotBeShipped
from cloudharness.workflows.passing import OutputReference

_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def names(func: types.FunctionType) -> frozenset[str]:
    """Return the parameters that can be given by name."""
    found = inspect.signature(func).parameters.values()
    return frozenset(one.name for one in found if one.kind in _BY_NAME)


def bound(func: types.FunctionType, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as JSON has them: a tuple becomes a list.

    Raises:
        CannotBeShipped: the function does not take them, or needs more, or one is no JSON.

    """
    signature = inspect.signature(func)
    try:
        signature.bind(**given)
    except TypeError as error:
        raise CannotBeShipped(
            f"{func.__name__}{_short(signature)}: {error}; arguments are given by name, as "
            f"PythonTask(NAME, {func.__name__}, ARGUMENT=VALUE)"
        ) from error
    what = f"argument {{!r}} of {func.__name__}"
    return {name: _json(value, what.format(name)) for name, value in given.items()}


def _short(signature: inspect.Signature) -> str:
    bare = [
        one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def _json(value: object, what: str) -> Any:
    if isinstance(value, OutputReference):
        raise CannotBeShipped(
            f"{what} is an output, which is not known yet: give it as a variable of another name, "
            "and read that from os.environ"
        )
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CannotBeShipped(f"{what} is no JSON: {error}") from error
    again = json.loads(text)
    if again != _lists(value):
        raise CannotBeShipped(f"{what} would arrive as {text[:80]}: keys of a dict must be str")
    return again


def _lists(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_lists(one) for one in value]
    if isinstance(value, dict):
        return {key: _lists(one) for key, one in value.items()}
    return value
