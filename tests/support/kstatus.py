"""What kstatus makes of a custom resource: its documented rules, written independently.

Flux, Config Sync and `kpt` wait by these (sigs.k8s.io/cli-utils, pkg/kstatus/README.md): what
is gone or going first, then whether the controller has seen the last change, then the two
conditions of its own, then `Ready`; and what says nothing of itself is as it should be.
"""

from typing import Any


def kstatus(manifest: dict[str, Any] | None) -> str:
    """Return NotFound, Terminating, InProgress, Failed or Current.

    Args:
        manifest: the object as the API server has it; None if it has none.
    """
    if manifest is None:
        return "NotFound"
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    return _of_generation(metadata, status) or _of_conditions(status.get("conditions") or ())


def _of_generation(metadata: dict[str, Any], status: dict[str, Any]) -> str | None:
    """Say that the controller is behind, or nothing: not all objects count generations."""
    wanted, observed = metadata.get("generation"), status.get("observedGeneration")
    return "InProgress" if None not in (wanted, observed) and wanted != observed else None


def _of_conditions(conditions: list[dict[str, Any]] | tuple[()]) -> str:
    held = {one["type"]: one["status"] for one in conditions}
    # An object is one or the other; of one that claims both, the first is believed.
    for one in conditions:
        if (one["type"], one["status"]) == ("Reconciling", "True"):
            return "InProgress"
        if (one["type"], one["status"]) == ("Stalled", "True"):
            return "Failed"
    return "Current" if held.get("Ready", "True") == "True" else "InProgress"
