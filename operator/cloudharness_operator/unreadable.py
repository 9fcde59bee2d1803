"""What is done about an operation that cannot be read: one of another release, mostly.

It is refused; but who waits for its exit event is to hear that too.
"""

from __future__ import annotations

from functools import partial

from cloudharness_operation import render
from cloudharness_operation.event import Destination, ExitEvent
from cloudharness_operation.names import child_name
from cloudharness_operation.render import Defaults
from cloudharness_operator import ends, status
from cloudharness_operator.child import Note
from cloudharness_operator.effects import Plan
from cloudharness_operator.seen import Seen, Unreadable
from cloudharness_operator.telling import tell


def decide(seen: Seen, bad: Unreadable, defaults: Defaults) -> Plan:
    """Return what is to be done about such an operation."""
    to = _destination(seen, bad, defaults)
    if not bad.status.is_true("Finished"):
        # The end is on record before it is told, since nothing else keeps what it was.
        notified = status.PUBLISHING if to else None
        why = Note(bad.reason, str(bad.error))
        new = status.invalid(bad.status, bad.generation, why, notified, seen.now)
        return Plan(status=status.changes(bad.status, new))
    if to is None or bad.status.is_settled:
        return Plan(status=status.observed(bad.status, bad.generation))
    name = seen.child.name if seen.child else child_name(to.name, to.uid, seen.run)
    event = ExitEvent(to, ends.recorded(bad.status, seen.now), name)
    write = partial(status.informed, bad.status, bad.generation, seen.now)
    return tell(seen, event, defaults.give_up, write)


def _destination(seen: Seen, bad: Unreadable, defaults: Defaults) -> Destination | None:
    """Return where its end is told: as it was promised, or as can be read all the same."""
    if seen.held:
        return ends.promised(seen.held, defaults)
    return render.readable_destination(bad.manifest, seen.run, defaults)
