"""Which way to a cluster a machine has, and what its person reads."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.machine import engine, facts, packages, tree, ways
from tests.machine.facts import GIB, Facts

PODMAN = engine.Engines("/usr/bin/podman", {"docker": "is not installed"})
NONE = engine.Engines(None, {"docker": "does not answer (no daemon)", "podman": "is not installed"})


def machine(**fields: Any) -> Facts:
    engines, namespaces = fields.pop("engines", NONE), fields.pop("namespaces", "")
    given: dict[str, Any] = {
        "system": "Linux",
        "architecture": "x86_64",
        "python": "3.13.1",
        "processors": 8,
        "memory": 16 * GIB,
        "disk": 100 * GIB,
        "cgroups": "v2",
        "root": True,
        "missing": (),
        "apt": True,
        **fields,
    }
    return Facts(**given, find_engines=lambda: engines, make_namespaces=lambda: namespaces)


@pytest.mark.parametrize(
    ("fields", "lacks"),
    [
        ({}, []),
        ({"missing": ("runc",)}, []),
        ({"system": "Darwin", "root": False, "apt": False}, ["Linux (this is Darwin)"]),
        ({"root": False}, ["root (sudo make ...)"]),
        ({"missing": ("conntrack", "runc"), "apt": False}, ["in Debian's names: conntrack, runc"]),
        ({"cgroups": ""}, ["control groups"]),
        ({"namespaces": "Operation not permitted"}, ["namespaces (Operation not permitted)"]),
    ],
)
def test_what_a_machine_lacks_for_a_cluster(fields: dict[str, Any], lacks: list[str]) -> None:
    found = machine(**fields).lacks
    assert len(found) == len(lacks)
    assert all(text in reason for text, reason in zip(lacks, found, strict=True))


@pytest.mark.parametrize(
    ("fields", "environment", "expected"),
    [
        ({}, {}, False),
        ({}, {"CLUSTER": "container"}, True),
        ({"root": False}, {}, True),
        ({"root": False}, {"CLUSTER": "kind"}, False),
        ({"root": False}, {"CLUSTER": "existing"}, False),
        ({"root": False}, {"CLUSTER": "embedded"}, False),
        ({"engines": PODMAN}, {}, False),
        ({"system": "Darwin", "engines": PODMAN}, {}, True),
    ],
)
def test_where_the_cluster_runs(
    fields: dict[str, Any], environment: Mapping[str, str], expected: bool
) -> None:
    assert ways.in_container(machine(**fields), environment) is expected


def test_no_engine_is_asked_where_the_cluster_can_run() -> None:
    def ask() -> engine.Engines:
        raise AssertionError

    one = machine()
    asked = Facts(**{**vars(one), "find_engines": ask})
    assert not ways.in_container(asked, {})


def test_a_machine_without_a_way_says_what_each_needs() -> None:
    screen = ways.closed(machine(root=False))
    said = " ".join(screen.split())
    for text in (
        "lacks root (sudo make ...)",
        "docker does not answer (no daemon); podman is not installed",
        "CLUSTER=kind",
        "CLUSTER=existing",
        "make demo-local",
    ):
        assert text in said
    assert max(map(len, screen.splitlines())) <= ways.WIDTH


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, r"8 processors, 16 GiB memory, 100 GiB free disk, control groups v2, Python 3\.13\.1"),
        ({}, r"yes +A cluster on this machine +make demo$"),
        ({}, r"no +The same cluster in a container +CLUSTER=container make demo$"),
        ({"engines": PODMAN}, r"yes +The same cluster in a container"),
        ({"engines": PODMAN}, r"by /usr/bin/podman$"),
        ({"root": False, "engines": PODMAN}, r"no +A cluster on this machine"),
        ({"root": False, "engines": PODMAN}, r"yes +The same cluster in a container +make demo$"),
        ({"missing": ("runc",)}, r"the first start installs: runc$"),
        ({"memory": 4 * GIB}, r"6 GiB of memory"),
        ({"disk": 10 * GIB}, r"15 GiB of disk"),
    ],
)
def test_doctor(fields: dict[str, Any], said: str) -> None:
    assert re.search(said, ways.doctor(machine(**fields)), re.MULTILINE)


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ([], ""),
        (["cgroup.controllers", "cgroup.procs"], "v2"),
        (["memory/tasks", "cpu/tasks"], "v1"),
        (["memory/tasks", "unified/cgroup.controllers"], "v1"),
    ],
)
def test_versions_of_control_groups(files: list[str], version: str, tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert facts.control_groups(tmp_path) == version


def test_this_machine_is_looked_at() -> None:
    one = facts.here()
    assert one.processors >= 1
    assert one.disk > 0
    assert ways.doctor(one)


def test_no_package_is_needed() -> None:
    # Without site-packages, as on a machine on which nothing was installed.
    command = [sys.executable, "-S", "-m", "tests.machine", "--help"]
    done = subprocess.run(command, cwd=tree.PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


PROGRAM = "#!/bin/sh\n{}\n"


@pytest.mark.parametrize(
    ("scripts", "program", "problems"),
    [
        ({}, None, {"docker": "is not installed", "podman": "is not installed"}),
        ({"docker": "echo '[\"name=seccomp\"]'", "podman": "echo false"}, "docker", {}),
        (
            {"docker": "echo '[]'; echo cannot connect >&2; exit 1", "podman": "echo false"},
            "podman",
            {"docker": "cannot connect"},
        ),
        # Some clients end well without a daemon.
        (
            {"docker": "echo null; echo cannot connect >&2", "podman": "echo false"},
            "podman",
            {"docker": "cannot connect"},
        ),
        (
            {"docker": "echo '[\"name=rootless\"]'"},
            None,
            {"docker": "without root", "podman": "is not installed"},
        ),
        ({"podman": "echo true"}, None, {"docker": "is not", "podman": "without root"}),
        (
            {"docker": "exit 3", "podman": "echo true"},
            None,
            {"docker": "exit code 3", "podman": "without root"},
        ),
    ],
)
def test_engines(
    scripts: dict[str, str],
    program: str | None,
    problems: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, script in scripts.items():
        (tmp_path / name).write_text(PROGRAM.format(script))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = engine.find()
    assert found.program == (str(tmp_path / program) if program else None)
    assert found.problems.keys() == problems.keys()
    assert all(text in found.problems[name] for name, text in problems.items())


def test_the_image_of_the_container_has_the_packages_of_the_cluster() -> None:
    text = Path(ways.__file__).with_name("Dockerfile").read_text()
    assert set(packages.NEEDED.values()) <= set(text.split())


def test_a_program_of_any_package_is_enough() -> None:
    assert packages.missing({"sh": "no-such-package", "no-such-program": "one"}) == ["one"]
