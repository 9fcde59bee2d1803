"""The last act of an installation: `python -m cloudharness_operator.uninstall`.

The chart runs it when all else of it is deleted. It lets go of every Workflow that nobody but the
operator would have let go, so that nothing holds up their deletion, or that of their namespaces.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any, Final

from cloudharness_operation.names import ANNOTATION_EXIT_EVENT, FINALIZER
from cloudharness_operator.api import JSON_PATCH, Api, session
from cloudharness_operator.clock import awake, precisely
from cloudharness_operator.cluster import release_patch, workflows_path
from cloudharness_operator.elector import Candidacy, Elector
from cloudharness_operator.errors import ApiError, InvalidSettings
from cloudharness_operator.fence import Fence
from cloudharness_operator.settings import Settings

LEAD_SECONDS: Final = 40.0
"""Within which whoever led has stopped, or has been dead for long enough."""
QUIET_SECONDS: Final = 3.0
"""From the last Workflow let go, where no Lease says that nobody makes another."""
LOOKS: Final = 30

Manifest = dict[str, Any]

log = logging.getLogger("cloudharness_operator.uninstall")


def main() -> int:
    """Let go of all; the exit code says whether that was done."""
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
    try:
        asyncio.run(run(Settings.from_env(os.environ)))
    except (InvalidSettings, ApiError, OSError, TimeoutError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


async def run(settings: Settings) -> None:
    """See that no operator acts any more, and let go of what is held in every namespace.

    Raises:
        ApiError, OSError, TimeoutError: not all could be let go.

    """
    async with session(settings.account, awake) as http:
        api = Api(settings.server, http)
        if settings.lease:
            await _leading(api, settings)
        else:
            await _let_go(api, settings, QUIET_SECONDS)


async def _leading(api: Api, settings: Settings) -> None:
    """Take the Lease, let go of all, and delete the Lease."""
    my = Candidacy(settings.namespace, settings.lease, settings.identity, awake, precisely)
    led, stop = asyncio.Event(), asyncio.Event()
    standing = asyncio.create_task(Elector(api, my, Fence(awake), led.set).run(stop))
    try:
        async with asyncio.timeout(LEAD_SECONDS):
            await led.wait()
        await _let_go(api, settings, 0.0)
    finally:
        stop.set()
        await standing
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    await api.delete(f"{my.path}/{my.name}", options)


async def _let_go(api: Api, settings: Settings, quiet: float) -> None:
    """Look until nothing is held, and has not been for some seconds."""
    empty, enough = 0, 2 if quiet else 1
    for _ in range(LOOKS):
        held = [one for place in settings.namespaces for one in await _held(api, place)]
        for workflow in held:
            await _release(api, workflow)
        empty = 0 if held else empty + 1
        if empty == enough:
            return
        await asyncio.sleep(quiet)
    raise TimeoutError("there are ever more Workflows to let go")


async def _held(api: Api, namespace: str) -> list[Manifest]:
    """Return the Workflows that hold our finalizer, whatever else was done to them."""
    try:
        found = await api.list(workflows_path(namespace))
    except ApiError as error:
        if error.code == 404:  # Argo went first, and all Workflows with it.
            return []
        raise
    return [one for one in found if FINALIZER in one["metadata"].get("finalizers", ())]


async def _release(api: Api, workflow: Manifest) -> None:
    meta = workflow["metadata"]
    path = f"{workflows_path(meta['namespace'])}/{meta['name']}"
    try:
        await api.patch(path, release_patch(meta["uid"], meta["finalizers"]), JSON_PATCH)
    except ApiError as error:
        if error.code not in (404, 422):  # It is gone, or its finalizers have changed: look again.
            raise
        return
    untold = meta.get("annotations", {}).get(ANNOTATION_EXIT_EVENT, "")
    log.info("%s/%s is let go; this was not told: %s", meta["namespace"], meta["name"], untold)


if __name__ == "__main__":
    sys.exit(main())
