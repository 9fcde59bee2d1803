"""A per-user cache of things that take minutes to build.

An entry is built in a directory beside its place and renamed there when it is whole, under a
lock of its own. So an entry that exists is complete whatever killed its builder, a second
run beside the first waits (and says so) and then uses what the first one made, and a
half-written one is built again.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.progress import Progress, Step

Build = Callable[[Path, Step], None]


@dataclass(frozen=True)
class Entry:
    """What to build: its name for people, all that its content depends on, and how."""

    name: str
    inputs: Sequence[str | bytes]
    build: Build
    seconds: float = 1.0
    """How long it takes on two processors that do nothing else, for the forecast."""

    @property
    def key(self) -> str:
        """The name of its directory, which differs when any input does."""
        digest = hashlib.sha256()
        for item in self.inputs:
            data = item.encode() if isinstance(item, str) else item
            digest.update(len(data).to_bytes(8, "big") + data)
        return f"{self.name}-{digest.hexdigest()[:12]}"


def default_root() -> Path:
    """Where this user's cache is, by the XDG rules."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cloudharness-operator"


@dataclass(frozen=True)
class Cache:
    """The cache below one root directory."""

    root: Path

    def place(self, entry: Entry) -> Path:
        """Where the entry is, once it is built."""
        return self.root / "entries" / entry.key

    def obtain(self, entry: Entry, progress: Progress) -> Path:
        """Return the entry's directory, building it first if it is not there."""
        place = self.place(entry)
        if place.is_dir():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with self.lock(entry.key, lambda: progress.say(f"{entry.name}: another run builds it")):
            if not place.is_dir():
                self._build(entry, place, progress)
        return place

    def _build(self, entry: Entry, place: Path, progress: Progress) -> None:
        partial = place.with_name(f".{place.name}.partial")
        with progress.step(entry.name) as step:
            # Of a builder that was killed.
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                entry.build(partial, step)
                partial.rename(place)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise

    @contextmanager
    def lock(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a lock of this name; `waiting` is called if somebody else has it."""
        path = self.root / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
