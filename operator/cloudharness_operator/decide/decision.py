"""The one place that decides: from the observed state of a run to a question or a plan.

The order of a plan's changes keeps the promises over a crash at any point. The operator's finalizer
holds the Workflow until the operation's end is in its status; the final status and the broker's
acknowledgement are written together; and a step that is repeated has the same name or id.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from cloudharness_operation import reasons
from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import ExitEvent, Outcome
from cloudharness_operation.model import Operation
from cloudharness_operation.names import child_name
from cloudharness_operation.render import forbidden, needs, unsupported, workflow
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operation.status import TaskPhase
from cloudharness_operator.decide import (
    control,
    expiry,
    failure,
    invalid,
    orphans,
    outcome,
    status,
)
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.notification import notify_and_record
from cloudharness_operator.decide.plan import NOTHING, FetchFacts, Plan, Question, ReadLog, Reread
from cloudharness_operator.decide.state import ObservedState

OCCUPIED_PERIOD: Final = 2.0
"""Seconds between two reads of pods that must stop before the run begins: pods are not watched."""

GRACE: Final = 5.0
"""Seconds in which the first pod usually starts, which saves a write that says it is pending."""

WRITE_PERIOD: Final = 1.0
"""Seconds between two writes of one status, at least. Only the end does not wait."""

DETAIL_PERIOD: Final = 5.0
"""Seconds between two writes that change nothing but details of tasks."""


def decide(state: ObservedState, defaults: Defaults) -> Question | Plan:
    """Return what to read first, or what to change."""
    if state.former:
        return orphans.decide(state, defaults)
    step = _decide(state, defaults)
    if isinstance(step, Plan) and (pod := failure.missing_log(state, step.status)):
        return ReadLog(pod)
    return step


def _decide(state: ObservedState, defaults: Defaults) -> Question | Plan:
    if state.invalid:
        return invalid.decide(state, state.invalid, defaults)
    if state.settled or (state.status.is_settled and not state.superseded):
        return _clean_up(state)
    if state.operation is None:
        return Plan(drop_delivery=state.delivered_event)
    if state.superseded and (step := _next_run(state, state.operation)):
        return step
    if state.operation.status.is_true("Finished"):
        end = outcome.from_status(state.operation.status, state.now)
        return _conclude(state, state.operation, defaults, end)
    if state.child is None:
        return _without_child(state, state.operation, defaults)
    return _with_child(state, state.operation, state.child, defaults)


def _clean_up(state: ObservedState) -> Plan:
    """Remove what holds a settled operation's Workflow, and delete what has expired."""
    due = expiry.due(state.expiry, state.child, state.server, pods_deleted=state.pods_deleted)
    of = state.operation
    return Plan(
        patch_workflow=control.stop_unstarted(state.child, state.now),
        status=status.observed_generation(of.status, of.metadata.generation) if of else None,
        remove_finalizer=state.held_child,
        drop_delivery=state.delivered_event,
        delete_workflow=due.workflow,
        delete_pods=due.pods,
        delete_operation=due.operation,
        retained_by=due.retained_by,
        requeue_after=due.requeue_after,
    )


def _next_run(state: ObservedState, operation: Operation) -> Question | Plan | None:
    """Begin the run that `spec.runId` asks for, or return None until the one before has ended."""
    old, child = operation.status, state.child
    if operation.metadata.deletion_timestamp is not None:
        return None
    if not old.is_true("Finished"):
        if child is not None or old.workflow_ref is not None:
            return None
        # Not begun; but its Workflow may exist without being in the cache.
        return _begin_next(state, operation) if state.certain else Reread()
    if not old.is_settled:
        # A Workflow with our finalizer keeps its pending exit event, which orphans.py publishes.
        return _begin_next(state, operation) if child and child.is_held else None
    if child is not None and child.is_held:
        return Plan(remove_finalizer=child, drop_delivery=state.delivered_event)
    return replace(_begin_next(state, operation), drop_delivery=state.delivered_event)


def _begin_next(state: ObservedState, operation: Operation) -> Plan:
    new = status.of_next_run(operation, state.now)
    return Plan(status=status.merge_patch(operation.status, new))


def _without_child(
    state: ObservedState, operation: Operation, defaults: Defaults
) -> Question | Plan:
    created = operation.status.workflow_ref is not None
    if operation.metadata.deletion_timestamp is not None and not created:
        return NOTHING
    ended = operation.spec.cancel or state.replaced_by
    if (created or ended) and not state.certain:
        return Reread()
    if end := _end_without_child(state, operation):
        return _conclude(state, operation, defaults, end)
    if problem := unsupported(operation, defaults):
        end = outcome.without_workflow(state, reasons.INVALID_SPEC, problem, None)
        if not defaults.has_broker:
            return Plan(status=_end(state, operation, end, None))
        return _conclude(state, operation, defaults, end)
    if state.refusal or operation.spec.suspend or state.blocked_by:
        return Plan(status=_progressing(state, operation, _why_not_yet(state, operation)))
    return _begin(state, operation, defaults)


def _why_not_yet(state: ObservedState, operation: Operation) -> ReasonMessage | None:
    if state.refusal:
        return state.refusal.why
    return control.queued(operation, state.blocked_by) if state.blocked_by else None


def _begin(state: ObservedState, operation: Operation, defaults: Defaults) -> Question | Plan:
    if (query := needs(operation, defaults)) and state.facts is None:
        return FetchFacts(query)
    facts = state.facts or ClusterFacts()
    if facts.occupants:
        why = control.occupied(facts.occupants)
        return Plan(status=_progressing(state, operation, why), requeue_after=OCCUPIED_PERIOD)
    manifest = workflow(operation, defaults, facts)
    if problem := forbidden(manifest, defaults):
        end = outcome.without_workflow(state, reasons.INVALID_SPEC, problem, None)
        return _conclude(state, operation, defaults, end)
    return Plan(create_workflow=manifest, requeue_after=GRACE)


def _end_without_child(state: ObservedState, operation: Operation) -> Outcome | None:
    if operation.status.workflow_ref is not None:
        lost = "the Workflow has disappeared before its end was observed"
        return outcome.without_workflow(state, reasons.WORKFLOW_LOST, lost, operation)
    if operation.spec.cancel:
        why = ReasonMessage(reasons.CANCELLED, "cancelled before it began")
        return control.terminated(why, None, state.now)
    if state.replaced_by:
        return control.terminated(control.replaced(state.replaced_by), None, state.now)
    if state.refusal and state.refusal.final:
        why = state.refusal.why
        return outcome.without_workflow(state, why.reason, why.message, None)
    return None


def _with_child(
    state: ObservedState, operation: Operation, child: Child, defaults: Defaults
) -> Question | Plan:
    if child.has_ended:
        return _conclude(state, operation, defaults, outcome.from_workflow(child, state.now))
    if child.deleted is not None:
        # A cascade deletes the operation first, but operations and Workflows are watched apart.
        if not state.certain:
            return Reread()
        end = outcome.from_deleted_workflow(state, child)
        return _conclude(state, operation, defaults, end)
    if why := control.stop_timed_out(child, state.now):
        end = control.terminated(why, child.started, state.now)
        return _conclude(state, operation, defaults, end)
    limit = defaults.pending_deadline
    if patch := control.workflow_patch(operation, child, state.now, limit, state.replaced_by):
        return Plan(patch_workflow=(child, patch))
    due = control.next_deadline(operation, child, state.now, limit)
    changed = _progressing(state, operation, None)
    wait = _held_back(state, operation, child, changed) if changed else 0.0
    if wait > 0:
        return Plan(requeue_after=wait if due is None else min(wait, due))
    return Plan(status=changed, requeue_after=due)


def _held_back(
    state: ObservedState, operation: Operation, child: Child, changed: dict[str, Any]
) -> float:
    """Return the seconds for which a change can wait, so that it is written with the next."""
    if operation.status.workflow_ref is None:
        begun = child.waiting or any(one.phase is not TaskPhase.PENDING for one in child.tasks)
        return 0.0 if begun else _grace(state, child)
    if state.written is None:
        return 0.0
    period = DETAIL_PERIOD if status.only_details(changed) else WRITE_PERIOD
    return state.written + period - state.clock


def _grace(state: ObservedState, child: Child) -> float:
    """Return the seconds in which the first pod of a Workflow may still start."""
    # A run that is not the first, or was resumed, begins with a write.
    left = max(state.since, state.written or 0.0) + GRACE - state.clock
    # In a burst, a Workflow can be created long after its operation.
    created = child.created.timestamp() + GRACE - state.server if child.created else 0.0
    return max(left, created)


def _conclude(state: ObservedState, operation: Operation, defaults: Defaults, end: Outcome) -> Plan:
    """Publish the end where that was asked for, write it, and remove the finalizer."""
    to = outcome.destination(operation, state.child, defaults)
    if to is None or operation.status.is_true("Notified"):
        return Plan(
            status=_end(state, operation, end, None) if to is None else None,
            remove_finalizer=state.held_child,
        )
    name = child_name(to.operation, to.uid, operation.run)
    event = ExitEvent(to, end, state.child.name if state.child else name)
    old = operation.status
    if not (state.child or old.workflow_ref or old.run_id or old.is_true("Finished")):
        # The status does not say yet which run has ended, and the spec may soon be of the next.
        return Plan(status=_end(state, operation, end, status.PUBLISHING))
    return notify_and_record(state, event, defaults.give_up, partial(_end, state, operation, end))


def _progressing(
    state: ObservedState, operation: Operation, why: ReasonMessage | None
) -> dict[str, Any] | None:
    new = status.in_progress(operation, state.child, why, state.now)
    return status.merge_patch(operation.status, new) or None


def _end(
    state: ObservedState, operation: Operation, end: Outcome, notified: status.Notified | None
) -> dict[str, Any] | None:
    new = status.ended(operation, state.child, end, notified, state.now)
    return status.merge_patch(operation.status, failure.with_summary(new, state)) or None
