"""The cluster on which a benchmark plays the user and Argo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import accounts
from benchmarks.events import without_argo
from tests.cluster import ClusterError, open_cluster
from tests.cluster.embedded import EmbeddedCluster
from tests.support.installation import CRD


@contextmanager
def stage(*crds: Path) -> Iterator[tuple[EmbeddedCluster, Path]]:
    """Stop Argo and install our CRD and others; yield the cluster and a temporary directory."""
    with open_cluster() as cluster, TemporaryDirectory() as directory:
        if not isinstance(cluster, EmbeddedCluster):
            raise ClusterError("this stops Argo: it needs the embedded cluster")
        cluster.join()
        for crd in (CRD, *crds):
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd))
        with accounts.namespace(cluster), without_argo(cluster):
            yield cluster, Path(directory)
