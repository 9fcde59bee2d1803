"""The container's commands, and the project's files on their way into it and back."""

import socket
import subprocess
from pathlib import Path

import pytest

from tests.machine import arrive, tree
from tests.machine.container import PASSED, Container, free_port
from tests.machine.errors import ClusterError


def git(where: Path, *words: str) -> str:
    return subprocess.run(
        [*arrive.GIT, *words], cwd=where, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    (place / "src").mkdir(parents=True)
    (place / ".gitignore").write_text("*.log\n")
    (place / "src" / "a.py").write_text("a")
    (place / "run").write_text("#!/bin/sh\n")
    (place / "run").chmod(0o755)
    (place / "link").symlink_to("run")
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    (place / "new").write_text("not yet known to Git")
    (place / "build.log").write_text("ignored")
    return place


def arrived(project: Path, tmp_path: Path) -> Path:
    """What `Container` does with tar and Python in the container."""
    arriving, target = tmp_path / "arriving", tmp_path / "target"
    arriving.mkdir()
    subprocess.run(["tar", "-x", "-C", arriving], input=tree.pack(project), check=True)
    arrive.main(arriving, target)
    subprocess.run(["rm", "-rf", arriving], check=True)
    return target


def files(place: Path) -> set[str]:
    paths = (path.relative_to(place) for path in place.rglob("*"))
    return {str(path) for path in paths if ".git" not in path.parts and not (place / path).is_dir()}


def test_a_copy_has_what_git_does_not_ignore(project: Path, tmp_path: Path) -> None:
    copy = arrived(project, tmp_path)
    assert files(copy) == {".gitignore", "src/a.py", "run", "link", "new"}
    assert (copy / "run").stat().st_mode & 0o777 == 0o755
    assert (copy / "link").readlink() == Path("run")
    assert git(copy, "status", "--porcelain") == ""


def test_a_copy_follows_the_project(project: Path, tmp_path: Path) -> None:
    copy = arrived(project, tmp_path)
    (copy / "environment.log").write_text("ignored, of the copy")
    untouched = (copy / "new").stat()
    (project / "src" / "a.py").write_text("b")
    (project / "run").unlink()
    (project / "run").symlink_to("new")
    (project / "src" / "deep").mkdir()
    (project / "src" / "deep" / "c").write_text("c")
    (project / "link").unlink()
    (copy / "became").mkdir()
    (copy / "became" / "old.log").write_text("ignored")
    (project / "became").write_text("a file")
    assert arrived(project, tmp_path) == copy
    assert files(copy) == {
        *(".gitignore", "src/a.py", "run", "new", "src/deep/c", "environment.log", "became"),
    }
    assert (copy / "src" / "a.py").read_text() == "b"
    assert (copy / "run").readlink() == Path("new")
    assert (copy / "new").stat() == untouched


def test_what_a_command_changes_comes_back(project: Path, tmp_path: Path) -> None:
    copy = arrived(project, tmp_path)
    (copy / "src" / "a.py").write_text("by the command")
    (copy / "two words").write_text("new")
    (copy / "run").unlink()
    (copy / "x.log").write_text("ignored")
    names = tree.changed(git(copy, "status", "--porcelain", "-z", "--untracked-files=all"))
    assert sorted(names) == ["src/a.py", "two words"]
    packed = subprocess.run(["tar", "-c", *names], cwd=copy, check=True, capture_output=True).stdout
    assert sorted(tree.unpack(packed, project)) == sorted(names)
    assert (project / "src" / "a.py").read_text() == "by the command"
    assert (project / "two words").read_text() == "new"
    assert (project / "run").exists()


def test_nothing_comes_back_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "outside").write_text("as it was")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "outside").write_text("changed")
    packed = subprocess.run(
        ["tar", "-c", "-P", "--transform", "s,^,../,", "outside"],
        cwd=tmp_path / "other",
        check=True,
        capture_output=True,
    ).stdout
    assert tree.unpack(packed, tmp_path / "project") == []
    assert (tmp_path / "outside").read_text() == "as it was"


def test_a_directory_that_is_no_clone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no clone of the repository"):
        tree.pack(tmp_path)


def test_how_the_container_is_started(tmp_path: Path) -> None:
    one = Container("/usr/bin/podman", "someone", tmp_path)
    command = one.start_command({"api": 16443, "kafka": 40000})
    for words in (
        ["--privileged"],
        ["--publish=127.0.0.1:16443:16443", "--publish=127.0.0.1:40000:40000"],
        ["--env", "CLUSTER_PUBLISHED=api=16443,kafka=40000"],
        ["--volume", "cloudharness-cluster-someone:/cluster"],
    ):
        at = command.index(words[0])
        assert words == command[at : at + len(words)] or words[1] in command
    # Of Docker and of Podman.
    assert "--init" not in command


def test_two_clones_have_two_copies(tmp_path: Path) -> None:
    one, other = (Container("docker", "me", tmp_path, Path(at)) for at in ("/a/p", "/b/p"))
    assert one.place != other.place
    assert one.name == other.name


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("CLUSTER_ARGO_VERSION", True),
        ("CLUSTER", False),
        ("E2E_WORKERS", True),
        ("https_proxy", True),
        ("PATH", False),
        ("KUBECONFIG", False),
        ("MAKEFLAGS", False),
    ],
)
def test_variables_that_commands_get(name: str, passed: bool) -> None:
    assert bool(PASSED.fullmatch(name)) is passed


def test_a_port_in_use_is_replaced() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert free_port(number) != number
