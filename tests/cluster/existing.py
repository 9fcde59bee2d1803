"""A cluster of the user's own: reached by a kubeconfig, with Argo in it already.

Nothing is installed or changed but what the tests create. $KAFKA names brokers that both
this process and the cluster's pods can reach; $PYTHON_IMAGE and $OPERATOR_IMAGE name images
that its nodes can pull.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from tests.cluster.base import Cluster
from tests.cluster.errors import ClusterError

PYTHON_IMAGE = "python:3.13-slim"


class ExistingCluster(Cluster):
    """Whatever the kubeconfig points to."""

    backend = "existing"

    def __init__(self, kubeconfig: Path | None, environment: Mapping[str, str]) -> None:
        default = environment.get("KUBECONFIG") or Path.home() / ".kube" / "config"
        self.kubeconfig = Path(kubeconfig or default)
        if not self.kubeconfig.is_file():
            raise ClusterError(f"There is no kubeconfig at {self.kubeconfig}")
        self.logs = Path(tempfile.gettempdir())
        self.kafka = environment.get("KAFKA")
        self.python_image = environment.get("PYTHON_IMAGE", PYTHON_IMAGE)
        self._environment = environment

    @override
    def operator_image(self) -> str:
        return self._image("OPERATOR_IMAGE")

    @override
    def client_image(self) -> str:
        return self._image("CLIENT_IMAGE")

    @override
    def samples_image(self) -> str:
        return self._image("SAMPLES_IMAGE")

    def _image(self, variable: str) -> str:
        """The one that a variable names: only its owner can push to this cluster."""
        if (name := self._environment.get(variable)) is None:
            raise ClusterError(f"Set {variable} to an image that the cluster can pull")
        return name
