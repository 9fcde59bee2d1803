"""What rendering needs to know of the cluster: the query, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SHARED: Final = frozenset({"ReadWriteMany", "ReadOnlyMany"})
"""Access modes with which a claim can be mounted on many nodes at once."""


@dataclass(frozen=True, slots=True)
class ClusterQuery:
    """What to read before an operation can be rendered. Empty: nothing."""

    claims: tuple[str, ...] = ()
    """Names of claims that may exist or not."""
    pods: tuple[str, ...] = ()
    """Label selectors: which living pods hold volumes or stand for contexts."""
    images: bool = False
    """The catalogue of images."""
    exclusive: str = ""
    """A label selector: living pods beside which none of this run may start."""

    def __bool__(self) -> bool:
        """Whether anything has to be read."""
        return bool(self.claims or self.pods or self.images or self.exclusive)


@dataclass(frozen=True, slots=True)
class Pod:
    """A living pod that has a node."""

    labels: Mapping[str, str]
    node: str


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What was found."""

    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Claims that exist, with their access modes."""
    pods: tuple[Pod, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    """The catalogue: an image for each name."""
    occupants: tuple[str, ...] = ()
    """Names of the living pods that exclude this run's."""


NONE: Final = ClusterFacts()
