"""What consumers may count on in an exit event's value, as a JSON schema for them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

TIME: Final = Field(
    pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", json_schema_extra={"format": "date-time"}
)
Time = Annotated[str, TIME]


class ExitEventValue(BaseModel):
    """How one run of a CloudHarnessOperation has ended. There may be more fields one day."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
    )

    status: Literal["Succeeded", "Failed", "Error"]
    """How it ended, in CloudHarness's own three words."""
    payload: str
    """What the operation's author wrote into `spec.onExit.notify.payload`, as it is. Empty in the
    operator's own topic if there was none."""
    workflow: Annotated[str, Field(min_length=1)]
    """Name of the Argo Workflow that carried it out, or would have."""
    operation: Annotated[str, Field(min_length=1)]
    """Name of the operation."""
    namespace: Annotated[str, Field(min_length=1)]
    """Namespace of both."""
    uid: Annotated[str, Field(min_length=1)]
    """The operation's uid, which is the record's key too."""
    run: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
    """Number of the run."""
    run_id: str
    """What `spec.runId` was for this run."""
    reason: Annotated[str, Field(min_length=1)]
    """Why it ended so, in one word, as in the operation's `status.reason`."""
    message: str
    """The same for people."""
    start_time: Time | None
    """When it began to run; null if it never did."""
    completion_time: Time
    """When it ended."""


def schema() -> dict[str, Any]:
    """Return the JSON schema."""
    found = ExitEventValue.model_json_schema()
    # Consumers must not break on what a later version adds; our own tests shall.
    found.pop("additionalProperties")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def text() -> str:
    """Return the JSON schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
