"""The types of the table of rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cloudharness.workflows._migration.uses import Fact


class Level(StrEnum):
    """What a finding means for the code."""

    WORKS = "works"
    """It works unedited."""
    CHANGED = "changed"
    """It runs, and its meaning differs."""
    EDIT = "edit"
    """It must be edited."""


Values = tuple[str, ...]
Condition = Callable[[Fact], "Values | bool"]
"""Returns whether a rule applies, or the values that its message names."""


@dataclass(frozen=True)
class Finds:
    """The facts that a rule applies to."""

    does: str
    owner: str = ""
    """A class, or one of its bases; or a module. Empty: any."""
    names: str = ".*"
    """A regular expression for the whole name."""
    when: Condition | None = None

    def match(self, fact: Fact) -> Values | bool:
        """Return whether the fact is meant, or the values that were found."""
        if fact.does != self.does or (self.owner and self.owner not in fact.owners):
            return False
        if not re.fullmatch(self.names, fact.name):
            return False
        return True if self.when is None else self.when(fact)


@dataclass(frozen=True)
class Rule:
    """A line of the table."""

    id: str
    level: Level
    finds: Finds
    message: str
