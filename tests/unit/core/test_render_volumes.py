"""Volumes: what is asked for, what is found, and what the Workflow says of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.model import Operation
from cloudharness_operation.render import needs, workflow
from cloudharness_operation.render.facts import ClusterFacts, ClusterQuery
from cloudharness_operation.render.volumes import volume_name
from cloudharness_operation.resource import LABEL_PATTERN
from cloudharness_operation.volumes import Mode, SharedVolume
from tests.support.builders import BASH, DEFAULTS, operation_manifest
from tests.support.rendering import RWO, at


def shared(*volumes: dict[str, Any], task: tuple[dict[str, Any], ...] = ()) -> Operation:
    manifest = operation_manifest(BASH | {"sharedVolumes": list(task)})
    manifest["spec"]["sharedVolumes"] = list(volumes)
    return Operation.parse(manifest)


@pytest.mark.parametrize(
    ("text", "claim", "path", "mode"),
    [
        ("/mnt/shared", None, "/mnt/shared", Mode.RW),
        ("/mnt/shared/", None, "/mnt/shared", Mode.RW),
        ("myclaim:/opt/shared", "myclaim", "/opt/shared", Mode.RW),
        ("myclaim:/opt/shared:ro", "myclaim", "/opt/shared", Mode.RO),
        ("myclaim:/opt/shared:rwx", "myclaim", "/opt/shared", Mode.RWX),
        ("my.claim-2:/a:rw", "my.claim-2", "/a", Mode.RW),
        ("/mnt/ends-in-rwx", None, "/mnt/ends-in-rwx", Mode.RW),
        ("/mnt/x:ro", None, "/mnt/x", Mode.RO),
    ],
)
def test_the_short_form_is_read(text: str, claim: str | None, path: str, mode: Mode) -> None:
    assert SharedVolume.parse(text) == SharedVolume(claim=claim, mount_path=path, mode=mode)


@pytest.mark.parametrize(
    "text", ["", "claim", "claim:", "claim:relative", "/", "a:/b:rox", "a:b:/c", "/a:ro:rw", ":/a"]
)
def test_another_form_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(InvalidOperation, match=r"write \[CLAIM:\]PATH\[:MODE\]"):
        SharedVolume.parse(text)


@pytest.mark.parametrize(
    ("claim", "path", "expected"),
    [
        ("data", "/a", "data"),
        (None, "/mnt/a_b", r"vol-mnt-a-b-[0-9a-f]{8}"),
        (None, "/mnt/ab", r"vol-mnt-ab-[0-9a-f]{8}"),
        (None, "/mnta.b", r"vol-mnta-b-[0-9a-f]{8}"),
        (None, "/ü", r"vol-[0-9a-f]{8}"),
        ("my.claim", "/a", r"vol-my-claim-[0-9a-f]{8}"),
        ("argo-staging", "/a", r"vol-argo-staging-[0-9a-f]{8}"),
        ("c" * 253, "/a", r"vol-c{30}-[0-9a-f]{8}"),
    ],
)
def test_names_of_volumes(claim: str | None, path: str, expected: str) -> None:
    name = volume_name(SharedVolume(claim=claim, mount_path=path))
    assert re.fullmatch(expected, name)
    assert re.match(LABEL_PATTERN, name)
    assert len(name) <= 63


PATHS = st.from_regex(r"\A(/[a-z._-]{1,8}){1,3}\Z")
CLAIMS = st.none() | st.from_regex(r"\A[a-z0-9]{1,9}((-{1,2}|[.])[a-z0-9]{1,9}){0,5}\Z")


@given(st.tuples(CLAIMS, PATHS), st.tuples(CLAIMS, PATHS))
def test_two_volumes_never_have_one_name(
    one: tuple[str | None, str], two: tuple[str | None, str]
) -> None:
    names = [volume_name(SharedVolume(claim=c, mount_path=p)) for c, p in (one, two)]
    same = one[0] == two[0] if one[0] or two[0] else one[1] == two[1]
    assert (names[0] == names[1]) is same
    assert all(re.match(LABEL_PATTERN, name) and len(name) <= 63 for name in names)


def test_a_claim_that_exists_is_used() -> None:
    spec = workflow(shared(at("/a", "data")), DEFAULTS, ClusterFacts(claims={"data": RWO}))["spec"]
    assert spec["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    assert "volumeClaimTemplates" not in spec
    assert spec["templates"][1]["script"]["volumeMounts"] == [{"name": "data", "mountPath": "/a"}]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param(
            at("/a", "data"),
            {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
            id="nothing said",
        ),
        pytest.param(
            at("/a", "data", size="5Mi", storageClassName="fast"),
            {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "5Mi"}},
                "storageClassName": "fast",
            },
            id="size and class",
        ),
        pytest.param(
            at("/a", "data", mode="rwx", size=1),
            {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1"}}},
            id="rwx",
        ),
        pytest.param(
            at("/a", "data", accessMode="ReadWriteOncePod"),
            {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "10Gi"}}},
            id="an access mode",
        ),
    ],
)
def test_a_claim_that_does_not_exist_is_made_for_the_run(
    wish: dict[str, Any], expected: dict[str, Any]
) -> None:
    spec = workflow(shared(wish), DEFAULTS)["spec"]
    assert spec["volumeClaimTemplates"] == [{"metadata": {"name": "data"}, "spec": expected}]
    assert spec["volumeClaimGC"] == {"strategy": "OnWorkflowCompletion"}
    assert "volumes" not in spec


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("rw", {"name": "data", "mountPath": "/a"}),
        ("rwx", {"name": "data", "mountPath": "/a"}),
        ("ro", {"name": "data", "mountPath": "/a", "readOnly": True}),
    ],
)
def test_a_mount_is_read_only_if_it_is_said(mode: str, expected: dict[str, Any]) -> None:
    spec = workflow(shared(at("/a", "data", mode=mode)), DEFAULTS)["spec"]
    assert spec["templates"][1]["script"]["volumeMounts"] == [expected]


def test_a_claim_of_operation_and_task_is_one_volume() -> None:
    both = shared(
        at("/a", "data"), at("/new"), task=(at("/b", "data", mode="ro"), at("/a", "other"))
    )
    spec = workflow(both, DEFAULTS, ClusterFacts(claims={"data": RWO, "other": RWO}))["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["other", "data"]
    (made,) = spec["volumeClaimTemplates"]
    assert spec["templates"][1]["script"]["volumeMounts"] == [
        {"name": "other", "mountPath": "/a"},  # The task's own wins at the same path.
        {"name": made["metadata"]["name"], "mountPath": "/new"},
        {"name": "data", "mountPath": "/b", "readOnly": True},
    ]


@pytest.mark.parametrize("modes", [("ro", "rwx"), ("rwx", "ro")])
def test_a_new_claim_is_for_all_nodes_if_anyone_writes_from_all(modes: tuple[str, str]) -> None:
    one, two = (at(f"/{mode}", "data", mode=mode) for mode in modes)
    (made,) = workflow(shared(one, two), DEFAULTS)["spec"]["volumeClaimTemplates"]
    assert made["spec"]["accessModes"] == ["ReadWriteMany"]


def test_a_volume_of_one_task_is_not_the_others() -> None:
    manifest = operation_manifest(
        BASH | {"sharedVolumes": [at("/a", "data")]}, {"name": "b", "bash": {"source": "x"}}
    )
    templates = workflow(Operation.parse(manifest), DEFAULTS)["spec"]["templates"]
    assert "volumeMounts" in templates[1]["script"]
    assert "volumeMounts" not in templates[2]["script"]


def context(key: str, *, required: bool) -> dict[str, Any]:
    return {"key": key, "value": "v", "required": required}


@pytest.mark.parametrize(
    ("volumes", "contexts", "expected"),
    [
        pytest.param([], [], ClusterQuery(), id="nothing"),
        pytest.param([at("/a")], [], ClusterQuery(), id="a new volume"),
        pytest.param([at("/a", "c")], [], ClusterQuery(("c",), ("usesvolume",)), id="a claim"),
        pytest.param([at("/a", "c", mode="rwx")], [], ClusterQuery(("c",)), id="rwx"),
        pytest.param(
            [at("/a", "c"), at("/b", "c"), at("/c", "d")],
            [],
            ClusterQuery(("c", "d"), ("usesvolume",)),
            id="two claims",
        ),
        pytest.param([], [context("k", required=True)], ClusterQuery(), id="one context"),
        pytest.param(
            [],
            [context("k", required=True), context("l", required=True)],
            ClusterQuery(pods=("k=v", "l=v")),
            id="two contexts",
        ),
        pytest.param([], [context("k", required=False)] * 1, ClusterQuery(), id="a preference"),
        pytest.param(
            [at("/a")], [context("k", required=True)], ClusterQuery(pods=("k=v",)), id="both"
        ),
    ],
)
def test_what_has_to_be_asked(
    volumes: list[dict[str, Any]], contexts: list[dict[str, Any]], expected: ClusterQuery
) -> None:
    manifest = operation_manifest()
    manifest["spec"] |= {"sharedVolumes": volumes, "podContexts": contexts}
    assert needs(Operation.parse(manifest), DEFAULTS) == expected


@pytest.mark.parametrize("path", ["a", "/", "/a/", "/a//b", "/a:b", "/a b", ""])
def test_a_path_is_absolute_and_plain(path: str) -> None:
    with pytest.raises(ValidationError):
        SharedVolume(mount_path=path)
