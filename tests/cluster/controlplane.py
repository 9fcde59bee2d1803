"""The components on the bridge: etcd, the API server and its controllers, DNS and Kafka."""

import http.client
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import config
from tests.cluster.api import Api, ApiError
from tests.cluster.process import Component
from tests.cluster.state import State

# Threads that nobody needs on a small machine, and a collector that starts at once.
JAVA = ("-Xmx256m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

QUICK = ("--kube-api-qps=200", "--kube-api-burst=400")
"""By default they hold back for an API server that many others use."""


@dataclass(frozen=True)
class ControlPlane:
    """How to start each of them, for one cluster."""

    state: State
    kubernetes: Path
    coredns_program: Path
    kafka_home: Path
    kafka_door: str
    """Where clients outside of the cluster's network find the broker."""

    @property
    def audit_log(self) -> Path:
        """Who asked the API server for what."""
        return self.state.logs / "audit.log"

    def etcd(self) -> Component:
        """Without syncing: the data ends with the cluster, and a disk would set the pace."""
        peer, client = "http://127.0.0.1:2380", "http://127.0.0.1:2379"
        argv = (
            str(self.kubernetes / "etcd"),
            "--name=etcd",
            "--data-dir=/run/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=etcd={peer}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        )
        return Component("etcd", argv, lambda: _http_ok("127.0.0.1", 2379, "/health"))

    def apiserver(self, api: Api) -> Component:
        """With the authorisers and admission of an ordinary cluster."""
        pki = self.state.pki
        argv = (
            str(self.kubernetes / "kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={config.BRIDGE_ADDRESS}",
            f"--service-cluster-ip-range={config.SERVICE_CIDR}",
            "--secure-port=6443",
            "--allow-privileged",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/service-accounts.key",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            f"--audit-log-path={self.audit_log}",
            f"--audit-policy-file={self.state.data}/audit-policy.json",
            "--audit-log-maxsize=1000",
        )

        def ready() -> bool:
            try:
                return api.request("GET", "/readyz") == b"ok"
            except (ApiError, OSError):
                return False

        return Component("kube-apiserver", argv, ready)

    def controller_manager(self) -> Component:
        """Each controller with a service account of its own."""
        pki = self.state.pki
        argv = (
            *self._with_kubeconfig("kube-controller-manager", "controller-manager"),
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--use-service-account-credentials",
            "--controllers=*,-node-ipam-controller",
            "--enable-hostpath-provisioner",
            *QUICK,
        )
        return Component("kube-controller-manager", argv, lambda: accepts("127.0.0.1", 10257))

    def scheduler(self) -> Component:
        """The default scheduler."""
        argv = (*self._with_kubeconfig("kube-scheduler", "scheduler"), *QUICK)
        return Component("kube-scheduler", argv, lambda: accepts("127.0.0.1", 10259))

    def coredns(self) -> Component:
        """What pods ask for names."""
        path = self.state.data / "Corefile"
        path.write_text(config.corefile(str(self.state.pki / "coredns.kubeconfig")))
        argv = (str(self.coredns_program), "-conf", str(path))
        return Component("coredns", argv, lambda: accepts(config.BRIDGE_ADDRESS, 53))

    def kafka(self) -> Component:
        """A broker that starts from the formatted directory that the cache has."""
        home = self.state.data / "kafka"
        if not home.exists():
            shutil.copytree(self.kafka_home / "formatted", home / "data")
            properties = config.kafka_properties(f"{home}/data")
            security = config.kafka_security(str(self.state.pki), self.kafka_door)
            (home / "server.properties").write_text(properties + security)
            (home / "log4j2.xml").write_text(config.kafka_logging())
        argv = (
            *("java", *JAVA, f"-Dlog4j2.configurationFile={home}/log4j2.xml"),
            *("-cp", f"{self.kafka_home}/libs/*"),
            *("kafka.Kafka", f"{home}/server.properties"),
        )
        return Component("kafka", argv, kafka_answers)

    def _with_kubeconfig(self, program: str, identity: str) -> tuple[str, ...]:
        kubeconfig = self.state.pki / f"{identity}.kubeconfig"
        return (
            str(self.kubernetes / program),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        )


def accepts(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _http_ok(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def kafka_answers() -> bool:
    """Whether the broker answers a client's first request, ApiVersions."""
    correlation = 7
    request = struct.pack(">hhih", 18, 0, correlation, -1)
    try:
        with socket.create_connection(config.address(config.KAFKA), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(8)
    except OSError:
        return False
    return len(answer) == 8 and struct.unpack(">ii", answer)[1] == correlation
