"""The table of faults: each scenario, each of its steps, and each thing that can happen there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.faults.calls import (
    CREATE,
    DELETE,
    ENDED,
    POST,
    RELEASE,
    SEND,
    STARTED,
    STOP,
    TERMINATE,
    Fault,
    Kind,
)
from tests.support.operations import GATED, Manifest, bash, operation


@dataclass(frozen=True)
class Scenario:
    """A life of an operation, and what it is to come to whatever happens on its way."""

    name: str
    says: str
    script: str
    steps: tuple[str, ...]
    """What the operator does if nothing happens, in its order."""
    status: str
    """The status in the exit event."""
    reason: str
    act: Literal["let on", "cancel", "delete", "wait"] = "let on"
    """What a person does when the task runs."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Further fields of the task, and of the exit task."""
    has_exit_task: bool = False
    faults_at: tuple[str, ...] | None = None
    """The steps at which faults are tried; None: at all."""
    spec: dict[str, Any] = field(default_factory=dict)

    def manifest(self, name: str, topic: str) -> Manifest:
        """The operation."""
        made = operation(name, bash(self.script, **self.fields), topic=topic, **self.spec)
        if self.has_exit_task:
            made["spec"]["onExit"]["task"] = bash("true", "bye", **self.fields)
        return made

    @property
    def places(self) -> Iterator[int]:
        """The places of the steps at which faults are tried."""
        for place, step in enumerate(self.steps):
            if self.faults_at is None or step in self.faults_at:
                yield place

    def turn(self, place: int) -> int:
        """Of the steps that are called as the one at a place, which it is."""
        return self.steps[: place + 1].count(self.steps[place])


_AT_ONCE: Final = {"ttlStrategy": {"secondsAfterCompletion": 0}}

SCENARIOS: Final = (
    Scenario(
        name="success",
        says="the task succeeds, and the Workflow expires",
        script=GATED,
        steps=(CREATE, STARTED, POST, SEND, ENDED, POST, RELEASE, DELETE),
        status="Succeeded",
        reason="AllTasksSucceeded",
        spec=_AT_ONCE,
    ),
    Scenario(
        name="failure",
        says="the task fails, and its log is read",
        script=f"{GATED} echo no; exit 3",
        steps=(CREATE, STARTED, POST, SEND, ENDED, POST, POST, RELEASE, DELETE),
        status="Failed",
        reason="TaskFailed",
        spec=_AT_ONCE,
    ),
    Scenario(
        name="cancel",
        says="it is cancelled while its task runs",
        script="exec sleep 600",
        steps=(CREATE, STARTED, POST, STOP, SEND, ENDED, POST, POST, RELEASE, DELETE),
        status="Failed",
        reason="Cancelled",
        act="cancel",
        spec=_AT_ONCE,
    ),
    Scenario(
        name="deletion",
        says="it is deleted while its task runs",
        script="exec sleep 600",
        steps=(CREATE, STARTED, POST, SEND, RELEASE),
        status="Error",
        reason="Deleted",
        act="delete",
    ),
    Scenario(
        name="escalation",
        says="neither task nor exit task can start, and the pending deadline of each expires",
        script="true",
        fields={"envFrom": [{"secretRef": {"name": "none"}}]},
        has_exit_task=True,
        # The other steps are those of a cancellation.
        faults_at=(STOP, TERMINATE),
        steps=(CREATE, STARTED, POST, STOP, TERMINATE, SEND, ENDED, POST, RELEASE, DELETE),
        status="Failed",
        reason="PendingDeadlineExceeded",
        act="wait",
        spec={**_AT_ONCE, "pendingDeadlineSeconds": 10},
    ),
)


@dataclass(frozen=True)
class Plan:
    """One row: a scenario, and what happens at which of its steps."""

    scenario: Scenario
    place: int
    kind: Kind

    @property
    def fault(self) -> Fault:
        """What the proxy, or the producer, is to do."""
        return Fault(self.scenario.steps[self.place], self.scenario.turn(self.place), self.kind)

    @property
    def id(self) -> str:
        """How a test calls it."""
        step = self.scenario.steps[self.place].replace(" ", "-")
        return f"{self.scenario.name}-{self.place + 1}-{step}-{self.kind.name.lower()}"


_FEW: Final = (Kind.KILL_BEFORE, Kind.KILL_UNANSWERED, Kind.KILL_ANSWERED)
KINDS: Final = {
    # What Kafka itself can do is tried with Kafka.
    SEND: _FEW,
    # An Event that is refused is only logged.
    POST: _FEW,
}
"""What can happen to a step, where that is not all."""


def plans() -> Iterator[Plan]:
    """Yield all rows."""
    for scenario in SCENARIOS:
        for place in scenario.places:
            for kind in KINDS.get(scenario.steps[place], Kind):
                yield Plan(scenario, place, kind)


def is_always_tried(plan: Plan) -> bool:
    """Whether a row is one of the few that are tried with every change.

    In these a write succeeds, and its response is lost: each kind of write once.
    """
    scenario, step = plan.scenario, plan.scenario.steps[plan.place]
    if step == POST or scenario.faults_at:
        return False  # The others take as long as deadlines.
    before = SCENARIOS[: SCENARIOS.index(scenario)]
    if any(step in one.steps for one in before):
        return False
    return plan.kind is (Kind.KILL_ANSWERED if step == SEND else Kind.KILL_UNANSWERED)
