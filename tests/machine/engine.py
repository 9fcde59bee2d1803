"""Docker or Podman, for the container that the cluster runs in."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TIMEOUT = 30.0
"""Seconds in which an engine has to answer."""

ROOTLESS = {
    "docker": ("info", "--format", "{{json .SecurityOptions}}"),
    "podman": ("info", "--format", "{{.Host.Security.Rootless}}"),
}
"""How to ask each engine, in the order of preference, whether it runs without root. A client
without a daemon fails, `docker` with some versions only in what it prints."""


@dataclass(frozen=True)
class Engines:
    """The engines of this machine.

    Args:
        program: the one that can run the cluster's container, or None.
        problems: why each of the others cannot.

    """

    program: str | None
    problems: Mapping[str, str] = field(default_factory=dict)


def find() -> Engines:
    """Ask Docker, then Podman."""
    problems = {}
    for name, words in ROOTLESS.items():
        if (program := shutil.which(name)) is None:
            problems[name] = "is not installed"
            continue
        problem = _problem([program, *words])
        if problem is None:
            return Engines(program, problems)
        problems[name] = problem
    return Engines(None, problems)


def _problem(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer ({error})"
    if done.returncode != 0 or done.stdout.strip() in ("", "null"):
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return f"does not answer ({lines[-1]})"
    if "rootless" in done.stdout or done.stdout.strip() == "true":
        return (
            "runs without root, which the cluster's nodes need (sudo, or podman machine --rootful)"
        )
    return None
