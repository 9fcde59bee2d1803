"""What a cluster holds from the start: Argo, a default StorageClass, Kafka's name, a few bindings.

Argo's manifests are upstream's own, read once into requests that can be sent as they are:
a client would spend seconds of every start on the eight megabytes of Argo's full CRDs.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import config
from tests.cluster.api import Api, ApiError
from tests.cluster.cache import Entry
from tests.cluster.progress import Step
from tests.cluster.versions import PYTHON_IMAGE, Versions

Manifest = dict[str, Any]

ARGO_NAMESPACE = "argo"
ARGO_DEPLOYMENT = f"/apis/apps/v1/namespaces/{ARGO_NAMESPACE}/deployments/workflow-controller"
ARGO_GROUP = "/apis/argoproj.io/v1alpha1"
RBAC = "rbac.authorization.k8s.io"
# Upstream's image runs the controller as this user; ours names none.
ARGO_USER = 8737

PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "CustomResourceDefinition": "customresourcedefinitions",
    "Deployment": "deployments",
    "EndpointSlice": "endpointslices",
    "Namespace": "namespaces",
    "PriorityClass": "priorityclasses",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "StorageClass": "storageclasses",
}
NAMESPACED = {
    *("ConfigMap", "Deployment", "EndpointSlice"),
    *("Role", "RoleBinding", "Service", "ServiceAccount"),
}


@dataclass(frozen=True)
class Request:
    """An object and the path that creates it."""

    path: str
    body: bytes


def request(manifest: Manifest) -> Request:
    """How to create an object of a kind that is known here."""
    version = manifest["apiVersion"]
    root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    if manifest["kind"] in NAMESPACED:
        root += f"/namespaces/{manifest['metadata']['namespace']}"
    return Request(f"{root}/{PLURALS[manifest['kind']]}", json.dumps(manifest).encode())


def base() -> list[Manifest]:
    """What every cluster has besides Argo."""
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/host-path",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }
    return [
        storage,
        # The API server's own certificate for logs and exec: what it needs, not an admin's.
        _binding("kube-apiserver-to-kubelet", "system:kubelet-api-admin", "kube-apiserver"),
        _dns_role(),
        _binding("coredns", "coredns", "coredns"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kafka"}},
        *_kafka_service(),
    ]


def _dns_role() -> Manifest:
    def seen(group: str, *resources: str) -> Manifest:
        return {"apiGroups": [group], "resources": [*resources], "verbs": ["list", "watch"]}

    rules = [seen("", "services", "namespaces"), seen("discovery.k8s.io", "endpointslices")]
    meta = {"name": "coredns"}
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules}


def _kafka_service() -> list[Manifest]:
    """The broker, which runs on the bridge, by a name for pods: kafka.kafka."""
    host, port = config.address(config.KAFKA)
    meta, ports = {"name": "kafka", "namespace": "kafka"}, [{"name": "kafka", "port": port}]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "kafka"}},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [host]}],
        },
    ]


def _binding(name: str, role: str, user: str) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


def argo_entry(versions: Versions, argo: Path) -> Entry:
    """Argo's manifests as requests, in the order to send them."""

    def build(place: Path, _: Step) -> None:
        crds = read(argo / "manifests" / "base" / "crds" / versions.argo_crds)
        rest = [_namespace(), *(argo_patched(m, versions) for m in read_argo(argo / "manifests"))]
        _write(place / "crds.jsonl", crds)
        _write(place / "objects.jsonl", rest)

    inputs = (argo.name, versions.argo_crds, Path(__file__).read_bytes())
    return Entry(f"argo-manifests-{versions.argo}-{versions.argo_crds}", inputs, build)


def _namespace() -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ARGO_NAMESPACE}}


def read_argo(manifests: Path) -> list[Manifest]:
    """The controller and its rights, without the server."""
    roles = next(manifests.glob("cluster-install*/workflow-controller-rbac"))
    return [*read(manifests / "base" / "workflow-controller"), *read(roles)]


def read(folder: Path) -> list[Manifest]:
    """All objects of a folder of upstream's, in the order of their file names."""
    texts = [path.read_text() for path in sorted(folder.glob("*.yaml"))]
    documents = [d for text in texts for d in yaml.load_all(text, yaml.CSafeLoader) if d]
    return [document for document in documents if document["kind"] != "Kustomization"]


def argo_patched(manifest: Manifest, versions: Versions) -> Manifest:
    """One of upstream's objects as it is installed here: namespace, image, quick requeues."""
    if manifest["kind"] in NAMESPACED:
        manifest["metadata"]["namespace"] = ARGO_NAMESPACE
    for subject in manifest.get("subjects", ()):
        subject["namespace"] = ARGO_NAMESPACE
    if manifest["kind"] == "ConfigMap":
        manifest["data"] = argo_settings()
    if manifest["kind"] == "Deployment":
        _patch_controller(manifest["spec"]["template"]["spec"], versions.argo_image)
    return manifest


def argo_settings() -> dict[str, str]:
    """Argo's own configuration."""
    # Else it would ask a registry what an image runs when a container names no command.
    images = {PYTHON_IMAGE: {"cmd": ["python3"]}}
    # Without a share of its own on a busy node, the executor can be ended before it has begun.
    executor = {"resources": {"requests": {"cpu": "20m", "memory": "16Mi"}}}
    # Argo's Events on each node are a tenth of all writes, and nobody reads them here.
    node_events = {"enabled": False}
    settings = {"images": images, "executor": executor, "nodeEvents": node_events}
    return {name: json.dumps(value) for name, value in settings.items()}


def _patch_controller(pod: Manifest, image: str) -> None:
    pod["securityContext"]["runAsUser"] = ARGO_USER
    container = pod["containers"][0]
    container["image"] = image
    container["imagePullPolicy"] = "IfNotPresent"
    container["args"] = ["--executor-image", image, "--executor-image-pull-policy", "IfNotPresent"]
    container["args"] += ["--qps=100", "--burst=200"]
    # Ten seconds by default, which would be most of a short step's time.
    container["env"].append({"name": "DEFAULT_REQUEUE_TIME", "value": "1s"})
    container["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}}


def _write(path: Path, manifests: Iterable[Manifest]) -> None:
    requests = [request(manifest) for manifest in manifests]
    lines = [json.dumps([one.path, one.body.decode()]) for one in requests]
    path.write_text("\n".join(lines) + "\n")


def load(path: Path) -> list[Request]:
    """Requests as `argo_entry` wrote them."""
    pairs = [json.loads(line) for line in path.read_text().splitlines()]
    return [Request(where, body.encode()) for where, body in pairs]


def send(api: Api, requests: Iterable[Request]) -> None:
    """Create the objects, one after the other."""
    for one in requests:
        api.create(one.path, one.body)


def send_together(api: Api, requests: list[Request]) -> None:
    """Create objects that do not need one another, all at once."""
    with ThreadPoolExecutor(max_workers=len(requests)) as pool:
        list(pool.map(lambda one: api.create(one.path, one.body), requests))


def plurals(crds: Iterable[Request]) -> set[str]:
    """The names of the kinds that CRDs define."""
    return {json.loads(crd.body)["spec"]["names"]["plural"] for crd in crds}


def served(api: Api, wanted: set[str]) -> bool:
    """Whether the server serves these of Argo's kinds."""
    # Asked by discovery: the CRDs themselves are megabytes to read.
    try:
        found = api.get(ARGO_GROUP)["resources"]
    except ApiError:
        return False
    return wanted <= {resource["name"] for resource in found}
