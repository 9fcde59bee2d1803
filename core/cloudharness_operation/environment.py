"""Python values as environment variables.

CloudHarness passes every keyword argument as `str(value)`. Values whose `str()` is usable keep it,
so that existing task images continue to work; None, dicts and lists are encoded differently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.pods import EnvVar

_PLAIN_TYPES: Final = (str, bool, Real, Decimal, UUID, PurePath)
"""Types whose text is `str(value)`."""
_REPLACED: Final = re.compile(r"\$(?=[$(])")
"""Where Kubernetes begins to replace in the value of a variable: `$(NAME)`, and `$$` for `$`."""
_DATETIME_TYPES: Final = (date, datetime, time)


def variables(values: Mapping[str, Any]) -> tuple[EnvVar, ...]:
    """Return environment variables with these names and values, in this order.

    The program gets the text unchanged: `$(NAME)` and `$$`, which Kubernetes would replace, are
    escaped.

    - None: no variable at all.
    - str: as it is, also when empty.
    - bool: `True` or `False`, as CloudHarness gives it; inside of JSON `true` or `false`.
    - int, float, other real numbers, Decimal: as Python writes them, `nan` and `inf` included.
    - date, time, datetime: ISO 8601.
    - UUID, paths: their text.
    - Enum: as the value of the member.
    - dict, list, tuple: JSON, with all of the above inside it. JSON has no form for `nan`, nor
      for keys that are no text, number, bool or None.

    Raises:
        InvalidOperation: a value has no obvious text (bytes, sets, objects of other classes),
            is too long or holds a NUL, or a name is none for a variable. The message names it.

    """
    plain = {name: _unwrapped(value) for name, value in values.items()}
    return tuple(_variable(name, value) for name, value in plain.items() if value is not None)


def _unwrapped(value: object) -> object:
    return _unwrapped(value.value) if isinstance(value, Enum) else value


def _variable(name: str, value: object) -> EnvVar:
    try:
        text = _text(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidOperation(f"environment variable {name!r}: {error}") from error
    if "\0" in text:
        raise InvalidOperation(f"environment variable {name!r}: its value holds a NUL: remove it")
    try:
        return EnvVar(name=name, value=_REPLACED.sub("$$", text))
    except ValidationError as error:
        problem = "; ".join(e["msg"] for e in error.errors(include_url=False, include_input=False))
        raise InvalidOperation(f"environment variable {name!r}: {problem}") from error


def _text(value: object) -> str:
    if isinstance(value, _PLAIN_TYPES):
        return str(value)
    if isinstance(value, _DATETIME_TYPES):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(_json(value), allow_nan=False, ensure_ascii=False)
    raise TypeError(
        f"a {type(value).__name__} has no obvious text: give a str, a number, a date, or a dict "
        "or list of those"
    )


def _json(value: object) -> object:
    """Return a value made of what `json` knows."""
    value = _unwrapped(value)
    if isinstance(value, Mapping):
        return {_key(key): _json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return _text(value)


def _key(key: object) -> object:
    plain = _json(key)
    if plain is None or isinstance(plain, str | int | float):
        return plain
    raise TypeError(f"a {type(key).__name__} is no key in JSON: give a str")
