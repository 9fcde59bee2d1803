"""The inside of a cluster: PID 1 of its namespaces, and the process that starts everything.

PID 1 does nothing but reap, since anything else that waits for children could lose their
exit codes to it. The supervisor is its one child of its own; when that ends, PID 1 ends, and
with it, by the kernel's rule, everything else in the cluster.

Standard input is the lifeline of whoever started the cluster: at its end the cluster ends
too, unless a line saying `detach` came first.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from tests.cluster import cgroups, control, start
from tests.cluster.errors import ClusterError
from tests.cluster.state import State, write_json


def main(directory: Path) -> int:
    """Run as PID 1."""
    child = os.fork()
    if child == 0:
        os._exit(Supervisor(State(directory)).run())
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


class Supervisor:
    """Starts the cluster, answers the outside, ends the cluster."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.begun = time.monotonic()
        self.ending = threading.Event()
        self.code = 0
        self.cluster = start.Starting(state, json.loads(state.plan.read_text()), self.say)

    def say(self, text: str) -> None:
        """A line for whoever waits for the cluster to come up."""
        print(f"{time.monotonic() - self.begun:5.1f} s  {text}", flush=True)

    def run(self) -> int:
        """Live until told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ending.set())
        threading.Thread(target=self._lifeline, daemon=True).start()
        threading.Thread(target=self._start, daemon=True).start()
        reported: set[str] = set()
        while not self.ending.wait(0.5):
            for name, code in self.cluster.processes.ended().items():
                if name not in reported and self.state.ready.exists():
                    self.say(f"{name} ended with {code}")
                    reported.add(name)
        self._end()
        return self.code

    def _start(self) -> None:
        try:
            control.serve(self.state.directory, self._handle)
            self.cluster.run()
            took = round(time.monotonic() - self.begun, 1)
            facts = {"seconds": took, "kafka": self.cluster.forwards.address("kafka")}
            write_json(self.state.ready, facts)
        except ClusterError as error:
            self.say(f"FAILED: {error}")
            self._fail()
        except Exception:  # noqa: BLE001 - whatever it is, the cluster has to end.
            traceback.print_exc()
            self._fail()

    def _fail(self) -> None:
        self.code = 1
        self.ending.set()

    def _lifeline(self) -> None:
        if sys.stdin.readline().strip() != "detach":
            self.ending.set()

    def _handle(self, request: dict[str, Any]) -> object:
        processes = self.cluster.processes
        match request:
            case {"do": "down"}:
                self.ending.set()
            case {"do": "status"}:
                return processes.states()
            case {"do": "stop" | "kill" as how, "component": str(name)}:
                processes.stop(name, kill=how == "kill")
            case {"do": "start", "component": str(name)}:
                processes.restart(name)
            case {"do": "load", "archive": str(archive)}:
                self.cluster.load(archive)
            case _:
                raise ClusterError(f"what is {request}?")
        return None

    def _end(self) -> None:
        # Everybody but PID 1 and this process: pods, shims and components alike. There is
        # nothing to save.
        os.kill(-1, signal.SIGKILL)
        cgroups.remove(cgroups.name(self.state.directory))
        shutil.rmtree(self.state.data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
