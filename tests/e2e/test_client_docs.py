"""The code of the docs that needs a cluster, run as it stands, in the order of the page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import GETTING_STARTED, LOCAL, ON_A_CLUSTER, sections
from tests.installation import Installation

pytestmark = pytest.mark.e2e


def test_getting_started_runs_on_a_cluster(shared: Installation, tmp_path: Path) -> None:
    found = [sections(GETTING_STARTED)[head] for head in (LOCAL, *ON_A_CLUSTER)]
    script = tmp_path / "script.py"
    script.write_text("\n".join(section.code for section in found))
    place = {
        "KUBECONFIG": str(shared.cluster.kubeconfig),
        "CLOUDHARNESS_NAMESPACE": shared.namespace,
    }
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**os.environ, **place},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(section.printed for section in found)
