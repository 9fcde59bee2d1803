"""Children that no operation answers for any more: it is gone, or has gone on to another run.

What their end needs to be told they hold themselves. One that our finalizer still holds has not
been told: an operation that goes on takes it off first, or leaves it here.
"""

from __future__ import annotations

from typing import Final

from cloudharness_operation.event import ExitEvent
from cloudharness_operation.render import Defaults
from cloudharness_operator import control, ends, expiry, reminder
from cloudharness_operator.child import Child
from cloudharness_operator.effects import NOTHING, Plan
from cloudharness_operator.plan import known
from cloudharness_operator.seen import Seen
from cloudharness_operator.telling import deliver

FORGED: Final = (
    "its annotation does not agree with the Workflow, or names topics that are not allowed "
    "(kafka.allowedTopics)"
)


def decide(seen: Seen, defaults: Defaults) -> Plan:
    """Return what is to be done about such a child."""
    if (child := seen.child) is None:
        return NOTHING
    over = child.has_ended or child.deleted is not None
    if seen.gone:
        if child.is_held and not seen.certain:
            return Plan(confirm=True)
        # Its deletion will follow its owner's, and be seen.
        return _told(seen, child, defaults) if child.is_held and over else NOTHING
    if not over:
        # A second operator may have made it after the first went on to the next run.
        changes = control.end(child, seen.now)
        steer = (child, changes) if changes else None
        return Plan(steer=steer, after=reminder.wait(child, seen.now))
    return _told(seen, child, defaults) if child.is_held else _cleaned(seen, child)


def _told(seen: Seen, child: Child, defaults: Defaults) -> Plan:
    """Tell the end of a child, then let it go."""
    outcome = ends.of_child(child, seen.now) if child.has_ended else ends.cut_short(seen, child)
    if (to := ends.promised(child, defaults)) is None:
        why = f"exit event of Workflow {child.namespace}/{child.name} is not published: {FORGED}"
        return Plan(reject=why, release=child, forget=known(seen))
    event = ExitEvent(to, outcome, child.name)
    step = deliver(seen, event, defaults.give_up)
    if isinstance(step, Plan):
        return step
    return Plan(give_up=None if step.done else event, release=child, forget=event.id)


def _cleaned(seen: Seen, child: Child) -> Plan:
    due = expiry.due(expiry.of_former(seen.keep), child, seen.server, swept=seen.swept)
    return Plan(expire=due.child, sweep=due.stubborn, after=due.after)
