"""Labels and affinity: which pods are told to be together, and how."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operation.model import Operation
from cloudharness_operation.render import workflow
from cloudharness_operation.render.facts import ClusterFacts, Pod
from cloudharness_operation.render.placement import forms, volume_label
from tests.support.builders import CHILD, DEFAULTS, operation_manifest
from tests.support.rendering import RWO, RWX, at

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
OWN = "volumes.cloudharness.io/"
Volumes = list[dict[str, Any]]


def templates(
    volumes: Volumes,
    contexts: Volumes | None = None,
    facts: ClusterFacts | None = None,
    tasks: dict[str, Volumes] | None = None,
) -> dict[str, dict[str, Any]]:
    parts = [
        {"name": name, "bash": {"source": "x"}, "sharedVolumes": own}
        for name, own in (tasks or {"one": []}).items()
    ]
    manifest = operation_manifest(*parts)
    manifest["spec"] |= {"sharedVolumes": volumes, "podContexts": contexts or []}
    made = workflow(Operation.parse(manifest), DEFAULTS, facts or ClusterFacts())
    return {template["name"]: template for template in made["spec"]["templates"][1:]}


def term(key: str, *values: str) -> dict[str, Any]:
    found: dict[str, Any] = {"key": key, "operator": "Exists"}
    if values:
        found = {"key": key, "operator": "In", "values": list(values)}
    return {
        "labelSelector": {"matchExpressions": [found]},
        "topologyKey": "kubernetes.io/hostname",
    }


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"podAffinity": {REQUIRED: list(terms)}}


def preferred(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"podAffinity": {PREFERRED: [{"weight": 100, "podAffinityTerm": t} for t in terms]}}


def pinned(*nodes: tuple[str, ...]) -> dict[str, Any]:
    fields = [
        [{"key": "metadata.name", "operator": "In", "values": [node]} for node in together]
        for together in nodes
    ]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": f} for f in fields]}}}


def context(key: str, value: str = "v", *, must: bool = True) -> dict[str, Any]:
    return {"key": key, "value": value, "required": must}


NEW = f"{OWN}{CHILD}-new"
USES_A = term("usesvolume", "a", "a-lab")
A_RWO = ClusterFacts(claims={"a": RWO, "b": RWO})
BOTH = {"usesvolume": "a", f"{OWN}a": "true", f"{OWN}b": "true"}

PLACES = [
    pytest.param([], [], {}, None, id="nothing shared"),
    pytest.param([at("/x", "new")], [], {NEW: "true"}, required(term(NEW)), id="a new volume"),
    pytest.param(
        [at("/x", "a")], [], {"usesvolume": "a", f"{OWN}a": "true"}, required(USES_A), id="a claim"
    ),
    pytest.param(
        [at("/x", "a"), at("/y", "b")], [], BOTH, required(USES_A), id="two claims, one term"
    ),
    pytest.param(
        [at("/x", "new"), at("/y", "a")],
        [],
        {NEW: "true", "usesvolume": "a", f"{OWN}a": "true"},
        required(USES_A),
        id="a new volume and a claim: the claim's others count",
    ),
    pytest.param([at("/x", "a", mode="rwx")], [], {}, None, id="rwx"),
    pytest.param([at("/x", "new", mode="rwx")], [], {}, None, id="rwx, new"),
    pytest.param([at("/x", "new", accessMode="ReadWriteMany")], [], {}, None, id="many, new"),
    pytest.param(
        [at("/x", "a", mode="ro")],
        [],
        {"usesvolume": "a", f"{OWN}a": "true"},
        preferred(USES_A, term(f"{OWN}a")),
        id="ro",
    ),
    pytest.param(
        [at("/x", "b", mode="ro"), at("/y", "a")],
        [],
        BOTH,
        required(USES_A) | {
            "podAffinity": required(USES_A)["podAffinity"]
            | preferred(term("usesvolume", "b", "b-lab"), term(f"{OWN}b"))["podAffinity"]
        },
        id="ro beside rw",
    ),
    pytest.param(
        [at("/x", "a"), at("/y", "a", mode="ro")],
        [],
        {"usesvolume": "a", f"{OWN}a": "true"},
        required(USES_A),
        id="one claim, rw and ro",
    ),
    pytest.param([], [context("k")], {"k": "v"}, required(term("k", "v")), id="a context"),
    pytest.param(
        [], [context("k", must=False)], {"k": "v"}, preferred(term("k", "v")), id="a preference"
    ),
    pytest.param(
        [at("/x", "new")],
        [context("k"), context("l"), context("m", must=False)],
        {NEW: "true", "k": "v", "l": "v", "m": "v"},
        {
            "podAffinity": {
                **required(term("k", "v"))["podAffinity"],
                **preferred(term("m", "v"))["podAffinity"],
            }
        },
        id="contexts and a new volume",
    ),
    pytest.param(
        [at("/x", "a")],
        [context("k")],
        {"usesvolume": "a", f"{OWN}a": "true", "k": "v"},
        required(USES_A),
        id="a claim before a context",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("volumes", "contexts", "labels", "affinity"), PLACES)
def test_where_a_task_goes(
    volumes: Volumes, contexts: Volumes, labels: dict[str, str], affinity: dict[str, Any] | None
) -> None:
    made = templates(volumes, contexts, A_RWO)["one"]
    assert made.get("metadata", {}).get("labels", {}) == labels
    assert made.get("affinity") == affinity


@pytest.mark.parametrize(
    ("volumes", "contexts"), [pytest.param(*row.values[:2], id=row.id) for row in PLACES]
)
def test_the_first_pod_can_be_scheduled(volumes: Volumes, contexts: Volumes) -> None:
    """It must match all its own required terms, or no pod of the company ever starts."""
    made = templates(volumes, contexts, A_RWO)["one"]
    labels = made.get("metadata", {}).get("labels", {})
    affinity = made.get("affinity", {}).get("podAffinity", {})
    for one in affinity.get(REQUIRED, []):
        (wanted,) = one["labelSelector"]["matchExpressions"]
        assert labels[wanted["key"]] in wanted.get("values", [labels[wanted["key"]]])


@pytest.mark.parametrize(
    ("volumes", "contexts", "pods", "expected"),
    [
        pytest.param(
            [at("/x", "a")], [], [Pod({"usesvolume": "a"}, "n1")], None, id="the scheduler follows"
        ),
        pytest.param(
            [at("/x", "a")], [], [Pod({"usesvolume": "z"}, "n1")], None, id="another's volume"
        ),
        pytest.param(
            [at("/x", "a"), at("/y", "b")],
            [],
            [Pod({"usesvolume": "b-lab"}, "n1")],
            pinned(("n1",)),
            id="the second claim's Deployment",
        ),
        pytest.param(
            [at("/x", "a")],
            [],
            [Pod({"usesvolume": "z", f"{OWN}a": "true"}, "n2")],
            pinned(("n2",)),
            id="a run that has another anchor",
        ),
        pytest.param(
            [at("/x", "a")], [context("k")], [Pod({"k": "v"}, "n1")], pinned(("n1",)), id="context"
        ),
        pytest.param(
            [at("/x", "a")], [context("k")], [Pod({"k": "w"}, "n1")], None, id="another value"
        ),
        pytest.param(
            [at("/x", "a"), at("/y", "b")],
            [context("k")],
            [Pod({"usesvolume": "b"}, "n1"), Pod({"k": "v"}, "n1"), Pod({"k": "v"}, "n2")],
            pinned(("n1",)),
            id="a node that is right for both",
        ),
        pytest.param(
            [at("/x", "a")],
            [context("k")],
            [Pod({"k": "v"}, "n1"), Pod({"k": "v"}, "n2")],
            pinned(("n1",), ("n2",)),
            id="a context on two nodes",
        ),
        pytest.param(
            [at("/x", "a"), at("/y", "b")],
            [context("k")],
            [Pod({"usesvolume": "b"}, "n1"), Pod({"k": "v"}, "n2")],
            pinned(("n1", "n2")),
            id="no node is right for both",
        ),
        pytest.param(
            [at("/x", "b", mode="ro")], [], [Pod({"usesvolume": "b"}, "n1")], None, id="ro never"
        ),
    ],
)
def test_others_are_followed_to_their_node(
    volumes: Volumes, contexts: Volumes, pods: list[Pod], expected: dict[str, Any] | None
) -> None:
    facts = ClusterFacts(claims=A_RWO.claims, pods=tuple(pods))
    affinity = templates(volumes, contexts, facts)["one"].get("affinity", {})
    assert affinity.get("nodeAffinity") == (expected and expected["nodeAffinity"])


def test_a_claim_for_many_nodes_binds_nobody() -> None:
    facts = ClusterFacts(claims={"a": RWX}, pods=(Pod({"usesvolume": "a"}, "n1"),))
    made = templates([at("/x", "a")], facts=facts)["one"]
    assert "affinity" not in made
    assert "metadata" not in made


def test_tasks_that_share_by_way_of_a_third_are_one_company() -> None:
    made = templates(
        [],
        facts=ClusterFacts(
            claims=dict.fromkeys("abcd", RWO), pods=(Pod({f"{OWN}c": "true"}, "n2"),)
        ),
        tasks={
            "left": [at("/x", "a")],
            "right": [at("/x", "c")],
            "alone": [at("/x", "d")],
            "none": [],
            "both": [at("/x", "a"), at("/y", "c")],
        },
    )
    company = [made[name] for name in ("left", "right", "both")]
    assert all(one["metadata"]["labels"]["usesvolume"] == "a" for one in company)
    assert [one["affinity"] for one in company] == [required(USES_A) | pinned(("n2",))] * 3
    assert made["alone"]["affinity"] == required(term("usesvolume", "d", "d-lab"))
    assert "affinity" not in made["none"]


def test_labels_are_always_valid() -> None:
    long = "c" * 250
    name = volume_label(long).partition("/")[2]
    assert len(name) <= 63
    assert volume_label(long) != volume_label("c" * 249)
    assert forms(long, "lab") == ()
    assert forms("c" * 62, "lab") == ("c" * 62,)
    made = templates([at("/x", long)], facts=ClusterFacts(claims={long: RWO}))["one"]
    assert made["affinity"] == required(term(volume_label(long)))
    assert made["metadata"]["labels"] == {volume_label(long): "true"}
