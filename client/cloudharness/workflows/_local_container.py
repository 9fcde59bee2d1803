"""Run a task's container by Docker or Podman on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness_operation.tasks import CustomContainer

ENGINES: Final[Mapping[str, tuple[str, ...]]] = {
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "podman": ("info", "--format", "{{.Host.Security.Rootless}}"),
}
"""Programs that run containers, in the order of preference, and arguments with which each fails if
it cannot: `docker` may be installed without a daemon."""
_ANSWER_TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Container:
    """The container of one attempt of a task.

    Args:
        name: its name on this machine, which no other container has.
        task: name of the task.
        custom: the image and the command.
        variables: environment variables.
        volumes: a directory of this machine for each mount path.

    """

    name: str
    task: str
    custom: CustomContainer
    variables: Mapping[str, str]
    volumes: Mapping[str, Path]

    @property
    def engine(self) -> str:
        """The program that runs it.

        Raises:
            BadOperationConfiguration: neither Docker nor Podman can run containers.

        """
        try:
            return answering_engine(os.environ.get("PATH", os.defpath))
        except LookupError as error:
            raise BadOperationConfiguration(
                f"task {self.task!r} runs in the image {self.custom.image}, which needs docker or "
                f"podman: {error}: install or start one, or run the operation on a cluster"
            ) from None

    def pull_command(self) -> list[str] | None:
        """Return the command that pulls the image, or None if it must not, or need not, be pulled.

        It is not left to `run`, whose progress would be part of the task's output.
        """
        image, policy = self.custom.image, self.custom.image_pull_policy
        if policy == "Never":
            return None
        if policy != "Always" and self._call("image", "inspect", image).returncode == 0:
            return None
        return [self.engine, "pull", image]

    def command(self) -> list[str]:
        """Return the command that runs the container until it ends."""
        words = [self.engine, "run", "--name", self.name, "--pull=never"]
        for name, value in self.variables.items():
            words += ["--env", f"{name}={value}"]
        words += self._mounts()
        inner = list(self.custom.command)
        if inner:
            words += ["--entrypoint", inner.pop(0)]
        return [*words, self.custom.image, *inner, *self.custom.args]

    def read(self, path: str, directory: Path) -> str:
        """Return the text of a file of the container, which has ended.

        Raises:
            OSError: the container has no such file.

        """
        file = directory / "output"
        copied = self._call("cp", f"{self.name}:{path}", str(file))
        if copied.returncode != 0:
            raise OSError(f"{path}: {copied.stderr.strip()}")
        return file.read_text(errors="replace")

    def remove(self) -> None:
        """Kill the container if it runs, and remove it. Files that it wrote become this user's."""
        self._call("kill", self.name)
        self._call("rm", "--force", self.name)
        if others := [path for path, at in self.volumes.items() if _has_files_of_others(at)]:
            self._take_over(others)

    def _take_over(self, paths: Iterable[str]) -> None:
        # Without its own user namespace, root of the container is root of this machine.
        user = "0:0" if _is_rootless(self.engine) else f"{os.getuid()}:{os.getgid()}"
        root = ("run", "--rm", "--user", "0:0", "--network", "none", *self._mounts())
        self._call(*root, "--entrypoint", "chown", self.custom.image, "-R", user, *paths)

    def _mounts(self) -> list[str]:
        # With z, SELinux lets several containers use it. Elsewhere it has no effect.
        mounts = (f"{directory}:{path}:z" for path, directory in self.volumes.items())
        return [word for mount in mounts for word in ("--volume", mount)]

    def _call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.engine, *words], check=False, capture_output=True, text=True, errors="replace"
        )


@cache
def answering_engine(path: str) -> str:
    """Return the first of the engines that can run containers.

    Args:
        path: the value of the variable PATH. Another one is looked through anew.

    Raises:
        LookupError: there is none; the message says why of each. It is not cached.

    """
    problems = []
    for name, words in ENGINES.items():
        if (program := shutil.which(name, path=path)) is None:
            problems.append(f"{name} is not installed")
        elif problem := _problem([program, *words]):
            problems.append(f"{name} does not answer ({problem})")
        else:
            return name
    raise LookupError("; ".join(problems))


def _problem(command: list[str]) -> str:
    """Return the last line of what a command that fails says, or an empty string."""
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return f"within {_ANSWER_TIMEOUT:g} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def _is_rootless(engine: str) -> bool:
    query = "{{.Host.Security.Rootless}}" if engine == "podman" else "{{.SecurityOptions}}"
    asked = subprocess.run(
        [engine, "info", "--format", query], check=False, capture_output=True, text=True
    )
    return "true" in asked.stdout or "rootless" in asked.stdout


def _has_files_of_others(directory: Path) -> bool:
    user = os.getuid()
    files = (directory, *directory.rglob("*"))
    return user != 0 and any(file.lstat().st_uid != user for file in files)
