"""The container that the cluster runs in where it cannot run on the machine itself.

One privileged container for each user, from an image with the Debian packages of the cluster. All
that is to be kept, the build cache and a copy of the project with its environment, is in a volume.
The container is removed as soon as neither a command nor a cluster runs in it.
"""

import contextlib
import fcntl
import getpass
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.machine import tree
from tests.machine.errors import ClusterError

HERE = Path(__file__).parent
HOME = "/cluster"
CLUSTERS = f"{HOME}/.cache/cloudharness-operator/clusters"
BASE = "CLUSTER_BASE_IMAGE"
"""The variable that names another image to build on than the Dockerfile does."""
PORTS = {"api": 16443, "kafka": 19092}
"""Of the machine's loopback; a free one is used if it is taken."""
PUBLISHED = "CLUSTER_PUBLISHED"
"""The variable with which a container says the ports that it publishes: `api=16443,kafka=19092`."""
# PID 1 waits for every process whose parent has ended, and ends at once when it is asked to.
FIRST = "trap 'exit 0' TERM INT; while :; do sleep 1000 & wait $!; done"
# How this machine reaches the registries. A company's machines have their own authorities there.
TRUST = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/java/cacerts", "/etc/pip.conf")
PASSED = re.compile(
    r"CLUSTER_\w+|E2E_WORKERS|LONG_WORKERS|FAULT_WORKERS|ENGINES|FUZZ|NO_COLOR|TERM"
    r"|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|GOPROXY|GONOSUMDB|GOSUMDB|PIP_INDEX_URL"
)
"""Environment variables that the commands in the container get."""
INTERRUPT = "import os, sys; os.killpg(int(open(sys.argv[1]).read()), 2)"
"""Sends SIGINT to a command and its children, by the file with its process id."""
RUNNING_CLUSTERS = f"""
for lock in {CLUSTERS}/*/lock; do
    if [ -e "$lock" ] && ! flock --nonblock "$lock" true; then echo "$lock"; fi
done
"""


@dataclass(frozen=True)
class Container:
    """This user's container, which may not exist.

    Args:
        engine: path of Docker's or Podman's program.
        user: name of the person, for the names of the container and the volume.
        locks: directory of this machine for a lock.
        project: root of the project's files on this machine.

    """

    engine: str
    user: str
    locks: Path
    project: Path = tree.PROJECT

    @classmethod
    def mine(cls, engine: str) -> "Container":
        """The one of the calling user."""
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        user = re.sub(r"[^a-zA-Z0-9_.-]", "-", getpass.getuser())
        return cls(engine, user, base / "cloudharness-operator")

    @property
    def name(self) -> str:
        """Of the container and of its volume."""
        return f"cloudharness-cluster-{self.user}"

    @property
    def place(self) -> str:
        """The copy of the project in the container."""
        digest = hashlib.sha256(str(self.project).encode()).hexdigest()[:8]
        return f"{HOME}/projects/{self.project.name}-{digest}"

    @property
    def dockerfile(self) -> Path:
        """How its image is built."""
        return HERE / "Dockerfile"

    @cached_property
    def image(self) -> str:
        """The name of its image, the same for the same contents."""
        inputs = self.dockerfile.read_bytes() + os.environ.get(BASE, "").encode()
        return f"localhost/cloudharness-cluster:{hashlib.sha256(inputs).hexdigest()[:12]}"

    def run(self, words: Sequence[str]) -> int:
        """Run a command in the container, in the copy of the project; return its exit code."""
        try:
            with self._locked("container", fcntl.LOCK_SH):
                # Of two first commands, one starts the container.
                with self._locked("container-start", fcntl.LOCK_EX):
                    self._ensure()
                    self._send()
                code = self._execute(words)
                for name in self._fetch():
                    _say(f"{name} was changed by the command, and is so here, too")
        finally:
            self._remove_unused()
        if code not in (0, 130):
            _say(f"paths below {HOME} are in the volume {self.name} of {Path(self.engine).name}")
        return code

    def runs(self) -> bool:
        """Whether the container is there, and running."""
        state = self._asked("container", "inspect", "--format", "{{.State.Running}}", self.name)
        return state == "true"

    def output(self, words: Sequence[str]) -> bytes:
        """Return what a command prints that is run in the container, which runs.

        Raises:
            ClusterError: it fails.

        """
        return self._called("exec", "--workdir", self.place, self.name, *words)

    def _remove_unused(self) -> None:
        """Remove the container, unless a command or a cluster runs in it."""
        alone = self._locked("container", fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another command that holds the lock does this at its end.
        with contextlib.suppress(BlockingIOError), alone:
            if self.runs() and not self.output(["sh", "-c", RUNNING_CLUSTERS]):
                self._called("rm", "--force", self.name)

    @contextlib.contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        self.locks.mkdir(parents=True, exist_ok=True)
        with (self.locks / f"{name}.lock").open("a") as file:
            fcntl.flock(file, how)
            yield

    def _ensure(self) -> None:
        """Build the image and start the container, unless it runs."""
        if self.runs():
            return
        if self._asked("image", "inspect", "--format", "{{.Id}}", self.image) is None:
            self._build()
        # One that has stopped, as with a machine that was switched off. Its volume has everything.
        if self._asked("container", "inspect", "--format", "{{.Id}}", self.name) is not None:
            self._called("rm", "--force", self.name)
        self._called(*self.start_command({name: free_port(at) for name, at in PORTS.items()}))
        for path in TRUST:
            if Path(path).is_file():
                self._called("cp", path, f"{self.name}:{path}")

    def _build(self) -> None:
        _say("building the image of the container in which the cluster runs (once)")
        base = [f"--build-arg=BASE={os.environ[BASE]}"] if BASE in os.environ else []
        file = ["--file", str(self.dockerfile), str(HERE)]
        done = subprocess.run(
            [self.engine, "build", *base, "--tag", self.image, *file],
            check=False,
            stdout=sys.stderr,
        )
        if done.returncode != 0:
            raise ClusterError(
                f"{Path(self.engine).name} cannot build the image (see above). If the registry of "
                f"its base cannot be reached, {BASE} names another Debian 12 image."
            )

    def start_command(self, ports: Mapping[str, int]) -> list[str]:
        """Return the engine's arguments that start the container with these published ports."""
        published = [f"--publish=127.0.0.1:{port}:{port}" for port in ports.values()]
        known = ",".join(f"{name}={port}" for name, port in ports.items())
        return [
            *("run", "--detach", "--privileged", "--name", self.name),
            *("--hostname", "cloudharness-cluster", "--pids-limit=-1", *published),
            *("--volume", f"{self.name}:{HOME}", "--env", f"HOME={HOME}"),
            *("--env", f"{PUBLISHED}={known}"),
            *("--entrypoint", "sh", self.image, "-c", FIRST),
        ]

    def _send(self) -> None:
        """Make the copy of the project as it is on this machine."""
        arriving = f"{self.place}.{uuid.uuid4().hex[:8]}"
        script = (
            f"mkdir -p {arriving} && tar -x -C {arriving} "
            f"&& python3 {arriving}/tests/machine/arrive.py {arriving} {self.place}; "
            f"code=$?; rm -rf {arriving}; exit $code"
        )
        self._called(
            "exec", "--interactive", self.name, "sh", "-c", script, given=tree.pack(self.project)
        )

    def _fetch(self) -> list[str]:
        """Write what the command changed in its copy to this machine's; return the names."""
        status = self.output(["git", "status", "--porcelain", "-z", "--untracked-files=all"])
        names = tree.changed(status.decode(errors="surrogateescape"))
        if not names:
            return []
        words = ["tar", "-c", "--null", "--verbatim-files-from", "--files-from=-"]
        archive = self._called(
            *("exec", "--interactive", "--workdir", self.place, self.name, *words),
            given="\0".join(names).encode(errors="surrogateescape"),
        )
        return tree.unpack(archive, self.project)

    def _execute(self, words: Sequence[str]) -> int:
        """Run a command in sight of the person; a signal that ends this ends it, too."""
        interactive = sys.stdin.isatty() and sys.stdout.isatty()
        options = ["--interactive", "--tty"] if interactive else []
        if not interactive and not sys.stdin.isatty():
            options = ["--interactive"]
        passed = [word for name in os.environ if PASSED.fullmatch(name) for word in ("--env", name)]
        process_id = f"/run/command-{uuid.uuid4().hex[:8]}"
        noted = ["sh", "-c", f'echo $$ > {process_id}; exec "$@"', "sh", *words]
        command = [self.engine, "exec", *options, *passed, "--workdir", self.place, self.name]
        # In a session of its own: Ctrl-C must not end the client and leave the command alone.
        # With a terminal, Ctrl-C is a key that the command's own terminal gets.
        with (
            _signals_interrupt(),
            subprocess.Popen([*command, *noted], start_new_session=not interactive) as process,
        ):
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    interrupt = ("python3", "-c", INTERRUPT, process_id)
                    if self._asked("exec", self.name, *interrupt) is None:
                        # The command has not begun, or has ended.
                        process.terminate()

    def _asked(self, *words: str) -> str | None:
        done = subprocess.run([self.engine, *words], check=False, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def _called(self, *words: str, given: bytes = b"") -> bytes:
        command = [self.engine, *words]
        done = subprocess.run(command, check=False, input=given, capture_output=True)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise ClusterError(f"{Path(self.engine).name} {words[0]}: {said}")
        return done.stdout


def free_port(wanted: int) -> int:
    """Return a port of the loopback that nobody listens on, the wanted one if possible."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", wanted))
        except OSError:
            trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Treat what ends a process from outside as Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
