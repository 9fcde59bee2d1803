"""The one error of this package: its text is written for the person who started the cluster."""


class ClusterError(RuntimeError):
    """Something about the cluster failed; the message says what, and where to look."""
