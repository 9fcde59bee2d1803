"""What is kept in Git: the health check for Argo CD, and the examples."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
import yaml

from cloudharness_operation import crd
from cloudharness_operation.model import Operation
from tests.support.examples import ROOT
from tests.support.health import HOME, SCRIPT, SETTING, cases, health

GITOPS = ROOT / "examples" / "gitops"
OPERATIONS = sorted((GITOPS / "operations").glob("*.yaml"))
ANNOTATIONS = 262144
"""Bytes that all annotations of one object may have: what kubectl apply keeps is in one."""

NEVER_SEEN: dict[str, Any] = {"metadata": {"generation": 1}}


def ended(kind: str, message: str = "", reason: str = "Why", **more: str) -> dict[str, Any]:
    held = {"Finished": "True", kind: "True", **more}
    said = {"reason": reason, "message": message}
    conditions = [{"type": one, "status": status, **said} for one, status in held.items()]
    status = {"observedGeneration": 1, "conditions": conditions}
    return {"metadata": {"generation": 1}, "status": status}


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["inputPath"]))
def test_a_status_of_a_real_run(case: dict[str, Any]) -> None:
    manifest = yaml.safe_load((HOME / case["inputPath"]).read_text())
    assert health(manifest)._asdict() == case["healthStatus"]


def test_every_recorded_status_is_a_case() -> None:
    recorded = {f"testdata/{path.name}" for path in (HOME / "testdata").iterdir()}
    assert {case["inputPath"] for case in cases()} == recorded
    assert {case["healthStatus"]["status"] for case in cases()} == {
        "Progressing",
        "Healthy",
        "Degraded",
    }


@pytest.mark.parametrize(
    ("manifest", "status", "message"),
    [
        (NEVER_SEEN, "Progressing", "waiting for the operator"),
        ({**NEVER_SEEN, "status": {}}, "Progressing", "waiting for the operator"),
        ({**NEVER_SEEN, "status": None}, "Progressing", "waiting for the operator"),
        ({**NEVER_SEEN, "status": {"message": "", "reason": "X"}}, "Progressing", "X"),
        (ended("Complete"), "Healthy", "Why"),
        (ended("Complete", "well"), "Healthy", "well"),
        (ended("Failed", "task a: exit 3"), "Degraded", "task a: exit 3"),
        (ended("Other", "stopped"), "Degraded", "stopped"),
        (ended("Failed", "no", Notified="False"), "Degraded", "no (exit event: no)"),
        (ended("Failed", "no", Notified="True"), "Degraded", "no"),
        (ended("Failed", "no", Suspended="True"), "Degraded", "no"),
        (ended("Suspended", "held", Finished="False"), "Suspended", "held"),
        (
            {**ended("Complete"), "metadata": {"generation": 2}},
            "Progressing",
            "the operator has not seen the last change yet",
        ),
    ],
)
def test_a_status_that_no_run_was_recorded_with(
    manifest: dict[str, Any], status: str, message: str
) -> None:
    assert health(manifest) == (status, message)


def test_the_setting_holds_the_script() -> None:
    setting = yaml.safe_load((HOME / "argocd-cm.yaml").read_text())
    assert setting["data"] == {SETTING: SCRIPT.read_text()}


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: str(path.stem))
def test_an_operation_in_git_is_valid_and_has_a_fixed_name(path: Any) -> None:
    manifest = yaml.safe_load(path.read_text())
    assert "generateName" not in manifest["metadata"]
    known = {"uid": "u", "namespace": "batch", "resourceVersion": "1", "generation": 1}
    made = {"creationTimestamp": "2026-01-02T03:04:05Z"}
    Operation.parse({**manifest, "metadata": {**manifest["metadata"], **known, **made}})


def test_flux_and_argocd_are_given_directories_that_are_there() -> None:
    argocd = yaml.safe_load((GITOPS / "argocd" / "application.yaml").read_text())
    flux = list(yaml.safe_load_all((GITOPS / "flux" / "batch.yaml").read_text()))
    paths = chain(
        (source["path"] for source in argocd["spec"]["sources"]),
        (one["spec"]["path"] for one in flux if one["kind"] == "Kustomization"),
    )
    assert [path for path in paths if not (ROOT / path).is_dir()] == []


def test_the_crd_fits_into_an_annotation() -> None:
    assert len(crd.text().encode()) < ANNOTATIONS
