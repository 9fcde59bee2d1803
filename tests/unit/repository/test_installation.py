"""The wheel beside the library `cloudharness`, in each way and order of installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cloudharness_library import (
    WAYS,
    Environment,
    build_wheel,
    create_library,
)

PROBE = """
from cloudharness import log
log.warning
from cloudharness.utils.config import CloudharnessConfig
from cloudharness.workflows import argo, argo_service, operations, tasks, utils
import cloudharness.workflows as w
assert w.argo.get_workflows is argo.get_workflows
print(hasattr(operations, "IS_OLD"), operations.PipelineOperation.__module__)
"""
OURS = "False cloudharness.workflows.operations"
OLD = "import cloudharness.workflows.operations as o; print(o.IS_OLD)"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return create_library(tmp_path / "library")


@pytest.mark.parametrize("client_is_first", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("way", WAYS)
def test_the_client_works_beside_the_library_however_it_is_installed(
    way: str, wheel: Path, library: Path, tmp_path: Path, *, client_is_first: bool
) -> None:
    environment = Environment(tmp_path / "venv")
    if client_is_first:
        environment.install(str(wheel))
    environment.install_library(way, library)
    if not client_is_first:
        assert environment.run(OLD) == "True"
        environment.install(str(wheel))
    assert environment.run(PROBE) == OURS
    environment.uninstall("cloudharness-operation")
    assert environment.run(OLD) == "True", "the library's files are as they were"


def test_the_client_works_without_the_library(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    environment.install(str(wheel))
    code = "import cloudharness as c, cloudharness.workflows as w; print(c.__file__, w.argo)"
    assert environment.run(code).startswith("None <module 'cloudharness.workflows.argo")
    shown = environment.run("import cloudharness.workflows.cli.main as m; print(m.__name__)")
    assert shown == "cloudharness.workflows.cli.main"
    environment.uninstall("cloudharness-operation")
    assert (
        environment.run("import sys; print([f for f in sys.meta_path if 'loudh' in str(f)])")
        == "[]"
    )
