"""The project's files, on their way into the container and back."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

from tests.machine.errors import ClusterError

PROJECT = Path(__file__).parents[2]


def files(project: Path, *below: str) -> list[str]:
    """Return the names of the files that Git knows or does not ignore, sorted.

    Args:
        project: a clone of the repository.
        below: paths in it; if there are some, only files in these are returned.

    Raises:
        ClusterError: this is no clone of the repository.

    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *below]
    try:
        listed = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    except OSError as error:
        raise ClusterError(f"git is needed to list the project's files: {error}") from error
    if listed.returncode != 0:
        raise ClusterError(f"{project} is no clone of the repository: {listed.stderr.strip()}")
    names = set(listed.stdout.split("\0")) - {""}
    # One that is deleted and not yet committed is listed, too.
    return sorted(name for name in names if os.path.lexists(project / name))


def pack(project: Path = PROJECT) -> bytes:
    """Return a tar archive of the project's files.

    Raises:
        ClusterError: this is no clone of the repository.

    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in files(project):
            tar.add(project / name, name, recursive=False, filter=_owned_by_root)
    return archive.getvalue()


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def changed(status: str) -> list[str]:
    """Return the files that exist and differ, from `git status --porcelain -z`."""
    entries = [entry for entry in status.split("\0") if entry]
    return [entry[3:] for entry in entries if "D" not in entry[:2]]


def unpack(archive: bytes, project: Path = PROJECT) -> list[str]:
    """Write the regular files of an archive below the project; return their names."""
    written = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            target = (project / member.name).resolve()
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or not target.is_relative_to(project.resolve()):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
            target.chmod(member.mode & 0o777)
            written.append(member.name)
    return written
