"""The subcommand `doctor`: check an installation."""

from __future__ import annotations

import json
from typing import Final

import click

from cloudharness.workflows._doctor.checks import Finding, Level, check
from cloudharness.workflows._doctor.facts import read
from cloudharness.workflows._format import aligned, clock
from cloudharness.workflows.cli.printing import styled
from cloudharness.workflows.cli.target import Target, with_target

_COLOURS: Final = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.FAILED: "red",
    Level.UNKNOWN: "cyan",
}
_FAILED: Final = 1


@click.command("doctor")
@with_target
@click.option("-o", "--output", type=click.Choice(["json"]), help="Output format.")
@click.pass_context
def doctor(context: click.Context, target: Target, *, output: str | None) -> None:
    """Check an installation from outside, for operations of one namespace.

    Reads the CRDs, the operator's Deployment and Lease, Argo's workflow controller, the permissions
    of the tasks' service account, and the operations of the namespace, and changes nothing. What
    you may not read is `unknown`.

    Exits with 1 if a check has failed.
    """
    found = check(read(target.connection(), clock))
    if output == "json":
        click.echo(json.dumps([one._asdict() for one in found], indent=2))
    else:
        _print(found)
    context.exit(_FAILED if any(one.level is Level.FAILED for one in found) else 0)


def _print(found: list[Finding]) -> None:
    rows: list[tuple[str, str, str]] = []
    for one in found:
        rows.append((one.level, one.subject, one.text))
        if one.fix:
            rows.append(("", "", f"-> {one.fix}"))
    for line in aligned(rows):
        level, space, rest = line.partition(" ")
        # After the alignment, which would count the characters of a colour too.
        click.echo((styled(level, _COLOURS[Level(level)]) if level else "") + space + rest)
