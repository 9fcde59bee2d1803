"""Code in the docs, run as it stands: what it prints is what the page says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.examples import ROOT

_PART = re.compile(
    r"^## (?P<head>[^\n]+)$|^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Section:
    """What stands under one heading."""

    code: str
    printed: str


def sections(page: Path) -> dict[str, Section]:
    """Return the code and the text it prints, for each heading of a page that has some."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    head = ""
    for part in _PART.finditer(page.read_text()):
        head = part["head"] or head
        code, printed = found.setdefault(head, ([], []))
        if part["kind"] == "python":
            code.append(part["text"])
        elif part["kind"] == "text":
            printed.append(part["text"])
    return {
        head: Section("\n".join(code), "".join(printed)) for head, (code, printed) in found.items()
    }


_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def dialogue(page: Path) -> Iterator[tuple[str, str]]:
    """Yield each command that a page shows behind a prompt, and what it says."""
    for block in _CONSOLE.findall(page.read_text()):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *rest = step.splitlines(keepends=True)
            more = [line.removeprefix("> ") for line in rest if line.startswith("> ")]
            yield first + "".join(more), "".join(line for line in rest if not line.startswith("> "))


COMMAND_LINE = ROOT / "docs" / "command-line.md"
CONCEPTS = ROOT / "docs" / "concepts"
CONCEPTS_ON_A_CLUSTER = ("exit-events", "queries")
CONCEPTS_HERE = tuple(
    sorted({page.stem for page in CONCEPTS.glob("*.md")} - {"README", *CONCEPTS_ON_A_CLUSTER})
)


def concept(name: str) -> Section:
    """Return all code of a page about one concept, and all that it prints."""
    parts = sections(CONCEPTS / f"{name}.md").values()
    return Section("\n".join(one.code for one in parts), "".join(one.printed for one in parts))


GETTING_STARTED = ROOT / "docs" / "getting-started.md"
LOCAL = "On your own machine"
ON_A_CLUSTER = ("On a cluster", "From a service")
