"""Code that arrives as it is, although Argo replaces `{{...}}`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudharness_operation.render import workflow
from cloudharness_operation.render.escaping import bash, python
from tests.support.builders import DEFAULTS, operation
from tests.support.rendering import run

JINJA = "{{ item.name }} {{=1+1}} {{workflow.name}} {{ 'ü' }}"
SCRIPT = f"""\
from __future__ import annotations
import sys

def show(a: NotThere = 1):
    return __name__

print({JINJA!r}, show(), __file__, sys.argv[1:])
sys.exit(3)
"""
LINES = f"""\
cat <<'END'
{JINJA}
END
show() {{ echo "$1 ${{#1}} $0 $((1 + 1))"; }}
show "a  b"
read -r line; echo "read $line"
(exit 4)
"""


@pytest.mark.parametrize("make", [bash, python])
@pytest.mark.parametrize("source", ["echo hello\n", "a = {1: {2: 3}}\n", "x{ {y} }", ""])
def test_what_argo_does_not_touch_stays_readable(make: Any, source: str) -> None:
    assert make(source) == source


def ran(tmp_path: Path, source: str, *command: str) -> tuple[int, str]:
    file = tmp_path / "source"
    file.write_text(source)
    done = subprocess.run(
        [*command, str(file)], input="in\n", capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("make", "source", "command", "code"),
    [(python, SCRIPT, sys.executable, 3), (bash, LINES, "bash", 4)],
    ids=["python", "bash"],
)
def test_the_other_does_the_same(
    tmp_path: Path, make: Any, source: str, command: str, code: int
) -> None:
    made = make(source)
    assert "{{" not in made
    result = ran(tmp_path, made, command)
    assert result == ran(tmp_path, source, command)
    assert result[0] == code
    assert JINJA in result[1]


def test_a_long_script_needs_no_file_of_its_own(tmp_path: Path) -> None:
    long = "# {{}} " + "x" * 65000 + "\necho end\n"
    assert ran(tmp_path, bash(long), "bash") == (0, "end\n")


def test_a_function_is_found_in_it(tmp_path: Path) -> None:
    source = python(f"def f(a):\n    return [a, {JINJA!r}]\n")
    assert "{{" not in source
    assert run(tmp_path, "f", {"a": 1}, source)[::2] == (0, [1, JINJA])


@pytest.mark.parametrize(
    "task",
    [
        {"bash": {"source": JINJA}},
        {"python": {"source": JINJA}},
        {"python": {"source": JINJA, "function": "f", "args": {JINJA: [JINJA]}}},
    ],
    ids=["bash", "python", "function"],
)
def test_nothing_of_a_template_is_argos_to_replace(task: dict[str, Any]) -> None:
    made = workflow(operation({"name": "one", **task}), DEFAULTS)
    assert "{{" not in str(made["spec"])
