"""Volumes of the default StorageClass that an ordinary user can write to.

The controller manager's hostPath provisioner makes directories that only root may enter (0750,
pkg/volume/hostpath), and the kubelet applies no fsGroup to a hostPath. The provisioners of other
clusters let every user write (local-path, as in kind), or support fsGroup.
"""

import contextlib
import threading
from pathlib import Path

from tests.cluster.process import POLL

ROOT = Path("/tmp/hostpath_pv")
"""Compiled into the controller manager."""
MODE = 0o777


def keep_open(root: Path = ROOT) -> None:
    """Open new volumes from now on, in a thread of its own: long before a pod has started."""
    never = threading.Event()

    def keep() -> None:
        while not never.wait(POLL):
            open_all(root)

    threading.Thread(target=keep, daemon=True).start()


def open_all(root: Path) -> None:
    """Let every user write to the volumes that there are."""
    with contextlib.suppress(FileNotFoundError):
        for volume in root.iterdir():
            # A volume may be deleted at any time.
            with contextlib.suppress(FileNotFoundError):
                if volume.stat().st_mode & MODE != MODE:
                    volume.chmod(MODE)
