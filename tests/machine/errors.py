"""The one error of the cluster and its machine: its text is for the person who started it."""


class ClusterError(RuntimeError):
    """Something about the cluster failed; the message says what, and where to look."""
