"""What Argo writes into a Workflow's status, where it takes more than reading a field."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
from collections.abc import Mapping
from typing import Any, Final

Manifest = dict[str, Any]

MAX_NODES_SIZE: Final = 8 * 1024 * 1024
"""Bytes of unpacked nodes that are read at most: more than a Workflow of 100 tasks can have."""
MAX_NODES_PARTS: Final = 200_000
"""Lists and objects in them, at most: each takes 64 bytes, and a few bytes packed."""
_POD_NAMES: Final = "workflows.argoproj.io/pod-name-format"


def nodes(status: Mapping[str, Any]) -> dict[str, Manifest]:
    """Return the nodes of a Workflow's status, by their ids.

    Nodes may be packed (then they are unpacked), or stored outside the Workflow (then there are
    none here).

    Raises:
        ValueError: they are packed in a way that Argo does not.

    """
    found: dict[str, Manifest] | None = status.get("nodes")
    if not found and (packed := status.get("compressedNodes")):
        return _unpacked(packed)
    return found or {}


def _unpacked(packed: str) -> dict[str, Manifest]:
    """Read nodes as Argo packs those of large Workflows: gzip, base64 (workflow/packer)."""
    try:
        with gzip.open(io.BytesIO(base64.b64decode(packed))) as stream:
            text = stream.read(MAX_NODES_SIZE + 1)
    except (OSError, EOFError, binascii.Error) as error:
        raise ValueError(f"status.compressedNodes: {error}") from error
    if len(text) > MAX_NODES_SIZE:
        raise ValueError(f"status.compressedNodes: more than {MAX_NODES_SIZE} bytes")
    if text.count(b"{") + text.count(b"[") > MAX_NODES_PARTS:
        raise ValueError(f"status.compressedNodes: more than {MAX_NODES_PARTS} lists and objects")
    try:
        found: dict[str, Manifest] = json.loads(text)
    except RecursionError as error:
        raise ValueError("status.compressedNodes: nested too deeply") from error
    return found


def pod_name(workflow: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """Return the name of a node's pod (Argo, workflow/util/pod_name.go)."""
    meta = workflow["metadata"]
    form = (meta.get("annotations") or {}).get(_POD_NAMES) or "v2"
    if form == "v1":
        return str(node["id"])
    return f"{meta['name']}-{node['templateName']}-{_fnv1a(node['name'])}"


def pod_names(workflow: Mapping[str, Any]) -> list[str]:
    """Return the names of all pods of a Workflow, in the order in which they began."""
    found = [n for n in nodes(workflow.get("status") or {}).values() if n.get("type") == "Pod"]
    found.sort(key=lambda node: (node.get("startedAt") or "~", node.get("name") or ""))
    return [pod_name(workflow, node) for node in found]


def _fnv1a(text: str) -> int:
    """Return the 32-bit FNV-1a hash that pods' names end in (Go's hash/fnv, New32a)."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
