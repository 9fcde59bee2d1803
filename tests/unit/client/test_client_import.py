"""How the client is imported: fast, from the right place, and beside CloudHarness's library."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cloudharness.workflows import argo, argo_service, operations, tasks
from cloudharness.workflows._defaults import DEFAULT_TTL_STRATEGY
from cloudharness_operation.lifetime import TTL_DEFAULT

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "client" / "cloudharness" / "workflows"
MODULES = ("operations", "tasks", "argo", "argo_service", "utils", "errors", "attach")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_ours_and_has_what_it_says(module: str) -> None:
    found = importlib.import_module(f"cloudharness.workflows.{module}")
    assert Path(found.__file__ or "").parent == CLIENT
    for name in getattr(found, "__all__", ()):
        assert hasattr(found, name)


def test_what_the_page_imports_is_there() -> None:
    assert {
        *("DirectOperation", "ResourceQueryOperation", "DataQueryOperation", "DataFrameOperation"),
        *("DistributedSyncOperation", "DistributedSyncOperationWithResults", "SyncOperation"),
        *("AsyncOperation", "SingleTaskOperation", "CompositeOperation", "PipelineOperation"),
        *("ParallelOperation", "SimpleDagOperation", "PodExecutionContext", "CustomTask"),
        "BadOperationConfiguration",
    } <= set(operations.__all__)
    assert {
        *("PythonTask", "BashTask", "CustomTask", "CommandBasedTask", "InlinedTask"),
        *("ContainerizedTask", "V1alpha1Template"),
    } <= set(tasks.__all__)
    assert argo_service.get_workflows is argo.get_workflows


def test_an_import_asks_for_nothing_that_takes_long() -> None:
    script = (
        "import sys\n"
        "def said(event, _):\n"
        "    if event.startswith(('socket.', 'subprocess.', 'urllib.')): print(event)\n"
        "sys.addaudithook(said)\n"
        "from cloudharness.workflows import argo, operations, tasks, utils\n"
        "print(*sorted({'kubernetes', 'pydantic', 'urllib3', 'asyncio'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"


def test_the_time_it_is_kept_is_what_the_resource_says() -> None:
    assert TTL_DEFAULT.model_dump(by_alias=True) == DEFAULT_TTL_STRATEGY


UPSTREAM = {
    "cloudharness/__init__.py": "log = 'theirs'",
    "cloudharness/utils/__init__.py": "",
    "cloudharness/workflows/__init__.py": "from . import argo_service as argo",
    "cloudharness/workflows/argo_service.py": "from argo import workflows",
    "cloudharness/workflows/operations.py": "import argo.workflows",
    "cloudharness/workflows/tasks.py": "import argo.workflows",
    "cloudharness/workflows/utils.py": "theirs = True",
}
"""CloudHarness's library, as far as its shape goes."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install` installs."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(place), str(ROOT)],
        check=True,
        timeout=60,
    )
    (found,) = place.glob("*.whl")
    return found


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside CloudHarness"])
def test_it_is_installed(wheel: Path, tmp_path: Path, *, beside: bool) -> None:
    for name, text in UPSTREAM.items() if beside else ():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with zipfile.ZipFile(wheel) as archive:
        assert "cloudharness/__init__.py" not in archive.namelist()
        archive.extractall(tmp_path)
    script = (
        "import sys, importlib\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import cloudharness\n"
        f"print(getattr(cloudharness, 'log', ''))\n"
        f"for name in {MODULES!r}:\n"
        "    module = importlib.import_module('cloudharness.workflows.' + name)\n"
        f"    assert module.__file__.startswith({str(tmp_path)!r}), module\n"
        "    assert not hasattr(module, 'theirs')\n"
        "from cloudharness.workflows import operations, tasks\n"
        "op = operations.SingleTaskOperation('a-', tasks.BashTask('b', 'true'))\n"
        "assert op.to_workflow()['kind'] == 'Workflow'\n"
    )
    # Without the tree's own editable installation, which would be found too.
    site = "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
    done = subprocess.run(
        [sys.executable, "-c", site + script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("theirs\n" if beside else "\n")
