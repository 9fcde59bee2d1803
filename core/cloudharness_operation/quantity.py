"""Quantities of resources, as numbers that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Final

_UNITS: Final = {
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


_EXACT: Final = Context(prec=200)
"""Enough for 32 digits and an exponent of two: by default 28 digits are kept, and `% 1` of a larger
number is an error."""


def amount(text: str) -> Decimal:
    """Return the number that a well-formed quantity stands for, in the resource's own unit."""
    unit = text.lstrip("0123456789.")
    if unit in _UNITS:
        return _EXACT.multiply(Decimal(text.removesuffix(unit)), _UNITS[unit])
    return Decimal(text)  # Without a unit, or with an exponent: `1e3`.


def is_device(resource: str) -> bool:
    """Whether a resource is counted in whole pieces of which a container has all or none."""
    return "/" in resource or resource.startswith("hugepages-")


def errors_in(requests: Mapping[str, str], limits: Mapping[str, str]) -> str | None:
    """Return the first error of requests and limits, with the field and the fix, or None."""
    for name, wanted in requests.items():
        allowed = limits.get(name)
        if allowed is None:
            continue
        if amount(wanted) > amount(allowed):
            return f"requests.{name} {wanted} is more than limits.{name} {allowed}: raise the limit"
        if is_device(name) and amount(wanted) != amount(allowed):
            return f"requests.{name} must be as limits.{name}, {allowed}: remove the request"
    for name, allowed in limits.items():
        if is_device(name) and _EXACT.remainder(amount(allowed), Decimal(1)):
            return f"limits.{name} {allowed} is not whole: devices cannot be shared"
    return None
