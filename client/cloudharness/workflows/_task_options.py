"""Types of task arguments: retries, references to outputs, overrides of the Argo template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

RetryPolicy = Literal["Always", "OnFailure", "OnError", "OnTransientError"]
"""Argo's `retryPolicy`."""


@dataclass(frozen=True)
class Backoff:
    """Delays between the attempts of a task.

    Attributes:
        duration: delay before the second attempt: seconds, a timedelta, or text such as `"10s"` or
            `"5m"`.
        factor: each delay is the previous one times this factor. None: all delays are equal.
        max_duration: no attempt starts later than this after the first one; same types as
            `duration`. None: no limit.

    """

    duration: float | str | timedelta
    factor: int | None = None
    max_duration: float | str | timedelta | None = None


@dataclass(frozen=True)
class Retry:
    """How a failed task is retried.

    Attributes:
        limit: maximum number of attempts after the first one.
        policy: which failures are retried. `OnFailure`: the container failed. `OnError`: the pod
            failed for another reason, for example its node was lost. `Always`: both.
            `OnTransientError`: the errors that the Argo installation defines as transient.
            None: Argo's default, `OnFailure`.
        backoff: delays between attempts; a number is the seconds of each delay. None: no delay.

    """

    limit: int
    policy: RetryPolicy | None = None
    backoff: Backoff | float | timedelta | None = None

    def to_manifest(self) -> dict[str, Any]:
        """Return the field `retry` of a task in the resource."""
        manifest: dict[str, Any] = {"limit": self.limit}
        if self.policy is not None:
            manifest["policy"] = self.policy
        if self.backoff is not None:
            one = self.backoff if isinstance(self.backoff, Backoff) else Backoff(self.backoff)
            fields = {"duration": _duration(one.duration), "factor": one.factor}
            fields["maxDuration"] = _duration(one.max_duration)
            manifest["backoff"] = {key: value for key, value in fields.items() if value is not None}
        return manifest


def _duration(given: object) -> object:
    """Convert to Argo's notation; invalid values are passed through for validation."""
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return seconds
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds}s"


@dataclass(frozen=True)
class OutputReference:
    """A reference to an output of a task: the value of an environment variable of a later task.

    `Task.output` returns it.

    Attributes:
        task: name of the task that has the output.
        name: name of the output.

    """

    task: str
    name: str

    def to_source(self) -> dict[str, Any]:
        """Return the field `valueFrom` of a variable in the resource."""
        return {"taskOutput": {"task": self.task, "name": self.name}}


class Overrides(Protocol):
    """An object that `to_dict` turns into a dict, such as the models of Kubernetes clients."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with their values."""
        ...


class V1alpha1Template:
    """Fields of an Argo template, in Python's or in Argo's spelling.

    Example: `V1alpha1Template(active_deadline_seconds=60)`. A mapping with the same fields can be
    used instead.

    Args:
        fields: fields of the template.

    """

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with their values."""
        return dict(self._fields)
