"""The examples: each is a whole operation, and what it becomes is right, bug by bug.

The bugs are CloudHarness's own, by their numbers in docs/cloudharness-bugs.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cloudharness_operation.event import Destination
from cloudharness_operation.model import Operation, OperationSpec
from cloudharness_operation.names import API_VERSION, LABEL_OPERATION, MAX_OPERATION_NAME_LENGTH
from cloudharness_operation.resource import LABEL_PATTERN
from tests.support.examples import NAMESPACE, ROOT, UID, Example, Manifest, defaults, names

EXAMPLES = names()
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
OURS = {"CH_WORKFLOW_NAME", "shared_directory", "CH_BRACE", "workflow_result"}
"""Variables that every task may have without having asked."""

every_example = pytest.mark.parametrize("name", EXAMPLES)


def golden(name: str) -> Manifest:
    found: Manifest = yaml.safe_load(Example(name).golden.read_text())
    return found


def spec_of(name: str) -> Manifest:
    found: Manifest = golden(name)["spec"]
    return found


def tasks_of(name: str) -> dict[str, Manifest]:
    """The templates of the tasks."""
    return {one["name"]: one for one in spec_of(name)["templates"] if "steps" not in one}


def only_task_of(name: str) -> Manifest:
    (task,) = tasks_of(name).values()
    return task


def container(template: Manifest) -> Manifest:
    found: Manifest = template.get("script") or template["container"]
    return found


def labels(template: Manifest) -> dict[str, str]:
    found: dict[str, str] = template.get("metadata", {}).get("labels", {})
    return found


def pod_affinity(template: Manifest, strength: str) -> list[Manifest]:
    found: list[Manifest] = template.get("affinity", {}).get("podAffinity", {}).get(strength, [])
    return found


def expressions(term: Manifest) -> list[Manifest]:
    found: list[Manifest] = term["labelSelector"]["matchExpressions"]
    return found


def matches(pod: dict[str, str], wanted: Manifest) -> bool:
    """Whether a pod's labels match an expression of a selector."""
    key, values = wanted["key"], wanted.get("values", ())
    return key in pod and (wanted["operator"] == "Exists" or pod[key] in values)


@every_example
def test_an_example_is_an_operation_with_no_field_too_many(name: str) -> None:
    manifest = Example(name).operation
    assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert manifest["apiVersion"] == API_VERSION
    assert manifest["metadata"].keys() == {"name"}
    assert len(manifest["metadata"]["name"]) <= MAX_OPERATION_NAME_LENGTH
    OperationSpec.model_validate(manifest["spec"], by_alias=True, by_name=False)


@every_example
def test_an_example_says_what_it_shows(name: str) -> None:
    assert Example(name).path.read_text().startswith("# ")
    assert f"[{name}.yaml]({name}.yaml)" in (ROOT / "examples" / "README.md").read_text()


@every_example
def test_an_example_becomes_its_workflow(name: str) -> None:
    assert golden(name) == Example(name).render()


def test_every_workflow_is_of_an_example() -> None:
    assert {path.stem for path in (ROOT / "examples" / "workflows").iterdir()} == set(EXAMPLES)


def test_every_example_has_a_name_of_its_own_for_what_it_brings() -> None:
    """So that all of them can be applied to one namespace."""
    brought = [
        (one["kind"], one["metadata"]["name"])
        for name in EXAMPLES
        for one in Example(name).documents
    ]
    assert len(brought) == len(set(brought))


@every_example
def test_rendering_changes_nothing_of_the_operation(name: str) -> None:
    """Bug 21: adding a task to an operation changed the task."""
    manifest = Example(name).operation
    metadata = manifest["metadata"] | {"namespace": NAMESPACE, "uid": UID}
    before = Operation.parse(manifest | {"metadata": metadata})
    Example(name).render()
    assert before == Operation.parse(manifest | {"metadata": metadata})
    assert Example(name).render() == Example(name).render()


# Bugs 2 to 7: where pods go, volumes for the run, settings of inline tasks.


@every_example
def test_bug_2_affinity_is_where_argo_uses_it_and_never_empty(name: str) -> None:
    assert "affinity" not in spec_of(name), "a template's own would hide it"
    for task in tasks_of(name).values():
        for kind in task.get("affinity", {}).values():
            assert kind
            assert all(kind.values())


def test_bug_2_contexts_and_volumes_both_hold() -> None:
    for task in tasks_of("context-and-volume").values():
        own = [key for key in labels(task) if key.startswith("volumes.cloudharness.io/")]
        assert len(own) == 1
        assert {"project": "survey", "example.com/cache": "warm"}.items() <= labels(task).items()
        (required,) = pod_affinity(task, REQUIRED)
        assert expressions(required) == [{"key": "project", "operator": "In", "values": ["survey"]}]
        (preferred,) = pod_affinity(task, PREFERRED)
        assert expressions(preferred["podAffinityTerm"]) == [
            {"key": "example.com/cache", "operator": "In", "values": ["warm"]}
        ]


@every_example
def test_bug_3_a_first_pod_matches_all_that_it_requires(name: str) -> None:
    for task in tasks_of(name).values():
        for term in pod_affinity(task, REQUIRED):
            assert all(matches(labels(task), one) for one in expressions(term))


@pytest.mark.parametrize(
    ("name", "task", "claims"),
    [
        ("several-claims", "one", {"papers", "figures"}),
        ("several-claims", "two", {"papers", "figures"}),
        ("existing-claim", "read", {"myclaim"}),
        ("beside-deployment", "two", {"shop-data"}),
    ],
)
def test_bug_3_a_pod_has_a_label_for_each_of_its_claims(
    name: str, task: str, claims: set[str]
) -> None:
    own = {key for key in labels(tasks_of(name)[task]) if key.startswith("volumes.")}
    assert own == {f"volumes.cloudharness.io/{claim}" for claim in claims}


def test_bug_4_both_labels_of_a_deployment_are_followed() -> None:
    (deployment,) = (d for d in Example("beside-deployment").documents if d["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["metadata"]["labels"]
    assert pod["usesvolume"] == f"shop-data-{NAMESPACE}"
    for task in tasks_of("beside-deployment").values():
        (term,) = pod_affinity(task, REQUIRED)
        for form in (pod, {"usesvolume": "shop-data"}):
            assert all(matches(form, one) for one in expressions(term))


@pytest.mark.parametrize("name", ["new-claim", "simple-dag"])
def test_bug_5_tasks_that_share_a_new_volume_require_one_node(name: str) -> None:
    terms = [pod_affinity(task, REQUIRED) for task in tasks_of(name).values()]
    assert len(terms) > 1
    assert all(term == terms[0] and len(term) == 1 for term in terms)


def test_bug_6_a_single_task_may_have_a_new_volume_of_any_size() -> None:
    assert Example("new-claim-by-name").operation["spec"]["type"] == "SingleTask"
    (made,) = spec_of("new-claim-by-name")["volumeClaimTemplates"]
    assert made["spec"]["resources"] == {"requests": {"storage": "10Mi"}}


@pytest.mark.parametrize(
    ("name", "task", "expected"),
    [
        ("resources", "python", {"requests": {"cpu": "50m", "memory": "64Mi"}}),
        ("resources", "custom", {"requests": {"cpu": "50m", "memory": "64Mi"}}),
        ("gpu", "train", {"limits": {"nvidia.com/gpu": "1"}}),
    ],
)
def test_bug_7_inline_tasks_have_resources_too(name: str, task: str, expected: Manifest) -> None:
    assert expected.items() <= container(tasks_of(name)[task])["resources"].items()


# Bugs 12 to 16: the exit, names, and what Argo does not understand.


def test_bug_12_a_payload_arrives_as_it_is() -> None:
    wanted = Example("notify").operation["spec"]["onExit"]["notify"]
    assert json.loads(wanted["payload"]) == {"insert": 1, "note": 'it\'s "done"'}
    annotation = golden("notify")["metadata"]["annotations"]["cloudharness.io/exit-event"]
    told = Destination.from_annotation(annotation)
    assert (told.payload, told.topics) == (wanted["payload"], (wanted["topic"],))
    assert "onExit" not in spec_of("notify"), "no pod is needed to tell it"


@every_example
def test_bug_14_pods_are_found_by_their_label(name: str) -> None:
    operation = Example(name).operation["metadata"]["name"]
    assert spec_of(name)["podMetadata"]["labels"][LABEL_OPERATION] == operation


@every_example
def test_bug_15_nothing_is_handed_to_argo_whose_type_depends_on_its_version(name: str) -> None:
    assert spec_of(name).keys().isdisjoint({"podGC", "ttlStrategy"})


def keys(node: Any) -> Iterator[str]:
    """Names of fields: keys that a user may choose are not among them."""
    free = ("labels", "annotations", "nodeSelector", "requests", "limits")
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from keys(value) if key not in free else ()
    elif isinstance(node, list):
        for one in node:
            yield from keys(one)


@every_example
def test_bug_16_fields_have_the_names_that_argo_knows(name: str) -> None:
    assert [key for key in keys(spec_of(name)) if not re.fullmatch("[a-z][a-zA-Z]+", key)] == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("node-selector", "nodeSelector"),
        ("tolerations", "tolerations"),
        ("service-account", "serviceAccountName"),
        ("security-context", "securityContext"),
        ("parallel", "parallelism"),
    ],
)
def test_bug_16_settings_are_the_workflows(name: str, field: str) -> None:
    assert spec_of(name)[field] == Example(name).operation["spec"][field]


def test_bug_16_the_workflow_has_its_own_name_for_the_priority_class() -> None:
    wanted = Example("priority").operation["spec"]["priorityClassName"]
    assert spec_of("priority")["podPriorityClassName"] == wanted
    assert "priorityClassName" not in spec_of("priority")


def test_bug_16_a_patch_needs_no_name_and_reaches_the_template() -> None:
    (task,) = Example("template-patch").operation["spec"]["tasks"]
    patch, made = task["templatePatch"], only_task_of("template-patch")
    assert "name" not in patch
    assert made["name"] == task["name"]
    assert made["activeDeadlineSeconds"] == patch["activeDeadlineSeconds"] == 300
    assert made["metadata"]["annotations"] == patch["metadata"]["annotations"]
    assert container(made)["source"] == task["bash"]["source"], "what it does not name stays"


# Bugs 17 to 21: volumes.


@every_example
def test_bug_17_read_only_is_spelled_as_kubernetes_spells_it(name: str) -> None:
    wanted = Example(name).operation["spec"]
    shared = wanted.get("sharedVolumes", [])
    for task in wanted["tasks"]:
        modes = {
            one["mountPath"]: one.get("mode") for one in (*shared, *task.get("sharedVolumes", []))
        }
        mounts = container(tasks_of(name)[task["name"]]).get("volumeMounts", ())
        read_only = {one["mountPath"] for one in mounts if one.get("readOnly") is True}
        assert {path for path, mode in modes.items() if mode == "ro"} <= read_only
        assert all(modes.get(path, "ro") == "ro" for path in read_only)
    assert "readonly" not in Example(name).golden.read_text()


def test_bug_18_a_volume_that_is_read_prefers_its_node_and_requires_none() -> None:
    task = only_task_of("read-only")
    assert pod_affinity(task, REQUIRED) == []
    assert len(pod_affinity(task, PREFERRED)) == 2


def test_bug_18_a_volume_for_many_nodes_is_no_reason() -> None:
    assert all("affinity" not in task for task in tasks_of("many-nodes").values())


def test_bug_19_a_claim_that_is_not_there_is_made_and_goes_with_the_run() -> None:
    spec = spec_of("new-claim-by-name")
    assert [made["metadata"]["name"] for made in spec["volumeClaimTemplates"]] == ["workspace"]
    assert spec["volumeClaimGC"] == {"strategy": "OnWorkflowCompletion"}
    assert "volumes" not in spec


def volume_names(spec: Manifest) -> list[str]:
    made = [one["metadata"]["name"] for one in spec.get("volumeClaimTemplates", ())]
    return [*made, *(one["name"] for one in spec.get("volumes", ()))]


@every_example
def test_bug_20_names_of_volumes_are_valid_distinct_and_known(name: str) -> None:
    shared = volume_names(spec_of(name))
    for task in tasks_of(name).values():
        known = [*shared, *volume_names(task)]
        assert len(known) == len(set(known))
        assert all(re.match(LABEL_PATTERN, one) and len(one) <= 63 for one in known)
        mounts = container(task).get("volumeMounts", [])
        assert {mount["name"] for mount in mounts} <= set(known)
        paths = [mount["mountPath"] for mount in mounts]
        assert len(paths) == len(set(paths))


def test_bug_20_paths_that_look_alike_are_different_volumes() -> None:
    mounts = container(only_task_of("volume-paths"))["volumeMounts"]
    assert [mount["mountPath"] for mount in mounts] == ["/mnt/a_b", "/mnt/ab", "/mnta.b"]
    assert len({mount["name"] for mount in mounts}) == 3


def test_bug_20_a_claim_of_operation_and_task_is_one_volume() -> None:
    assert volume_names(spec_of("volume-of-a-task")) == ["results"]
    assert container(tasks_of("volume-of-a-task")["read"])["volumeMounts"] == [
        {"name": "results", "mountPath": "/mnt/results"},
        {"name": "results", "mountPath": "/mnt/input", "readOnly": True},
    ]


# Bugs 29 and 30: what gets into a task.


@every_example
def test_bug_29_a_task_gets_what_it_asked_for_and_nothing_else(name: str) -> None:
    for task in Example(name).operation["spec"]["tasks"]:
        made = tasks_of(name)[task["name"]]
        asked = [one["name"] for one in task.get("env", ())]
        given = [one["name"] for one in container(made).get("env", ())]
        assert [one for one in given if one not in OURS] == asked
        assert container(made).get("envFrom", []) == task.get("envFrom", [])
        assert not [one for one in made.get("volumes", ()) if "secret" in one]
    assert not [one for one in spec_of(name).get("volumes", ()) if "secret" in one]


@every_example
def test_bug_30_no_secret_without_a_name_and_no_value_but_text(name: str) -> None:
    spec = spec_of(name)
    wanted = Example(name).operation["spec"].get("imagePullSecrets")
    assert spec.get("imagePullSecrets") == wanted
    for task in tasks_of(name).values():
        for one in container(task).get("env", ()):
            assert isinstance(one["value"], str) if "value" in one else one["valueFrom"]


def test_bug_30_values_are_the_text_that_was_given() -> None:
    made = {one["name"]: one.get("value") for one in container(only_task_of("env"))["env"]}
    assert {
        "TEXT": "my variable",
        "NUMBER": "1",
        "SWITCH": "true",
        "SETTINGS": '{"a": [1, null]}',
        "EMPTY": "",
        "NODE": None,
    }.items() <= made.items()


def test_the_operator_of_the_examples_is_as_its_chart_installs_it() -> None:
    assert defaults().task_image == "python:3.13-slim"
    assert defaults().service_account == "cloudharness-task"
    assert spec_of("single-task")["serviceAccountName"] == "cloudharness-task"
