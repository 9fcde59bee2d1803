"""The code of the docs that needs a cluster, run as it stands, in the order of the page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import (
    COMMAND_LINE,
    CONCEPTS_ON_A_CLUSTER,
    GETTING_STARTED,
    LOCAL,
    ON_A_CLUSTER,
    concept,
    dialogue,
    sections,
)
from tests.support.examples import ROOT
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e


def run(code: str, one: Installation, place: Path) -> str:
    """Run code as a file, in the namespace that an operator serves."""
    script = place / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**one.environment(), "KAFKA": one.kafka},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_getting_started_runs_on_a_cluster(shared: Installation, tmp_path: Path) -> None:
    found = [sections(GETTING_STARTED)[head] for head in (LOCAL, *ON_A_CLUSTER)]
    said = run("\n".join(section.code for section in found), shared, tmp_path)
    assert said == "".join(section.printed for section in found)


@pytest.mark.parametrize("name", CONCEPTS_ON_A_CLUSTER)
def test_the_code_of_a_concept_says_what_its_page_says(
    name: str, shared: Installation, tmp_path: Path
) -> None:
    page = concept(name)
    queue = f"{shared.namespace}-docs"
    assert run(page.code.replace("my-queue", queue), shared, tmp_path) == page.printed


CHANGING = (
    # Before times: a suffix can look like one.
    (r"-[0-9a-f]{5}(-\w+-\d+)?\b", "-SUFFIX"),
    (r"(?<![\w.-])(\d+[smhd])+\b", "TIME"),
    (r"\bnode\d\b", "NODE"),
    ("█+", "BAR"),
    (" +", " "),
)
"""What is another in each run."""


def fixed(text: str) -> str:
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return text


@pytest.mark.long
def test_the_command_line_says_what_its_page_says(shared: Installation) -> None:
    steps = list(dialogue(COMMAND_LINE))
    assert len(steps) == 9
    for command, expected in steps:
        done = subprocess.run(
            ["bash", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            timeout=240,
            env=shared.environment(),
            cwd=ROOT,
        )
        assert fixed(done.stdout) == fixed(expected), command
