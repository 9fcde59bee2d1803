"""The conditions of rules, which look at the value of an argument."""

from __future__ import annotations

from cloudharness.workflows._migration import library
from cloudharness.workflows._migration.kinds import (
    UNKNOWN_PART,
    Constant,
    Instance,
    Kind,
    Method,
    OwnFunction,
    Table,
    Text,
)
from cloudharness.workflows._migration.matching import Condition, Values
from cloudharness.workflows._migration.uses import Fact


def missing(fact: Fact) -> bool:
    """Whether the client does not have the name."""
    path = ".".join(part for part in (library.PACKAGE, *fact.owners, fact.name) if part)
    return library.find(path) is library.MISSING


def has_keys_other_than(*known: str, without: str) -> Condition:
    """Whether a dict without one key has other keys. The values are these, and the known ones."""

    def condition(fact: Fact) -> Values | bool:
        keys = fact.value.keys if isinstance(fact.value, Table) else ()
        others = [key for key in keys if key not in known and without not in keys]
        return (", ".join(others), ", ".join(known)) if others else False

    return condition


def _is(kind: Kind | None, *classes: str) -> bool:
    return isinstance(kind, Instance) and not kind.lineage.isdisjoint(classes)


def value_is(*classes: str) -> Condition:
    """Whether the argument is an object of a class of the library."""
    return lambda fact: _is(fact.value, *classes)


def task_is(*classes: str) -> Condition:
    """Whether the operation's task is an object of a class of the library."""
    return lambda fact: _is(fact.arguments.get("task"), *classes)


def fixed_name(fact: Fact) -> bool:
    """Whether the name of an operation does not end in `-`."""
    return isinstance(fact.value, Text) and not fact.value.value.endswith(("-", UNKNOWN_PART))


def may_have_claim(fact: Fact) -> bool:
    """Whether a shared directory may name a claim."""
    if isinstance(fact.value, Text):
        return ":" in fact.value.value or UNKNOWN_PART in fact.value.value
    return not isinstance(fact.value, Constant)


def is_none(fact: Fact) -> bool:
    """Whether the argument is None."""
    return fact.value == Constant(None)


def is_dict(fact: Fact) -> bool:
    """Whether the argument is a dict literal."""
    return isinstance(fact.value, Table)


def of_volume(fact: Fact) -> bool:
    """Whether the argument is a context with the key `usesvolume`."""
    given = fact.value.arguments if isinstance(fact.value, Instance) else {}
    return given.get("key") == Text("usesvolume")


def key_of_volume(fact: Fact) -> bool:
    """Whether the argument is the key `usesvolume`."""
    return fact.value == Text("usesvolume")


def closure(fact: Fact) -> Values | bool:
    """Whether a function uses variables of its enclosing function. The value is their names."""
    free = fact.value.free() if isinstance(fact.value, OwnFunction) else ()
    return (", ".join(free),) if free else False


def method(fact: Fact) -> Values | bool:
    """Whether the argument is a bound method. The value is its name."""
    return (fact.value.name,) if isinstance(fact.value, Method) else False


def is_none_of(*names: str) -> Condition:
    """Whether the name of the fact is another one."""
    return lambda fact: fact.name not in names
