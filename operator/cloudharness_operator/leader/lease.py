"""Leader election by a Lease: what to do about it, as pure functions.

As in client-go, no clock is compared with that of another machine. A standby counts from when it
has itself observed a change of the Lease; the leader counts from when it has sent its renewal,
which is earlier, and stops earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

Manifest = dict[str, Any]

API_VERSION: Final = "coordination.k8s.io/v1"

DURATION: Final = 10.0
"""Seconds after which a standby takes over a Lease that has not changed. With the time to observe
and to write it, a killed leader is replaced within 15."""

DEADLINE: Final = 7.0
"""Seconds from the sending of a successful renewal in which its sender leads. The rest of DURATION
is for requests in flight."""

RENEW: Final = 2.0
"""Seconds between two renewals."""

RETRY: Final = 1.0
"""Seconds, at most, between two reads of a standby: a released Lease is taken within this time."""

SOONEST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read."""

    version: str
    holder: str = ""
    """Empty: free."""
    duration: float = DURATION
    """The duration that its holder has written, which may be of another release."""
    transitions: int = 0
    acquired: str = ""

    @classmethod
    def read(cls, manifest: Manifest) -> Lease:
        """Read a manifest. Missing fields count as never written."""
        spec = manifest.get("spec") or {}
        return cls(
            version=manifest["metadata"]["resourceVersion"],
            holder=spec.get("holderIdentity") or "",
            duration=float(spec.get("leaseDurationSeconds") or DURATION),
            transitions=spec.get("leaseTransitions") or 0,
            acquired=spec.get("acquireTime") or "",
        )


@dataclass(frozen=True, slots=True)
class ObservedLease:
    """The Lease as last read, and since when it is unchanged, by this process's clock."""

    lease: Lease | None
    since: float

    def update(self, lease: Lease | None, now: float) -> ObservedLease:
        """Return the state after another read. An unchanged Lease keeps its time."""
        return self if lease == self.lease else ObservedLease(lease, now)


class Step(Enum):
    """The next step of a candidate."""

    CREATE = auto()
    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def decide(observed: ObservedLease, me: str, now: float) -> Step:
    """Return the next step of a candidate."""
    lease = observed.lease
    if lease is None:
        return Step.CREATE
    if lease.holder == me:
        return Step.RENEW
    return Step.TAKE if not lease.holder or _left(lease, observed, now) <= 0 else Step.WAIT


def pause(observed: ObservedLease | None, me: str, now: float, *, leads: bool) -> float:
    """Return the seconds until the next step."""
    if leads:
        return RENEW
    if observed is None or observed.lease is None or observed.lease.holder in ("", me):
        return RETRY
    return max(SOONEST, min(RETRY, _left(observed.lease, observed, now)))


def _left(lease: Lease, observed: ObservedLease, now: float) -> float:
    return observed.since + lease.duration - now


def taken(name: str, old: Lease | None, me: str, now: datetime) -> Manifest:
    """Return the Lease as a candidate writes it to take or renew it."""
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
    """Return the Lease as its holder releases it."""
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
    # Without the version, two candidates that take it at once would both succeed.
    metadata = {"name": name, **({"resourceVersion": old.version} if old else {})}
    return {"apiVersion": API_VERSION, "kind": "Lease", "metadata": metadata, "spec": spec}


def _micro(now: datetime) -> str:
    """Write a `MicroTime`, which has six digits after the point, always."""
    return now.isoformat(timespec="microseconds").replace("+00:00", "Z")
