"""The cluster's network: a bridge with the control plane, and a namespace for each node."""

import subprocess
from pathlib import Path

from tests.cluster import config
from tests.cluster.errors import ClusterError


def commands(nodes: tuple[config.Node, ...]) -> list[str]:
    """What to tell `ip`, in order."""
    return [
        "link set lo up",
        "link add br0 type bridge",
        f"address add {config.BRIDGE_ADDRESS}/24 dev br0",
        "link set br0 up",
        *(command for node in nodes for command in _joining(node)),
        *(f"route add {node.pods} via {node.address}" for node in nodes),
        # A node's kube-proxy serves whoever is on the bridge, such as the tests.
        f"route add {config.SERVICE_CIDR} via {nodes[0].address}",
    ]


def _joining(node: config.Node) -> list[str]:
    return [
        f"link add veth-{node.name} type veth peer name eth0 netns {node.name}",
        f"link set veth-{node.name} master br0 up",
    ]


def inside(node: config.Node, nodes: tuple[config.Node, ...]) -> list[str]:
    """What to tell `ip` within a node."""
    return [
        "link set lo up",
        f"address add {node.address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {config.BRIDGE_ADDRESS}",
        *(f"route add {other.pods} via {other.address}" for other in nodes if other != node),
    ]


def make(nodes: tuple[config.Node, ...]) -> None:
    """Build all of it in the calling process's network namespace."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for node in nodes:
        _ip([], [f"netns add {node.name}"])
    _ip([], commands(nodes))
    for node in nodes:
        _ip(["-netns", node.name], inside(node, nodes))


def _ip(options: list[str], batch: list[str]) -> None:
    done = subprocess.run(
        ["ip", *options, "-batch", "-"],
        input="\n".join(batch) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if done.returncode != 0:
        raise ClusterError(f"ip {' '.join(options)}: {done.stderr}")
