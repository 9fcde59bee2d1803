"""Where pods run on two nodes: with whom they share a volume or a context, else anywhere.

Every operation here has several pods at once that would be spread unless told otherwise: the first
test shows it. Whoever has to be followed is pinned to a node, once to each, so that no test passes
by luck.
"""

import json
from typing import Any

import pytest

from cloudharness_operation.names import LABEL_OPERATION
from tests.cluster import Cluster
from tests.support.installation import Installation, condition, eventually
from tests.support.operations import Manifest, bash, claim, deployment, operation

pytestmark = pytest.mark.e2e

NODES = ("node1", "node2")
WIDTH = 4


def parallel(name: str, width: int = WIDTH, source: str = "sleep 3", **spec: Any) -> Manifest:
    patch = {"podSpecPatch": json.dumps({"topologySpreadConstraints": [spread(name)]})}
    tasks = [bash(source, f"t{number}", templatePatch=patch) for number in range(width)]
    return operation(name, *tasks, type="Parallel", **spec)


def spread(name: str) -> Manifest:
    """A wish to be spread: without it, what else runs on the nodes would decide."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {LABEL_OPERATION: name}},
    }


def nodes(one: Installation, name: str) -> set[str]:
    """The nodes that an operation's pods ran on."""
    assert one.wait_for(name)["phase"] == "Succeeded"
    return {pod["spec"]["nodeName"] for pod in one.pods(name)}


def volume(claim: str = "", path: str = "/mnt/shared", **fields: Any) -> dict[str, Any]:
    return {"mountPath": path, **({"claim": claim} if claim else {}), **fields}


@pytest.fixture(autouse=True)
def two_nodes(cluster: Cluster) -> None:
    if cluster.backend == "existing":
        pytest.skip("needs two nodes of known names")


def test_without_a_reason_pods_are_spread(shared: Installation) -> None:
    shared.apply(parallel("spread"))
    assert nodes(shared, "spread") == set(NODES)


MEET = """
touch /mnt/shared/$HOSTNAME
for _ in $(seq 60); do
  [ "$(ls /mnt/shared | grep -c meet)" = 4 ] && exit 0
  sleep 1
done
echo "not all came: $(ls /mnt/shared)"; exit 1
"""


def test_a_new_volume_brings_all_its_pods_to_one_node_at_once(shared: Installation) -> None:
    shared.apply(parallel("meet", source=MEET, sharedVolumes=[volume()]))
    assert len(nodes(shared, "meet")) == 1
    # It lived for the run alone.
    eventually(lambda: not shared.find("persistentvolumeclaims", "workflows.argoproj.io/workflow"))


def test_two_claims_are_one_node_and_the_first_pod_is_scheduled(shared: Installation) -> None:
    shared.apply(claim("one"), claim("two"))
    shared.apply(parallel("both", sharedVolumes=[volume("one"), volume("two", "/mnt/two")]))
    assert len(nodes(shared, "both")) == 1
    assert {pvc["metadata"]["name"] for pvc in shared.find("persistentvolumeclaims")} >= {
        "one",
        "two",
    }


SPOKEN = {"plain": "{claim}", "namespaced": "{claim}-{namespace}"}
FOLLOWED = [
    ("node2", "namespaced", "alone"),
    ("node1", "plain", "second"),
]
"""Each value once. The rest of all is `long`."""
REST = [
    pytest.param(node, form, place, marks=pytest.mark.long)
    for node in NODES
    for form in SPOKEN
    for place in ("alone", "second")
    if (node, form, place) not in FOLLOWED
]


@pytest.mark.parametrize(("node", "form", "place"), [*FOLLOWED, *REST])
def test_a_claim_of_a_deployment_is_followed_to_its_node(
    shared: Installation, node: str, form: str, place: str
) -> None:
    name = f"{node}-{form}-{place}"
    others = ["before"] if place == "second" else []
    label = SPOKEN[form].format(claim=name, namespace=shared.namespace)
    pods = deployment(name, shared, node=node, labels={"usesvolume": label})
    shared.apply(claim(name), *map(claim, others), pods)
    shared.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    wanted = [*(volume(f"{other}", f"/mnt/{other}") for other in others), volume(name)]
    shared.apply(parallel(f"at-{name}", width=3, sharedVolumes=wanted))
    assert nodes(shared, f"at-{name}") == {node}
    shared.kubectl("delete", f"deployment/{name}", "--wait=false")


def test_rwx_is_no_reason(shared: Installation) -> None:
    shared.apply(claim("many"))
    both = [volume("many", mode="rwx"), volume("", "/mnt/new", mode="rwx")]
    # At the same time, with the volumes mounted: one here, one there.
    tasks = [bash("sleep 3", node, nodeSelector={"kubernetes.io/hostname": node}) for node in NODES]
    shared.apply(operation("many-nodes", *tasks, type="Parallel", sharedVolumes=both))
    assert nodes(shared, "many-nodes") == set(NODES)
    for pod in shared.pods("many-nodes"):
        assert "affinity" not in pod["spec"]


@pytest.mark.parametrize("node", [pytest.param("node1", marks=pytest.mark.long), "node2"])
def test_ro_follows_where_it_can_and_never_waits(shared: Installation, node: str) -> None:
    name = f"read-{node}"
    pods = deployment(name, shared, node=node, labels={"usesvolume": name})
    shared.apply(claim(name), pods)
    shared.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    wanted = [volume(name, mode="ro")]
    other = NODES[1 - NODES.index(node)]
    read = operation(name, bash("! touch /mnt/shared/x"), sharedVolumes=wanted)
    away = operation(
        f"{name}-away",
        bash("true"),
        sharedVolumes=wanted,
        nodeSelector={"kubernetes.io/hostname": other},
    )
    shared.apply(read)
    assert nodes(shared, name) == {node}
    # Only now: it uses the claim too, so the other would like to be where it is.
    shared.apply(away)
    assert nodes(shared, f"{name}-away") == {other}
    shared.kubectl("delete", f"deployment/{name}", "--wait=false")


@pytest.mark.parametrize("node", ["node1", pytest.param("node2", marks=pytest.mark.long)])
def test_the_same_required_context_is_the_same_node(shared: Installation, node: str) -> None:
    shared.apply(claim(f"ctx-{node}"))
    team = {"key": "team", "value": node, "required": True}
    first = operation(
        f"first-{node}",
        bash("sleep 300"),
        podContexts=[team],
        nodeSelector={"kubernetes.io/hostname": node},
    )
    shared.apply(first)
    eventually(lambda: shared.status(f"first-{node}")["phase"] == "Running")
    eventually(lambda: [p for p in shared.pods(f"first-{node}") if p["spec"].get("nodeName")])
    both = [
        team,
        {"key": "example.com/cache", "value": "x"},
        {"key": "example.com/rack", "value": node, "required": True},
    ]
    shared.apply(
        parallel(f"alone-{node}", width=3, source="sleep 1", podContexts=[team]),
        parallel(
            f"more-{node}", width=3, source="sleep 1", podContexts=both,
            sharedVolumes=[volume(f"ctx-{node}"), volume("", "/mnt/new")],
        ),
    )  # fmt: skip
    assert nodes(shared, f"alone-{node}") == {node}
    assert nodes(shared, f"more-{node}") == {node}
    (pod, *_) = shared.pods(f"more-{node}")
    wanted = {"team": node, "example.com/cache": "x", "example.com/rack": node}
    assert wanted.items() <= pod["metadata"]["labels"].items()


def test_a_full_node_is_waited_for_and_told(shared: Installation) -> None:
    """The other node has room, but the volume is here."""
    slot = "example.com~1slot"
    for node in NODES:
        patch = f'[{{"op": "add", "path": "/status/capacity/{slot}", "value": "1"}}]'
        shared.cluster.kubectl(
            *("patch", "node", node, "--subresource=status", "--type=json", "-p", patch)
        )
    pods = deployment("full", shared, node="node1", labels={"usesvolume": "full"})
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {"example.com/slot": 1}}
    shared.apply(claim("full"), pods)
    shared.kubectl("rollout", "status", "deployment/full", "--timeout=60s")
    task = bash("true", resources={"limits": {"example.com/slot": 1}})
    shared.apply(operation("waits", task, sharedVolumes=[volume("full")]))
    eventually(lambda: shared.status("waits").get("reason") == "Unschedulable")
    finished = condition(shared.status("waits"), "Finished")
    assert (finished["status"], finished["reason"]) == ("False", "Unschedulable")
    assert "example.com/slot" in finished["message"]
    shared.kubectl("delete", "deployment/full", "--wait=false")
    assert shared.wait_for("waits")["phase"] == "Succeeded"
