"""Operations and Workflows as they were when they were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import yaml
from typing_extensions import override

from cloudharness_operation.argo import pod_names
from cloudharness_operation.names import KIND

Manifest = dict[str, Any]


class Phase:
    """Where an operation or a Workflow is in its life."""

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


_ENDS: Final = (Phase.Succeeded, Phase.Skipped, Phase.Failed, Phase.Error, Phase.Cancelled)


class Raw(dict[str, Any]):
    """A manifest, whose fields are attributes too, in Argo's spelling or in Python's.

    `raw["status"]["startedAt"]`, `raw.status.startedAt` and `raw.status.started_at` are the same;
    what is not there is None.
    """

    def __getattr__(self, name: str) -> Any:
        """Return a field."""
        if name.startswith("__"):
            raise AttributeError(name)
        first, *rest = name.split("_")
        camel = first + "".join(word.capitalize() for word in rest)
        return _raw(self.get(name, self.get(camel)))


def _raw(value: Any) -> Any:
    if isinstance(value, list):
        return [_raw(one) for one in value]
    return Raw(value) if isinstance(value, dict) else value


class Workflow:
    """An operation, or an Argo Workflow that is none's, as it was when it was read.

    Attributes:
        name: its name.
        status: one of `Phase`; None if nobody has looked at it yet.
        create_time: when it was made.
        raw: all of it.

    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.raw = Raw(manifest)
        self.name: str = manifest["metadata"]["name"]
        self.status: str | None = (manifest.get("status") or {}).get("phase") or None
        created = manifest["metadata"].get("creationTimestamp")
        self.create_time = datetime.fromisoformat(created) if created else None

    @property
    def is_operation(self) -> bool:
        """Whether it is an operation, and no Workflow alone."""
        return self.raw.get("kind") == KIND

    def is_finished(self) -> bool:
        """Return whether it has ended, however."""
        return self.status in _ENDS

    def succeeded(self) -> bool:
        """Return whether it has ended well."""
        return self.status == Phase.Succeeded

    def failed(self) -> bool:
        """Return whether it has ended otherwise than well."""
        return self.is_finished() and not self.succeeded()

    def get_status_message(self) -> str:
        """Return a sentence about where it is; empty if there is none."""
        return (self.raw.get("status") or {}).get("message") or ""

    @property
    def pod_names(self) -> list[str]:
        """Names of the pods of its tasks, of the latest attempt of each."""
        if self.is_operation:
            tasks = (self.raw.get("status") or {}).get("tasks") or ()
            return [task["podName"] for task in tasks if task.get("podName")]
        return pod_names(self.raw)

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
        items: those on this page, as `Workflow`.
        continue_token: what `get_workflows` takes for the next page; None if this is the last.
        raw: the manifests.

    """

    def __init__(self, manifests: list[Manifest], continue_token: str | None) -> None:
        self.items = [Workflow(one) for one in manifests]
        self.continue_token = continue_token
        self.raw = [item.raw for item in self.items]

    def __len__(self) -> int:
        """Return how many are on this page."""
        return len(self.items)

    def __iter__(self) -> Iterator[Workflow]:
        """Yield those on this page."""
        return iter(self.items)

    @override
    def __repr__(self) -> str:
        return f"SearchResult({self.items!r}, continue_token={self.continue_token!r})"
