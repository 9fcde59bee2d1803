"""A cluster in Docker, by pytest-kind: kind, Argo's released manifest, Kafka's own image.

For machines where a Docker daemon answers and images can be pulled. Thin on purpose: every
command it would run is made by a pure function, which is what the tests look at.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.cluster import addons, images
from tests.cluster.base import PROJECT, Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.versions import Versions

if TYPE_CHECKING:
    from pytest_kind import KindCluster as Kind

PYTHON_IMAGE = "python:3.13-slim"
RELEASES = "https://github.com/argoproj/argo-workflows/releases/download"
TIMEOUT = 600.0
TWO_NODES = """kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
- role: worker
- role: worker
"""
KAFKA_SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
}
# The broker has to name an address that pods and this machine both reach: its own on kind's
# network, which it only knows once it runs.
KAFKA_SCRIPT = (
    "export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://$(hostname -i):9092; exec /etc/kafka/docker/run"
)


def argo_commands(versions: Versions) -> list[list[str]]:
    """What to tell kubectl to install Argo."""
    namespace = ["--namespace", addons.ARGO_NAMESPACE]
    manifest = f"{RELEASES}/{versions.argo}/install.yaml"
    controller = "deployment/workflow-controller"
    return [
        ["create", "namespace", addons.ARGO_NAMESPACE],
        ["apply", "--server-side", *namespace, "--filename", manifest],
        ["set", "env", controller, "DEFAULT_REQUEUE_TIME=1s", *namespace],
        ["rollout", "status", controller, "--timeout=300s", *namespace],
    ]


def kafka_command(name: str, versions: Versions) -> list[str]:
    """How to start a broker beside the cluster's nodes."""
    settings = [f"--env={key}={value}" for key, value in KAFKA_SETTINGS.items()]
    return [
        *("docker", "run", "--detach", "--rm", "--name", kafka_name(name), "--network", "kind"),
        *(*settings, "--entrypoint", "sh", f"apache/kafka:{versions.kafka}", "-c", KAFKA_SCRIPT),
    ]


def kafka_name(name: str) -> str:
    """The broker's container."""
    return f"{name}-kafka"


def address_command(name: str) -> list[str]:
    """How to ask for the broker's address."""
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return ["docker", "inspect", "--format", form, kafka_name(name)]


class KindCluster(Cluster):
    """A cluster that pytest-kind made."""

    backend = "kind"
    python_image = PYTHON_IMAGE

    def __init__(self, kind: "Kind", logs: Path) -> None:
        self._kind = kind
        self.kubeconfig = Path(kind.kubeconfig_path).absolute()
        self.logs = logs

    @override
    def operator_image(self) -> str:
        return self._image(images.OPERATOR)

    @override
    def client_image(self) -> str:
        return self._image(images.CLIENT)

    @override
    def samples_image(self) -> str:
        return self._image(images.SAMPLES)

    def _image(self, image: images.ProjectImage) -> str:
        """Built by the Docker daemon and loaded into kind's nodes."""
        tag = image.tag(PROJECT)
        below = ["--build-arg", f"BASE={self._image(image.base)}"] if image.base else []
        _run(["docker", "build", *below, "--tag", tag, "--file", image.dockerfile, str(PROJECT)])
        self._kind.load_docker_image(tag)
        return tag

    @override
    def _program(self, name: str) -> str:
        return str(Path(self._kind.kubectl_path).absolute()) if name == "kubectl" else name


@contextlib.contextmanager
def running(name: str, versions: Versions) -> Iterator[KindCluster]:
    """Make a cluster, with Argo and Kafka, and delete it afterwards."""
    from pytest_kind import KindCluster as Kind  # noqa: PLC0415 - needs packages of its own.

    kind = Kind(f"cloudharness-{name}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        settings = Path(folder) / "kind.yaml"
        settings.write_text(TWO_NODES)
        stack.callback(kind.delete)
        kind.create(settings)
        kind.ensure_kubectl()
        cluster = KindCluster(kind, Path(folder))
        for command in argo_commands(versions):
            cluster.kubectl(*command, timeout=TIMEOUT)
        _run(kafka_command(kind.name, versions))
        stack.callback(_run, ["docker", "rm", "--force", kafka_name(kind.name)])
        cluster.kafka = f"{_run(address_command(kind.name)).strip()}:9092"
        yield cluster


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout
