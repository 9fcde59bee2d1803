"""Questions and plans in short, for tables of tests."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from cloudharness_operation.event import ExitEvent
from cloudharness_operator.decide.plan import Plan, Question


def in_short(step: Question | Plan) -> dict[str, Any]:
    """Return what a plan does, in short, without what it leaves undone; or a question."""
    if not isinstance(step, Plan):
        return {"question": step}
    short = {field.name: getattr(step, field.name) for field in fields(step)}
    if step.create_workflow:
        short["create_workflow"] = step.create_workflow["metadata"]["name"]
    for name in ("publish", "give_up"):
        short[name] = _event(getattr(step, name))
    if step.patch_workflow:
        short["patch_workflow"] = _changes(step.patch_workflow[1])
    for name in ("remove_finalizer", "delete_workflow"):
        short[name] = (one := getattr(step, name)) and one.name
    if step.status:
        short["status"] = _status(step.status)
    if step.requeue_after is not None:
        short["requeue_after"] = round(step.requeue_after, 6)
    return {name: value for name, value in short.items() if value not in (None, False)}


def _event(event: ExitEvent | None) -> Any:
    return event and (event.id, event.outcome.status, event.outcome.reason)


def _changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the cause of a termination, and the spec; all changes have the same time."""
    (text,) = changes["metadata"]["annotations"].values()
    note: dict[str, Any] = json.loads(text)
    assert (note.pop("at"), note.pop("reminders")) == ("2026-01-02T03:04:05Z", 0)
    return note | ({"spec": changes["spec"]} if "spec" in changes else {})


def _status(changes: dict[str, Any]) -> Any:
    if "conditions" not in changes:
        return changes
    holds = {one["type"]: one["status"] == "True" for one in changes["conditions"]}
    return (changes.get("phase"), changes.get("reason"), holds)
