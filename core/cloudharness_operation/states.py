"""The states of an operation: one table from a state to its phase and its conditions.

The operator's status, the status of the next run, the CRD's default and the table in docs/states.md
are all made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from cloudharness_operation import reasons
from cloudharness_operation.status import Phase

ConditionStatus = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class State:
    """A state, with the conditions that it sets. Conditions that it does not name are absent."""

    name: str
    phase: Phase
    conditions: tuple[tuple[str, ConditionStatus], ...]
    """Type and status, in the order in which the status lists them."""

    def types(self, status: ConditionStatus) -> tuple[str, ...]:
        """Return the types of the conditions that have a status."""
        return tuple(kind for kind, value in self.conditions if value == status)


def _state(name: str, phase: Phase, **conditions: ConditionStatus) -> State:
    return State(name, phase, tuple(conditions.items()))


UNSEEN: Final = _state("Unseen", Phase.PENDING, Accepted="Unknown", Reconciling="True")
PENDING: Final = _state(
    "Pending", Phase.PENDING, Accepted="True", Reconciling="True", Finished="False"
)
RUNNING: Final = _state(
    "Running", Phase.RUNNING, Accepted="True", Reconciling="True", Finished="False"
)
SUSPENDED: Final = _state(
    "Suspended",
    Phase.SUSPENDED,
    Accepted="True",
    Reconciling="True",
    Finished="False",
    Suspended="True",
)
SUCCEEDED: Final = _state(
    "Succeeded",
    Phase.SUCCEEDED,
    Accepted="True",
    Reconciling="False",
    Complete="True",
    Finished="True",
)


def _unsuccessful(name: str, phase: Phase, accepted: ConditionStatus = "True") -> State:
    return _state(
        name,
        phase,
        Accepted=accepted,
        Reconciling="False",
        Failed="True",
        Finished="True",
        Stalled="True",
    )


FAILED: Final = _unsuccessful("Failed", Phase.FAILED)
ERROR: Final = _unsuccessful("Error", Phase.ERROR)
CANCELLED: Final = _unsuccessful("Cancelled", Phase.CANCELLED)
REFUSED: Final = _unsuccessful("Refused", Phase.ERROR, accepted="False")

STATES: Final = (
    *(UNSEEN, PENDING, RUNNING, SUSPENDED),
    *(SUCCEEDED, FAILED, ERROR, CANCELLED, REFUSED),
)

_BY_PHASE: Final = {state.phase: state for state in (SUCCEEDED, FAILED, ERROR)}


def final_state(status: str, reason: str) -> State:
    """Return the state of an operation that has ended, from its outcome.

    `status` is Succeeded, Failed or Error.
    """
    if reason in reasons.REFUSED:
        return REFUSED
    return CANCELLED if reason in reasons.USER_REQUESTED else _BY_PHASE[Phase(status)]
