"""Runs of an operation, and concurrency with other operations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from cloudharness_operation.resource import Rule, form

FIRST_RUN_ID: Final = "1"
"""The runId of an operation that names none."""

RunId = Annotated[
    str,
    form(
        r"^[A-Za-z0-9]([-._:+A-Za-z0-9]*[A-Za-z0-9])?$",
        128,
        "write a tag, a hash, a version or a time: letters, digits, '-', '.', '_', ':' and '+', "
        "with a letter or a digit at both ends, at most 128 characters",
    ),
]

ConcurrencyGroup = Annotated[
    str,
    form(
        r"^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$",
        63,
        "write a label's value: letters, digits, '-', '_' and '.', with a letter or a digit "
        "at both ends",
    ),
]


def is_superseded(recorded: str | None, wanted: str) -> bool:
    """Whether `spec.runId` asks for another run than the one that the status is about, if any."""
    return recorded is not None and recorded != wanted


class ConcurrencyPolicy(StrEnum):
    """How an operation treats others of its group; the values are CronJob's."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


_ANOTHER_RUN: Final = "self.runId != oldSelf.runId"

# The API server evaluates all rules at each write of the status, and copies the schema of an object
# for each field of it that is read. So the rules of a run read first what is mostly absent.
RULES: Final[tuple[Rule, ...]] = (
    (
        "!has(self.concurrencyGroup) || has(self.concurrencyPolicy)",
        "concurrencyGroup needs a concurrencyPolicy: write Forbid to wait for the others of the "
        "group, Replace to end them, or Allow to run beside them",
        "concurrencyPolicy",
    ),
    (
        "!has(self.concurrencyPolicy) || self.concurrencyPolicy != 'Forbid' || "
        "has(self.concurrencyGroup)",
        "concurrencyPolicy Forbid needs a concurrencyGroup: name the group whose operations "
        "exclude each other",
        "concurrencyGroup",
    ),
    (
        "!has(self.cancel) || self.runId == oldSelf.runId",
        "cancel must be removed where runId changes, or the new run would be cancelled too",
        "cancel",
    ),
    (
        f"!has(oldSelf.cancel) || {_ANOTHER_RUN} || "
        "(has(self.cancel) && (self.cancel == oldSelf.cancel || self.cancel == 'Terminate'))",
        "cancel cannot be undone, and Stop can only become Terminate: to run it again, change "
        "runId and remove cancel",
        "cancel",
    ),
)


def fixed(name: str) -> Rule:
    """Return the rule that a field stays as it is for a whole run."""
    return (
        f"(has(self.{name}) ? has(oldSelf.{name}) && self.{name} == oldSelf.{name} "
        f": !has(oldSelf.{name})) || {_ANOTHER_RUN}",
        f"{name} cannot change within a run: change runId too, to run again",
        name,
    )
