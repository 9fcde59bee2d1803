"""Which run a status is about: the spec may be of the next one already."""

from __future__ import annotations

from cloudharness_operation import runs
from cloudharness_operation.model import Operation
from cloudharness_operator.decide.child import Child


def run_id(operation: Operation, child: Child | None) -> str:
    """Return the runId of the present run, or of the last one."""
    return _known_run_id(operation, child) or operation.spec.run_id


def _known_run_id(operation: Operation, child: Child | None) -> str | None:
    # The Workflow exists before the status names the run.
    return operation.status.run_id or (child.run_id if child else None)


def is_superseded(operation: Operation, child: Child | None) -> bool:
    """Whether `spec.runId` asks for another run."""
    return runs.is_superseded(_known_run_id(operation, child), operation.spec.run_id)


def generation(operation: Operation, child: Child | None) -> int:
    """Return the generation of the spec that the run is of."""
    latest = operation.metadata.generation
    if not is_superseded(operation, child):
        return latest
    return operation.status.observed_generation or latest - 1
