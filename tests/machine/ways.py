"""The ways to a cluster, and which of them this machine has."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from tests.machine.facts import GIB, Facts

WIDTH = 100
ENGINES = "Docker or Podman, which runs with root"


@dataclass(frozen=True)
class Way:
    """One way, in words for a person.

    Args:
        title: what runs where.
        usable: whether this machine has all it needs.
        needs: what it needs, or lacks.
        command: what to type.

    """

    title: str
    usable: bool
    needs: str
    command: str


def in_container(facts: Facts, environment: Mapping[str, str]) -> bool:
    """Whether the cluster's commands run in a container, and not on the machine itself.

    Also where no way is open: the container's is the one that says what is missing.
    """
    asked = environment.get("CLUSTER", "")
    return asked == "container" or (not asked and bool(facts.lacks))


def table(facts: Facts) -> list[Way]:
    """All ways, the best first."""
    engines = facts.engines
    others = "; ".join(f"{name} {problem}" for name, problem in engines.problems.items())
    return [
        Way(
            "A cluster on this machine",
            not facts.lacks,
            f"lacks {'; '.join(facts.lacks)}" if facts.lacks else "Linux, root: all there",
            "make demo",
        ),
        Way(
            "The same cluster in a container",
            engines.program is not None,
            f"by {engines.program}" if engines.program else f"lacks {ENGINES}: {others}",
            "make demo" if facts.lacks else "CLUSTER=container make demo",
        ),
        Way(
            "A cluster of kind",
            False,
            "untested: needs Docker, kind, and the images of Kubernetes, Argo and Kafka",
            "CLUSTER=kind make demo",
        ),
        Way(
            "A cluster of your own",
            True,
            "needs Argo Workflows in it, and images that its nodes can pull: CONTRIBUTING.md",
            "CLUSTER=existing make demo",
        ),
        Way(
            "No cluster: run_local() in Python",
            True,
            "Python, no root; tasks with images need Docker or Podman",
            "make demo-local",
        ),
    ]


def doctor(facts: Facts) -> str:
    """Return the screen of `make doctor`."""
    memory = f"{facts.memory / GIB:.0f} GiB memory, " if facts.memory else ""
    machine = (
        f"This machine: {facts.system} {facts.architecture}, {facts.processors} processors, "
        f"{memory}{facts.disk / GIB:.0f} GiB free disk, "
        f"control groups {facts.cgroups or 'none'}, Python {facts.python}"
    )
    to_install = ", ".join(facts.missing)
    notes = []
    if facts.missing and facts.apt and not facts.lacks:
        notes.append(f"Debian packages that the first start installs: {to_install}")
    if 0 < facts.memory < 6 * GIB:
        notes.append("The cluster needs 6 GiB of memory to be built.")
    if facts.disk < 15 * GIB:
        notes.append("The cluster and what it is built from need 15 GiB of disk.")
    return "\n".join([f"  {machine}", *(f"  {note}" for note in notes), "", rows(table(facts))])


def rows(ways: list[Way]) -> str:
    """Return the ways as a table."""
    lines = []
    for way in ways:
        mark = "yes" if way.usable else "no"
        lines.append(f"  {mark:4} {way.title:34} {way.command}")
        lines += [f"       {line}" for line in textwrap.wrap(way.needs, WIDTH - 7)]
    return "\n".join(lines)


def closed(facts: Facts) -> str:
    """Return the screen for a machine that has no way to a cluster."""
    return (
        "This machine can run no cluster as it is. What each way needs (make doctor):\n\n"
        f"{rows(table(facts))}\n\n"
        "To see an operation run now, without a cluster: make demo-local"
    )
