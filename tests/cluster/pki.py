"""Certificates of one cluster: an authority, and an identity for each component.

Names and groups are those that Kubernetes' default RBAC rules know, so that every
component has its ordinary rights and no more.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import config
from tests.cluster.errors import ClusterError

DAYS = "3650"


@dataclass(frozen=True)
class Identity:
    """One certificate: the file's name, the user and group it stands for, its addresses."""

    file: str
    user: str
    group: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The distinguished name: the group as organisation, the user as common name."""
        return f"{f'/O={self.group}' if self.group else ''}/CN={self.user}"


def identities(nodes: tuple[config.Node, ...]) -> list[Identity]:
    """Everyone who needs a certificate."""
    api = ("IP:127.0.0.1", f"IP:{config.SERVICE_ADDRESS}", f"IP:{config.BRIDGE_ADDRESS}")
    names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    everyone = [
        Identity("kafka", "kafka", "", (f"IP:{config.BRIDGE_ADDRESS}",)),
        Identity("kafka-client", "kafka-client"),
        Identity("apiserver", "kube-apiserver", "", api + tuple(f"DNS:{n}" for n in names)),
        Identity("apiserver-kubelet-client", "kube-apiserver"),
        Identity("admin", "admin", "system:masters"),
        Identity("controller-manager", "system:kube-controller-manager"),
        Identity("scheduler", "system:kube-scheduler"),
        Identity("kube-proxy", "system:kube-proxy"),
        Identity("coredns", "coredns"),
    ]
    for node in nodes:
        serving = (f"IP:{node.address}", f"DNS:{node.name}")
        everyone += [
            Identity(node.name, f"system:node:{node.name}", "system:nodes"),
            Identity(f"{node.name}-serving", f"system:node:{node.name}", "system:nodes", serving),
        ]
    return everyone


def make(place: Path, nodes: tuple[config.Node, ...]) -> None:
    """Write an authority, all certificates, and a kubeconfig for each client."""
    place.mkdir(mode=0o700)
    _openssl("genrsa", "-out", str(place / "service-accounts.key"), "2048")
    _openssl(
        *_request(place, "ca", "/CN=embedded-cluster"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    everyone = identities(nodes)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda identity: _issue(place, identity), everyone))
    # Kafka reads its key and its certificate from one file.
    pair = [(place / name).read_text() for name in ("kafka.key", "kafka.crt")]
    (place / "kafka.pem").write_text("".join(pair))
    for identity in everyone:
        (place / f"{identity.file}.kubeconfig").write_text(_kubeconfig(place, identity))


def self_signed(place: Path, file: str, address: str) -> None:
    """Write a certificate that is its own authority, for a server at an address."""
    _openssl(*_request(place, file, "/CN=server"), "-addext", f"subjectAltName={address}")


def _issue(place: Path, identity: Identity) -> None:
    names = ("-addext", f"subjectAltName={','.join(identity.addresses)}")
    _openssl(
        *_request(place, identity.file, identity.subject),
        *("-CA", str(place / "ca.crt"), "-CAkey", str(place / "ca.key")),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "extendedKeyUsage=clientAuth,serverAuth"),
        *(names if identity.addresses else ()),
    )


def _request(place: Path, file: str, subject: str) -> tuple[str, ...]:
    return (
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-days", DAYS, "-subj", subject),
        *("-keyout", str(place / f"{file}.key"), "-out", str(place / f"{file}.crt")),
    )


def _openssl(*arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise ClusterError(f"openssl {' '.join(arguments)}: {done.stderr}")


def _kubeconfig(place: Path, identity: Identity) -> str:
    parts = [(place / name).read_bytes() for name in ("ca.crt", *_pair(identity.file))]
    return config.kubeconfig(parts[0], parts[1], parts[2], identity.user)


def _pair(file: str) -> tuple[str, str]:
    return f"{file}.crt", f"{file}.key"
