"""The commands of `make` in a container, by Podman, and the cluster in it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import Cluster, packages
from tests.cluster.embedded import EmbeddedCluster
from tests.machine import tree
from tests.machine.container import BASE, HOME, PUBLISHED, Container
from tests.support.interrupts import interruptible
from tests.support.podman import Podman, own_podman

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("container")]

TIMEOUT = 300
INSIDE = (sys.executable, "-m", "tests.machine", "inside")


@dataclass(frozen=True)
class Machine:
    """A clone of the project, as a person has it, on a machine that has Podman."""

    clone: Path
    podman: Podman
    variables: dict[str, str]

    def popen(self, *words: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command in the clone, in the machine's own network and not in the cluster's."""
        outside = ("nsenter", f"--net=/proc/{os.getppid()}/ns/net")
        return subprocess.Popen(
            interruptible([*outside, *words]),
            cwd=self.clone,
            env={**os.environ, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0, **variables: str) -> str:
        """Run a command to its end, which is to have this exit code; return what it prints."""
        with self.popen(*words, **variables) as process:
            printed, said = process.communicate(timeout=TIMEOUT)
        assert process.returncode == code, f"{printed}\n{said}"
        return printed


@pytest.fixture(scope="module")
def machine(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if not isinstance(cluster, EmbeddedCluster):
        pytest.skip("the base image is one of the embedded cluster")
    if PUBLISHED in os.environ:
        pytest.skip("this runs in the container already")
    packages.install(cluster.place.progress, {"podman": "podman", "netavark": "netavark"})
    clone = tmp_path_factory.mktemp("clone") / "project"
    tree.unpack(tree.pack(), clone)
    subprocess.run(["git", "init", "--quiet"], cwd=clone, check=True)
    with own_podman(tmp_path_factory.mktemp("podman"), "private") as podman:
        podman("load", "--input", cluster.artifacts.python_image)
        # The volume has what the machine's cache has, so that nothing is built anew.
        volume = Container.mine("podman").name
        podman("volume", "create", volume)
        mount = podman("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip()
        cache = Path(mount) / ".cache" / "cloudharness-operator"
        cache.mkdir(parents=True)
        copy = ["cp", "--archive", "--reflink=auto", str(cluster.place.cache.root / "entries")]
        subprocess.run([*copy, str(cache)], check=True)
        variables = {
            **podman.variables,
            "CLUSTER": "container",
            "XDG_CACHE_HOME": str(clone.with_name("cache")),
            BASE: cluster.python_image,
        }
        yield Machine(clone, podman, variables)


def test_a_command_runs_in_a_copy_and_what_it_changes_comes_back(machine: Machine) -> None:
    script = "pwd; cat README.md | wc -c; echo changed > LICENSE; echo new > 'two words'; exit 7"
    printed = machine.run(*INSIDE, "sh", "-c", script, code=7)
    where, size = printed.split()
    assert where.startswith(f"{HOME}/projects/project-")
    assert int(size) == (machine.clone / "README.md").stat().st_size
    assert (machine.clone / "LICENSE").read_text() == "changed\n"
    assert (machine.clone / "two words").read_text() == "new\n"
    assert machine.podman.containers() == []


def test_two_first_commands_at_once_share_a_container(machine: Machine) -> None:
    begun = (*INSIDE, "cut", "--delimiter= ", "--fields=22", "/proc/1/stat")
    with machine.popen(*begun) as one, machine.popen(*begun) as other:
        printed = {process.communicate(timeout=TIMEOUT)[0] for process in (one, other)}
    assert (one.returncode, other.returncode) == (0, 0)
    assert len(printed) == 1
    assert machine.podman.containers() == []


def test_variables_of_make_reach_the_command(machine: Machine) -> None:
    printed = machine.run(
        *INSIDE, "sh", "-c", "echo $E2E_WORKERS $OTHER", E2E_WORKERS="3", OTHER="s"
    )
    assert printed == "3\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_the_container(machine: Machine, number: int) -> None:
    script = "trap 'echo stopped; exit 3' INT; echo begun; while :; do sleep 1; done"
    with machine.popen(*INSIDE, "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        printed, _ = process.communicate(timeout=TIMEOUT)
    assert printed == "stopped\n"
    assert process.returncode == 3
    assert machine.podman.containers() == []


def test_the_cluster_in_the_container_is_reached_from_the_machine(machine: Machine) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(machine.run, "make", "cluster-down")
        machine.run("make", "cluster-up")
        exported = machine.run("make", "-s", "env")
        variables = dict(re.findall(r"^export (KUBECONFIG|KAFKA)=(\S+)$", exported, re.MULTILINE))
        program = re.search(r"^export PATH=([^:]+):", exported, re.MULTILINE)
        assert program is not None
        # As a person's shell does it: neither in the container nor in the cluster's network.
        nodes = machine.run(f"{program[1]}/kubectl", "get", "nodes", "--output=name", **variables)
        assert nodes.split() == ["node/node1", "node/node2"]
        reached = "import socket, sys; socket.create_connection(sys.argv[1].split(':'), 30)"
        machine.run(sys.executable, "-c", reached, variables["KAFKA"])
    assert machine.podman.containers() == []
    assert "not up" in machine.run("make", "cluster-down")
