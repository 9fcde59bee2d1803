"""What `reconcile` needs of the world, so that tests can give it another one."""

from __future__ import annotations

from typing import Any, Protocol

from cloudharness_operation.event import ExitEvent
from cloudharness_operation.render.facts import Facts, Needs
from cloudharness_operator.child import Child
from cloudharness_operator.delivery import Delivery

Manifest = dict[str, Any]


class Cluster(Protocol):
    """The API server. Every method raises `ApiError`, or `OSError` where it cannot be reached."""

    async def create_workflow(self, manifest: Manifest) -> Child:
        """Create a child and return it."""

    async def patch_workflow(self, child: Child, changes: Manifest) -> Child:
        """Change parts of a child, unless it has changed since it was seen."""

    async def get_workflow(self, namespace: str, name: str) -> Child | None:
        """Return a child, or None if there is none."""

    async def get_operation(self, namespace: str, name: str) -> Manifest | None:
        """Return an operation, or None if there is none."""

    async def learn(self, namespace: str, needs: Needs, catalogue: str) -> Facts:
        """Return what a child depends on: claims, pods, and images by the named catalogue."""

    async def read_log(self, namespace: str, pod: str) -> str:
        """Return the end of the log of a task's pod."""

    async def patch_status(
        self, namespace: str, name: str, resource_version: str, changes: Manifest
    ) -> Manifest:
        """Change parts of an operation's status, unless it has changed since that version."""

    async def create_event(self, manifest: Manifest) -> None:
        """Create an Event; one of that name that is there already is as good."""

    async def release(self, child: Child) -> Child | None:
        """Take our finalizer off a child; return the child, or None if it is gone."""

    async def delete_workflow(self, child: Child) -> Child | None:
        """Delete a child as it was seen; return it if something holds it, or None if it is gone."""

    async def stop_pods(self, child: Child) -> tuple[str, ...]:
        """Delete those pods of a child that have not stopped; return their names."""

    async def delete_operation(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> Manifest | None:
        """Delete an operation as it was seen; return it if something holds it, or None."""


class Publisher(Protocol):
    """The way to Kafka. Nothing here waits: what became of an event is asked for later."""

    def publish(self, event: ExitEvent) -> None:
        """Begin to publish an event; its key is queued again when that has ended."""

    def delivery(self, event_id: str) -> Delivery | None:
        """Return what became of an event, or None if this process never published it."""

    def give_up(self, event: ExitEvent) -> None:
        """Tell people of an event that is not tried again, once."""

    def forget(self, event_id: str) -> None:
        """Drop what is known of an event."""
