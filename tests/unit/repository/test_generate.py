"""Generated files that no longer are what they are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.generate import ROOT, generated, stale

CRD = "crds/cloudharnessoperations.yaml"
COPY = "charts/cloudharness-operator/crds/cloudharnessoperations.yaml"
EVENT = "docs/event.schema.json"
FAULTS = "docs/faults.md"
REFERENCE = {f"docs/reference/{name}.md" for name in ("api", "metrics", "python")}
SECURITY = "docs/security.md"
STATES = "docs/states.md"
DASHBOARD = "charts/cloudharness-operator/files/dashboard.json"
ALERTS = "docs/runbooks/README.md"
ARGOCD = "gitops/argocd/argocd-cm.yaml"
WORKFLOWS = {f"examples/workflows/{path.name}" for path in (ROOT / "examples").glob("*.yaml")}


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    for name, text in generated().items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_what_is_generated_is_not_stale(fresh: Path) -> None:
    assert generated().keys() == {
        *(CRD, COPY, EVENT, FAULTS, SECURITY, STATES, ARGOCD, DASHBOARD, ALERTS),
        *REFERENCE,
        *WORKFLOWS,
    }
    assert stale(fresh) == {}


def test_a_changed_file_is_stale(fresh: Path) -> None:
    (fresh / COPY).write_text(generated()[COPY] + "\n")
    assert stale(fresh) == {COPY: generated()[COPY]}


def test_a_missing_file_is_stale(fresh: Path) -> None:
    (fresh / CRD).unlink()
    assert stale(fresh) == {CRD: generated()[CRD]}


def test_the_repository_is_fresh() -> None:
    assert stale(ROOT) == {}
