"""The code of the docs that needs a cluster, run as it stands, in the order of the page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import COMMAND_LINE, GETTING_STARTED, LOCAL, ON_A_CLUSTER, dialogue, sections
from tests.examples import ROOT
from tests.installation import Installation

pytestmark = pytest.mark.e2e


def test_getting_started_runs_on_a_cluster(shared: Installation, tmp_path: Path) -> None:
    found = [sections(GETTING_STARTED)[head] for head in (LOCAL, *ON_A_CLUSTER)]
    script = tmp_path / "script.py"
    script.write_text("\n".join(section.code for section in found))
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=shared.environment(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(section.printed for section in found)


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
