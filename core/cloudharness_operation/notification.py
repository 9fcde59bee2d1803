"""Whether and where the end of an operation's run is published."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from pydantic import ValidationError

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import Destination
from cloudharness_operation.model import Notify, ObjectMeta, OnExit, Operation
from cloudharness_operation.runs import FIRST_RUN_ID

Manifest = dict[str, Any]


def destination(operation: Operation, defaults: Defaults) -> Destination | None:
    """Return where the end of an operation's run is published, or None if it is not."""
    notify = operation.spec.on_exit and operation.spec.on_exit.notify
    run_id = operation.spec.run_id
    return _destination(operation.metadata, operation.run, run_id, notify or None, defaults)


def readable_destination(manifest: Manifest, run: int, defaults: Defaults) -> Destination | None:
    """Return the same of an operation that is invalid, as far as it can be read, or None."""
    spec = manifest["spec"]
    try:
        meta = ObjectMeta.model_validate(manifest["metadata"], extra="ignore")
        asked = OnExit.model_validate(spec.get("onExit") or {}, extra="ignore", by_alias=True)
    except ValidationError:
        return None
    run_id = spec.get("runId")
    known = run_id if isinstance(run_id, str) else FIRST_RUN_ID
    return _destination(meta, run, known, asked.notify, defaults) if defaults.has_broker else None


def _destination(
    meta: ObjectMeta, run: int, run_id: str, notify: Notify | None, defaults: Defaults
) -> Destination | None:
    own = notify.topic if notify else ""
    # The topic of an operation that is cancelled before it begins has not been checked yet.
    wanted = (own if own and is_permitted(own, defaults) else "", defaults.topic)
    topics = tuple(dict.fromkeys(topic for topic in wanted if topic))
    if not topics:
        return None
    return Destination(
        uid=meta.uid,
        namespace=meta.namespace,
        operation=meta.name,
        run=str(run),
        run_id=run_id,
        topics=topics,
        payload=notify.payload if notify else "",
        traceparent=(notify.traceparent or "") if notify else "",
    )


def own_topic(operation: Operation) -> str:
    """Return the topic that an operation names, or an empty text."""
    notify = operation.spec.on_exit and operation.spec.on_exit.notify
    return notify.topic if notify else ""


def is_allowed(topic: str, defaults: Defaults) -> bool:
    """Whether exit events may be published to a topic: the default one, or a permitted one."""
    return topic == defaults.topic or is_permitted(topic, defaults)


def is_permitted(topic: str, defaults: Defaults) -> bool:
    """Whether operations may name a topic."""
    patterns = defaults.topics
    return not patterns or any(fnmatchcase(topic, pattern) for pattern in patterns)
