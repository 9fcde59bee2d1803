"""The one place that decides: from what is seen of an operation to what is to be done.

The order of effects keeps promises over a crash at any point. A child is held by our
finalizer until its operation's end is on record; the end goes on record together with the
broker's word that it has the event; and whatever was done and then forgotten is done again
under the same name or id.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from cloudharness_operation.event import ExitEvent, Outcome, event_id
from cloudharness_operation.model import Operation
from cloudharness_operation.names import child_name
from cloudharness_operation.record import TaskPhase
from cloudharness_operation.render import Defaults, forbidden, needs, unmet, workflow
from cloudharness_operation.render.facts import Facts
from cloudharness_operator import control, ends, expiry, failure, runs, status, unreadable
from cloudharness_operator.child import Child, Note
from cloudharness_operator.effects import NOTHING, Plan
from cloudharness_operator.seen import Seen
from cloudharness_operator.telling import tell

OCCUPIED: Final = 2.0
"""Seconds between looks at pods that have to end first: nobody tells us of them."""

GRACE: Final = 5.0
"""Seconds in which the first pod mostly runs, which saves the write that says it does not."""

WRITE_PERIOD: Final = 1.0
"""Seconds between writes of one status, at least; the end alone does not wait."""

DETAIL_PERIOD: Final = 5.0
"""Seconds between writes that tell nothing but details of tasks."""


def decide(seen: Seen, defaults: Defaults) -> Plan:
    """Return what is to be done about an operation."""
    plan = _decide(seen, defaults)
    if pod := failure.unread(seen, plan.status):
        return Plan(inspect=pod)
    return plan


def _decide(seen: Seen, defaults: Defaults) -> Plan:
    if seen.unreadable:
        return unreadable.decide(seen, seen.unreadable, defaults)
    if seen.settled or (seen.status.is_settled and not seen.superseded):
        return _clean_up(seen)
    if seen.operation is None:
        return Plan(forget=known(seen))
    if seen.superseded and (step := _next_run(seen, seen.operation)):
        return step
    if seen.operation.status.is_true("Finished"):
        return _conclude(
            seen, seen.operation, defaults, ends.recorded(seen.operation.status, seen.now)
        )
    if seen.child is None:
        return _without_child(seen, seen.operation, defaults)
    return _with_child(seen, seen.operation, seen.child, defaults)


def _clean_up(seen: Seen) -> Plan:
    """Let go of what a settled operation still has, and delete what has had its time."""
    due = expiry.due(seen.expiry, seen.child, seen.server, swept=seen.swept)
    of = seen.operation
    return Plan(
        steer=control.needless(seen.child, seen.now),
        status=status.observed(of.status, of.metadata.generation) if of else None,
        release=seen.held,
        forget=known(seen),
        expire=due.child,
        sweep=due.stubborn,
        erase=due.record,
        kept_for=due.kept_for,
        after=due.after,
    )


def _next_run(seen: Seen, operation: Operation) -> Plan | None:
    """Go on to the run that is wanted now, or return None while the one before is not over."""
    old, child = operation.status, seen.child
    if operation.metadata.deletion_timestamp is not None:
        return None
    if not old.is_true("Finished"):
        if child is not None or old.workflow_ref is not None:
            return None
        # Not begun; but its child may be there unseen.
        return _begun_anew(seen, operation) if seen.certain else Plan(confirm=True)
    if not old.is_settled:
        # What holds a child that was not told is told from it, however long that takes.
        return _begun_anew(seen, operation) if child and child.is_held else None
    if child is not None and child.is_held:
        return Plan(release=child, forget=known(seen))
    return replace(_begun_anew(seen, operation), forget=known(seen))


def _begun_anew(seen: Seen, operation: Operation) -> Plan:
    new = runs.next_run(operation, seen.now)
    return Plan(status=status.changes(operation.status, new))


def _without_child(seen: Seen, operation: Operation, defaults: Defaults) -> Plan:
    recorded = operation.status.workflow_ref is not None
    if operation.metadata.deletion_timestamp is not None and not recorded:
        return NOTHING
    ended = operation.spec.cancel or seen.successor
    if (recorded or ended) and not seen.certain:
        return Plan(confirm=True)
    if outcome := _end_without_child(seen, operation):
        return _conclude(seen, operation, defaults, outcome)
    if problem := unmet(operation, defaults):
        outcome = ends.error(seen, status.INVALID_SPEC, problem, None)
        if not defaults.has_broker:
            return Plan(status=_end(seen, operation, outcome, None))
        return _conclude(seen, operation, defaults, outcome)
    if seen.refusal or operation.spec.suspend or seen.ahead:
        return Plan(status=_progressing(seen, operation, _why_not_yet(seen, operation)))
    return _begin(seen, operation, defaults)


def _why_not_yet(seen: Seen, operation: Operation) -> Note | None:
    if seen.refusal:
        return seen.refusal.note
    return control.queued(operation, seen.ahead) if seen.ahead else None


def _begin(seen: Seen, operation: Operation, defaults: Defaults) -> Plan:
    if (needed := needs(operation, defaults)) and seen.facts is None:
        return Plan(learn=needed)
    facts = seen.facts or Facts()
    if facts.occupants:
        note = control.occupied(facts.occupants)
        return Plan(status=_progressing(seen, operation, note), after=OCCUPIED)
    made = workflow(operation, defaults, facts)
    if problem := forbidden(made, defaults):
        outcome = ends.error(seen, status.INVALID_SPEC, problem, None)
        return _conclude(seen, operation, defaults, outcome)
    return Plan(create=made, after=GRACE)


def _end_without_child(seen: Seen, operation: Operation) -> Outcome | None:
    if operation.status.workflow_ref is not None:
        lost = "the Workflow has disappeared before its end was seen"
        return ends.error(seen, status.WORKFLOW_LOST, lost, operation)
    if operation.spec.cancel:
        note = Note(control.CANCELLED, "cancelled before it began")
        return control.outcome(note, None, seen.now)
    if seen.successor:
        return control.outcome(control.replaced(seen.successor), None, seen.now)
    if seen.refusal and seen.refusal.final:
        return ends.error(seen, seen.refusal.note.reason, seen.refusal.note.message, None)
    return None


def _with_child(seen: Seen, operation: Operation, child: Child, defaults: Defaults) -> Plan:
    if child.has_ended:
        return _conclude(seen, operation, defaults, ends.of_child(child, seen.now))
    if child.deleted is not None:
        # A cascade deletes the operation first, but the two are watched apart.
        if not seen.certain:
            return Plan(confirm=True)
        return _conclude(seen, operation, defaults, ends.cut_short(seen, child))
    if note := control.unanswered(child, seen.now):
        outcome = control.outcome(note, child.started, seen.now)
        return _conclude(seen, operation, defaults, outcome)
    limit = defaults.pending_deadline
    if patch := control.patch(operation, child, seen.now, limit, seen.successor):
        return Plan(steer=(child, patch))
    due = control.next_look(operation, child, seen.now, limit)
    changed = _progressing(seen, operation, None)
    wait = _held_back(seen, operation, child, changed) if changed else 0.0
    if wait > 0:
        return Plan(after=wait if due is None else min(wait, due))
    return Plan(status=changed, after=due)


def _held_back(seen: Seen, operation: Operation, child: Child, changed: dict[str, Any]) -> float:
    """Return the seconds for which a change can wait, so that it is written with the next."""
    if operation.status.workflow_ref is None:
        begun = child.waiting or any(one.phase is not TaskPhase.PENDING for one in child.tasks)
        # A run that is not the first begins with a write, as one that was resumed.
        return 0.0 if begun else max(seen.since, seen.written or 0.0) + GRACE - seen.clock
    if seen.written is None:
        return 0.0
    period = DETAIL_PERIOD if status.only_details(changed) else WRITE_PERIOD
    return seen.written + period - seen.clock


def _conclude(seen: Seen, operation: Operation, defaults: Defaults, outcome: Outcome) -> Plan:
    """Tell the end to whoever asked, write it down, and let the child go."""
    to = ends.destination(operation, seen.child, defaults)
    if to is None or operation.status.is_true("Notified"):
        return Plan(
            status=_end(seen, operation, outcome, None) if to is None else None,
            release=seen.held,
        )
    name = child_name(to.name, to.uid, operation.run)
    event = ExitEvent(to, outcome, seen.child.name if seen.child else name)
    old = operation.status
    if not (seen.child or old.workflow_ref or old.run_id or old.is_true("Finished")):
        # Nothing says yet which run this is the end of, and the spec may be of another one soon.
        return Plan(status=_end(seen, operation, outcome, status.PUBLISHING))
    return tell(seen, event, defaults.give_up, partial(_end, seen, operation, outcome))


def _progressing(seen: Seen, operation: Operation, refusal: Note | None) -> dict[str, Any] | None:
    new = status.under_way(operation, seen.child, refusal, seen.now)
    return status.changes(operation.status, new) or None


def _end(
    seen: Seen, operation: Operation, outcome: Outcome, notified: status.Notified | None
) -> dict[str, Any] | None:
    new = failure.told(status.ended(operation, seen.child, outcome, notified, seen.now), seen)
    return status.changes(operation.status, new) or None


def known(seen: Seen) -> str | None:
    """Return the event whose delivery is still remembered, as where a step after it failed."""
    return event_id(seen.uid, seen.run) if seen.delivery else None
