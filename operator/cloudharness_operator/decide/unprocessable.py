"""Operations that make the operator's own code fail.

That is a defect of the operator, which the same operation would meet each time. So the operation is
ended, with less and less of it considered, instead of being retried for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cloudharness_operation import reasons
from cloudharness_operation.defaults import Defaults
from cloudharness_operator.decide import control, decision, invalid
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.plan import NOTHING, Plan, Question
from cloudharness_operator.decide.state import InvalidManifest, ObservedState, unexpected

Manifest = dict[str, Any]


def decide(
    state: ObservedState, error: Exception, manifest: Manifest, defaults: Defaults
) -> Question | Plan:
    """Return what to do about an operation for which `decision.decide` has raised an error."""
    if state.operation is None and state.invalid is None:
        return NOTHING  # It has ended, or is deleted.
    for attempt in _attempts(state, error, manifest):
        try:
            return _ended(attempt, defaults)
        except Exception:  # noqa: BLE001, S112 - the next attempt considers less.
            continue
    return NOTHING


def _attempts(
    state: ObservedState, error: Exception, manifest: Manifest
) -> Iterator[ObservedState]:
    # The end of a run must be written even without its details.
    if state.child and state.child.has_ended:
        yield replace(state, child=_without_details(state.child), log="")
    bad = state.invalid or InvalidManifest.of(manifest, unexpected(error), reasons.INTERNAL_ERROR)
    yield replace(state, operation=None, invalid=bad)


def _ended(state: ObservedState, defaults: Defaults) -> Question | Plan:
    if state.invalid is None:
        return decision.decide(state, defaults)
    plan, child = invalid.decide(state, state.invalid, defaults), state.child
    if child is None or child.has_ended or child.deleted:
        return plan
    # No Workflow may run on after the end of its operation.
    changes = control.terminate_patch(child, state.now)
    return replace(plan, patch_workflow=(child, changes)) if changes else plan


def _without_details(child: Child) -> Child:
    return replace(child, tasks=(), outputs=(), claims=(), waits=(), message=child.phase)
