"""The command, its shell completion and its exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click
from click.shell_completion import ShellComplete, get_completion_class

from cloudharness.workflows.cli import commands
from cloudharness.workflows.cli.check_migration import check_migration
from cloudharness.workflows.cli.doctor import doctor
from cloudharness.workflows.cli.run import run
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    BadParam,
    ClusterUnavailable,
    OperationExists,
    OperationFailed,
    OperationRefused,
    OperationTimeout,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness_operation.errors import InvalidOperation

_REFUSED: Final = 5
_CODES: Final = (
    (OperationFailed, 1),
    (WorkflowNotFound, 3),
    (OperationTimeout, 4),
    (OperationExists, _REFUSED),
    (OperationRefused, _REFUSED),
    (BadOperationConfiguration, _REFUSED),
    (BadParam, _REFUSED),
    (ClusterUnavailable, 6),
)
_OTHERWISE: Final = 1
_INTERRUPTED: Final = 130
"""128 plus SIGINT, as in a shell."""
_NO_FILES: Final = ":4"
"""Directive for kubectl not to complete file names (cobra, ShellCompDirectiveNoFileComp)."""

_PLUGIN: Final = "kubectl-cho"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success; 1 an operation did not succeed, a check failed, or code must be "
    "edited; 2 wrong usage, or code cannot be parsed; 3 the operation does not exist; 4 --timeout "
    "expired; 5 the operation or the change is rejected; 6 the cluster does not respond, or denies "
    "access; 130 Ctrl-C.",
)
@click.version_option(package_name="cloudharness-operation", message="%(version)s")
def cli() -> None:
    """Run, watch and control CloudHarness operations.

    `cloudharness-operation` and `kubectl cho` are the same command.
    """


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell completion script, for `source <(... completion bash)`."""
    program = "cloudharness-operation"
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - for the type checker: click has all three.
    click.echo(kind(cli, {}, program, _variable(program)).source())


for one in (
    *(commands.list_operations, commands.get, commands.watch, commands.wait, commands.logs),
    *(run, commands.cancel, commands.suspend, commands.resume, commands.rerun),
    *(commands.explain_failure, doctor, check_migration, completion),
):
    cli.add_command(one)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command, and exit with the codes listed in `--help`."""
    own = Path(sys.argv[0]).name
    program = "kubectl cho" if own.startswith(_PLUGIN) else "cloudharness-operation"
    try:
        code = cli.main(arguments, program, complete_var=_variable(program), standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; operations on the cluster continue", err=True)
        sys.exit(_INTERRUPTED)
    except InvalidOperation as error:
        click.echo(f"error: this version cannot read the operation: {error}", err=True)
        sys.exit(_REFUSED)
    except WorkflowException as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(next((code for kind, code in _CODES if isinstance(error, kind)), _OTHERWISE))
    except BrokenPipeError:
        # The reader has closed the pipe. The interpreter must not flush stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code or 0)


def complete_for_kubectl() -> None:
    """Complete `kubectl cho ...`. kubectl calls this as `kubectl_complete-cho WORDS`."""
    *words, prefix = sys.argv[1:] or [""]
    for item in ShellComplete(cli, {}, "kubectl cho", "").get_completions(words, prefix):
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(_NO_FILES)


def _variable(program: str) -> str:
    return f"_{program.replace('-', '_').replace(' ', '_').upper()}_COMPLETE"
