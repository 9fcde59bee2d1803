"""The commands of the Makefile that have to know what this machine is."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.machine import facts, ways
from tests.machine.container import Container
from tests.machine.errors import ClusterError

ENVIRONMENT = (".venv/bin/python", "-m", "tests.cluster", "env")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    options = parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(prog="python -m tests.machine", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, act in (("way", _way), ("doctor", _doctor), ("env", _env), ("down", _down)):
        commands.add_parser(name, help=act.__doc__).set_defaults(act=act)
    inside = commands.add_parser("inside", help=_inside.__doc__)
    inside.set_defaults(act=_inside)
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    return top


def _way(_: argparse.Namespace) -> int:
    """Print `container` if the cluster's commands run in one, else `here`."""
    print("container" if ways.in_container(facts.here(), os.environ) else "here")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    """Show which ways to a cluster this machine has, and what the others lack."""
    print(ways.doctor(facts.here()))
    return 0


def _inside(options: argparse.Namespace) -> int:
    """Run a command in the container, in a copy of this directory."""
    return _container().run([word for word in options.words if word != "--"])


def _env(_: argparse.Namespace) -> int:
    """Print what a shell of this machine needs to use the cluster in the container."""
    container = _container()
    if not container.runs():
        raise ClusterError("the cluster is not up: make cluster-up")
    printed = container.output(ENVIRONMENT).decode()
    # Each line is `export NAME=value`, and the last is `export PATH=tools:"$PATH"`.
    given = dict(word.split("=", 1) for word in shlex.split(printed) if "=" in word)
    mine = container.locks / "container"
    mine.mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig = mine / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_bytes(container.output(["cat", given["KUBECONFIG"]]))
    print(f"export KUBECONFIG={shlex.quote(str(kubeconfig))}\nexport KAFKA={given['KAFKA']}")
    if sys.platform == "linux":
        tools = _tools(container, mine, given["PATH"])
        print(f'export PATH={shlex.quote(str(tools))}:"$PATH"')
    return 0


def _tools(container: Container, mine: Path, path: str) -> Path:
    """Copy kubectl and helm out of the container, once; a Linux machine can run them."""
    tools = mine / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("kubectl", "helm"):
        looked_up = container.output(["sh", "-c", f'PATH="{path}"; command -v {name}'])
        where, source = looked_up.decode().strip(), tools / f".{name}.source"
        # The path in the container has the version in it.
        if (tools / name).exists() and source.exists() and source.read_text() == where:
            continue
        partial = tools / f".{name}"
        partial.write_bytes(container.output(["cat", where]))
        partial.chmod(0o755)
        partial.rename(tools / name)
        source.write_text(where)
    return tools


def _down(_: argparse.Namespace) -> int:
    """Stop the cluster in the container, and remove the container."""
    container = _container()
    if not container.runs():
        print("  The cluster is not up.")
        return 0
    return container.run(["make", "--no-print-directory", "cluster-down"])


def _container() -> Container:
    machine = facts.here()
    if machine.engines.program is None:
        raise ClusterError(ways.closed(machine))
    return Container.mine(machine.engines.program)


if __name__ == "__main__":
    sys.exit(main())
