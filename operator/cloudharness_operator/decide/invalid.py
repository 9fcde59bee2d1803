"""Operations that cannot be read, mostly those of another release: they are refused.

Where their exit event can be read all the same, it is published.
"""

from __future__ import annotations

from functools import partial

from cloudharness_operation import notification
from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import Destination, ExitEvent
from cloudharness_operation.names import child_name
from cloudharness_operator.decide import outcome, status
from cloudharness_operator.decide.child import ReasonMessage
from cloudharness_operator.decide.notification import notify_and_record
from cloudharness_operator.decide.plan import Plan
from cloudharness_operator.decide.state import InvalidManifest, ObservedState


def decide(state: ObservedState, found: InvalidManifest, defaults: Defaults) -> Plan:
    """Return what to change about an invalid operation."""
    to = _destination(state, found, defaults)
    if not found.status.is_true("Finished"):
        # The end is written before it is published: nothing else keeps what it was.
        notified = status.PUBLISHING if to else None
        why = ReasonMessage(found.reason, str(found.error))
        new = status.refused(found.status, found.generation, why, notified, state.now)
        return Plan(status=status.merge_patch(found.status, new))
    if to is None or found.status.is_settled:
        return Plan(status=status.observed_generation(found.status, found.generation))
    name = state.child.name if state.child else child_name(to.operation, to.uid, state.run)
    event = ExitEvent(to, outcome.from_status(found.status, state.now), name)
    write = partial(status.with_notified, found.status, found.generation, state.now)
    return notify_and_record(state, event, defaults.give_up, write)


def _destination(
    state: ObservedState, found: InvalidManifest, defaults: Defaults
) -> Destination | None:
    """Return where its end is published: as its Workflow says, or as far as it can be read."""
    if state.held_child:
        return outcome.promised(state.held_child, defaults)
    return notification.readable_destination(found.manifest, state.run, defaults)
