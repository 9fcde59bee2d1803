"""Running what a file says: on a cluster, or here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from cloudharness.workflows.assembling import unique_name
from cloudharness.workflows.attached import AttachedOperation
from cloudharness.workflows.cli import files, printing
from cloudharness.workflows.cli.commands import FORMS, each, follow, timeout
from cloudharness.workflows.cli.target import Target, located
from cloudharness.workflows.connection import OPERATIONS
from cloudharness.workflows.errors import OperationExists
from cloudharness.workflows.local import LocalRun
from cloudharness.workflows.logs import LogLine
from cloudharness.workflows.running import create

Manifest = dict[str, Any]


@click.command
@located
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--name", help="Another name than the file's; one that ends in '-' is made unique.")
@click.option("--local", is_flag=True, help="Run it here, as processes, without a cluster.")
@click.option("--dry-run", is_flag=True, help="Have the API server check it, and no more.")
@click.option("-w", "--watch", is_flag=True, help="Show it until it has ended; 1 if it failed.")
@click.option("--gantt", is_flag=True, help="As --watch, with a bar for the time of each task.")
@click.option(
    "-f", "--follow", "following", is_flag=True, help="Print its logs until it has ended."
)
@click.option("-o", "--output", type=click.Choice(FORMS), help="Print what was made in this form.")
@timeout
def run(
    target: Target,
    file: str,
    name: str | None,
    output: str | None,
    timeout: float | None,
    *,
    local: bool,
    dry_run: bool,
    watch: bool,
    gantt: bool,
    following: bool,
) -> None:
    """Run the operations of FILE, YAML or JSON; `-` is stdin."""
    found = [_renamed(one, name) for one in files.operations(file)]
    _check(found, name, local, dry_run=dry_run, watch=watch, gantt=gantt, follow=following)
    if local:
        for one in found:
            _run_here(file, one, timeout)
        return
    made = _all_made(target, found, dry_run=dry_run)
    if output:
        printing.manifests(made, output)
    else:
        said = "would be made" if dry_run else "created"
        printing.say(f"{one['metadata']['name']} {said}" for one in made)
    there = [_there(target, one) for one in made]
    if following:
        each(there, lambda one: _print_logs(one, timeout))
    elif watch or gantt:
        each(there, lambda one: follow(one, timeout, gantt=gantt))


def _check(found: Sequence[Manifest], name: str | None, local: bool, **flags: bool) -> None:  # noqa: FBT001
    if name and len(found) > 1:
        raise click.BadParameter(
            f"the file holds {len(found)} operations: give each a name there", param_hint="--name"
        )
    chosen = [key.replace("_", "-") for key, given in flags.items() if given]
    if local and chosen:
        raise click.UsageError(f"--local runs it here, to its end: leave out --{chosen[0]}")
    if flags["dry_run"] and len(chosen) > 1:
        raise click.UsageError("--dry-run makes nothing that could be watched")


def _renamed(one: Manifest, name: str | None) -> Manifest:
    if name is None:
        return one
    meta = {k: v for k, v in one["metadata"].items() if k not in ("name", "generateName")}
    key = "generateName" if name.endswith("-") else "name"
    return {**one, "metadata": {**meta, key: name}}


def _all_made(target: Target, found: Sequence[Manifest], *, dry_run: bool) -> list[Manifest]:
    if dry_run or len(found) > 1:
        # None is made if another one would be refused.
        checked = [_made(target, one, dry_run=True) for one in found]
    return checked if dry_run else [_made(target, one, dry_run=False) for one in found]


def _there(target: Target, made: Manifest) -> AttachedOperation:
    return AttachedOperation(target.within(made["metadata"]["namespace"]).connection(), made)


def _made(target: Target, one: Manifest, *, dry_run: bool) -> Manifest:
    meta = one["metadata"]
    at = target.within(meta.get("namespace")).connection()
    # A name of our own making: a creation whose answer is lost is repeated.
    named = {**one, "metadata": {**meta, "name": meta.get("name") or unique_name(_base(meta))}}
    if dry_run:
        return at.create(OPERATIONS, named, {"dryRun": "All"})
    try:
        return create(at, named)
    except OperationExists as error:
        raise OperationExists(
            f"an operation {named['metadata']['name']} is there already: run it again by `rerun`, "
            "give another --name, or delete it"
        ) from error


def _base(meta: Manifest) -> str:
    base = str(meta["generateName"])
    return base if base.endswith("-") else f"{base}-"


def _print_logs(one: AttachedOperation, timeout: float | None) -> None:
    for line in one.logs(follow=True):
        click.echo(str(line))
    one.wait(timeout, show=False)


def _run_here(file: str, one: Manifest, timeout: float | None) -> None:
    def say(line: LogLine) -> None:
        click.echo(str(line))

    meta = one["metadata"]
    name = unique_name(meta.get("name") or _base(meta))
    values = LocalRun(name, files.spec(file, one), say, timeout).values()
    for task, value in values.items():
        click.echo(f"{task} returned {printing.compact(value)}")
    printing.say([f"{name}  Succeeded"])
