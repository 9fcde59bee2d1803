"""How the client is imported: fast, from the right place, and beside CloudHarness's library."""

from __future__ import annotations

import importlib
import subprocess
import sys
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
