"""Every pinned version and image name of the embedded cluster, in one place.

A version that is changed here changes the key of the cache entries made from it,
so the next start builds them anew and leaves the old ones to other checkouts.
"""

from dataclasses import dataclass
from typing import Literal

PYTHON_IMAGE = "localhost/cloudharness/python:bookworm"
PAUSE_IMAGE = "localhost/cloudharness/pause:1"
OPERATOR_IMAGE = "localhost/cloudharness/operator"
CLIENT_IMAGE = "localhost/cloudharness/client"
SAMPLES_IMAGE = "localhost/cloudharness/samples"


@dataclass(frozen=True)
class Versions:
    """What is built. The Go modules pin their own dependencies by go.sum."""

    kubernetes: str = "v1.34.4"
    helm: str = "v3.19.0"
    argo: str = "v3.7.14"
    argo_crds: Literal["full", "minimal"] = "full"
    coredns: str = "v1.12.4"
    kafka: str = "4.1.0"
    argocd: str = "v3.2.1"
    flux: str = "v1.9.6"
    """Of its controllers, which have one number since 1.9."""
    prometheus: str = "v0.305.0"
    """Of its Go module: v0.305 is Prometheus 3.5."""
    debian: str = "bookworm"
    go: tuple[int, int, int] = (1, 25, 7)

    @property
    def argo_image(self) -> str:
        """The image with both of Argo's binaries."""
        return f"localhost/cloudharness/argo:{self.argo}"
