"""The one error of this package, which is that of `tests.machine`, too."""

from tests.machine.errors import ClusterError

__all__ = ["ClusterError"]
