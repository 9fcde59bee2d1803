"""Which cluster to use, decided from what was asked for."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, cast, get_args

from tests.cluster import embedded, existing, kind
from tests.cluster.base import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.versions import Versions

Backend = Literal["auto", "existing", "kind", "embedded"]


@contextlib.contextmanager
def open_cluster(
    backend: str = "auto",
    name: str = "default",
    kubeconfig: Path | str | None = None,
    versions: Versions | None = None,
) -> Iterator[Cluster]:
    """Give a running cluster; end it afterwards if it was started here."""
    given = Path(kubeconfig) if kubeconfig else None
    chosen = choose(backend, given, os.environ)
    pinned = versions or from_environment(os.environ)
    with contextlib.ExitStack() as stack:
        match chosen:
            case "existing":
                yield existing.ExistingCluster(given, os.environ)
            case "kind":
                yield stack.enter_context(kind.running(name, pinned))
            case _:
                place = embedded.Place.default(name)
                yield stack.enter_context(embedded.running(place, pinned))


def choose(
    backend: str,
    kubeconfig: Path | None,
    environment: Mapping[str, str],
) -> Backend:
    """The one that was named, existing with a kubeconfig, else embedded."""
    if backend == "auto":
        backend = environment.get("CLUSTER", "auto")
    if backend == "container":
        raise ClusterError("CLUSTER=container is for the commands of make, such as make test-e2e")
    if backend not in get_args(Backend):
        known = ", ".join((*get_args(Backend), "container"))
        raise ClusterError(f"CLUSTER={backend}: it can be {known}")
    if backend != "auto":
        return cast("Backend", backend)
    return "embedded" if kubeconfig is None else "existing"


def from_environment(environment: Mapping[str, str]) -> Versions:
    """The pinned versions, but for what is asked to differ."""
    argo = environment.get("CLUSTER_ARGO_VERSION", Versions.argo)
    # No API server takes the full CRDs of 3.6: their schema leaves out types.
    old = argo.startswith("v3.6.")
    crds = environment.get("CLUSTER_ARGO_CRDS", "minimal" if old else Versions.argo_crds)
    if crds not in ("full", "minimal"):
        raise ClusterError(f"CLUSTER_ARGO_CRDS={crds}: it can be full or minimal")
    if old and crds == "full":
        raise ClusterError(
            f"CLUSTER_ARGO_CRDS=full: no API server takes the full CRDs of Argo {argo}: "
            "use minimal, or Argo v3.7"
        )
    return Versions(argo=argo, argo_crds=cast("Literal['full', 'minimal']", crds))
