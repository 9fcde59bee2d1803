"""Who would make an operation again if it were deleted: Argo CD, Flux or Helm."""

from __future__ import annotations

from typing import Any, Final

Manifest = dict[str, Any]

ARGO_CD: Final = "Argo CD"
FLUX: Final = "Flux"
HELM: Final = "Helm"

_ARGO_CD: Final = "argocd.argoproj.io/"
_TRACKED: Final = (f"{_ARGO_CD}tracking-id", f"{_ARGO_CD}instance")
"""Argo CD docs, "Resource Tracking": the annotation, and the label that it advises to use instead
of the common one."""
_INSTANCE: Final = "app.kubernetes.io/instance"
_CONTROLLER: Final = "argocd-controller"
"""Argo CD's field manager (its docs, "Sync Options", "Server-Side Apply")."""
_FLUX: Final = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
_HOOKS: Final = (f"{_ARGO_CD}hook", "helm.sh/hook")
_HELM: Final = "meta.helm.sh/release-name"
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"


def owner(manifest: Manifest) -> str:
    """Return who owns an object in the name of a person's files, or an empty text.

    A hook is owned by nobody: it is made for one sync or release, and not again for being gone.
    """
    meta = manifest["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    if any(label.startswith(_FLUX) for label in labels):
        return FLUX
    if any(hook in annotations for hook in _HOOKS):
        return ""
    if _is_tracked(labels, annotations, meta.get("managedFields") or ()):
        return ARGO_CD
    return HELM if labels.get(_MANAGED_BY) == HELM or _HELM in annotations else ""


def _is_tracked(labels: Manifest, annotations: Manifest, managers: Any) -> bool:  # noqa: ANN401
    if any(name in holder for name in _TRACKED for holder in (labels, annotations)):
        return True
    # Many tools set the common label, so alone it says nothing of Argo CD.
    return _INSTANCE in labels and (
        any(name.startswith(_ARGO_CD) for name in annotations)
        or any(one.get("manager") == _CONTROLLER for one in managers)
    )
