"""The order in which a cluster comes up: in parallel where nothing has to wait."""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

from tests.cluster import addons, cgroups, config, mounts, network, pki, volumes
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.node import NodeRuntime
from tests.cluster.port_forward import PortForwards
from tests.cluster.process import Processes
from tests.cluster.setup import Artifacts
from tests.cluster.state import State

TIMEOUT = 120.0


class Starting:
    """One cluster on its way up, and what is needed of it afterwards."""

    def __init__(self, state: State, plan: dict[str, Any], say: Callable[[str], None]) -> None:
        self.state = state
        self.cache = Path(plan["cache"])
        self.artifacts = Artifacts(**plan["artifacts"])
        self.processes = Processes(state.logs, say)
        kubernetes = Path(self.artifacts.kubernetes)
        self.forwards = PortForwards.taken_over(plan["forwards"])
        self.control = ControlPlane(
            state,
            kubernetes,
            Path(self.artifacts.coredns),
            Path(self.artifacts.kafka),
            self.forwards.address("kafka"),
        )
        self.cgroup = cgroups.name(state.directory)
        self.nodes = [
            NodeRuntime(node, state, kubernetes, self.cgroup, self.processes)
            for node in config.NODES
        ]
        self.loading, self.loaded = threading.Lock(), set[str]()
        self.certified = threading.Event()
        self.serving = threading.Event()

    def run(self) -> None:
        """Start everything; return when two nodes, Argo and Kafka are ready."""
        mounts.make_private(self.cache, self.state.data / "tmp")
        volumes.keep_open()
        network.make(config.NODES)
        inner = {"api": config.API, "kafka": config.KAFKA_OUTER}
        self.forwards.serve({name: config.address(text) for name, text in inner.items()})
        nodes = [partial(self._node, node) for node in self.nodes]
        self._together(self._control_plane, self._kafka, self._argo, *nodes)

    def load(self, archive: str) -> None:
        """Import an image archive on all nodes, once: many tests ask for the same, at once."""
        with self.loading:
            if archive not in self.loaded:
                self._together(*(partial(node.load, archive) for node in self.nodes))
                self.loaded.add(archive)

    def _together(self, *parts: Callable[[], None]) -> None:
        with ThreadPoolExecutor(max_workers=len(parts)) as pool:
            futures = [pool.submit(part) for part in parts]
            done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
            if waiting:
                self.processes.failed.set()
            for future in done:
                future.result()

    def _control_plane(self) -> None:
        pki.make(self.state.pki, config.NODES)
        self.certified.set()
        mine = (self.state.pki / "admin.kubeconfig").read_text()
        outer = mine.replace(config.API_SERVER, f"https://{self.forwards.address('api')}")
        for path, text in ((self.state.kubeconfig, mine), (self.state.outer_kubeconfig, outer)):
            path.touch(mode=0o600)
            path.write_text(text)
        (self.state.data / "audit-policy.json").write_text(config.audit_policy())
        self.processes.start_and_wait(self.control.etcd())
        self.processes.start_and_wait(self.control.apiserver(self._api()))
        addons.send(self._api(), map(addons.request, addons.base()))
        self.serving.set()
        self.processes.start(self.control.controller_manager())
        self.processes.start(self.control.scheduler())
        self.processes.start_and_wait(self.control.coredns())

    def _kafka(self) -> None:
        self.processes.until("certificates", self.certified.is_set, TIMEOUT)
        self.processes.start_and_wait(self.control.kafka())

    def _node(self, node: NodeRuntime) -> None:
        node.prepare(Path(self.artifacts.node_images))
        self._wait_serving()
        api, name = self._api(), node.node.name
        self.processes.start(node.kubelet())
        self.processes.start_and_wait(node.kube_proxy())
        self.processes.wait(name, lambda: api.condition(f"/api/v1/nodes/{name}", "Ready"), TIMEOUT)

    def _argo(self) -> None:
        self._wait_serving()
        api, manifests = self._api(), Path(self.artifacts.argo_manifests)
        crds = addons.load(manifests / "crds.jsonl")
        addons.send_together(api, crds)
        plurals = addons.plurals(crds)
        self.processes.wait("Argo's CRDs", lambda: addons.served(api, plurals), TIMEOUT)
        addons.send(api, addons.load(manifests / "objects.jsonl"))
        available = partial(api.condition, addons.ARGO_DEPLOYMENT, "Available")
        self.processes.wait("argo", available, TIMEOUT)

    def _api(self) -> Api:
        return Api(self.state.pki)

    def _wait_serving(self) -> None:
        self.processes.until("kube-apiserver", self.serving.is_set, TIMEOUT)
