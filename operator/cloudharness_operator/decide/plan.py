"""What `decide` returns: a question to the cluster, or a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cloudharness_operation.event import ExitEvent
from cloudharness_operation.render.facts import ClusterQuery
from cloudharness_operator.decide.child import Child


@dataclass(frozen=True, slots=True)
class Reread:
    """Read the operation and its Workflow from the API server: the cache lacks one of them."""


@dataclass(frozen=True, slots=True)
class FetchFacts:
    """Read from the API server what the new Workflow depends on."""

    query: ClusterQuery


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Read the end of a pod's log."""

    pod: str


Question = Reread | FetchFacts | ReadLog
"""What must be known before a plan can be made. With the answer, `decide` is called again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes to make, applied in the order of the fields."""

    create_workflow: dict[str, Any] | None = None
    """The Workflow to create."""
    patch_workflow: tuple[Child, dict[str, Any]] | None = None
    """A Workflow, and the merge patch that suspends, resumes or ends it."""
    publish: ExitEvent | None = None
    """The exit event to publish."""
    give_up: ExitEvent | None = None
    """The exit event that is not published again: log it in full."""
    reject: str | None = None
    """Why an exit event is not published, for the log."""
    status: dict[str, Any] | None = None
    """Merge patch of the operation's status."""
    remove_finalizer: Child | None = None
    """The Workflow from which to remove the operator's finalizer."""
    drop_delivery: str | None = None
    """Id of the exit event whose delivery state is no longer needed."""
    delete_workflow: Child | None = None
    """An expired Workflow."""
    delete_pods: Child | None = None
    """A terminated Workflow, of which pods still run."""
    delete_operation: bool = False
    """Whether the operation itself has expired."""
    retained_by: str | None = None
    """The GitOps tool because of which an expired operation is not deleted."""
    requeue_after: float | None = None
    """Seconds after which to decide again, if nothing happens before."""


NOTHING: Final = Plan()
