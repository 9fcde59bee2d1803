"""Shows what runs, for how long, how long the rest will take, and why something failed.

On a terminal one line ticks; elsewhere each step is a line at its start and its end,
with a heartbeat between, so that a silent minute never looks like a hang.
Steps may run side by side in threads. Each has a log file, whose tail is in its error.
"""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from typing_extensions import override

from tests.cluster.errors import ClusterError
from tests.cluster.forecast import Forecast

HEARTBEAT = 20.0
TICK = 0.5
# Children die with this process even when it is killed, else an orphan would go on
# writing into a directory that the next run has begun to use.
MORTAL = ("setpriv", "--pdeathsig", "KILL", "--")


def tail(log: Path, lines: int = 30) -> str:
    """The end of a log, for an error message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@dataclass
class Step:
    """One piece of work with a title and a log."""

    title: str
    log: Path
    started: float
    packages: int = 0
    """How many packages a compiler will print into the log, one a line; 0 if it does not."""

    @property
    def compiled(self) -> int:
        """How many packages the compiler has printed."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return 0
        return min(self.packages, sum(" " not in line and "/" in line for line in lines))

    def fraction(self) -> float | None:
        """Return how much of it is done, if that can be known."""
        return self.compiled / self.packages if self.packages else None

    @override
    def __str__(self) -> str:
        """The title, for how long it runs, and how far it is."""
        far = f", {self.compiled:,} of {self.packages:,} packages" if self.packages else ""
        return f"{self.title} {time.monotonic() - self.started:.0f} s{far}"

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> None:
        """Run a command into the log; its failure names the step and shows the end of it."""
        command = [*MORTAL, *map(str, argv)]
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            done = subprocess.run(
                command, cwd=cwd, env=env, input=stdin, stdout=log, stderr=log, check=False
            )
        if done.returncode != 0:
            raise ClusterError(
                f"{self.title}: {argv[0]} ended with {done.returncode}\n"
                f"{tail(self.log)}\nThe whole log: {self.log}"
            )


@dataclass
class Progress:
    """Shows steps on a stream and keeps their logs in a folder."""

    stream: TextIO
    logs: Path
    forecast: Forecast = field(default_factory=Forecast)
    _active: list[Step] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Announce a piece of work, tick while it lasts, say how long it took."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{title.replace(' ', '-').replace('/', '-')}.log"
        log.unlink(missing_ok=True)
        step = Step(title, log, time.monotonic())
        stop = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, stop), daemon=True)
        with self._lock:
            self._active.append(step)
            self.forecast.start(title, step.fraction)
        if not self.stream.isatty():
            self.say(f"{title} ...")
        ticker.start()
        outcome = "failed"
        try:
            yield step
            outcome = "done"
        finally:
            stop.set()
            ticker.join()
            with self._lock:
                self._active.remove(step)
                self.forecast.finish(title)
            self.say(f"{title}: {outcome}, {time.monotonic() - step.started:.1f} s")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        with self._lock:
            clear = "\r\x1b[K" if self.stream.isatty() else ""
            self.stream.write(f"{clear}  {text}\n")
            self.stream.flush()

    def _tick(self, step: Step, stop: threading.Event) -> None:
        interactive = self.stream.isatty()
        while not stop.wait(TICK if interactive else HEARTBEAT):
            with self._lock:
                # One line for all that run, from the one that began first.
                if step is not self._active[0]:
                    continue
                line = "; ".join(filter(None, (str(self.forecast), *map(str, self._active))))
            if interactive:
                self._repaint(line)
            else:
                self.say(line)

    def _repaint(self, line: str) -> None:
        with self._lock:
            width = shutil.get_terminal_size().columns - 3
            self.stream.write(f"\r\x1b[K  {line[:width]}")
            self.stream.flush()
