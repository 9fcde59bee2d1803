"""A namespace with an operator in it, as the chart installs it: for tests and the demo."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cloudharness_operation.names import GROUP, LABEL_OPERATION, PLURAL
from tests.cluster import Cluster, ClusterError
from tests.support.api_server import ApiServer

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "cloudharness-operator"
CRD = ROOT / "crds" / f"{PLURAL}.yaml"
RELEASE = "cho"
DEPLOYMENT = "cho-cloudharness-operator"
FULL_KIND = f"{PLURAL}.{GROUP}"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Installation:
    """A namespace of a cluster, and what people do in it."""

    cluster: Cluster
    namespace: str

    @property
    def kafka(self) -> str:
        """`host:port` of the brokers.

        Raises:
            ClusterError: the cluster has none that are known.
        """
        if self.cluster.kafka is None:
            raise ClusterError("Set KAFKA to brokers that both this machine and the pods reach")
        return self.cluster.kafka

    def environment(self) -> dict[str, str]:
        """Return what a person's shell says of it, with the client's programs on its PATH.

        What says how output looks is left out: it is of the terminal that runs the tests.
        """
        # The cluster's kubectl and helm: the machine may have none.
        known = self.cluster.environment()
        found = {
            **known,
            "CLOUDHARNESS_NAMESPACE": self.namespace,
            "PATH": f"{Path(sys.executable).parent}:{known.get('PATH', os.defpath)}",
        }
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            found.pop(name, None)
        return found

    def kubectl(self, *args: str, timeout: float = 60, check: bool = True, text: str = "") -> str:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl(
            f"--namespace={self.namespace}", *args, input=text or None, timeout=timeout, check=check
        )

    def install(self, *settings: str) -> None:
        """Install the operator from its image by its chart, or change its settings."""
        repository, _, tag = self.cluster.operator_image().rpartition(":")
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
        # Client-side waiting of helm polls; the rollout's own status is told at once.
        self.cluster.helm(
            *("upgrade", "--install", RELEASE, str(CHART), "--namespace", self.namespace),
            *("--create-namespace", "--skip-crds"),
            *("--set", f"image.repository={repository}", "--set", f"image.tag={tag}"),
            *("--set", f"tasks.image={self.cluster.python_image}"),
            *(word for setting in settings for word in ("--set", setting)),
        )
        self.rolled_out()

    def rolled_out(self) -> None:
        """Wait until the operator is ready, and until those that it replaces are gone."""
        self.kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", "--timeout=120s", timeout=130)
        eventually(lambda: not any(_is_going(pod) for pod in self.operator_pods()))

    def remove(self) -> None:
        """Delete the namespace and all in it, without the operator's help if need be."""
        self.kubectl("delete", FULL_KIND, "--all", "--timeout=60s", timeout=70, check=False)
        # What its hook does is done here, for all at once and without a pod.
        uninstall = ("uninstall", RELEASE, "--namespace", self.namespace, "--no-hooks")
        self.cluster.helm(*uninstall, check=False)
        for name in self.kubectl("get", "workflows", "-o", "name", check=False).split():
            patch = '{"metadata":{"finalizers":null}}'
            self.kubectl("patch", name, "--type=merge", "-p", patch, check=False)
        self.cluster.kubectl("delete", "namespace", self.namespace, "--wait=false", check=False)

    def apply(self, *manifests: Manifest) -> None:
        """Apply manifests."""
        for manifest in manifests:
            self.server.apply(manifest)

    def kubectl_apply(self, *manifests: Manifest) -> str:
        """Apply manifests as a person does, and return what kubectl says."""
        return self.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(manifests))

    def refused(self, manifest: Manifest) -> str:
        """Apply a manifest that the API server must refuse, and return what kubectl says."""
        try:
            self.kubectl_apply(manifest)
        except ClusterError as error:
            return str(error)
        raise AssertionError("the API server has accepted it")

    @cached_property
    def server(self) -> ApiServer:
        """The API server, asked from this process."""
        return ApiServer(self.cluster.kubeconfig, self.namespace)

    def get(self, kind: str, name: str) -> Manifest:
        """Read an object."""
        return self.server.get(kind, name)

    def find(self, kind: str, labels: str = "", fields: str = "") -> list[Manifest]:
        """Read all objects of a kind, or those that selectors name."""
        return self.server.find(kind, labels, fields)

    def status(self, name: str) -> Manifest:
        """Read an operation's status."""
        status: Manifest = self.get(FULL_KIND, name).get("status", {})
        return status

    def wait_for(self, name: str, condition: str = "Finished", timeout: int = 240) -> Manifest:
        """Wait for a condition of an operation; return its status."""
        found = self.server.wait(FULL_KIND, name, condition, timeout)
        status: Manifest = found["status"]
        return status

    def events(self, name: str) -> list[str]:
        """Return the reasons of an operation's Events, in their order."""
        found = self.find("events.events.k8s.io", fields=f"regarding.name={name}")
        return [event["reason"] for event in sorted(found, key=lambda event: event["eventTime"])]

    def workflows(self, operation: str) -> list[Manifest]:
        """Read an operation's children."""
        return self.find("workflows", f"{LABEL_OPERATION}={operation}")

    def pods(self, operation: str) -> list[Manifest]:
        """Read the pods of an operation's tasks."""
        return self.find("pods", f"{LABEL_OPERATION}={operation}")

    def operator_pods(self) -> list[Manifest]:
        """Read the operator's pods."""
        return self.find("pods", "app.kubernetes.io/name=cloudharness-operator")

    def operator_pod(self) -> Manifest:
        """Read the operator's pod."""
        (pod,) = self.operator_pods()
        return pod

    def everyone_acts(self, replicas: int) -> None:
        """Have so many operators that all act at once: no promise may rest on there being one."""
        broker = f"kafka.bootstrapServers={self.kafka}"
        self.install(broker, f"replicas={replicas}", "leaderElection.enabled=false")

    def kill_operator(self) -> int:
        """Kill the operator's pods without a warning; return how many there were."""
        pods = self.operator_pods()
        for pod in pods:
            self.cluster.kill_pod(self.namespace, pod["metadata"]["name"])
        return len(pods)

    def scale_operator(self, replicas: int) -> None:
        """Stop the operator, or start it again."""
        self.kubectl("scale", f"deployment/{DEPLOYMENT}", f"--replicas={replicas}")
        if replicas:
            self.rolled_out()
        else:
            eventually(lambda: not self.find("pods", "app.kubernetes.io/instance=cho"))


def _is_going(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def eventually(what: Callable[[], object], timeout: float = 120, every: float = 0.2) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: it did not, in time.
    """
    deadline = time.monotonic() + timeout
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {timeout:g} s")
        time.sleep(every)


def condition(status: Manifest, kind: str) -> Manifest:
    """Return a condition of a status; empty if there is none."""
    found = (one for one in status.get("conditions", ()) if one["type"] == kind)
    return next(found, {})
