"""Operations and Workflows at the time they were read from the API server."""

from __future__ import annotations

import pprint
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import yaml
from typing_extensions import override

from cloudharness.workflows._lazy_import import lazy_module
from cloudharness_operation.argo import pod_names
from cloudharness_operation.names import KIND

if TYPE_CHECKING:
    from cloudharness.workflows import _html, _layout
else:
    _html, _layout = map(lazy_module, ("_html", "_layout"))

Manifest = dict[str, Any]


class Phase:
    """The phases of operations and Workflows."""

    Pending: Final = "Pending"
    Running: Final = "Running"
    Suspended: Final = "Suspended"
    Succeeded: Final = "Succeeded"
    Skipped: Final = "Skipped"
    Failed: Final = "Failed"
    Error: Final = "Error"
    Cancelled: Final = "Cancelled"

    NodeRunning: Final = Running
    NodePending: Final = Pending
    NodeSucceeded: Final = Succeeded
    NodeSkipped: Final = Skipped
    NodeFailed: Final = Failed
    NodeError: Final = Error

    @classmethod
    def phases(cls) -> tuple[str, ...]:
        """Return all phases."""
        return (
            *(cls.Pending, cls.Running, cls.Suspended, cls.Succeeded),
            *(cls.Skipped, cls.Failed, cls.Error, cls.Cancelled),
        )


_FINAL: Final = (Phase.Succeeded, Phase.Skipped, Phase.Failed, Phase.Error, Phase.Cancelled)


class Raw(dict[str, Any]):
    """A manifest whose fields are also attributes, in Argo's or in Python's spelling.

    `raw["status"]["startedAt"]`, `raw.status.startedAt` and `raw.status.started_at` are the same.
    An attribute for a missing field is None.
    """

    def __getattr__(self, name: str) -> Any:
        """Return a field, or None if it is missing."""
        if name.startswith("__"):
            raise AttributeError(name)
        first, *rest = name.split("_")
        camel = first + "".join(word.capitalize() for word in rest)
        return _raw(self.get(name, self.get(camel)))

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as a dict."""
        plain: dict[str, Any] = _plain(self)
        return plain

    def to_str(self) -> str:
        """Return the manifest as text."""
        return pprint.pformat(self.to_dict())


class RawOperation(Raw):
    """The manifest of an operation. `spec.templates` are those of its Workflow."""

    @property
    def spec(self) -> Raw:
        """The spec of the operation."""
        return _RawSpec(self)


class _RawSpec(Raw):
    def __init__(self, manifest: Manifest) -> None:
        super().__init__(manifest.get("spec") or {})
        self.__dict__["_manifest"] = manifest

    @property
    def templates(self) -> Any:
        """The templates of the Workflow."""
        return _raw(_layout.templates(self.__dict__["_manifest"]))


def _raw(value: Any) -> Any:
    if isinstance(value, list):
        return [_raw(one) for one in value]
    return Raw(value) if isinstance(value, dict) else value


class Workflow:
    """An operation, or an Argo Workflow that belongs to no operation, at the time it was read.

    Attributes:
        name: name of the object.
        status: its `Phase`. None: it has no status yet.
        create_time: its creation time. None: it is not stored.
        raw: its manifest.

    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.raw = RawOperation(manifest) if manifest.get("kind") == KIND else Raw(manifest)
        self.name: str = manifest["metadata"]["name"]
        self.status: str | None = (manifest.get("status") or {}).get("phase") or None
        created = manifest["metadata"].get("creationTimestamp")
        self.create_time = datetime.fromisoformat(created) if created else None

    @property
    def is_operation(self) -> bool:
        """Whether this is an operation, not a Workflow."""
        return self.raw.get("kind") == KIND

    def is_finished(self) -> bool:
        """Return whether it has ended in any phase."""
        return self.status in _FINAL

    def succeeded(self) -> bool:
        """Return whether it has succeeded."""
        return self.status == Phase.Succeeded

    def failed(self) -> bool:
        """Return whether it has ended without success."""
        return self.is_finished() and not self.succeeded()

    def get_status_message(self) -> str:
        """Return the message of the status, or an empty text."""
        return (self.raw.get("status") or {}).get("message") or ""

    @property
    def pod_names(self) -> list[str]:
        """Names of the pods of the latest attempt of each task."""
        if self.is_operation:
            tasks = (self.raw.get("status") or {}).get("tasks") or ()
            return [task["podName"] for task in tasks if task.get("podName")]
        return pod_names(self.raw)

    def _repr_html_(self) -> str:
        return _html.summary_html(self.name, self.status, self.get_status_message())

    @override
    def __repr__(self) -> str:
        return f"Workflow({self.name!r}, {self.status})"

    @override
    def __str__(self) -> str:
        return yaml.safe_dump(_plain(self.raw), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


class SearchResult:
    """One page of operations and Workflows.

    Attributes:
        items: the operations and Workflows.
        continue_token: argument of `get_workflows` for the next page. None: this is the last page.
        raw: the manifests.

    """

    def __init__(self, manifests: list[Manifest], continue_token: str | None) -> None:
        self.items = [Workflow(one) for one in manifests]
        self.continue_token = continue_token
        self.raw = [item.raw for item in self.items]

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def __iter__(self) -> Iterator[Workflow]:
        """Yield the items."""
        return iter(self.items)

    @override
    def __repr__(self) -> str:
        return f"SearchResult({self.items!r}, continue_token={self.continue_token!r})"
