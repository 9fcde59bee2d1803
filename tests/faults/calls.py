"""What an operator does, step by step, and what can happen to each step."""

import json
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final, NamedTuple

from cloudharness_operation.names import PLURAL, WORKFLOW_PLURAL

CREATE: Final = "create the Workflow"
STARTED: Final = "write that it runs"
DETAILS: Final = "write details"
SEND: Final = "send the exit event"
ENDED: Final = "write the end"
STEER: Final = "stop the Workflow"
SWEEP: Final = "delete its pods"
RELEASE: Final = "take the finalizer off"
DELETE: Final = "delete the Workflow"
POST: Final = "post a Kubernetes Event"


class Kind(Enum):
    """What happens to a step; its value is what a person reads in the table."""

    KILL_BEFORE = "killed before it"
    KILL_UNANSWERED = "killed when it is done, before the answer"
    KILL_ANSWERED = "killed when it is answered"
    KILL_STALE = "killed when it is answered; the next one sees the cluster as it was before"
    RESET = "the connection breaks before it is done"
    UNANSWERED = "the connection breaks when it is done, before the answer"
    EXPIRED = "refused by 401"
    THROTTLED = "refused by 429"
    BROKEN = "refused by 500"
    AWAY = "refused by 503"
    CUT = "all watches break when it is done"
    COMPACTED = "all watches break when it is done, and cannot go on (410)"
    HELD = "when it is done, all watches are late by some seconds"

    @property
    def kills(self) -> bool:
        """Whether the operator dies of it."""
        return self.name.startswith("KILL")

    @property
    def code(self) -> int:
        """What is answered instead of doing it; 0 for the other kinds."""
        word, _, code = self.value.partition(" by ")
        return int(code) if word == "refused" else 0


@dataclass(frozen=True)
class Fault:
    """What happens to one step, of several of a name the first, second, ..."""

    step: str
    turn: int
    kind: Kind


class Call(NamedTuple):
    """One request."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"

    @property
    def is_watch(self) -> bool:
        """Whether its answer goes on and on."""
        return self.is_read and "watch=" in self.query

    @property
    def is_list(self) -> bool:
        """Whether it asks for all operations, or for all their Workflows."""
        kinds = (f"/{PLURAL}", f"/{WORKFLOW_PLURAL}")
        return self.is_read and not self.is_watch and self.path.endswith(kinds)

    @property
    def step(self) -> str:
        """Which step it is; what is none that a table has is called by its request."""
        _, _, place = self.path.partition("/namespaces/")
        resource, _, rest = place.partition("/")[2].partition("/")
        subresource = rest.partition("/")[2]
        match self.method, resource, subresource:
            case "POST", "workflows", "":
                return CREATE
            case "POST", "events", "":
                return POST
            case "DELETE", "workflows", "":
                return DELETE
            case "DELETE", "pods", "":
                return SWEEP
            case "PATCH", "workflows", "":
                return RELEASE if b"finalizers" in self.body else STEER
            case "PATCH", "cloudharnessoperations", "status":
                return self._written()
            case _:
                return f"{self.method} {resource} {subresource}".strip()

    def _written(self) -> str:
        changes = json.loads(self.body)["status"]
        if changes.get("completionTime"):
            return ENDED
        return STARTED if changes.get("phase") == "Running" else DETAILS

    def is_about(self, name: str) -> bool:
        """Whether it names an operation, or what belongs to it."""
        return name in self.path or name in self.query or name.encode() in self.body


class Answer(NamedTuple):
    """A request that the API server has had, and the code of its answer."""

    call: Call
    code: int

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return self.code < HTTPStatus.MULTIPLE_CHOICES
