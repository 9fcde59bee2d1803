"""What changes to a task's Argo template are written in."""

from __future__ import annotations

from typing import Any, Protocol


class Overrides(Protocol):
    """What can be turned into a dict, as the classes of Kubernetes' clients can."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with their values."""
        ...


class V1alpha1Template:
    """Fields of an Argo template, in Python's spelling or Argo's: `V1alpha1Template(memoize=...)`.

    A mapping does as well, wherever this is taken.
    """

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as they were given."""
        return dict(self._fields)
