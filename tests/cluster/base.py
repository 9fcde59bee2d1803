"""A cluster as tests, demo and benchmarks use it, wherever it comes from."""

import os
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.versions import PYTHON_IMAGE

PROJECT = Path(__file__).parents[2]


class Cluster(ABC):
    """A running cluster: how to reach it, and what to do to its parts."""

    backend: str
    kubeconfig: Path
    logs: Path
    kafka: str | None = None
    audit_log: Path | None = None
    python_image: str = PYTHON_IMAGE

    def join(self) -> None:
        """Make the cluster's addresses reachable from this process; before threads start."""
        return

    @abstractmethod
    def operator_image(self) -> str:
        """Build the operator's image if needed, put it on all nodes, return its name."""

    @abstractmethod
    def client_image(self) -> str:
        """Build the client's image if needed, put it on all nodes, return its name."""

    @abstractmethod
    def samples_image(self) -> str:
        """Build the samples service's image if needed, put it on all nodes, return its name."""

    def stop(self, component: str) -> None:
        """End a component in an orderly way."""
        self._control("stop", component)

    def start(self, component: str) -> None:
        """Start a component that was stopped or killed, and wait until it is ready."""
        self._control("start", component)

    def kill(self, component: str) -> None:
        """End a component as a crash does."""
        self._control("kill", component)

    def kill_pod(self, namespace: str, name: str) -> None:
        """End a pod's processes as a crash does, and remove the pod at once."""
        self.kubectl(
            *("delete", "pod", name, f"--namespace={namespace}"),
            *("--grace-period=0", "--force", "--ignore-not-found"),
        )

    def _control(self, verb: str, component: str) -> None:
        raise ClusterError(
            f"cannot {verb} {component}: {self.backend} clusters are not ours to stop"
        )

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess has for it.
        timeout: float = 60.0,
        check: bool = True,
    ) -> str:
        """Run kubectl as the cluster's admin and return what it prints."""
        return self._tool(self._program("kubectl"), args, input, timeout, check)

    def helm(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess has for it.
        timeout: float = 300.0,
        check: bool = True,
    ) -> str:
        """Run helm as the cluster's admin and return what it prints."""
        return self._tool(self._program("helm"), args, input, timeout, check)

    def environment(self) -> dict[str, str]:
        """What a command needs to find this cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def entering(self) -> list[str]:
        """What to put before a command so that it reaches the cluster."""
        return []

    def _program(self, name: str) -> str:
        return name

    def _tool(
        self, program: str, args: tuple[str, ...], text: str | None, timeout: float, check: bool
    ) -> str:
        command = [*self.entering(), program, *args]
        try:
            done = subprocess.run(
                command,
                env=self.environment(),
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise ClusterError(f"{program} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{program} {' '.join(args)}: no end after {timeout} s") from error
        if check and done.returncode != 0:
            raise ClusterError(f"{program} {' '.join(args)}: {done.stderr or done.stdout}")
        return done.stdout
