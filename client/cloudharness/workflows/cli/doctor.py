"""The subcommand `doctor`: check an installation."""

from __future__ import annotations

import json
import os
from typing import Final

import click

from cloudharness.workflows._doctor.checks import Finding, Level, check
from cloudharness.workflows._doctor.facts import read
from cloudharness.workflows._format import clock
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
    subjects = max(len(one.subject) for one in found)
    levels = max(len(level) for level in Level)
    for one in found:
        level = f"{one.level:{levels}}"
        if "NO_COLOR" not in os.environ:
            level = click.style(level, fg=_COLOURS[one.level])
        click.echo(f"{level}  {one.subject:{subjects}}  {one.text}")
        if one.fix:
            click.echo(f"{'':{levels}}  {'':{subjects}}  -> {one.fix}")
