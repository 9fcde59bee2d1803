"""The Python session of the README is one that this Python can hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dev import pictures


def test_the_session_can_be_typed_at_the_prompt(tmp_path: Path) -> None:
    (tmp_path / pictures.MODULE).write_text(pictures.FUNCTION)
    typed = pictures.DEFINITIONS + "print('it returns', op.run_local(30))\n"
    command = [sys.executable, "-c", "import code, sys; sys.path[0] = ''; code.interact(banner='')"]
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    assert "it returns {'mean': 3.0}" in done.stdout, done.stderr


def test_the_session_is_shown_as_it_is_typed() -> None:
    assert pictures.session()[:5] == [
        "$ cat means.py",
        "def mean(values):",
        "    return sum(values) / len(values)",
        "$ python",
        ">>> from cloudharness.workflows import operations, tasks",
    ]
    calls = [f">>> {line}" for line in pictures.CALLS.splitlines()]
    assert pictures.session()[-len(calls) :] == calls
