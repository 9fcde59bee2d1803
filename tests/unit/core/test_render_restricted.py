"""What `tasks.podSecurity: restricted` adds to a Workflow, and what of the author's it keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.render import workflow
from cloudharness_operation.render.restricted import CONTAINER, POD, container, pod
from tests.support.builders import DEFAULTS, operation

IMAGE = "python:3.13"
RESTRICTED = Defaults(IMAGE, pod_security="restricted")
DROP = {"drop": ["ALL"]}
HOME = {"name": "HOME", "value": "/tmp"}
BASH = {"bash": {"source": "ls"}}
CUSTOM = {"custom": {"image": "busybox"}}

Manifest = dict[str, Any]


def spec(task: Manifest, **more: Any) -> Manifest:
    made: Manifest = workflow(operation({"name": "one", **task}, spec=more), RESTRICTED)["spec"]
    return made


def template(task: Manifest) -> Manifest:
    found: Manifest = spec(task)["templates"][1]
    return found


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(None, POD, id="nothing"),
        pytest.param({}, POD, id="an empty one"),
        pytest.param({"runAsUser": 7}, {**POD, "runAsUser": 7}, id="a user"),
        pytest.param({"fsGroup": 0}, {**POD, "fsGroup": 0}, id="a group of volumes"),
        pytest.param(
            {"supplementalGroups": [4]}, {**POD, "supplementalGroups": [4]}, id="more groups"
        ),
        pytest.param({"runAsNonRoot": False}, {**POD, "runAsNonRoot": False}, id="root allowed"),
        pytest.param(
            {"runAsUser": 0},
            {k: v for k, v in POD.items() if k != "runAsNonRoot"} | {"runAsUser": 0},
            id="root",
        ),
        pytest.param(
            {"runAsUser": 0, "runAsNonRoot": False},
            {**POD, "runAsUser": 0, "runAsNonRoot": False},
            id="root in two fields",
        ),
        pytest.param(
            {"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}},
            {**POD, "seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}},
            id="a seccomp profile",
        ),
    ],
)
def test_the_security_context_of_a_pod(own: Manifest | None, expected: Manifest) -> None:
    assert pod(own) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(None, CONTAINER, id="nothing"),
        pytest.param({"runAsUser": 7}, {**CONTAINER, "runAsUser": 7}, id="a user"),
        pytest.param(
            {"runAsUser": 0}, {**CONTAINER, "runAsUser": 0, "runAsNonRoot": False}, id="root"
        ),
        pytest.param(
            {"readOnlyRootFilesystem": True},
            {**CONTAINER, "readOnlyRootFilesystem": True},
            id="read-only",
        ),
        pytest.param(
            {"allowPrivilegeEscalation": True},
            {"allowPrivilegeEscalation": True, "capabilities": DROP},
            id="escalation",
        ),
        pytest.param(
            {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
            {
                "allowPrivilegeEscalation": False,
                "capabilities": {**DROP, "add": ["NET_BIND_SERVICE"]},
            },
            id="the one capability that may be added",
        ),
        pytest.param(
            {"capabilities": {"drop": ["NET_RAW"]}},
            {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["NET_RAW"]}},
            id="other capabilities dropped",
        ),
        pytest.param(
            {"privileged": True}, {"privileged": True, "capabilities": DROP}, id="privileged"
        ),
        pytest.param(
            {"privileged": False}, {**CONTAINER, "privileged": False}, id="not privileged"
        ),
        pytest.param(
            {"capabilities": {"add": ["CAP_SYS_ADMIN"]}},
            {"capabilities": {**DROP, "add": ["CAP_SYS_ADMIN"]}},
            id="the capability that implies escalation",
        ),
        pytest.param({"capabilities": None}, CONTAINER, id="null"),
    ],
)
def test_the_security_context_of_a_container(own: Manifest | None, expected: Manifest) -> None:
    assert container(own) == expected


@pytest.mark.parametrize("defaults", [DEFAULTS, Defaults(IMAGE, pod_security="")])
def test_nothing_is_added_without_it(defaults: Defaults) -> None:
    made = workflow(operation(), defaults)["spec"]
    assert not {"securityContext", "podSpecPatch"} & made.keys()
    assert "securityContext" not in made["templates"][1]["script"]


def test_the_pods_and_argos_own_containers() -> None:
    made = spec(BASH)
    assert made["securityContext"] == POD
    assert json.loads(made["podSpecPatch"]) == {
        "initContainers": [{"name": "init", "securityContext": CONTAINER}],
        "containers": [{"name": "wait", "securityContext": CONTAINER}],
    }
    assert "{{" not in made["podSpecPatch"]
    assert "securityContext" not in made["templates"][1]


def test_what_the_author_wrote_for_all_pods_wins_field_by_field() -> None:
    own = {"runAsUser": 2000, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec(BASH, securityContext=own)["securityContext"] == {**POD, "runAsUser": 2000}


@pytest.mark.parametrize(
    ("task", "part"),
    [
        pytest.param(BASH, "script", id="bash"),
        pytest.param({"python": {"source": "x"}}, "script", id="python"),
        pytest.param({"python": {"source": "x", "function": "f"}}, "container", id="function"),
        pytest.param({"command": {"command": ["ls"]}}, "container", id="command"),
        pytest.param(CUSTOM, "container", id="custom"),
    ],
)
def test_each_kind_of_task(task: Manifest, part: str) -> None:
    assert template(task)[part]["securityContext"] == CONTAINER
    own = {"securityContext": {"runAsUser": 7, "readOnlyRootFilesystem": True}}
    assert template(task | own)[part]["securityContext"] == {**CONTAINER, **own["securityContext"]}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param(BASH, [HOME], id="the default image"),
        pytest.param({"custom": {"image": IMAGE}}, [HOME], id="the default image by its name"),
        pytest.param(CUSTOM, [], id="another image"),
        pytest.param(
            BASH | {"env": [{"name": "HOME", "value": "/data"}]},
            [{"name": "HOME", "value": "/data"}],
            id="the author's",
        ),
        pytest.param(
            BASH | {"templatePatch": {"script": {"image": "debian"}}}, [], id="another by a patch"
        ),
        pytest.param(
            BASH | {"templatePatch": {"script": {"env": None}}}, [HOME], id="no other variable"
        ),
    ],
)
def test_home_can_be_written_to(task: Manifest, expected: list[Manifest]) -> None:
    made = template(task)
    env = made["script" if "script" in made else "container"]["env"]
    assert [one for one in env if one["name"] == "HOME"] == expected


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        pytest.param(
            {"sidecars": [{"name": "a", "image": "x"}]},
            {"sidecars": [{"name": "a", "image": "x", "securityContext": CONTAINER}]},
            id="a sidecar",
        ),
        pytest.param(
            {
                "initContainers": [
                    {"name": "a", "image": "x", "securityContext": {"privileged": True}}
                ]
            },
            {
                "initContainers": [
                    {
                        "name": "a",
                        "image": "x",
                        "securityContext": {"privileged": True, "capabilities": DROP},
                    }
                ]
            },
            id="an init container with a securityContext",
        ),
        pytest.param(
            {"container": None, "containerSet": {"containers": [{"name": "a", "image": "x"}]}},
            {
                "containerSet": {
                    "containers": [{"name": "a", "image": "x", "securityContext": CONTAINER}]
                }
            },
            id="a set of containers",
        ),
        pytest.param(
            {"securityContext": {"runAsUser": 7}},
            {"securityContext": {**POD, "runAsUser": 7}},
            id="the pod's securityContext",
        ),
        pytest.param(
            {"container": {"securityContext": {"capabilities": {"add": ["CHOWN"]}}}},
            {
                "container": {
                    "image": "busybox",
                    "env": [],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {**DROP, "add": ["CHOWN"]},
                    },
                }
            },
            id="the container's securityContext",
        ),
        pytest.param({"podSpecPatch": "{}"}, {"podSpecPatch": "{}"}, id="a patch of the pod"),
    ],
)
def test_a_template_patch(patch: Manifest, expected: Manifest) -> None:
    made = template(CUSTOM | {"templatePatch": patch})
    if container := made.get("container"):
        container["env"] = []
    assert {key: made[key] for key in expected} == expected


@pytest.mark.parametrize("kind", ["resource", "data"])
def test_a_pod_without_a_wait_container_is_not_given_one(kind: str) -> None:
    made = spec(CUSTOM | {"templatePatch": {"container": None, kind: {}}})
    assert "podSpecPatch" not in made
    assert made["securityContext"] == POD
