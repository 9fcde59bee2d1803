"""What a decision comes to: the effects that are to be had on the world, and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cloudharness_operation.event import ExitEvent
from cloudharness_operation.render.facts import Needs
from cloudharness_operator.child import Child


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in the order of its fields."""

    confirm: bool = False
    """Ask the API server for what seems to be missing, and decide again."""
    learn: Needs | None = None
    """Ask the API server for what the child depends on, and decide again."""
    inspect: str | None = None
    """Read the end of this pod's log, and decide again."""
    create: dict[str, Any] | None = None
    steer: tuple[Child, dict[str, Any]] | None = None
    """A child, and the changes to it that make it pause, go on or end."""
    publish: ExitEvent | None = None
    give_up: ExitEvent | None = None
    """Tell people that this event is not tried again."""
    reject: str | None = None
    """Why an exit event is not published, for the log."""
    status: dict[str, Any] | None = None
    """Changes to the operation's status."""
    release: Child | None = None
    """Take our finalizer off this child."""
    forget: str | None = None
    """Drop what is known of this event's delivery."""
    expire: Child | None = None
    """Delete this child, whose time is over."""
    sweep: Child | None = None
    """Delete those pods of this child, which was ended, that go on."""
    erase: bool = False
    """Delete the operation itself, whose time is over."""
    kept_for: str | None = None
    """Tell that the operation, whose time is over, is kept because of this owner."""
    after: float | None = None
    """Seconds after which to look again, should nothing happen before."""


NOTHING: Final = Plan()
