"""List operations, and then Workflows that belong to no operation, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudharness.workflows._api import OPERATIONS, WORKFLOWS, Connection, Gone
from cloudharness.workflows.errors import BadParam
from cloudharness_operation.names import (
    API_VERSION,
    KIND,
    LABEL_UID,
    WORKFLOW_API_VERSION,
    WORKFLOW_KIND,
)

Manifest = dict[str, Any]

NO_LIMIT: Final = 1 << 62
"""A limit that no list reaches. The API server takes 64 bits."""
_PHASE: Final = "workflows.argoproj.io/phase"
"""Label with a Workflow's phase, set by Argo (workflow/common/common.go)."""
_PATHS: Final = {"operations": OPERATIONS, "workflows": WORKFLOWS}
_KINDS: Final = {
    "operations": {"apiVersion": API_VERSION, "kind": KIND},
    "workflows": {"apiVersion": WORKFLOW_API_VERSION, "kind": WORKFLOW_KIND},
}


def list_page(
    connection: Connection,
    status: str | None,
    limit: int,
    token: str | None,
    selectors: Mapping[str, str | None],
) -> tuple[list[Manifest], str | None]:
    """Return the manifests of one page, and the token of the next page.

    Args:
        connection: the API server and the namespace.
        status: only objects in this phase. None: all.
        limit: maximum number of objects.
        token: token of the page. None: the first page.
        selectors: query parameters that select objects.

    Returns:
        The manifests, and a token, or None after the last page.

    Raises:
        BadParam: the token is invalid or has expired.

    """
    kind, _, inner = (token or "operations:").partition(":")
    if kind not in _PATHS:
        raise BadParam(
            "continue_token",
            "continue_token: pass the continue_token of the previous page unchanged",
        )
    page: list[Manifest] = []
    while len(page) < limit:
        query: dict[str, object] = {**selectors, "limit": limit - len(page)}
        query["continue"] = inner or None
        if kind == "workflows":
            query["labelSelector"] = _label_selector(selectors.get("labelSelector"), status)
        try:
            response = connection.get(_PATHS[kind], query=query)
        except Gone as error:
            what = "continue_token"
            raise BadParam(what, f"{what}: expired, start again without it: {error}") from error
        # Items of a list have neither apiVersion nor kind.
        items = ({**_KINDS[kind], **item} for item in response["items"])
        page += [item for item in items if status in (None, _phase(item))]
        inner = (response.get("metadata") or {}).get("continue") or ""
        if not inner and kind == "workflows":
            return page, None
        if not inner:
            kind = "workflows"
    return page, f"{kind}:{inner}"


def _label_selector(selector: str | None, status: str | None) -> str:
    # Workflows that belong to an operation are left out: the operation is in the list.
    parts = (selector, f"!{LABEL_UID}", f"{_PHASE}={status}" if status else None)
    return ",".join(part for part in parts if part)


def _phase(item: Manifest) -> str | None:
    phase: str | None = (item.get("status") or {}).get("phase")
    return phase
