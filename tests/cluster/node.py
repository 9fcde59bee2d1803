"""One node: a namespace for its network and one for its mounts, and what runs in them."""

import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import config, template
from tests.cluster.errors import ClusterError
from tests.cluster.process import Component, Processes
from tests.cluster.state import State
from tests.cluster.versions import PAUSE_IMAGE

# What the kubelet insists on and would otherwise set for the whole machine: it reads these
# values from files that are laid over the kernel's, finds them right, and writes nothing.
TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

# Keeps the namespaces, so that each of the node's programs can be stopped and started alone.
HOLDER = """
mount --make-rshared /
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/node /run/containerd
mount --bind "$1" /run/node
mount --bind "$2" /var/log
for place in /var/lib/cni /var/lib/kubelet; do
    mkdir -p $place
    mount -t tmpfs private $place
done
echo 1 > /proc/sys/net/ipv4/ip_forward
for switch in iptables ip6tables; do
    file=/proc/sys/net/bridge/bridge-nf-call-$switch
    if [ -e $file ]; then echo 1 > $file; fi
done
cd /run/node/tunables
find . -type f | while read -r file; do mount --bind "$file" "/proc/sys/$file"; done
cd /
touch /run/node/mounted
exec sleep infinity
"""


@dataclass
class NodeRuntime:
    """A node as the supervisor handles it."""

    node: config.Node
    state: State
    kubernetes: Path
    cgroup: str
    processes: Processes
    holder: int = 0

    @property
    def home(self) -> Path:
        """The node's own tree, which it sees as /run/node."""
        return self.state.data / self.node.name

    @property
    def pki(self) -> str:
        """Where the certificates are."""
        return str(self.state.pki)

    def prepare(self, images: Path) -> None:
        """Make the namespaces and start containerd with the images."""
        for folder in ("cni", "kubelet"):
            (self.home / folder).mkdir(parents=True)
        for name, value in TUNABLES.items():
            path = self.home / "tunables" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
        pods = self.state.logs / self.node.name
        pods.mkdir()
        (self.home / "cni" / "10-pods.conflist").write_text(config.cni(self.node))
        snapshotter = template.copy(images, self.home)
        (self.home / "containerd.toml").write_text(config.containerd(snapshotter, PAUSE_IMAGE))
        self.holder = self.processes.start_and_wait(self._holder(pods)).pid
        self.processes.start_and_wait(self._containerd())

    def _holder(self, pods: Path) -> Component:
        argv = (
            *("nsenter", f"--net=/run/netns/{self.node.name}"),
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-euc", HOLDER, self.node.name, str(self.home), str(pods)),
        )
        return Component(self.node.name, argv, (self.home / "mounted").exists)

    def _containerd(self) -> Component:
        argv = self.inside("containerd", "--config", f"{config.NODE_HOME}/containerd.toml")
        environment = {"TMPDIR": config.NODE_HOME}
        return Component(f"{self.node.name}-containerd", argv, self._containerd_ready, environment)

    def _containerd_ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(f"/proc/{self.holder}/root{config.CONTAINERD_SOCKET}")
        except OSError:
            return False
        return True

    def inside(self, *argv: str) -> tuple[str, ...]:
        """A command within the node's namespaces."""
        return ("nsenter", f"--target={self.holder}", "--net", "--mount", "--wd=/", *argv)

    def kubelet(self) -> Component:
        """The node's agent."""
        text = config.kubelet(self.node, f"/{self.cgroup}/{self.node.name}", self.pki)
        (self.home / "kubelet.json").write_text(text)
        argv = self.inside(
            str(self.kubernetes / "kubelet"),
            f"--config={config.NODE_HOME}/kubelet.json",
            f"--kubeconfig={self.pki}/{self.node.name}.kubeconfig",
            f"--root-dir={config.NODE_HOME}/kubelet",
            f"--cert-dir={config.NODE_HOME}/kubelet/pki",
            f"--hostname-override={self.node.name}",
            f"--node-ip={self.node.address}",
        )
        return Component(f"{self.node.name}-kubelet", argv)

    def kube_proxy(self) -> Component:
        """Services, by iptables in the node's own network namespace."""
        text = config.kube_proxy(self.node, f"{self.pki}/kube-proxy.kubeconfig")
        (self.home / "kube-proxy.json").write_text(text)
        argv = self.inside(
            str(self.kubernetes / "kube-proxy"), f"--config={config.NODE_HOME}/kube-proxy.json"
        )
        return Component(f"{self.node.name}-kube-proxy", argv, self._services_ready)

    def _services_ready(self) -> bool:
        rules = subprocess.run(
            self.inside("iptables-save", "--table", "nat"),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        ).stdout
        return f"{config.SERVICE_ADDRESS}/32" in rules

    def load(self, archive: str) -> None:
        """Import an image archive into the node's containerd."""
        command = self.inside(*template.CTR, "images", "import", archive)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            raise ClusterError(f"{shlex.join(command)}: {done.stderr or done.stdout}")
