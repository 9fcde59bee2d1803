"""What the docs name, and is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.examples import ROOT

DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
BUGS = ROOT / "docs" / "cloudharness-bugs.md"
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.*)\|$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
SOURCE = re.compile(r"`([\w.…][\w/.…-]*\.(?:py|lua|tpl|toml|yaml|yml))`")
ROOMS = (
    "core",
    "operator",
    "client",
    "tests",
    "dev",
    "charts",
    "crds",
    "gitops",
    "examples",
    "docs",
)
FILES = [
    *(str(file.relative_to(ROOT)) for room in ROOMS for file in (ROOT / room).rglob("*.*")),
    *(file.name for file in ROOT.glob("*.*")),
]
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows() -> dict[int, tuple[str, str]]:
    """How each bug is here, and what shows it."""
    return {int(row[1]): (row[3], row[4].strip()) for row in ROW.finditer(BUGS.read_text())}


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(doc: Path) -> None:
    links = set(LINK.findall(doc.read_text()))
    assert [link for link in links if not (doc.parent / link).exists()] == []


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_that_are_named_exist(doc: Path) -> None:
    for file, name in TEST.findall(doc.read_text()):
        text = (ROOT / file).read_text()
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE) or not name, name


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(doc: Path) -> None:
    """`decide/plan.py` is a file below any directory; `core/…/model.py` leaves out a part."""
    missing = []
    for name in set(SOURCE.findall(doc.read_text())):
        known = re.compile(rf"(^|/){re.escape(name).replace('…', '.+')}$")
        if not any(known.search(file) for file in FILES):
            missing.append(name)
    assert missing == []


def test_all_bugs_are_in_the_table() -> None:
    assert list(rows()) == list(range(1, 33))


@pytest.mark.parametrize("number", range(1, 33))
def test_a_bug_that_is_not_here_is_shown_not_to_be(number: int) -> None:
    state, shown = rows()[number]
    assert re.search(r"\*\*(Fixed|Not applicable)\*\*", state)
    if "**Fixed**" in state or "**Not applicable**" in state:
        assert LINK.search(shown) or TEST.search(shown)


def test_each_change_of_the_guide_is_shown_by_a_test() -> None:
    guide = (ROOT / "docs" / "migration.md").read_text().partition("## What changes")[2]
    shown = (ROOT / "docs" / "compatibility.md").read_text().partition("## Changes")[2]
    row = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)
    tests = dict(row.findall(shown)[2:])
    assert [code for code, _ in row.findall(guide)[2:]] == list(tests)
    assert [code for code, named in tests.items() if not TEST.search(named)] == []


def test_what_we_say_we_have_is_shown_by_a_test() -> None:
    lines = (ROOT / "docs" / "rivals.md").read_text().splitlines()
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    ours = table[0].index("Here")
    assert len(table) > 12
    for row in table[2:]:
        assert row[ours] in ("Y", "P", "N"), row
        assert row[ours] == "N" or TEST.fullmatch(row[ours + 1]), row
