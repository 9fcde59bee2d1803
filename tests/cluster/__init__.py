"""A real Kubernetes cluster for tests, demo, benchmarks and people.

`open_cluster` gives a `Cluster`, whatever it is made of: one that exists already, one in
Docker by pytest-kind, or the embedded one, which is etcd, the Kubernetes components, two
nodes with containerd, Argo and Kafka in a private namespace of this machine.
`python -m tests.cluster --help` does the same from a shell.
"""

from tests.cluster.base import Cluster
from tests.cluster.choice import open_cluster
from tests.cluster.errors import ClusterError

__all__ = ["Cluster", "ClusterError", "open_cluster"]
