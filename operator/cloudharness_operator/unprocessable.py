"""What is done about an operation that makes the operator's own code fail.

It is a defect of the operator, which the same operation would meet each time. So the operation is
ended, with less and less of it looked at, instead of being tried without an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cloudharness_operation.render import Defaults
from cloudharness_operator import control, plan, status, unreadable
from cloudharness_operator.child import Child
from cloudharness_operator.effects import NOTHING, Plan
from cloudharness_operator.seen import Seen, Unreadable, unexpected

Manifest = dict[str, Any]


def decide(seen: Seen, error: Exception, manifest: Manifest, defaults: Defaults) -> Plan:
    """Return what is to be done about an operation for which `plan.decide` has raised an error."""
    if seen.operation is None and seen.unreadable is None:
        return NOTHING  # It has ended, or is gone.
    for attempt in _attempts(seen, error, manifest):
        try:
            return _ended(attempt, defaults)
        except Exception:  # noqa: BLE001, S112 - the next one looks at less.
            continue
    return NOTHING


def _attempts(seen: Seen, error: Exception, manifest: Manifest) -> Iterator[Seen]:
    # The end of a run is not lost for the sake of its details.
    if seen.child and seen.child.has_ended:
        yield replace(seen, child=_bare(seen.child), log="")
    bad = seen.unreadable or Unreadable.of(manifest, unexpected(error), status.INTERNAL_ERROR)
    yield replace(seen, operation=None, unreadable=bad)


def _ended(seen: Seen, defaults: Defaults) -> Plan:
    if seen.unreadable is None:
        return plan.decide(seen, defaults)
    found, child = unreadable.decide(seen, seen.unreadable, defaults), seen.child
    if child is None or child.has_ended or child.deleted:
        return found
    # Nothing of an operation goes on after its end.
    changes = control.end(child, seen.now)
    return replace(found, steer=(child, changes)) if changes else found


def _bare(child: Child) -> Child:
    return replace(child, tasks=(), outputs=(), claims=(), waits=(), message=child.phase)
