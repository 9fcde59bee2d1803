"""The JSON schema of an exit event's value, for consumers."""

from __future__ import annotations

import json
from typing import Any

from cloudharness_operation.event import ExitEventValue


def schema() -> dict[str, Any]:
    """Return the JSON schema."""
    found = ExitEventValue.model_json_schema()
    # Consumers must not break when a later version adds a field; our own tests must.
    found.pop("additionalProperties")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def text() -> str:
    """Return the JSON schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
