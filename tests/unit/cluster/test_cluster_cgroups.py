"""Control groups v1 and v2, in directories that look like them."""

import errno
import os
from pathlib import Path

import pytest

from tests.cluster import cgroups


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for controller in ("cpu,cpuacct", "memory", "pids"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    # The hierarchy of v2, which has no controllers then, and where runc makes groups, too.
    for place in ("unified", "unified/ours"):
        (tmp_path / place).mkdir()
        for file in ("cgroup.procs", "cgroup.controllers", "cgroup.subtree_control"):
            (tmp_path / place / file).touch()
    return tmp_path


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    group(tmp_path)
    (tmp_path / "cgroup.procs").write_text("7\n8\n")
    return tmp_path


def group(place: Path) -> None:
    """Write the files that the kernel makes with a group."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
    (place / "cgroup.subtree_control").touch()
    (place / "cgroup.procs").touch()


def test_each_hierarchy_of_v1_gets_the_groups(v1: Path) -> None:
    cgroups.create("ours", ["node1", "node2"], v1)
    made = {str(path.relative_to(v1)) for path in v1.rglob("node*")}
    assert made == {
        f"{controller}/ours/{node}"
        for controller in ("cpu,cpuacct", "memory", "pids", "unified")
        for node in ("node1", "node2")
    }


WANTED = "+cpu +cpuset +hugetlb +io +memory +pids"


def test_the_one_hierarchy_of_v2_delegates_its_controllers(v2: Path) -> None:
    group(v2 / "ours")
    cgroups.create("ours", ["node1", "node2"], v2)
    assert (v2 / "cgroup.subtree_control").read_text() == WANTED
    assert (v2 / "ours" / "cgroup.subtree_control").read_text() == WANTED
    assert {path.name for path in (v2 / "ours").iterdir() if path.is_dir()} == {"node1", "node2"}
    assert not (v2 / cgroups.ASIDE).exists()


def test_processes_of_a_containers_outermost_group_are_moved_aside(
    v2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group(v2 / "ours")
    group(v2 / cgroups.ASIDE)
    moved: list[str] = []
    write = Path.write_text

    def kernel(path: Path, text: str) -> int:
        if path == v2 / "cgroup.subtree_control" and len(moved) < 2:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if path == v2 / cgroups.ASIDE / "cgroup.procs":
            moved.append(text)
            if text == "8":
                raise ProcessLookupError
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", kernel)
    cgroups.create("ours", ["node1"], v2)
    assert moved == ["7", "8"]
    assert (v2 / "cgroup.subtree_control").read_text() == WANTED


def test_another_error_is_not_hidden(v2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(_path: Path, _text: str) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(Path, "write_text", kernel)
    with pytest.raises(PermissionError):
        cgroups.create("ours", [], v2)
