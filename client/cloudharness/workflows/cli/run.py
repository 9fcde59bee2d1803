"""The subcommand `run`: run the operations of a file on a cluster or on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from cloudharness.workflows._api import OPERATIONS
from cloudharness.workflows._local_run import LocalRun
from cloudharness.workflows._logs import LogLine
from cloudharness.workflows._operation_spec import unique_name
from cloudharness.workflows._submission import create_operation
from cloudharness.workflows.attach import AttachedOperation
from cloudharness.workflows.cli import files, printing
from cloudharness.workflows.cli.commands import FORMS, each, follow, timeout
from cloudharness.workflows.cli.target import Target, with_target
from cloudharness.workflows.errors import OperationExists

Manifest = dict[str, Any]


@click.command
@with_target
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--name", help="Replace the name in the file. A name that ends in '-' gets a unique suffix."
)
@click.option("--local", is_flag=True, help="Run as processes of this machine, without a cluster.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Let the API server validate the operation, without creating it.",
)
@click.option("-w", "--watch", is_flag=True, help="Show the operation until it has ended.")
@click.option("--gantt", is_flag=True, help="As --watch, with a bar for the duration of each task.")
@click.option(
    "-f",
    "--follow",
    "following",
    is_flag=True,
    help="Print the logs until the operation has ended.",
)
@click.option(
    "-o", "--output", type=click.Choice(FORMS), help="Print the created operations in this format."
)
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
    """Run the operations of FILE, which is YAML or JSON; `-` is stdin."""
    found = [_renamed(one, name) for one in files.operations(file)]
    _check(found, name, local, dry_run=dry_run, watch=watch, gantt=gantt, follow=following)
    if local:
        for one in found:
            _run_locally(file, one, timeout)
        return
    made = _create_all(target, found, dry_run=dry_run)
    if output:
        printing.manifests(made, output)
    else:
        result = "would be created" if dry_run else "created"
        printing.print_lines(f"{one['metadata']['name']} {result}" for one in made)
    attached = [_attached(target, one) for one in made]
    if following:
        each(attached, lambda one: _print_logs(one, timeout))
    elif watch or gantt:
        each(attached, lambda one: follow(one, timeout, gantt=gantt))


def _check(found: Sequence[Manifest], name: str | None, local: bool, **flags: bool) -> None:  # noqa: FBT001
    if name and len(found) > 1:
        raise click.BadParameter(
            f"the file contains {len(found)} operations: set their names in the file",
            param_hint="--name",
        )
    chosen = [key.replace("_", "-") for key, given in flags.items() if given]
    if local and chosen:
        raise click.UsageError(
            f"--local runs the operation on this machine until it ends: leave out --{chosen[0]}"
        )
    if flags["dry_run"] and len(chosen) > 1:
        raise click.UsageError("--dry-run creates nothing that could be watched")


def _renamed(one: Manifest, name: str | None) -> Manifest:
    if name is None:
        return one
    meta = {k: v for k, v in one["metadata"].items() if k not in ("name", "generateName")}
    key = "generateName" if name.endswith("-") else "name"
    return {**one, "metadata": {**meta, key: name}}


def _create_all(target: Target, found: Sequence[Manifest], *, dry_run: bool) -> list[Manifest]:
    if dry_run or len(found) > 1:
        # Validate all operations before the first one is created.
        checked = [_create(target, one, dry_run=True) for one in found]
    return checked if dry_run else [_create(target, one, dry_run=False) for one in found]


def _attached(target: Target, made: Manifest) -> AttachedOperation:
    return AttachedOperation(target.within(made["metadata"]["namespace"]).connection(), made)


def _create(target: Target, one: Manifest, *, dry_run: bool) -> Manifest:
    meta = one["metadata"]
    at = target.within(meta.get("namespace")).connection()
    # The name is chosen here, so that a lost response can be retried under the same name.
    named = {**one, "metadata": {**meta, "name": meta.get("name") or unique_name(_base(meta))}}
    if dry_run:
        return at.create(OPERATIONS, named, {"dryRun": "All"})
    try:
        return create_operation(at, named)
    except OperationExists as error:
        raise OperationExists(
            f"an operation {named['metadata']['name']} already exists: run it again with `rerun`, "
            "choose another --name, or delete it"
        ) from error


def _base(meta: Manifest) -> str:
    base = str(meta["generateName"])
    return base if base.endswith("-") else f"{base}-"


def _print_logs(one: AttachedOperation, timeout: float | None) -> None:
    for line in one.logs(follow=True):
        click.echo(str(line))
    one.wait(timeout, show=False)


def _run_locally(file: str, one: Manifest, timeout: float | None) -> None:
    def print_line(line: LogLine) -> None:
        click.echo(str(line))

    meta = one["metadata"]
    name = unique_name(meta.get("name") or _base(meta))
    values = LocalRun(name, files.spec(file, one), print_line, timeout).return_values()
    for task, value in values.items():
        click.echo(f"{task} returned {printing.compact(value)}")
    printing.print_lines([f"{name}  Succeeded"])
