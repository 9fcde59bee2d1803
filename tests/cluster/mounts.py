"""Private places for what the components would write on the host.

All of it happens in a mount namespace of the cluster's own. A few paths are compiled into
the programs (/run/containerd, /var/lib/cni, /tmp/hostpath_pv), so whole directories are
covered; what the cluster itself needs from below them is bound back to where it was.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import linux

REPOSITORY = Path(__file__).parents[2]
SNAPSHOTTER_TRIAL = "overlay-trial"


def make_private(cache: Path, temporary: Path) -> None:
    """Cover the host's directories; `temporary` backs /tmp, for volumes may be large."""
    linux.mount("none", Path("/"), "", linux.MS_REC | linux.MS_PRIVATE)
    keep = [cache, REPOSITORY, Path(sys.prefix), Path(sys.base_prefix)]
    temporary.mkdir(mode=0o1777)
    temporary.chmod(0o1777)
    for target in ("/run", "/var/lib", "/var/log"):
        _cover(Path(target), keep, None)
    _cover(Path("/tmp"), keep, temporary)
    linux.mount("none", Path("/"), "", linux.MS_REC | linux.MS_SHARED)
    os.chdir(REPOSITORY)


def below(target: Path, paths: Iterable[Path]) -> list[Path]:
    """Those of the paths that covering the target would hide, outermost first, none twice."""
    hidden = sorted({path for path in paths if path.is_relative_to(target) and path != target})
    return [one for one in hidden if not any(o in one.parents for o in hidden)]


def _cover(target: Path, keep: list[Path], backing: Path | None) -> None:
    # A descriptor still leads to the old tree when its path no longer does.
    kept = {path: os.open(path, os.O_PATH) for path in below(target, keep)}
    if backing is None:
        linux.mount("private", target, "tmpfs", options="mode=755")
    else:
        linux.mount(str(backing), target, flags=linux.MS_BIND)
    for path, descriptor in kept.items():
        path.mkdir(parents=True, exist_ok=True)
        linux.mount(f"/proc/self/fd/{descriptor}", path, flags=linux.MS_BIND | linux.MS_REC)
        os.close(descriptor)


def snapshotter(place: Path) -> str:
    """The kind of layers that containerd can use here: some file systems cannot be overlaid."""
    trial = place / SNAPSHOTTER_TRIAL
    parts = {part: trial / part for part in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True)
    options = ",".join(
        (f"lowerdir={parts['lower']}", f"upperdir={parts['upper']}", f"workdir={parts['work']}")
    )
    try:
        linux.mount("overlay", parts["merged"], "overlay", options=options)
    except OSError:
        return "native"
    linux.unmount(parts["merged"])
    return "overlayfs"
