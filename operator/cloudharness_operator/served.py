"""Which namespaces are served: those of which everything has been listed.

Each starts and fails by itself. One that is gone, or in which the operator has no rights any more,
holds up no other.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from cloudharness_operator.errors import ApiError
from cloudharness_operator.settings import EVERYWHERE

Handler = Callable[[str], Awaitable[float | None]]

_REFUSED: Final = frozenset({401, 403, 404})

log = logging.getLogger(__name__)


class Served:
    """The lists of each namespace, and how each of them stands."""

    def __init__(
        self,
        namespaces: Iterable[str],
        kinds: Iterable[str],
        completed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Begin with nothing listed. `completed` is called with a namespace when all of it is."""
        self._kinds = tuple(kinds)
        self._missing = {one: set(self._kinds) for one in namespaces}
        self._errors: dict[tuple[str, str], Exception] = {}
        self._completed = completed

    def listed(self, namespace: str, kind: str) -> None:
        """Take in that all objects of a kind have been listed."""
        self._errors.pop((namespace, kind), None)
        missing = self._missing[namespace]
        if kind in missing:
            missing.remove(kind)
            if not missing:
                self._completed(namespace)

    def failed(self, namespace: str, kind: str, error: Exception) -> None:
        """Take in that listing a kind has failed."""
        self._errors[namespace, kind] = error

    def is_complete(self, namespace: str) -> bool:
        """Whether all of a namespace is known."""
        missing = self._missing.get(namespace, self._missing.get(EVERYWHERE[0]))
        return not missing

    def is_healthy(self, namespace: str) -> bool:
        """Whether all of a namespace is known, and its latest lists have not failed."""
        failing = any((namespace, kind) in self._errors for kind in self._kinds)
        return self.is_complete(namespace) and not failing

    @property
    def is_ready(self) -> bool:
        """Whether one namespace is served, and each other one is too, or cannot be."""
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


class WhileServed:
    """Handles keys of namespaces that are served, and drops others.

    Acting on a half of what there is would take the other half for lost. Nothing is lost by a drop:
    when a namespace is complete, all of it is looked at.
    """

    def __init__(
        self, handler: Handler, served: Served, namespace: Callable[[str], str | None]
    ) -> None:
        """Take the handler of those keys; `namespace` returns that of a key, where it is known."""
        self._handler = handler
        self._served = served
        self._namespace = namespace

    async def __call__(self, key: str) -> float | None:
        """Handle a key, or drop it."""
        namespace = self._namespace(key)
        if namespace is not None and not self._served.is_complete(namespace):
            return None
        return await self._handler(key)
