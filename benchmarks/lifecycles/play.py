"""Plays the user, who creates parents, and the engine, which runs their children."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from benchmarks.lifecycles.shapes import Shape
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube.http import MERGE_PATCH, Api

Manifest = dict[str, Any]

RUNS: Final = 1.0
"""Seconds that a child runs."""
AT_ONCE: Final = 32
"""Requests of the user at once, at most."""


@dataclass(frozen=True)
class Scenario:
    """What the user creates."""

    name: str
    count: int
    rate: float = 0.0
    """Parents a second; 0: as fast as `AT_ONCE` requests can."""
    ttl: int | None = None
    """Seconds after which the child of an ended parent is deleted. A lifecycle is over when its
    child is deleted, or without this, when the parent's status says that it has ended."""


@dataclass
class Moments:
    """When something happened to each parent, by its name, in seconds of one clock."""

    created: dict[str, float] = field(default_factory=dict)
    child: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    """When the engine has written the end of the child."""
    recorded: dict[str, float] = field(default_factory=dict)
    """When the parent's status said that it has ended."""
    removed: dict[str, float] = field(default_factory=dict)
    """When the child was deleted."""
    expired: dict[str, float] = field(default_factory=dict)
    """When the parent was deleted."""


@asynccontextmanager
async def played(api: Api, shape: Shape, namespace: str) -> AsyncIterator[Moments]:
    """Run the children of a new namespace, and note what happens, while this is open."""
    moments = Moments()
    await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        children = _run_children(api, shape, namespace, moments)
        async with beside(children, _watch_parents(api, shape, namespace, moments)):
            yield moments
    finally:
        await _clear(api, shape, namespace)


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run what has no end while this is open; an error of it ends this at once."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


async def each(numbers: Iterable[int], call: Callable[[int], Awaitable[None]]) -> None:
    """Call a function with each number, `AT_ONCE` at the same time."""
    left = iter(numbers)

    async def work() -> None:
        for number in left:
            await call(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


async def create(
    api: Api, shape: Shape, namespace: str, moments: Moments, scenario: Scenario
) -> None:
    """Create the parents of a scenario."""
    begun = time.monotonic()

    async def one(number: int) -> None:
        name = f"op-{number}"
        if scenario.rate:
            await asyncio.sleep(max(0.0, begun + number / scenario.rate - time.monotonic()))
        await api.post(shape.parents(namespace), shape.parent(name, scenario.ttl))
        moments.created[name] = time.monotonic()

    await each(range(scenario.count), one)


async def _run_children(api: Api, shape: Shape, namespace: str, moments: Moments) -> None:
    path = shape.children(namespace)

    async def run(name: str, parent: str) -> None:
        target = f"{path}/{name}{shape.status}"
        await api.patch(target, shape.running(), MERGE_PATCH)
        await asyncio.sleep(RUNS)
        await api.patch(target, shape.succeeded(), MERGE_PATCH)
        moments.ended[parent] = time.monotonic()

    async with asyncio.TaskGroup() as group:
        async for event in events(api, path, await version_of(api, path)):
            meta = event["object"]["metadata"]
            parent = meta["ownerReferences"][0]["name"]
            if event["type"] == "ADDED":
                moments.child[parent] = time.monotonic()
                group.create_task(run(meta["name"], parent))
            elif event["type"] == "DELETED":
                moments.removed[parent] = time.monotonic()


async def _watch_parents(api: Api, shape: Shape, namespace: str, moments: Moments) -> None:
    path = shape.parents(namespace)
    async for event in events(api, path, await version_of(api, path)):
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            moments.expired[name] = time.monotonic()
        elif shape.has_ended(event["object"].get("status") or {}):
            moments.recorded.setdefault(name, time.monotonic())


async def version_of(api: Api, path: str) -> str:
    """Return the version of a collection, from which `events` can follow it."""
    version = ""
    async for page in api.pages(path):
        version = page.version
    return version


async def events(api: Api, path: str, version: str) -> AsyncIterator[Manifest]:
    """Yield the changes of a collection from a version on."""
    while True:
        try:
            async for event in api.watch(path, version):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield event
        except ApiError as error:
            # So the API server answers until the cache of a kind that is new is filled.
            if error.code != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            await asyncio.sleep(1)


async def _clear(api: Api, shape: Shape, namespace: str) -> None:
    """Delete a namespace, and wait until its parents and children are gone."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    for path in (shape.parents(namespace), shape.children(namespace)):
        await api.delete(path, body)
    await api.delete(f"/api/v1/namespaces/{namespace}", body)
    for path in (shape.parents(namespace), shape.children(namespace)):
        async with asyncio.timeout(300):
            while found := [one async for page in api.pages(path) for one in page.items]:
                for one in found:
                    await _unblock(api, f"{path}/{one['metadata']['name']}")
                await asyncio.sleep(0.5)


async def _unblock(api: Api, path: str) -> None:
    # The controller that would remove its finalizers has ended.
    with suppress(ApiError):
        await api.patch(path, {"metadata": {"finalizers": None}}, MERGE_PATCH)
