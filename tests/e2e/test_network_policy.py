"""The chart's NetworkPolicy, enforced on the operator's pod: it allows what the operator needs.

The network plugin of the embedded cluster enforces no NetworkPolicy, so the rules are translated
for iptables in the pod's own network.
"""

import ipaddress
import json
import os
import signal
import subprocess

import pytest

from tests.cluster import Cluster
from tests.cluster.config import KAFKA, KAFKA_SASL_TLS, NODES, address
from tests.cluster.embedded import EmbeddedCluster, process_ids
from tests.support.installation import DEPLOYMENT, Installation, eventually
from tests.support.operations import Manifest, bash, operation

pytestmark = [pytest.mark.e2e, pytest.mark.long]

BY_NAME = "kafka.kafka:9092"
"""Brokers that are found by DNS alone."""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
"""


@pytest.fixture
def embedded(cluster: Cluster) -> None:
    """Only there can the network of a pod be entered: its processes are this machine's."""
    if not isinstance(cluster, EmbeddedCluster):
        pytest.skip("the network of a pod cannot be entered")


def rules(policy: Manifest, node: str) -> list[str]:
    """A policy without peers, for `iptables`; a node may always connect to its own pods."""
    chains = {"OUTPUT": policy["egress"], "INPUT": policy["ingress"]}
    allowed = [
        f"-A {chain} -p {port['protocol'].lower()} --dport {port['port']} -j ACCEPT"
        for chain, entries in chains.items()
        for entry in entries
        for port in entry["ports"]
    ]
    return [
        *(f"-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT" for chain in chains),
        f"-A INPUT -s {node} -j ACCEPT",
        *allowed,
        *(f"-A {chain} -j REJECT --reject-with icmp-port-unreachable" for chain in chains),
    ]


def enforce(one: Installation, pod: Manifest) -> None:
    """Apply the namespace's policy of the operator to a pod."""
    found = one.kubectl("get", "networkpolicy", DEPLOYMENT, "-o", "json")
    inside = ("nsenter", f"--target={processes(pod)[0]}", "--net")
    for rule in rules(json.loads(found)["spec"], gateway(pod)):
        subprocess.run([*inside, "iptables", *rule.split()], check=True, timeout=30)


def gateway(pod: Manifest) -> str:
    """The address from which a node's kubelet connects to its pods: the bridge's."""
    (node,) = (one for one in NODES if one.name == pod["spec"]["nodeName"])
    return str(ipaddress.ip_network(node.pods)[1])


def processes(pod: Manifest) -> list[int]:
    return process_ids(f"HOSTNAME={pod['metadata']['name']}")


@pytest.mark.usefixtures("embedded")
def test_the_operator_works_with_what_the_policy_allows(vacant: Installation) -> None:
    vacant.install(f"kafka.bootstrapServers={BY_NAME}", "networkPolicy.enabled=true")
    pod = vacant.operator_pod()
    enforce(vacant, pod)
    # All connections and probes begin anew.
    for process in processes(pod):
        os.kill(process, signal.SIGKILL)
    eventually(lambda: container(vacant)["restartCount"] == 1 and container(vacant)["ready"])
    vacant.apply(operation("allowed", bash("true"), topic=vacant.namespace))
    assert vacant.wait_for("allowed", "Notified")["phase"] == "Succeeded"
    assert connect(vacant, KAFKA) == "open"
    assert connect(vacant, KAFKA_SASL_TLS) == "refused"


def container(one: Installation) -> Manifest:
    """What is known of the operator's container."""
    (status,) = one.operator_pod()["status"]["containerStatuses"]
    found: Manifest = status
    return found


def connect(one: Installation, where: str) -> str:
    """Whether the operator's pod can connect to a place where something listens."""
    words = ("/opt/operator/bin/python", "-c", CONNECT, *map(str, address(where)))
    return one.kubectl("exec", f"deployment/{DEPLOYMENT}", "--", *words).strip()
