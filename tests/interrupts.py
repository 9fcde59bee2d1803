"""Programs that a test interrupts, as a person does by Ctrl-C."""

import sys
from collections.abc import Sequence
from typing import Final

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
