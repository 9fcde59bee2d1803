"""Programs that a test interrupts, as a person does by Ctrl-C."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.support.installation import Installation

_WITH_DEFAULT: Final = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)


def interruptible(command: Sequence[str]) -> list[str]:
    """Return a command that SIGINT ends, also where the caller ignores SIGINT.

    A shell without job control starts a background job with SIGINT ignored. All child processes
    inherit that, and Python then installs no handler that raises KeyboardInterrupt.
    """
    return [sys.executable, "-c", _WITH_DEFAULT, *command]


@contextmanager
def cut_off(one: Installation) -> Iterator[None]:
    """Refuse all packets from the operator's pod to the broker."""
    address = one.operator_pod()["status"]["podIP"]
    rule = ["INPUT", "--source", address, "--protocol", "tcp", "--dport", "9092"]
    rule += ["--jump", "REJECT", "--reject-with", "tcp-reset"]
    subprocess.run(["iptables", "--insert", *rule], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["iptables", "--delete", *rule], check=True, timeout=10)
