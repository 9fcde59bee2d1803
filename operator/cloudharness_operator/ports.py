"""The interfaces between the rooms, so that tests can put others in the place of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from cloudharness_operation.event import ExitEvent
from cloudharness_operation.render.facts import ClusterFacts, ClusterQuery
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.delivery import Delivery

Manifest = dict[str, Any]


class Cluster(Protocol):
    """The API server. Every method raises `ApiError`, or `OSError` if it cannot be reached."""

    async def create_workflow(self, manifest: Manifest) -> Child:
        """Create a Workflow and return it."""

    async def patch_workflow(self, child: Child, changes: Manifest) -> Child:
        """Patch a Workflow, unless it has changed since it was read."""

    async def get_workflow(self, namespace: str, name: str) -> Child | None:
        """Return a Workflow, or None if there is none."""

    async def get_operation(self, namespace: str, name: str) -> Manifest | None:
        """Return an operation, or None if there is none."""

    async def fetch_facts(
        self, namespace: str, query: ClusterQuery, catalogue: str
    ) -> ClusterFacts:
        """Return what a Workflow depends on: claims, pods, and images by the named catalogue."""

    async def read_log(self, namespace: str, pod: str) -> str:
        """Return the end of the log of a task's pod."""

    async def patch_status(
        self, namespace: str, name: str, resource_version: str, changes: Manifest
    ) -> Manifest:
        """Patch an operation's status, unless the operation has changed since that version."""

    async def remove_finalizer(self, child: Child) -> Child | None:
        """Remove our finalizer from a Workflow; return the Workflow, or None if it is deleted."""

    async def delete_workflow(self, child: Child) -> Child | None:
        """Delete a Workflow as it was read; return it if a finalizer holds it, or None."""

    async def delete_pods(self, child: Child) -> tuple[str, ...]:
        """Delete those pods of a Workflow that have not stopped; return their names."""

    async def delete_operation(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> Manifest | None:
        """Delete an operation as it was read; return it if a finalizer holds it, or None."""


class Recorder(Protocol):
    """Creates Kubernetes Events."""

    def record(self, manifests: Sequence[Manifest]) -> None:
        """Create Events soon. A failure is logged and counted, and not raised."""


class Meter(Protocol):
    """Measures what users wait for, in seconds."""

    def workflow_created(self, delay: float) -> None:
        """Observe the creation of an operation's first Workflow, by its delay."""

    def ended(self, phase: str, reason: str, ran: float | None, delay: float) -> None:
        """Count a run whose end was written, by the time that it ran and that until then."""

    def acknowledged(self, delay: float) -> None:
        """Observe an exit event that the broker has acknowledged, by the time since the end."""

    def deleted(self, kind: str) -> None:
        """Count an object that was deleted at its TTL."""


class Publisher(Protocol):
    """Publishes exit events. No method waits: the delivery state is read later."""

    def publish(self, event: ExitEvent) -> None:
        """Begin to publish an event; its operation is enqueued again at the end of the attempt."""

    def delivery(self, event_id: str) -> Delivery | None:
        """Return the delivery state of an event, or None if this process never published it."""

    def give_up(self, event: ExitEvent) -> None:
        """Log an event that is not published again, once."""

    def drop(self, event_id: str) -> None:
        """Drop the delivery state of an event."""


class Sink(Protocol):
    """Takes what the lists and watches of one kind read.

    No method raises an error: an object that cannot be read is skipped.
    """

    def upsert(self, manifest: Manifest) -> str:
        """Take an object that was created or changed; return its uid, or an empty text."""

    def remove(self, manifest: Manifest) -> None:
        """Take an object that was deleted."""

    def listed(self, namespace: str, found: set[str], version: int) -> None:
        """Take the uids of all objects of a namespace (`""`: of all) at a version."""

    def failed(self, namespace: str, error: Exception) -> None:
        """Take the error of a list."""

    def heard(self, namespace: str) -> None:
        """Take note of a message of the watch of a namespace (`""`: of all)."""
