"""The exit event of an operation: what Kafka is told when a run has ended.

The record is a CloudEvent; its data keeps the three fields of CloudHarness's own messages
(`status`, `payload`, `workflow`), so that a listener written for those goes on working.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cloudharness_operation.names import GROUP, resource_path

TYPE_PREFIX: Final = f"{'.'.join(reversed(GROUP.split('.')))}.operation"


@dataclass(frozen=True, slots=True)
class Destination:
    """What an exit event needs to know about its operation before the end is known.

    Kept in an annotation of the child, so that the end can be told when the operation is
    already gone.
    """

    uid: str
    namespace: str
    name: str
    run: str
    """The number of the run."""
    topics: tuple[str, ...]
    payload: str
    run_id: str = ""
    traceparent: str = ""
    """The trace that it all belongs to (W3C Trace Context). Empty: none."""

    def to_annotation(self) -> str:
        """Return this as the text of an annotation."""
        fields = asdict(self)
        if not self.traceparent:
            # What an older operator does not know it could not read, after a rollback.
            del fields["traceparent"]
        # As it is: escaped, a payload could outgrow what annotations may hold.
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_annotation(cls, text: str) -> Destination:
        """Read what `to_annotation` wrote.

        Raises:
            ValueError: the text is not such an annotation (somebody edited it).

        """
        try:
            fields = json.loads(text)
            topics = fields.pop("topics")
            found = cls(**fields, topics=tuple(topics))
        except (AttributeError, TypeError, KeyError) as error:
            raise ValueError(f"not an exit-event annotation: {error}") from error
        texts = (found.uid, found.namespace, found.name, found.run, *found.topics)
        whole = all(isinstance(text, str) and text for text in texts)
        free = all(
            isinstance(text, str) for text in (found.payload, found.run_id, found.traceparent)
        )
        if not (whole and topics and isinstance(topics, list) and free):
            raise ValueError("not an exit-event annotation: a field is empty or no text")
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    status: str
    """Succeeded, Failed or Error: CloudHarness's own three words."""
    reason: str
    message: str
    started: datetime | None
    finished: datetime


@dataclass(frozen=True, slots=True)
class ExitEvent:
    """One exit event, ready to be published."""

    destination: Destination
    outcome: Outcome
    workflow: str

    @property
    def id(self) -> str:
        """The same for every repeat, so that a consumer can drop repeats."""
        return event_id(self.destination.uid, self.destination.run)

    @property
    def attributes(self) -> dict[str, Any]:
        """The CloudEvents attributes."""
        to = self.destination
        return {
            "id": self.id,
            "source": resource_path(to.namespace, to.name),
            "specversion": "1.0",
            "type": f"{TYPE_PREFIX}.{self.outcome.status.lower()}.v1",
            "subject": to.name,
            "time": self.outcome.finished,
            "datacontenttype": "application/json",
            **({"traceparent": to.traceparent} if to.traceparent else {}),
        }

    @property
    def data(self) -> dict[str, Any]:
        """The value of the record."""
        to, end = self.destination, self.outcome
        return {
            "status": end.status,
            "payload": to.payload,
            "workflow": self.workflow,
            "operation": to.name,
            "namespace": to.namespace,
            "uid": to.uid,
            "run": to.run,
            "runId": to.run_id,
            "reason": end.reason,
            "message": end.message,
            "startTime": end.started and timestamp(end.started),
            "completionTime": timestamp(end.finished),
        }


def event_id(uid: str, run: int | str) -> str:
    """Return the id of the exit event of a run of an operation."""
    return f"{uid}/{run}/exit"


def operation_uid(event: str) -> str:
    """Return the uid of the operation that an event's id names."""
    return event.partition("/")[0]


def timestamp(moment: datetime) -> str:
    """Return a time as Kubernetes writes it: UTC, RFC 3339, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
