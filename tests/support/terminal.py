"""Programs on a terminal, as a person runs them."""

import codecs
import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence

LINES, COLUMNS = 24, 84


def said(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a command on a terminal of its own; yield what it writes, as it writes it.

    Raises:
        CalledProcessError: it has failed.
    """
    # A letter may be torn between two reads.
    decoder = codecs.getincrementaldecoder("utf-8")()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        while chunk := _read(ours):
            yield decoder.decode(chunk)
        os.close(ours)
        if code := process.wait(60):
            raise subprocess.CalledProcessError(code, words)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when nobody holds the other end any more.
        return b""
