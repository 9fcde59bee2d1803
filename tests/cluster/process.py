"""Runs components: starts them with a log each, waits for them to be ready, notices their end."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.progress import tail

POLL = 0.05
GRACE = 10.0


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Component:
    """A program that runs as long as the cluster does."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] = _always
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0


@dataclass
class Processes:
    """The components of one cluster, by name."""

    logs: Path
    say: Callable[[str], None]
    failed: threading.Event = field(default_factory=threading.Event)
    _known: dict[str, Component] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self, component: Component) -> subprocess.Popen[bytes]:
        """Start a component without waiting for it."""
        with self._lock, self.log(component.name).open("ab") as log:
            self._known[component.name] = component
            process = subprocess.Popen(
                component.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **component.environment},
            )
            self._running[component.name] = process
        return process

    def start_and_wait(self, component: Component) -> subprocess.Popen[bytes]:
        """Start a component and return when it is ready."""
        process = self.start(component)
        self.wait(component.name, component.ready, component.timeout)
        return process

    def wait(self, what: str, ready: Callable[[], bool], timeout: float) -> None:
        """Wait for something, unless a component fails meanwhile, and say when it is there."""
        self.until(what, ready, timeout)
        self.say(f"{what} ready")

    def until(self, what: str, ready: Callable[[], bool], timeout: float) -> None:
        """Wait for something in silence."""
        begun = time.monotonic()
        while not ready():
            self.check()
            waited = time.monotonic() - begun
            if waited > timeout:
                raise ClusterError(
                    f"{what} was not ready after {waited:.0f} s\n{tail(self.log(what))}"
                )
            time.sleep(POLL)

    def check(self) -> None:
        """Fail if any component has ended by itself, or another thread found so."""
        for name, code in self.ended().items():
            raise ClusterError(f"{name} ended with {code}\n{tail(self.log(name))}")
        if self.failed.is_set():
            raise ClusterError("another part failed")

    def ended(self) -> dict[str, int]:
        """Components that ended without being asked to, and their exit codes."""
        with self._lock:
            codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def states(self) -> dict[str, str]:
        """What to tell a person about each component."""
        ended = self.ended()
        with self._lock:
            names = {name: name in self._running for name in self._known}
        return {
            name: f"ended with {ended[name]}" if name in ended else "running" if runs else "stopped"
            for name, runs in names.items()
        }

    def stop(self, name: str, kill: bool = False) -> None:
        """End a component: politely, then not; or at once."""
        with self._lock:
            process = self._running.pop(name, None)
        if process is None:
            raise ClusterError(f"{name} is not running; there are: {', '.join(self._known)}")
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(GRACE)

    def restart(self, name: str) -> None:
        """Start a component again that was stopped or has ended."""
        with self._lock:
            component = self._known.get(name)
            process = self._running.get(name)
        if component is None:
            raise ClusterError(f"there is no {name}, but: {', '.join(self._known)}")
        if process is not None and process.poll() is None:
            raise ClusterError(f"{name} is running")
        self.start(component)
        self.wait_again(component)

    def wait_again(self, component: Component) -> None:
        """Wait for a component while others may be stopped on purpose."""
        deadline = time.monotonic() + component.timeout
        while not component.ready():
            code = self._running[component.name].poll()
            if code is not None or time.monotonic() > deadline:
                raise ClusterError(f"{component.name}: {tail(self.log(component.name))}")
            time.sleep(POLL)

    def log(self, name: str) -> Path:
        """The log of a component."""
        return self.logs / f"{name}.log"
