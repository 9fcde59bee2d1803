"""The rules of the house that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloudharness_operation import reasons

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "client" / "cloudharness" / "workflows"
ROOMS = ("core", "client", "operator")
STATES_TOO = {"Pending", "Suspended", "Cancelled", "Accepted"}
"""Reasons that are types of conditions, or phases, too."""
MODULES = {
    str(path.relative_to(ROOT)): path for room in ROOMS for path in (ROOT / room).rglob("*.py")
}


@pytest.mark.parametrize(
    "path", ["operator/__init__.py", "core/__init__.py", "client/cloudharness/__init__.py"]
)
def test_a_room_is_no_package(path: str) -> None:
    assert not (ROOT / path).exists()


def test_there_are_modules_in_each_room() -> None:
    assert {path.split("/")[0] for path in MODULES} == set(ROOMS)


@pytest.mark.parametrize("path", MODULES)
def test_a_module_has_one_reason_to_change(path: str) -> None:
    # No number can tell, but more lines than this smell of two.
    assert len(MODULES[path].read_text().splitlines()) < 400


def test_the_client_has_these_public_modules() -> None:
    """All others begin with an underscore; `cli` is a program, not a library."""
    names = {path.stem for path in CLIENT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {name for name in names if not name.startswith("_")} == {
        *("argo", "argo_service", "attach", "cli", "errors", "operations", "tasks", "utils")
    }


def test_kopf_is_imported_in_two_files() -> None:
    kopf = re.compile(r"^\s*(import kopf\b|from kopf\b)", re.MULTILINE)
    assert {path for path, file in MODULES.items() if kopf.search(file.read_text())} == {
        "operator/cloudharness_operator/__main__.py",
        "operator/cloudharness_operator/kube/handlers.py",
    }


def imported(module: str) -> set[str]:
    """Return the packages that an import brings with it, in a process of its own."""
    script = f"import {module}, sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("cloudharness_operator", {"kopf", "aiohttp", "confluent_kafka", "kubernetes"}),
        (
            "cloudharness_operator.decide.decision",
            {"kopf", "aiohttp", "confluent_kafka", "kubernetes"},
        ),
        (
            "cloudharness_operator.loop.reconcile",
            {"kopf", "aiohttp", "confluent_kafka", "kubernetes"},
        ),
        ("cloudharness_operation.render", {"kopf", "aiohttp", "confluent_kafka", "kubernetes"}),
    ],
)
def test_an_import_brings_no_more_than_it_needs(module: str, forbidden: set[str]) -> None:
    assert not imported(module) & forbidden


def test_no_module_of_tests_is_a_library() -> None:
    """What tests share is in tests/support; `test_*` and `conftest` are for pytest alone."""
    imported = re.compile(r"^\s*(?:from|import) (tests[.\w]*(?:test_|conftest)\w*)", re.MULTILINE)
    files = [
        file for room in ("tests", "dev", "benchmarks") for file in (ROOT / room).rglob("*.py")
    ]
    assert {
        str(file): imported.findall(file.read_text())
        for file in files
        if imported.search(file.read_text())
    } == {}


def test_a_reason_is_listed_once() -> None:
    names = {name: value for name, value in vars(reasons).items() if isinstance(value, str)}
    listed = [value for name, value in names.items() if name.isupper()]
    assert len(listed) == len(set(listed))
    spelled = re.compile("|".join(f'"{value}"' for value in listed if value not in STATES_TOO))
    places = {
        path
        for path, file in MODULES.items()
        if path.startswith("operator") and spelled.search(file.read_text())
    }
    assert places == set()
