"""The system calls that Python 3.11 has no function for."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_network(namespace: Path) -> None:
    """Move the calling thread, and what it starts from now on, into a network namespace."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(descriptor, CLONE_NEWNET), f"setns {namespace}")
    finally:
        os.close(descriptor)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount something."""
    result = _libc.mount(
        source.encode(), str(target).encode(), kind.encode(), flags, options.encode()
    )
    _checked(result, f"mount {source} on {target}")


def unmount(target: Path) -> None:
    """Take a mount away again."""
    _checked(_libc.umount2(str(target).encode(), 0), f"umount {target}")
