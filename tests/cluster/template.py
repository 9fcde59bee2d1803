"""A node's image store with the images in it, so that a start need not unpack them.

Made once by a containerd of its own. A node gets a copy that is made of hard links: layers
and blobs are never written to, only containerd's two small databases are, and these are
copied. Half a gigabyte is there in a fraction of a second, and takes no space.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster import config, linux, mounts
from tests.cluster.cache import Entry
from tests.cluster.images import SANDBOX
from tests.cluster.progress import Step
from tests.cluster.versions import PAUSE_IMAGE

STORE = "containerd"
SNAPSHOTTER = "snapshotter"
CTR = ("ctr", "--address", config.CONTAINERD_SOCKET, "--namespace", "k8s.io")
TIMEOUT = 60.0


def template_entry(archives: list[Path]) -> Entry:
    """The store with these archives imported."""

    def build(place: Path, step: Step) -> None:
        step.run(
            [*SANDBOX, sys.executable, "-m", "tests.cluster.template", place, *archives],
            cwd=mounts.REPOSITORY,
        )

    inputs = [archive.parent.name for archive in archives]
    return Entry("node-images", (config.containerd("", PAUSE_IMAGE), *inputs), build, 10)


def copy(template: Path, home: Path) -> str:
    """Give a node its store; returns the snapshotter that it is for."""
    subprocess.run(["cp", "-al", str(template / STORE), str(home)], check=True, timeout=TIMEOUT)
    for database in (home / STORE).glob("*/*.db"):
        contents = database.read_bytes()
        database.unlink()
        database.write_bytes(contents)
    return (template / SNAPSHOTTER).read_text()


def make(place: Path, archives: list[str]) -> None:
    """Run inside a sandbox: import the archives with a containerd at the node's usual paths."""
    home = Path(config.NODE_HOME)
    home.mkdir(parents=True)
    linux.mount(str(place), home, flags=linux.MS_BIND)
    snapshotter = mounts.snapshotter(place)
    (place / SNAPSHOTTER).write_text(snapshotter)
    settings = place / "containerd.toml"
    settings.write_text(config.containerd(snapshotter, PAUSE_IMAGE))
    daemon = subprocess.Popen(["containerd", "--config", str(settings)])
    _wait_for(Path(config.CONTAINERD_SOCKET), daemon)
    for archive in archives:
        subprocess.run([*CTR, "images", "import", archive], check=True, timeout=TIMEOUT * 5)
    daemon.terminate()
    daemon.wait(TIMEOUT)
    shutil.rmtree(place / "opt", ignore_errors=True)


def _wait_for(socket: Path, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not socket.exists():
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("containerd did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2:])
