"""Apply the rules to the uses of the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudharness.workflows._migration import files
from cloudharness.workflows._migration.files import Problem, Source
from cloudharness.workflows._migration.matching import Level, Rule
from cloudharness.workflows._migration.project import Project
from cloudharness.workflows._migration.rules import RULES, UNCHANGED
from cloudharness.workflows._migration.uses import Fact, Located, Use

_ORDER: Final = (Level.WORKS, Level.CHANGED, Level.EDIT)
_ONCE: Final = "task-variable"
"""A rule that is reported once for each file."""


@dataclass(frozen=True, order=True)
class Finding:
    """A line of the report."""

    path: str
    line: int
    column: int
    level: Level
    rule: str
    message: str


@dataclass(frozen=True)
class Report:
    """What was found in all files."""

    files: int
    findings: tuple[Finding, ...]
    """Sorted. Those of uses that work are included."""
    problems: tuple[Problem, ...]
    uses: Counter[Level]
    """How many uses of the library have each level."""

    @property
    def summary(self) -> str:
        """How many uses work, change, and must be edited."""
        if not self.uses:
            return "no use of cloudharness.workflows found"
        works, changed, edit = (self.uses[level] for level in _ORDER)
        return (
            f"{works} {'use works' if works == 1 else 'uses work'} unedited, "
            f"{changed} {'changes' if changed == 1 else 'change'}, {edit} must be edited"
        )


def check(paths: Iterable[str]) -> Report:
    """Read the Python files of these paths, and report their uses of the library."""
    read = list(files.read(paths))
    project = Project(one for one in read if isinstance(one, Source))
    problems = [one for one in read if isinstance(one, Problem)]
    findings: set[Finding] = set()
    levels: Counter[Level] = Counter()
    for source, uses in project.read():
        for found in _unique(_apply(source, use) for use in uses):
            findings |= set(found)
            levels[max((one.level for one in found), key=_ORDER.index)] += 1
    problems += project.problems
    return Report(
        len(read), tuple(sorted(findings)), tuple(sorted(problems, key=_position)), levels
    )


def _position(one: Problem) -> tuple[str, int, int]:
    return one.path, one.line, one.column


def _unique(every: Iterable[list[Finding]]) -> Iterator[list[Finding]]:
    once = False
    for found in every:
        if not found or (found[0].rule == _ONCE and once):
            continue
        once = once or found[0].rule == _ONCE
        yield found


def _apply(source: Source, use: Use) -> list[Finding]:
    found = []
    for fact in use.facts:
        for rule in RULES:
            values = rule.finds.match(_in_folder(source, fact))
            if values is not False:
                message = _message(rule, fact, () if values is True else values)
                found.append(_finding(source, fact.at, rule, message))
                break
    if any(one.level is not Level.WORKS for one in found):
        return [one for one in found if one.level is not Level.WORKS]
    if not use.counted:
        return []
    return found or [_finding(source, use.at, UNCHANGED, use.what)]


def _in_folder(source: Source, fact: Fact) -> Fact:
    """Return the fact that a variable is read, with `tasks` as its owner if a task reads it."""
    if fact.does == "variable" and "tasks" in Path(source.path).parent.parts:
        return Fact(fact.does, frozenset({"tasks"}), fact.name, fact.at)
    return fact


def _message(rule: Rule, fact: Fact, values: tuple[str, ...]) -> str:
    dotted = "".join(f".{part}" for part in (*fact.owners, fact.name) if part)
    return rule.message.format(name=fact.name, dotted=dotted, values=values)


def _finding(source: Source, at: Located, rule: Rule, message: str) -> Finding:
    line = source.lines[at.lineno - 1].encode()
    column = len(line[: at.col_offset].decode(errors="replace")) + 1
    return Finding(source.path, at.lineno, column, rule.level, rule.id, message)
