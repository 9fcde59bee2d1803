"""Removes the operator's finalizer from all Workflows: `python -m cloudharness_operator.uninstall`.

The chart runs it after all else of it is deleted. Without the operator nobody would remove the
finalizers, and Workflows and their namespaces could not be deleted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any, Final

from cloudharness_operation.names import ANNOTATION_EXIT_EVENT, FINALIZER
from cloudharness_operator.clock import awake, precisely
from cloudharness_operator.errors import ApiError, InvalidSettings
from cloudharness_operator.kube.cluster import finalizer_patch, workflows_path
from cloudharness_operator.kube.http import JSON_PATCH, Api, session
from cloudharness_operator.leader.elector import ElectionConfig, Elector
from cloudharness_operator.leader.fence import Fence
from cloudharness_operator.settings import Settings

LEAD_SECONDS: Final = 40.0
"""Seconds in which the leader has stopped, or its Lease has expired."""
QUIET_SECONDS: Final = 3.0
"""Seconds without a finalizer to wait for, if no Lease shows that no operator creates another."""
MAX_LISTS: Final = 30

Manifest = dict[str, Any]

log = logging.getLogger("cloudharness_operator.uninstall")


def main() -> int:
    """Remove all finalizers; the exit code says whether that was done."""
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
    try:
        asyncio.run(run(Settings.from_env(os.environ)))
    except (InvalidSettings, ApiError, OSError, TimeoutError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


async def run(settings: Settings) -> None:
    """Ensure that no operator writes any more, and remove the finalizers in every namespace.

    Raises:
        ApiError, OSError, TimeoutError: not all finalizers could be removed.

    """
    async with session(settings.account, awake) as http:
        api = Api(settings.server, http)
        if settings.lease:
            await _leading(api, settings)
        else:
            await _remove_finalizers(api, settings, QUIET_SECONDS)


async def _leading(api: Api, settings: Settings) -> None:
    """Take the Lease, remove all finalizers, and delete the Lease."""
    config = ElectionConfig(settings.namespace, settings.lease, settings.identity, awake, precisely)
    led, stop = asyncio.Event(), asyncio.Event()
    standing = asyncio.create_task(Elector(api, config, Fence(awake), led.set).run(stop))
    try:
        async with asyncio.timeout(LEAD_SECONDS):
            await led.wait()
        await _remove_finalizers(api, settings, 0.0)
    finally:
        stop.set()
        await standing
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    await api.delete(f"{config.path}/{config.name}", options)


async def _remove_finalizers(api: Api, settings: Settings, quiet: float) -> None:
    """Repeat until no Workflow has had the finalizer for some seconds."""
    empty, enough = 0, 2 if quiet else 1
    for _ in range(MAX_LISTS):
        held = [one for place in settings.namespaces for one in await _held(api, place)]
        for workflow in held:
            await _release(api, workflow)
        empty = 0 if held else empty + 1
        if empty == enough:
            return
        await asyncio.sleep(quiet)
    raise TimeoutError("Workflows with the finalizer are created all the time")


async def _held(api: Api, namespace: str) -> list[Manifest]:
    """Return the Workflows with our finalizer, whatever their labels are."""
    try:
        found = await api.list(workflows_path(namespace))
    except ApiError as error:
        if error.code == 404:  # Argo's CRDs were deleted first, and all Workflows with them.
            return []
        raise
    return [one for one in found if FINALIZER in one["metadata"].get("finalizers", ())]


async def _release(api: Api, workflow: Manifest) -> None:
    meta = workflow["metadata"]
    path = f"{workflows_path(meta['namespace'])}/{meta['name']}"
    try:
        await api.patch(path, finalizer_patch(meta["uid"], meta["finalizers"]), JSON_PATCH)
    except ApiError as error:
        if error.code not in (
            404,
            422,
        ):  # It is deleted, or its finalizers have changed: list again.
            raise
        return
    event = meta.get("annotations", {}).get(ANNOTATION_EXIT_EVENT, "")
    name = f"{meta['namespace']}/{meta['name']}"
    log.info("finalizer removed from %s; its exit event is not published: %s", name, event)


if __name__ == "__main__":
    sys.exit(main())
