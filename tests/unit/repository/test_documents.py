"""The code of the docs that needs no cluster; `tests/e2e/test_client_docs.py` runs the rest."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.documents import (
    CONCEPTS_HERE,
    GETTING_STARTED,
    LOCAL,
    ON_A_CLUSTER,
    concept,
    sections,
)
from tests.support.examples import ROOT


def run(code: str, place: Path) -> str:
    """Run code as a file, since functions are taken from where they are written."""
    script = place / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_getting_started_runs_on_ones_own_machine(tmp_path: Path) -> None:
    section = sections(GETTING_STARTED)[LOCAL]
    assert run(section.code, tmp_path) == section.printed


@pytest.mark.parametrize("name", CONCEPTS_HERE)
def test_the_code_of_a_concept_says_what_its_page_says(name: str, tmp_path: Path) -> None:
    page = concept(name)
    assert page.code
    assert run(page.code, tmp_path) == page.printed


def test_all_code_is_run_by_some_test() -> None:
    with_code = {head for head, one in sections(GETTING_STARTED).items() if one.code}
    assert with_code == {LOCAL, *ON_A_CLUSTER}
    for page in sorted({*ROOT.glob("docs/*.md")} - {GETTING_STARTED}):
        assert [head for head, one in sections(page).items() if one.code] == []


def test_the_first_example_of_the_readme_runs(tmp_path: Path) -> None:
    (section,) = (one for one in sections(ROOT / "README.md").values() if one.code)
    assert run(section.code, tmp_path) == section.printed


def test_the_readmes_example_is_what_make_demo_local_runs() -> None:
    (section,) = (one for one in sections(ROOT / "README.md").values() if one.code)
    done = subprocess.run(
        [sys.executable, "-m", "dev.demo_local"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    assert textwrap.indent(section.code, "  ") in done.stdout
    assert f"\n{section.printed}" in done.stdout


@pytest.mark.parametrize("name", ["Dockerfile", "client/Dockerfile", "tests/machine/Dockerfile"])
def test_an_image_is_built_on_the_same_base_today_and_tomorrow(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.search(r"^ARG BASE=docker\.io/\S+:\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
