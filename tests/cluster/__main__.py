"""The embedded cluster from a shell: `python -m tests.cluster COMMAND`."""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from tests.cluster import embedded, setup
from tests.cluster.argocd import ARGOCD
from tests.cluster.choice import choose, from_environment
from tests.cluster.companion import Companion
from tests.cluster.embedded import EmbeddedCluster, Place
from tests.cluster.errors import ClusterError
from tests.cluster.flux import FLUX
from tests.cluster.prometheus import PROMETHEUS

COMPANIONS = (ARGOCD, FLUX, PROMETHEUS)
ME = "python -m tests.cluster"
PROMPT = "PS1='[cluster {name}] \\w \\$ '"
WELCOME = """  You are in the network of the cluster {name}: its API server, its Services and Kafka
  ({kafka}) answer here. kubectl and helm are set up. Leave with Ctrl-D; the cluster stays."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    mine, theirs = split(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(mine)
    options.command = theirs
    try:
        return int(options.act(Place.default(options.name), options))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part our words from those of the command that we are to run, which may begin with a dash."""
    words = list(arguments)
    at = next((i for i, word in enumerate(words) if word in ("run", "kubectl")), len(words))
    return words[: at + 1], words[at + 1 :]


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(prog=ME, description=__doc__)
    top.add_argument("--name", default=os.environ.get("CLUSTER_NAME", "default"))
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, act: Callable[[Place, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=act.__doc__, description=act.__doc__)
        command.set_defaults(act=act)
        return command

    add("setup", _setup).add_argument(
        "--if-chosen", action="store_true", help="do nothing where another kind of cluster is used"
    )
    for companion in COMPANIONS:
        add(companion.command, _companion).set_defaults(companion=companion)
    add("up", _up)
    add("down", _down)
    add("status", _status)
    add("env", _env)
    add("shell", _shell)
    add("run", _run).usage = f"{ME} run [--] COMMAND [ARGUMENT...]"
    add("logs", _logs).add_argument("component", nargs="?")
    add("kubectl", _kubectl).usage = f"{ME} kubectl ARGUMENT..."
    add("operator-image", _operator_image)
    for verb in ("stop", "start", "kill"):
        command = add(verb, _component)
        command.set_defaults(verb=verb)
        command.add_argument("component")
    return top


def _setup(place: Place, options: argparse.Namespace) -> int:
    """Install packages, build programs and images into the cache; start nothing."""
    if options.if_chosen and choose("auto", None, os.environ) != "embedded":
        return 0
    setup.prepare(place.cache, from_environment(os.environ), place.progress)
    return 0


def _companion(place: Place, options: argparse.Namespace) -> int:
    """Build it into the cache, for the tests that run it beside a cluster."""
    companion: Companion = options.companion
    companion.obtain(place.cache, from_environment(os.environ), place.progress)
    return 0


def _up(place: Place, _: argparse.Namespace) -> int:
    """Bring the cluster up (and set it up, if need be); it stays until `down`."""
    begun = time.monotonic()
    process = embedded.up(place, from_environment(os.environ))
    if process is None:
        print(f"  The cluster {place.name} is up already.")
    else:
        embedded.detach(process)
        print(f"  The cluster {place.name} is up after {time.monotonic() - begun:.1f} s.")
    name = "" if place.name == "default" else f"CLUSTER_NAME={place.name} "
    print(f'  Use it:       eval "$({name}make -s env)"   or   {name}make shell')
    print(f"  Its logs:     {place.state.logs}\n  End it:       {name}make cluster-down")
    return 0


def _down(place: Place, _: argparse.Namespace) -> int:
    """End the cluster; only its logs stay."""
    was_up = embedded.down(place)
    print(f"  The cluster {place.name} is {'down' if was_up else 'not up'}.")
    return 0


def _status(place: Place, _: argparse.Namespace) -> int:
    """Say whether the cluster is up, and what runs in it."""
    if not place.state.running():
        print(f"  The cluster {place.name} is not up.")
        return 1
    cluster = EmbeddedCluster(place)
    took = json.loads(place.state.ready.read_text())["seconds"] if cluster.is_ready() else None
    print(f"  The cluster {place.name} is {f'up, after {took} s' if took else 'starting'}.")
    for component, state in sorted(cluster.states().items()):
        print(f"  {component:26} {state}")
    return 0


def _env(place: Place, _: argparse.Namespace) -> int:
    """Print what a shell of this machine needs to use the cluster, as commands for it."""
    cluster = embedded.find(place)
    for name, value in cluster.outer_environment().items():
        print(f"export {name}={shlex.quote(value)}")
    print(f'export PATH={shlex.quote(cluster.tools)}:"$PATH"')
    return 0


def _shell(place: Place, _: argparse.Namespace) -> int:
    """Open a shell in the cluster's network, with kubectl and helm."""
    cluster = embedded.find(place)
    print(WELCOME.format(name=place.name, kafka=cluster.kafka))
    with tempfile.NamedTemporaryFile("w", suffix=".bashrc") as settings:
        settings.write(f"[ -f ~/.bashrc ] && . ~/.bashrc\n{PROMPT.format(name=place.name)}\n")
        # After the person's own settings, which may put other tools first.
        settings.write(f"PATH={cluster.environment()['PATH']}\n")
        settings.flush()
        return _call(cluster, ["bash", "--rcfile", settings.name, "-i"])


def _run(place: Place, options: argparse.Namespace) -> int:
    """Run a command in the cluster's network; its exit code is the result."""
    command = [part for i, part in enumerate(options.command) if i > 0 or part != "--"]
    if not command:
        raise ClusterError("run what? For instance: run -- kubectl get nodes")
    return _call(embedded.find(place), command)


def _kubectl(place: Place, options: argparse.Namespace) -> int:
    """Run kubectl as the cluster's admin."""
    return _call(embedded.find(place), ["kubectl", *options.command])


def _logs(place: Place, options: argparse.Namespace) -> int:
    """Print a component's log, or list the logs there are."""
    logs = place.state.logs
    if options.component is None:
        for path in sorted(logs.glob("*.log")):
            print(f"  {path.stem:26} {path}")
        return 0
    path = logs / f"{options.component}.log"
    if not path.is_file():
        raise ClusterError(f"There is no {path}")
    with path.open() as log:
        shutil.copyfileobj(log, sys.stdout)
    return 0


def _operator_image(place: Place, _: argparse.Namespace) -> int:
    """Build the operator's image, put it on the nodes, print its name."""
    print(embedded.find(place).operator_image())
    return 0


def _component(place: Place, options: argparse.Namespace) -> int:
    """Stop, start or kill one component, such as kafka, argo or node1-kubelet."""
    cluster = embedded.find(place)
    getattr(cluster, options.verb)(options.component)
    return 0


def _call(cluster: EmbeddedCluster, command: list[str]) -> int:
    words = [*cluster.entering(), *command]
    return subprocess.run(words, env=cluster.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
