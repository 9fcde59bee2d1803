"""Where a cluster can run on this machine: on it as it is, or in a container on it.

Nothing here needs a package besides Python's own, and nothing has to be installed before: what
runs in a container has its environment there. `python -m tests.machine --help` shows the commands.
"""
