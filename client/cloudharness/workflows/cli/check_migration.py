"""The subcommand `check-migration`: report how code uses CloudHarness's workflow library."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from cloudharness.workflows._migration.matching import Level
from cloudharness.workflows._migration.report import Report, check
from cloudharness.workflows.cli.printing import styled

_COLOURS: Final = {Level.WORKS: "green", Level.CHANGED: "yellow", Level.EDIT: "red"}
_EDIT: Final = 1
_UNREADABLE: Final = 2


@click.command("check-migration")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option("--all", "everything", is_flag=True, help="Also list the uses that work unedited.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Output format.")
@click.pass_context
def check_migration(
    context: click.Context, paths: tuple[str, ...], output: str | None, *, everything: bool
) -> None:
    """Report what changes for code that uses CloudHarness's workflow library.

    Reads the Python files of each PATH, a file or a directory, and never executes them. Each line
    has a level: `edit` must be edited; `changed` runs, and its meaning differs; `works` runs as
    before.

    Exits with 1 if code must be edited, and with 2 if a PATH or a file cannot be read.
    """
    report = check(paths)
    if output == "json":
        click.echo(json.dumps(_to_json(report, everything=everything), indent=2))
    else:
        _print(report, everything=everything)
    for one in report.problems:
        click.echo(f"{one.path}:{one.line}:{one.column}: error: {one.message}", err=True)
    if report.problems:
        context.exit(_UNREADABLE)
    context.exit(_EDIT if report.uses[Level.EDIT] else 0)


def _print(report: Report, *, everything: bool) -> None:
    for one in report.findings:
        if everything or one.level is not Level.WORKS:
            level = styled(one.level.value, _COLOURS[one.level])
            click.echo(f"{one.path}:{one.line}:{one.column}: {level}: {one.message}")
    click.echo(report.summary)


def _to_json(report: Report, *, everything: bool) -> dict[str, Any]:
    found = [one for one in report.findings if everything or one.level is not Level.WORKS]
    return {
        "findings": [
            {
                "path": one.path,
                "line": one.line,
                "column": one.column,
                "level": one.level.value,
                "rule": one.rule,
                "message": one.message,
            }
            for one in found
        ],
        "errors": [
            {"path": one.path, "line": one.line, "column": one.column, "message": one.message}
            for one in report.problems
        ],
        "uses": {level.value: report.uses[level] for level in Level},
    }
