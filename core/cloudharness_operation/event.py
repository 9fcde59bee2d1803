"""The exit event of an operation, which is published to Kafka when a run has ended.

The record is a CloudEvent; its value keeps the three fields of CloudHarness's own messages
(`status`, `payload`, `workflow`), so that listeners for those continue to work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cloudharness_operation.names import GROUP, resource_path

TYPE_PREFIX: Final = f"{'.'.join(reversed(GROUP.split('.')))}.operation"

NonEmpty = Annotated[str, Field(min_length=1)]
Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]


class PromisedValue(BaseModel):
    """The fields of an exit event's value that are known before the run ends."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
    )

    payload: str
    """`spec.onExit.notify.payload` as the author wrote it. Empty in the operator's default topic if
    the operation has none."""
    operation: NonEmpty
    """Name of the operation."""
    namespace: NonEmpty
    """Namespace of the operation and of the Workflow."""
    uid: str
    """The operation's uid. Empty in a Workflow that is only rendered."""
    run: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
    """Number of the run."""
    run_id: str
    """`spec.runId` of the run."""

    def promised(self) -> dict[str, str]:
        """Return these fields by name."""
        return {name: getattr(self, name) for name in PromisedValue.model_fields}


class ExitEventValue(PromisedValue):
    """How one run of a CloudHarnessOperation has ended. Later versions may add fields."""

    uid: NonEmpty
    """The operation's uid, which is also the record's key."""
    status: Literal["Succeeded", "Failed", "Error"]
    """How the run ended. The three words are CloudHarness's."""
    workflow: NonEmpty
    """Name of the run's Argo Workflow, also where the run ended before it was created."""
    reason: NonEmpty
    """Why the run ended so, in one word, as in the operation's `status.reason`."""
    message: str
    """The reason as a sentence for people."""
    start_time: Time | None
    """When the run started; null if it never did."""
    completion_time: Time
    """When the run ended."""


class Destination(PromisedValue):
    """Where to publish the end of a run, and all of the value that is known before.

    It is kept in an annotation of the Workflow, so that the event can be published when the
    operation is already gone.
    """

    topics: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    traceparent: str = ""
    """The trace that the event belongs to (W3C Trace Context). Empty: none."""

    def to_annotation(self) -> str:
        """Return the text of the annotation."""
        # An older operator, after a rollback, can read an annotation without a trace only.
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    @classmethod
    def from_annotation(cls, text: str) -> Destination:
        """Read what `to_annotation` wrote.

        Raises:
            ValueError: the text is not such an annotation (somebody edited it).

        """
        found = cls.model_validate_json(text)
        if not found.uid:
            raise ValueError("uid is empty")
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    status: str
    """Succeeded, Failed or Error."""
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
        """The same for every repetition, so that a consumer can drop duplicates."""
        return event_id(self.destination.uid, self.destination.run)

    @property
    def attributes(self) -> dict[str, Any]:
        """The CloudEvents attributes."""
        to = self.destination
        return {
            "id": self.id,
            "source": resource_path(to.namespace, to.operation),
            "specversion": "1.0",
            "type": f"{TYPE_PREFIX}.{self.outcome.status.lower()}.v1",
            "subject": to.operation,
            "time": self.outcome.finished,
            "datacontenttype": "application/json",
            **({"traceparent": to.traceparent} if to.traceparent else {}),
        }

    @property
    def value(self) -> ExitEventValue:
        """The value of the record."""
        end = self.outcome
        fields = {
            **self.destination.promised(),
            "status": str(end.status),
            "workflow": self.workflow,
            "reason": end.reason,
            "message": end.message,
            "start_time": end.started and timestamp(end.started),
            "completion_time": timestamp(end.finished),
        }
        return ExitEventValue.model_validate(fields)

    @property
    def data(self) -> dict[str, Any]:
        """The value as JSON."""
        return self.value.model_dump(by_alias=True)


def event_id(uid: str, run: int | str) -> str:
    """Return the id of the exit event of a run of an operation."""
    return f"{uid}/{run}/exit"


def operation_uid(event: str) -> str:
    """Return the uid of the operation that an event's id names."""
    return event.partition("/")[0]


def timestamp(moment: datetime) -> str:
    """Return a time as Kubernetes writes it: UTC, RFC 3339, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
