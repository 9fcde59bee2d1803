"""Which namespaces are served: those whose operations and Workflows have been listed.

Each namespace starts and fails by itself. One that is deleted, or in which the operator has no
permissions any more, affects no other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from cloudharness_operator.errors import ApiError
from cloudharness_operator.settings import EVERYWHERE

Handler = Callable[[str], Awaitable[float | None]]

_REFUSED: Final = frozenset({401, 403, 404})

log = logging.getLogger(__name__)


class Served:
    """The state of the lists of each namespace."""

    def __init__(
        self,
        namespaces: Iterable[str],
        kinds: Iterable[str],
        completed: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing listed. `completed` is called with a namespace once all of it is."""
        self._kinds = tuple(kinds)
        self._missing = {one: set(self._kinds) for one in namespaces}
        self._errors: dict[tuple[str, str], Exception] = {}
        self._completed = completed
        self._clock = clock
        begun = clock()
        self._heard = {(one, kind): begun for one in self._missing for kind in self._kinds}

    def listed(self, namespace: str, kind: str) -> None:
        """Note that all objects of a kind were listed."""
        self._errors.pop((namespace, kind), None)
        missing = self._missing[namespace]
        if kind in missing:
            missing.remove(kind)
            if not missing:
                self._completed(namespace)

    def failed(self, namespace: str, kind: str, error: Exception) -> None:
        """Note that listing a kind has failed."""
        self._errors[namespace, kind] = error

    def heard(self, namespace: str, kind: str) -> None:
        """Note that the watch of a kind has sent a message."""
        self._heard[namespace, kind] = self._clock()

    def idle(self, kind: str) -> float:
        """Return the seconds since the last message of the watch of a kind that is idle longest."""
        return self._clock() - min(at for (_, known), at in self._heard.items() if known == kind)

    def is_complete(self, namespace: str) -> bool:
        """Whether all of a namespace was listed."""
        missing = self._missing.get(namespace, self._missing.get(EVERYWHERE[0]))
        return not missing

    def is_healthy(self, namespace: str) -> bool:
        """Whether all of a namespace was listed, and its latest lists have not failed."""
        failing = any((namespace, kind) in self._errors for kind in self._kinds)
        return self.is_complete(namespace) and not failing

    @property
    def is_ready(self) -> bool:
        """Whether a namespace is served, and all others are too, or are refused."""
        served = [one for one in self._missing if self.is_complete(one)]
        return bool(served) and all(one in served or self._is_refused(one) for one in self._missing)

    def _is_refused(self, namespace: str) -> bool:
        found = (self._errors.get((namespace, kind)) for kind in self._missing[namespace])
        return any(isinstance(error, ApiError) and error.code in _REFUSED for error in found)

    def text(self) -> str:
        """Return a line for each namespace that is not served, with the reason."""
        lines = []
        for namespace, missing in self._missing.items():
            for kind in self._kinds:
                error = self._errors.get((namespace, kind))
                if error or kind in missing:
                    where = f"namespace {namespace}" if namespace else "all namespaces"
                    lines.append(f"{where}: {kind}: {error or 'being listed'}\n")
        return "".join(lines)


class ServedOnlyHandler:
    """Handles keys of namespaces that are served, and drops others.

    With half of a namespace in the cache, the other half would be taken for deleted. A dropped key
    is not lost: once a namespace is listed, all of it is enqueued.
    """

    def __init__(
        self, handler: Handler, served: Served, namespace: Callable[[str], str | None]
    ) -> None:
        """Take the handler of those keys; `namespace` returns the namespace of a key, or None."""
        self._handler = handler
        self._served = served
        self._namespace = namespace

    async def __call__(self, key: str) -> float | None:
        """Handle a key, or drop it."""
        namespace = self._namespace(key)
        if namespace is not None and not self._served.is_complete(namespace):
            return None
        return await self._handler(key)
