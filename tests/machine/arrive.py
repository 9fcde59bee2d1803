"""Make one directory equal to another, in the container: `arrive.py FROM TO`.

Files that are the same stay as they are, so that what runs from them is not disturbed. What Git
ignores in TO, such as the environment, stays too. The state is committed, so that `git status`
shows what a command changes afterwards.
"""

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

GIT = ("git", "-c", "user.name=tests.machine", "-c", "user.email=tests.machine@localhost")


def main(source: Path, target: Path) -> None:
    """Move all files of the source that differ, and delete what the source does not have."""
    target.mkdir(parents=True, exist_ok=True)
    if not (target / ".git").is_dir():
        _git(target, "init", "--quiet", "--initial-branch=main")
    files = {path.relative_to(source) for path in source.rglob("*") if not _is_directory(path)}
    for known in _git(target, "ls-files", "-z", "--cached", "--others", "--exclude-standard"):
        if Path(known) not in files:
            (target / known).unlink(missing_ok=True)
    for file in files:
        if not _same(source / file, target / file):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            if _is_directory(target / file):
                # What is left in it is ignored by Git.
                shutil.rmtree(target / file)
            (source / file).rename(target / file)
    _git(target, "add", "--all")
    _git(target, "commit", "--quiet", "--allow-empty", "--message", "As on the machine")


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return (
        other.is_file()
        and one.stat().st_mode == other.stat().st_mode
        and filecmp.cmp(one, other, shallow=False)
    )


def _git(where: Path, *words: str) -> list[str]:
    done = subprocess.run([*GIT, *words], cwd=where, check=True, stdout=subprocess.PIPE, text=True)
    return [name for name in done.stdout.split("\0") if name]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
