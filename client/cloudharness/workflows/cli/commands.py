"""The subcommands, except `run`. `main` has their error messages and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import click

from cloudharness.workflows import _lifecycle
from cloudharness.workflows._display import Display
from cloudharness.workflows._follower import parse
from cloudharness.workflows._format import clock
from cloudharness.workflows._snapshots import Workflow
from cloudharness.workflows.attach import AttachedOperation
from cloudharness.workflows.cli import explain, printing, tables, tree
from cloudharness.workflows.cli.target import Target, complete_names, with_target
from cloudharness.workflows.cli.times import SECONDS
from cloudharness.workflows.errors import OperationFailed
from cloudharness_operation.status import Phase

FORMS: Final = ("json", "yaml", "name")

name = click.argument("name", shell_complete=complete_names)
names = click.argument("names", nargs=-1, required=True, shell_complete=complete_names)
timeout = click.option(
    "--timeout",
    type=SECONDS,
    help="Maximum time to wait, such as 90, 90s, 10m or 2h. Default: no limit.",
)
no_wait = click.option(
    "--no-wait", is_flag=True, help="Return without waiting for the change to take effect."
)


@click.command("list")
@with_target
@click.option("-A", "--all-namespaces", is_flag=True, help="List all namespaces.")
@click.option("-l", "--selector", help="Label selector, as in kubectl.")
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice([p.value for p in Phase]),
    help="List only operations in this phase. Can be repeated.",
)
@click.option("-o", "--output", type=click.Choice([*FORMS, "wide"]), help="Output format.")
def list_operations(
    target: Target,
    *,
    all_namespaces: bool,
    selector: str | None,
    phases: tuple[str, ...],
    output: str | None,
) -> None:
    """List operations, oldest first."""
    found = [
        one
        for one in target.operations(everywhere=all_namespaces, selector=selector)
        if not phases or tables.phase(one) in phases
    ]
    found.sort(key=lambda one: one["metadata"]["creationTimestamp"])
    if output in FORMS:
        printing.manifests(found, output)
    elif found:
        wide = output == "wide"
        printing.print_lines(tables.listed(found, clock(), wide=wide, everywhere=all_namespaces))
    else:
        where = "any namespace" if all_namespaces else f"namespace {target.connection().namespace}"
        click.echo(f"No operations found in {where}.", err=True)


@click.command
@with_target
@name
@click.option("-o", "--output", type=click.Choice([*FORMS, "wide", "gantt"]), help="Output format.")
def get(target: Target, name: str, output: str | None) -> None:
    """Show an operation and the tree of its tasks."""
    manifest = target.attach(name).found
    if output in FORMS:
        printing.manifests([manifest], output)
        return
    state = parse(manifest)
    printing.print_lines((tree.gantt if output == "gantt" else tree.lines)(state, clock()))
    if output == "wide":
        printing.print_lines(tree.more(state))


@click.command
@with_target
@name
@click.option("--gantt", is_flag=True, help="Show a bar for the duration of each task.")
@timeout
def watch(target: Target, name: str, *, gantt: bool, timeout: float | None) -> None:
    """Show an operation and its tasks until it has ended. Exit with 1 if it did not succeed."""
    follow(target.attach(name), timeout, gantt=gantt)


def follow(found: AttachedOperation, timeout: float | None, *, gantt: bool = False) -> None:
    """Show an operation until it has ended.

    Raises:
        OperationFailed: the operation did not succeed.

    """
    found.wait(timeout, show=Display(sys.stdout, tree.gantt if gantt else tree.lines))


def each(found: Iterable[AttachedOperation], act: Callable[[AttachedOperation], object]) -> None:
    """Call `act` for each operation, also after a failure.

    Raises:
        OperationFailed: at least one operation did not succeed.

    """
    failures = []
    for one in found:
        try:
            act(one)
        except OperationFailed as error:
            failures.append(error)
    if failures:
        raise OperationFailed("\n".join(map(str, failures)))


@click.command
@with_target
@names
@timeout
@click.option("-q", "--quiet", is_flag=True, help="Show nothing while waiting.")
def wait(target: Target, names: tuple[str, ...], timeout: float | None, *, quiet: bool) -> None:
    """Wait until operations have ended. Exit with 1 if one did not succeed."""

    def end(one: AttachedOperation) -> None:
        one.wait(timeout, show=False if quiet else None)
        click.echo(f"{one.name} succeeded")

    each([target.attach(name) for name in names], end)


@click.command
@with_target
@name
@click.option("-f", "--follow", is_flag=True, help="Print new lines until the operation has ended.")
@click.option("--task", help="Print only the log of this task.")
@click.option("--no-prefix", is_flag=True, help="Print lines without the name of the task.")
def logs(target: Target, name: str, *, follow: bool, task: str | None, no_prefix: bool) -> None:
    """Print the logs of an operation's tasks."""
    found = target.attach(name)
    if task is not None:
        _check_task(found, task)
    for line in found.logs(follow=follow, task=task):
        click.echo(line.text if no_prefix else str(line))


def _check_task(found: AttachedOperation, task: str) -> None:
    every = [one["name"] for one in found.found["spec"]["tasks"]]
    if task not in every:
        raise click.BadParameter(
            f"{found.name} has no task {task!r}; its tasks: {', '.join(every)}", param_hint="--task"
        )


@click.command
@with_target
@names
@click.option("--terminate", is_flag=True, help="Do not run exit handlers.")
@timeout
@no_wait
def cancel(
    target: Target,
    names: tuple[str, ...],
    timeout: float | None,
    *,
    terminate: bool,
    no_wait: bool,
) -> None:
    """Terminate the runs of operations. The operations are not deleted."""
    how: Literal["Stop", "Terminate"] = "Terminate" if terminate else "Stop"
    _change_each(
        target, names, {"cancel": how}, lambda one: one.cancel(how, timeout), no_wait=no_wait
    )


@click.command
@with_target
@names
@timeout
@no_wait
def suspend(
    target: Target, names: tuple[str, ...], timeout: float | None, *, no_wait: bool
) -> None:
    """Suspend operations: no new task starts, and running tasks continue."""
    _change_each(
        target, names, {"suspend": True}, lambda one: one.suspend(timeout), no_wait=no_wait
    )


@click.command
@with_target
@names
@timeout
@no_wait
def resume(target: Target, names: tuple[str, ...], timeout: float | None, *, no_wait: bool) -> None:
    """Resume suspended operations."""
    _change_each(
        target, names, {"suspend": False}, lambda one: one.resume(timeout), no_wait=no_wait
    )


def _change_each(
    target: Target,
    names: Iterable[str],
    changes: dict[str, Any],
    change: Callable[[AttachedOperation], Workflow],
    *,
    no_wait: bool,
) -> None:
    # Find all operations before the first one is changed.
    for one in [target.attach(name) for name in names]:
        if no_wait:
            _lifecycle.patch_spec(one.submitted(), changes)
        now = one.refresh() if no_wait else change(one)
        printing.print_lines([f"{one.name}  {now.status or 'Pending'}"])


@click.command
@with_target
@name
@click.option("--run-id", help="Id of the new run. Default: the next number.")
@click.option(
    "-w", "--watch", "watching", is_flag=True, help="Show the operation until it has ended."
)
@timeout
def rerun(
    target: Target, name: str, run_id: str | None, timeout: float | None, *, watching: bool
) -> None:
    """Run an operation again, after its current run has ended."""
    found = target.attach(name)
    started = found.rerun(run_id, timeout)
    click.echo(f"{name}  run {started.raw.status.run_id}")
    if watching:
        follow(found, timeout)


@click.command("explain-failure")
@with_target
@name
def explain_failure(target: Target, name: str) -> None:
    """Explain why an operation failed or waits, and how to fix it."""
    printing.print_lines(explain.lines(parse(target.attach(name).found)))
