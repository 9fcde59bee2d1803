"""The steps of the operator, and the faults of each step."""

import json
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final, NamedTuple

from cloudharness_operation.names import PLURAL, WORKFLOW_PLURAL

CREATE: Final = "create the Workflow"
STARTED: Final = "write the status Running"
DETAILS: Final = "write details of tasks"
SEND: Final = "publish the exit event"
ENDED: Final = "write the final status"
STOP: Final = "stop the Workflow"
TERMINATE: Final = "terminate the Workflow"
REMIND: Final = "remind Argo of its last change"
SWEEP: Final = "delete its pods"
RELEASE: Final = "remove the finalizer"
DELETE: Final = "delete the Workflow"
POST: Final = "create a Kubernetes Event"


class Kind(Enum):
    """A fault; its value is the text in the table."""

    KILL_BEFORE = "killed before the request"
    KILL_UNANSWERED = "killed after the write, before the response"
    KILL_ANSWERED = "killed after the response"
    KILL_STALE = "killed after the response; the next process reads the cluster as it was before"
    RESET = "connection lost before the write"
    UNANSWERED = "connection lost after the write, before the response"
    EXPIRED = "refused by 401"
    THROTTLED = "refused by 429"
    BROKEN = "refused by 500"
    AWAY = "refused by 503"
    CUT = "all watches end after the write"
    COMPACTED = "all watches end after the write, and their version has expired (410)"
    HELD = "after the write, all watches are late by some seconds"

    @property
    def kills(self) -> bool:
        """Whether the operator is killed."""
        return self.name.startswith("KILL")

    @property
    def code(self) -> int:
        """The HTTP status of a refusal; 0 for the other kinds."""
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
                return self._changed()
            case "PATCH", "cloudharnessoperations", "status":
                return self._written()
            case _:
                return f"{self.method} {resource} {subresource}".strip()

    def _changed(self) -> str:
        if b"finalizers" in self.body:  # A JSON patch; the others are merge patches.
            return RELEASE
        shutdown = (json.loads(self.body).get("spec") or {}).get("shutdown")
        return {"Stop": STOP, "Terminate": TERMINATE, None: REMIND}[shutdown]

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
