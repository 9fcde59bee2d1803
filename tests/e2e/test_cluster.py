"""The cluster itself: it is reached from outside, and its pods find each other's services."""

import os
import subprocess
import sys

import pytest

from tests.cluster import Cluster
from tests.cluster.base import PROJECT
from tests.cluster.embedded import EmbeddedCluster
from tests.support.installation import Installation
from tests.support.operations import operation

pytestmark = pytest.mark.e2e

SCRIPT = """
set -euo pipefail
variables=$("$PYTHON" -m tests.cluster --name "$NAME" env)
eval "$variables"
kubectl get nodes --output name
helm list --all-namespaces --short >/dev/null
"$PYTHON" - <<EOF
import os
from confluent_kafka.admin import AdminClient
print(AdminClient({"bootstrap.servers": os.environ["KAFKA"]}).list_topics(timeout=30).brokers)
EOF
"""


def test_what_make_env_prints_leads_kubectl_helm_and_kafkas_clients_to_it(cluster: Cluster) -> None:
    if not isinstance(cluster, EmbeddedCluster):
        pytest.skip("any other cluster is reached from the machine anyway")
    # This process has joined the cluster's network; what started it has not.
    outside = ["nsenter", f"--net=/proc/{os.getppid()}/ns/net", "bash", "-c", SCRIPT]
    done = subprocess.run(
        outside,
        env={**os.environ, "PYTHON": sys.executable, "NAME": cluster.place.name},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["node/node1", "node/node2"]
    assert cluster.outer_environment()["KAFKA"] in done.stdout


NAMES = """
import socket
for name in ("kubernetes.default", "kafka.kafka", "kafka.kafka.svc.cluster.local"):
    print(name, socket.gethostbyname(name))
try:
    socket.gethostbyname("nobody.kafka")
except socket.gaierror as error:
    print(error.strerror)
with socket.create_connection(("kafka.kafka", 9092), timeout=30):
    print("connected")
"""


def test_pods_find_services_by_name(shared: Installation) -> None:
    if not isinstance(shared.cluster, EmbeddedCluster):
        pytest.skip("what any other cluster is like is for others to test")
    shared.apply(operation("names", {"name": "ask", "python": {"source": NAMES}}))
    assert shared.wait_for("names")["phase"] == "Succeeded"
    (pod,) = shared.pods("names")
    said = shared.kubectl("logs", pod["metadata"]["name"], "-c", "main").splitlines()
    api, short, long, *rest = [line for line in said if " argo=true" not in line]
    assert api == "kubernetes.default 10.96.0.1"
    assert short.split()[1] == long.split()[1] != ""
    assert rest == ["Name or service not known", "connected"]
