"""Who owns an operation, by the marks that each tool leaves."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operator.decide.expiry import gitops_owner
from tests.support.builders import operation_manifest

TRACKED = {"argocd.argoproj.io/tracking-id": "app:cloudharness.io/CloudHarnessOperation:lab/sums"}
INSTANCE = {"app.kubernetes.io/instance": "app"}
WAVE = {"argocd.argoproj.io/sync-wave": "1"}
HOOK = {"argocd.argoproj.io/hook": "PostSync"}
HELM = {"app.kubernetes.io/managed-by": "Helm"}
RELEASE = {"meta.helm.sh/release-name": "app", "meta.helm.sh/release-namespace": "lab"}
KUSTOMIZATION = {
    "kustomize.toolkit.fluxcd.io/name": "apps",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}
HELM_RELEASE = {"helm.toolkit.fluxcd.io/name": "app", "helm.toolkit.fluxcd.io/namespace": "lab"}


def row(
    sentence: str,
    expected: str,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    *managers: str,
) -> Any:
    metadata = {
        "labels": labels,
        "annotations": annotations,
        "managedFields": [{"manager": name} for name in managers],
    }
    return pytest.param({k: v for k, v in metadata.items() if v}, expected, id=sentence)


ROWS = [
    row("nobody's", ""),
    row("with labels and annotations of its own", "", {"team": "a"}, {"note": "b"}, "kubectl"),
    row("tracked by annotation", "Argo CD", None, TRACKED),
    row("tracked by both", "Argo CD", INSTANCE, TRACKED),
    row("tracked by Argo CD's own label", "Argo CD", {"argocd.argoproj.io/instance": "app"}),
    row("tracked by the common label, with options", "Argo CD", INSTANCE, WAVE),
    row("tracked by the common label alone", "Argo CD", INSTANCE, None, "argocd-controller"),
    row("the common label of anybody", "", INSTANCE, None, "kubectl-client-side-apply"),
    row("options for Argo CD, and not tracked", "", None, WAVE),
    row("applied by Argo CD and not tracked any more", "", None, None, "argocd-controller"),
    row("a hook of Argo CD", "", None, TRACKED | HOOK),
    row("a hook by label", "", INSTANCE, WAVE | HOOK),
    row("a hook of Helm", "", HELM, {"helm.sh/hook": "post-install"}),
    row("a hook of Helm by Argo CD", "", HELM, TRACKED | {"helm.sh/hook": "post-install"}),
    row("of a Kustomization", "Flux", KUSTOMIZATION),
    row("of a HelmRelease", "Flux", HELM_RELEASE | HELM, RELEASE),
    row("Flux knows no hooks of Argo CD", "Flux", KUSTOMIZATION, HOOK),
    row("of a release", "Helm", HELM | INSTANCE, RELEASE),
    row("of a release by label", "Helm", HELM),
    row("of a release by annotation", "Helm", None, RELEASE),
    row("managed by another", "", {"app.kubernetes.io/managed-by": "Team"}),
]


@pytest.mark.parametrize(("metadata", "expected"), ROWS)
def test_the_owner(metadata: dict[str, Any], expected: str) -> None:
    assert gitops_owner(operation_manifest(metadata=metadata)) == expected
