"""The pure parts of the test cluster: what its files and commands say."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import addons, config, kind, mounts, network, pki
from tests.cluster.build import HERE, argo_module, go_version, link_signals, sums
from tests.cluster.choice import choose, from_environment
from tests.cluster.errors import ClusterError
from tests.cluster.versions import PYTHON_IMAGE, Versions

NODE = config.NODES[0]


def test_a_kubelet_keeps_to_its_cluster() -> None:
    settings = json.loads(config.kubelet(NODE, "/group/node1", "/pki"))
    assert settings["cgroupRoot"] == "/group/node1"
    assert settings["address"] == NODE.address
    assert settings["authorization"] == {"mode": "Webhook"}
    assert settings["failCgroupV1"] is False


def test_containerd_writes_only_below_run() -> None:
    settings = tomllib.loads(config.containerd("overlayfs", "pause:1"))
    cri = settings["plugins"]["io.containerd.grpc.v1.cri"]
    places = [settings["root"], settings["state"], settings["grpc"]["address"]]
    places.append(settings["plugins"]["io.containerd.internal.v1.opt"]["path"])
    assert all(place.startswith("/run/") for place in places)
    assert cri["sandbox_image"] == "pause:1"
    assert cri["restrict_oom_score_adj"] is True


def test_nodes_have_pods_of_their_own() -> None:
    subnets = [
        json.loads(config.cni(node))["plugins"][0]["ipam"]["ranges"][0][0]["subnet"]
        for node in config.NODES
    ]
    assert subnets == ["10.88.0.0/17", "10.88.128.0/17"]


def test_a_kubeconfig_holds_all_it_needs() -> None:
    text = json.loads(config.kubeconfig(b"ca", b"certificate", b"key", "admin"))
    assert text["clusters"][0]["cluster"]["server"] == config.API_SERVER
    assert set(text["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_the_audit_counts_our_objects_and_argos_without_their_content() -> None:
    first, last = json.loads(config.audit_policy())["rules"]
    assert {"group": "cloudharness.io"} in first["resources"]
    assert {"group": "argoproj.io"} in first["resources"]
    assert (first["level"], last["level"]) == ("Metadata", "None")


def test_kafka_names_an_address_that_pods_reach() -> None:
    lines = config.kafka_properties("/data").splitlines()
    assert f"advertised.listeners=PLAINTEXT://{config.KAFKA}" in lines
    assert "log.dirs=/data" in lines


def test_kafka_asks_for_certificates_and_passwords_besides() -> None:
    lines = config.kafka_security("/pki", "127.0.0.1:19092").splitlines()
    assert "listener.name.ssl.ssl.client.auth=required" in lines
    assert "super.users=User:ANONYMOUS" in lines
    here, told = ({*line.partition("=")[2].split(",")} for line in lines[:2])
    assert here - told == {
        f"OUTER://{config.KAFKA_OUTER}",
        f"CONTROLLER://{config.BRIDGE_ADDRESS}:9093",
    }
    assert told - here == {"OUTER://127.0.0.1:19092"}


def test_each_node_is_joined_to_the_bridge_and_knows_the_other() -> None:
    outside, inside = network.commands(config.NODES), network.inside(NODE, config.NODES)
    assert "link set veth-node1 master br0 up" in outside
    assert "route add 10.88.128.0/17 via 10.89.0.12" in inside
    assert not any(NODE.pods in command for command in inside)


def test_nobody_but_the_person_is_an_admin() -> None:
    admins = [one.file for one in pki.identities(config.NODES) if one.group == "system:masters"]
    assert admins == ["admin"]


def test_each_kubelet_is_its_own_node() -> None:
    subjects = {one.file: one.subject for one in pki.identities(config.NODES)}
    assert subjects["node2"] == "/O=system:nodes/CN=system:node:node2"


def test_only_what_a_cover_would_hide_is_kept() -> None:
    paths = [Path(p) for p in ("/tmp/cache", "/tmp/cache/inner", "/home/me", "/tmp", "/tmpx")]
    assert mounts.below(Path("/tmp"), paths) == [Path("/tmp/cache")]


def deployment() -> dict[str, Any]:
    pod = {"securityContext": {}, "containers": [{"image": "upstream", "args": [], "env": []}]}
    metadata = {"name": "workflow-controller"}
    spec = {"template": {"spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_argos_controller_runs_from_our_image() -> None:
    versions = Versions(argo="v9.9.9")
    patched = addons.argo_patched(deployment(), versions)
    container = patched["spec"]["template"]["spec"]["containers"][0]
    assert patched["metadata"]["namespace"] == "argo"
    assert container["image"].endswith(":v9.9.9")
    assert container["args"][:2] == ["--executor-image", container["image"]]
    assert {"name": "DEFAULT_REQUEUE_TIME", "value": "1s"} in container["env"]


def test_argo_need_not_ask_a_registry_for_our_image() -> None:
    assert PYTHON_IMAGE in json.loads(addons.argo_settings()["images"])


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {}}, "/api/v1/namespaces"),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n"}},
            "/apis/apps/v1/namespaces/n/deployments",
        ),
        (
            {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {}},
            "/apis/storage.k8s.io/v1/storageclasses",
        ),
    ],
)
def test_objects_go_where_they_belong(manifest: dict[str, Any], path: str) -> None:
    assert addons.request(manifest).path == path


@pytest.mark.parametrize(
    ("backend", "kubeconfig", "environment", "chosen"),
    [
        ("auto", None, {}, "embedded"),
        ("auto", Path("config"), {}, "existing"),
        ("auto", None, {"CLUSTER": "existing"}, "existing"),
        ("auto", None, {"CLUSTER": "embedded"}, "embedded"),
        ("auto", None, {"CLUSTER": "kind"}, "kind"),
        ("kind", Path("config"), {"CLUSTER": "embedded"}, "kind"),
    ],
)
def test_choice(
    backend: str,
    kubeconfig: Path | None,
    environment: Mapping[str, str],
    chosen: str,
) -> None:
    assert choose(backend, kubeconfig, environment) == chosen


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("minikube", "CLUSTER=minikube: it can be auto, existing, kind, embedded, container"),
        ("container", "CLUSTER=container is for the commands of make"),
    ],
)
def test_a_backend_that_cannot_be_used_is_refused_by_name(asked: str, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        choose("auto", None, {"CLUSTER": asked})


@pytest.mark.parametrize(
    ("argo", "crds", "expected"),
    [
        (None, None, Versions()),
        (None, "minimal", Versions(argo_crds="minimal")),
        ("v4.0.5", None, Versions(argo="v4.0.5")),
        ("v3.7.14", "full", Versions(argo="v3.7.14", argo_crds="full")),
        ("v3.6.5", "minimal", Versions(argo="v3.6.5", argo_crds="minimal")),
        ("v3.6.5", None, Versions(argo="v3.6.5", argo_crds="minimal")),
    ],
)
def test_versions_can_be_asked_for(argo: str | None, crds: str | None, expected: Versions) -> None:
    asked = {"CLUSTER_ARGO_VERSION": argo, "CLUSTER_ARGO_CRDS": crds}
    assert from_environment({name: text for name, text in asked.items() if text}) == expected


@pytest.mark.parametrize(
    ("argo", "crds", "message"),
    [
        ("v3.7.14", "tiny", "CLUSTER_ARGO_CRDS=tiny: it can be full or minimal"),
        ("v3.6.5", "full", "no API server takes the full CRDs of Argo v3.6.5: use minimal"),
    ],
)
def test_versions_that_cannot_be_had_are_refused(argo: str, crds: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        from_environment({"CLUSTER_ARGO_VERSION": argo, "CLUSTER_ARGO_CRDS": crds})


@pytest.mark.parametrize("version", ["v3.6.5", "v3.7.14", "v4.0.5"])
def test_a_release_of_argo_is_pinned_by_its_own_checksums(version: str) -> None:
    module = argo_module(version)
    assert module == f"github.com/argoproj/argo-workflows/{version[:2]}"
    of_module, of_description = sums(HERE / "go" / "argo", module, version).splitlines()
    assert of_module.startswith(f"{module} {version} h1:")
    assert of_description.startswith(f"{module} {version}/go.mod h1:")


@pytest.mark.parametrize("name", ["osspecific", "os-specific"])
def test_argos_executor_gets_the_link_that_its_archive_lacks(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "workflow" / "executor" / name
    folder.mkdir(parents=True)
    (folder / "signal_darwin.go").write_text("package it")
    link_signals(tmp_path)
    assert (folder / "signal_linux.go").read_text() == "package it"


def test_kind_installs_the_released_argo_and_waits_for_it() -> None:
    commands = kind.argo_commands(Versions(argo="v3.7.14"))
    assert [command[0] for command in commands] == ["create", "apply", "set", "rollout"]
    assert commands[1][-1].endswith("/v3.7.14/install.yaml")


def test_kinds_kafka_is_on_kinds_network() -> None:
    command = kind.kafka_command("c", Versions(kafka="4.1.0"))
    assert command[:2] == ["docker", "run"]
    assert command[command.index("--network") + 1] == "kind"
    assert "apache/kafka:4.1.0" in command
    assert kind.address_command("c")[-1] == "c-kafka"


def test_a_go_that_is_not_there_is_too_old() -> None:
    assert go_version("/nonexistent/go") == (0,)
