"""The machine's own programs, outside of the cluster's network, use the cluster too."""

import os
import subprocess
import sys

import pytest

from tests.cluster import Cluster
from tests.cluster.base import PROJECT
from tests.cluster.embedded import EmbeddedCluster

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
