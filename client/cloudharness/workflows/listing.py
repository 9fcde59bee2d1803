"""Pages over two kinds of object: operations first, then Workflows that are none's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudharness.workflows.connection import OPERATIONS, WORKFLOWS, Connection, Gone
from cloudharness.workflows.errors import BadParam
from cloudharness_operation.names import (
    API_VERSION,
    KIND,
    LABEL_UID,
    WORKFLOW_API_VERSION,
    WORKFLOW_KIND,
)

Manifest = dict[str, Any]

_PHASE: Final = "workflows.argoproj.io/phase"
"""Label that Argo writes a Workflow's phase to (workflow/common/common.go)."""
_PLACES: Final = {"operations": OPERATIONS, "workflows": WORKFLOWS}
_KINDS: Final = {
    "operations": {"apiVersion": API_VERSION, "kind": KIND},
    "workflows": {"apiVersion": WORKFLOW_API_VERSION, "kind": WORKFLOW_KIND},
}


def page(
    connection: Connection,
    status: str | None,
    limit: int,
    token: str | None,
    chosen: Mapping[str, str | None],
) -> tuple[list[Manifest], str | None]:
    """Return the manifests of one page, and what asks for the next, or None.

    Raises:
        BadParam: the token is none of ours, or too old.

    """
    place, _, inner = (token or "operations:").partition(":")
    if place not in _PLACES:
        raise BadParam("continue_token", "continue_token: give that of the page before, as it is")
    found: list[Manifest] = []
    while len(found) < limit:
        query: dict[str, object] = {**chosen, "limit": limit - len(found)}
        query["continue"] = inner or None
        if place == "workflows":
            query["labelSelector"] = _labels(chosen.get("labelSelector"), status)
        try:
            answer = connection.get(_PLACES[place], query=query)
        except Gone as error:
            what = "continue_token"
            raise BadParam(what, f"{what}: too old, begin anew: {error}") from error
        # Items of a list do not say what they are.
        some = ({**_KINDS[place], **item} for item in answer["items"])
        found += [item for item in some if status in (None, _phase(item))]
        inner = (answer.get("metadata") or {}).get("continue") or ""
        if not inner and place == "workflows":
            return found, None
        if not inner:
            place = "workflows"
    return found, f"{place}:{inner}"


def _labels(given: str | None, status: str | None) -> str:
    # The child of an operation is told with the operation.
    parts = (given, f"!{LABEL_UID}", f"{_PHASE}={status}" if status else None)
    return ",".join(part for part in parts if part)


def _phase(item: Manifest) -> str | None:
    phase: str | None = (item.get("status") or {}).get("phase")
    return phase
