"""The Debian packages with which the embedded cluster is built and run."""

import shutil
from collections.abc import Mapping

# Program (or file) that is needed -> Debian package that brings it.
NEEDED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "/bin/busybox": "busybox-static",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
}


def missing(needed: Mapping[str, str] = NEEDED) -> list[str]:
    """Return the packages whose programs are not there, whatever package brought them."""
    absent = {package for program, package in needed.items() if shutil.which(program) is None}
    return sorted(absent)
