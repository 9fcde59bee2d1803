"""Who leads: what a Lease says, and what to do about it.

As in client-go, nobody's clock is compared with another's. Whoever does not lead counts from when
it has itself seen the Lease change; whoever leads counts from when it has sent its renewal, which
is earlier, and stops earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

Manifest = dict[str, Any]

API_VERSION: Final = "coordination.k8s.io/v1"

DURATION: Final = 10.0
"""Seconds after which a Lease that has not changed is taken over: with the time to see and to take
it, what is killed is followed within 15."""

DEADLINE: Final = 7.0
"""Seconds from the sending of a renewal for which its sender acts, if it was answered. What is left
until others may act is for requests on their way."""

RENEW: Final = 2.0
"""Seconds between the renewals of who leads."""

LOOK: Final = 1.0
"""Seconds, at most, between the looks of who does not: so soon is followed who has stopped."""

SOONEST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read."""

    version: str
    holder: str = ""
    """Empty: free."""
    duration: float = DURATION
    """What its holder has promised, who may be of another release."""
    transitions: int = 0
    acquired: str = ""

    @classmethod
    def read(cls, manifest: Manifest) -> Lease:
        """Read a manifest. What is missing counts as never written."""
        spec = manifest.get("spec") or {}
        return cls(
            version=manifest["metadata"]["resourceVersion"],
            holder=spec.get("holderIdentity") or "",
            duration=float(spec.get("leaseDurationSeconds") or DURATION),
            transitions=spec.get("leaseTransitions") or 0,
            acquired=spec.get("acquireTime") or "",
        )


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of the Lease: how it is, and since when it was seen so, by one's own clock."""

    lease: Lease | None
    since: float

    def then(self, lease: Lease | None, now: float) -> Sight:
        """Return what is known after another look. What has not changed keeps its time."""
        return self if lease == self.lease else Sight(lease, now)


class Step(Enum):
    """What to do about a Lease."""

    CREATE = auto()
    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def decide(sight: Sight, me: str, now: float) -> Step:
    """Return what a candidate is to do."""
    lease = sight.lease
    if lease is None:
        return Step.CREATE
    if lease.holder == me:
        return Step.RENEW
    return Step.TAKE if not lease.holder or _left(lease, sight, now) <= 0 else Step.WAIT


def pause(sight: Sight | None, me: str, now: float, *, leads: bool) -> float:
    """Return the seconds until the next look."""
    if leads:
        return RENEW
    if sight is None or sight.lease is None or sight.lease.holder in ("", me):
        return LOOK
    return max(SOONEST, min(LOOK, _left(sight.lease, sight, now)))


def _left(lease: Lease, sight: Sight, now: float) -> float:
    return sight.since + lease.duration - now


def taken(name: str, old: Lease | None, me: str, now: datetime) -> Manifest:
    """Return the Lease as its holder-to-be writes it: anew, or over what was read."""
    same = old is not None and old.holder == me
    return _manifest(
        name,
        old,
        {
            "holderIdentity": me,
            "leaseDurationSeconds": int(DURATION),
            "acquireTime": old.acquired if old and same and old.acquired else _micro(now),
            "renewTime": _micro(now),
            "leaseTransitions": old.transitions + (not same) if old else 0,
        },
    )


def released(name: str, old: Lease, now: datetime) -> Manifest:
    """Return the Lease as its holder leaves it: free."""
    return _manifest(
        name,
        old,
        {
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "renewTime": _micro(now),
            "leaseTransitions": old.transitions,
        },
    )


def _manifest(name: str, old: Lease | None, spec: Manifest) -> Manifest:
    # Without the version, two who take it at once would both succeed.
    metadata = {"name": name, **({"resourceVersion": old.version} if old else {})}
    return {"apiVersion": API_VERSION, "kind": "Lease", "metadata": metadata, "spec": spec}


def _micro(now: datetime) -> str:
    """Write a `MicroTime`, which has six digits after the point, always."""
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")
