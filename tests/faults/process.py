"""An operator as a process that is started again whenever it is killed, as the kubelet does."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from tests.cluster.base import PROJECT


class OperatorProcess:
    """The operator's program, for as long as this is open."""

    def __init__(self, settings: dict[str, str], order: Path, log: Path) -> None:
        """Run it with the environment that the chart would give, and as `killable` orders."""
        self._settings = settings
        self._order = order
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()
        self._closing = False
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self.ends: list[int] = []
        self.port = 0

    def __enter__(self) -> Self:
        """Start it."""
        self._start()
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it for good."""
        with self._changing:
            self._closing = True
        self.kill()
        self._keeper.join(30)

    def kill(self) -> None:
        """End it as a crash does, and return when it is dead."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(30)

    def log(self) -> str:
        """Return the end of what it has said."""
        return self._log.read_text(errors="replace")[-20_000:]

    def _keep(self) -> None:
        while self._process is not None:
            code = self._process.wait()
            with self._changing:
                if self._closing:
                    return
                self.ends.append(code)
                self._start()

    def _start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.killable", str(self._order)],
                cwd=PROJECT,
                env={"PATH": os.environ["PATH"], **self._settings, "HTTP_PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
