"""The operator on the cluster that runs, to try things out: `make install`."""

import os
import sys

from tests.cluster import Cluster, ClusterError, embedded, existing
from tests.cluster.choice import choose
from tests.cluster.embedded import Place
from tests.support.installation import Installation

NAMESPACE = "default"
"""Where `kubectl apply` puts what names no namespace."""


def main() -> int:
    """Install it, or bring it up to date with the working tree."""
    try:
        one = Installation(running(), NAMESPACE)
        one.install(f"kafka.bootstrapServers={one.kafka}")
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"  The operator serves the namespace {NAMESPACE}. Try it:")
    print('  eval "$(make -s env)"')
    print("  kubectl apply -f examples/pipeline.yaml")
    print("  kubectl get cho --watch")
    return 0


def running() -> Cluster:
    """Return the cluster that the environment names, or the embedded one, which must be up."""
    if choose("auto", None, os.environ) == "existing":
        return existing.ExistingCluster(None, os.environ)
    cluster = embedded.find(Place.default(os.environ.get("CLUSTER_NAME", "default")))
    cluster.join()
    return cluster


if __name__ == "__main__":
    sys.exit(main())
