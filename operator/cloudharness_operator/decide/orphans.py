"""Orphans: Workflows whose operation is deleted, or has moved on to another run.

An orphan holds all that its exit event needs. Where it still has the operator's finalizer, its end
was not published: an operation that moves on removes the finalizer first, or leaves the event to
its Workflow.
"""

from __future__ import annotations

from typing import Final

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import ExitEvent
from cloudharness_operator.decide import control, expiry, outcome
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.notification import next_delivery_step
from cloudharness_operator.decide.plan import NOTHING, Plan, Question, Reread
from cloudharness_operator.decide.state import ObservedState

FORGED: Final = (
    "its annotation does not agree with the Workflow, or names topics that are not allowed "
    "(kafka.allowedTopics)"
)


def decide(state: ObservedState, defaults: Defaults) -> Question | Plan:
    """Return what to read first, or what to change about an orphan."""
    if (child := state.child) is None:
        return NOTHING
    over = child.has_ended or child.deleted is not None
    if state.gone:
        if child.is_held and not state.certain:
            return Reread()
        # Its owner is deleted, so the garbage collector deletes it, which will be observed.
        return _published(state, child, defaults) if child.is_held and over else NOTHING
    if not over:
        # A second operator may have created it after the first one began the next run.
        changes = control.terminate_patch(child, state.now)
        patch = (child, changes) if changes else None
        return Plan(patch_workflow=patch, requeue_after=control.next_reminder(child, state.now))
    return _published(state, child, defaults) if child.is_held else _expired(state, child)


def _published(state: ObservedState, child: Child, defaults: Defaults) -> Plan:
    """Publish the end of an orphan, then remove its finalizer."""
    if child.has_ended:
        end = outcome.from_workflow(child, state.now)
    else:
        end = outcome.from_deleted_workflow(state, child)
    if (to := outcome.promised(child, defaults)) is None:
        why = f"exit event of Workflow {child.namespace}/{child.name} is not published: {FORGED}"
        return Plan(reject=why, remove_finalizer=child, drop_delivery=state.delivered_event)
    event = ExitEvent(to, end, child.name)
    step = next_delivery_step(state, event, defaults.give_up)
    if isinstance(step, Plan):
        return step
    give_up = None if step.done else event
    return Plan(give_up=give_up, remove_finalizer=child, drop_delivery=event.id)


def _expired(state: ObservedState, child: Child) -> Plan:
    due = expiry.due(
        expiry.of_former_run(state.retention), child, state.server, pods_deleted=state.pods_deleted
    )
    return Plan(delete_workflow=due.workflow, delete_pods=due.pods, requeue_after=due.requeue_after)
