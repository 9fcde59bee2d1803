"""Volumes are opened, and nothing else."""

from pathlib import Path

from tests.cluster.volumes import open_all


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_every_user_may_write_to_each_volume(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir(mode=0o750)
    (tmp_path / "one" / "file").touch(mode=0o600)
    open_all(tmp_path)
    assert [mode(tmp_path / name) for name in ("one", "two")] == [0o777, 0o777]
    assert mode(tmp_path / "one" / "file") == 0o600


def test_there_may_be_no_volume_yet(tmp_path: Path) -> None:
    open_all(tmp_path / "absent")
