"""The Workflow that an operation becomes, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.event import Destination
from cloudharness_operation.model import Operation
from cloudharness_operation.names import child_name
from cloudharness_operation.notification import destination
from cloudharness_operation.render import unsupported, workflow
from tests.support.builders import (
    BASH,
    CHILD,
    DEFAULTS,
    FINALIZER,
    NO_BROKER,
    PYTHON,
    TOPIC,
    UID,
    WIDE,
    operation,
    operation_manifest,
)

METADATA = {
    "name": CHILD,
    "namespace": "lab",
    "labels": {
        "cloudharness.io/operation": "sums",
        "cloudharness.io/operation-uid": UID,
        "cloudharness.io/run": "1",
        "app.kubernetes.io/managed-by": "cloudharness-operator",
    },
    "annotations": {"cloudharness.io/run-id": "1"},
    "ownerReferences": [
        {
            "apiVersion": "cloudharness.io/v1alpha1",
            "kind": "CloudHarnessOperation",
            "name": "sums",
            "uid": UID,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ],
}

CUSTOM = {
    "name": "sort",
    "custom": {
        "image": "busybox:1.37",
        "command": ["sort"],
        "args": ["-n", "/in"],
        "imagePullPolicy": "Never",
    },
    "env": [{"name": "LC_ALL", "value": "C"}, {"name": "EMPTY"}],
}


NAMED = {"name": "CH_WORKFLOW_NAME", "value": CHILD}


def test_a_single_task_becomes_this_workflow() -> None:
    assert workflow(operation(BASH), DEFAULTS) == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": METADATA,
        "spec": {
            "entrypoint": "Operation",
            "podMetadata": {"labels": {"cloudharness.io/operation": "sums"}},
            "templates": [
                {"name": "Operation", "steps": [[{"name": "add", "template": "add"}]]},
                {
                    "name": "add",
                    "script": {
                        "image": "python:3.13",
                        "command": ["bash"],
                        "source": "echo 3",
                        "env": [NAMED],
                    },
                },
            ],
        },
    }


def test_a_pipeline_that_is_told_becomes_this_workflow() -> None:
    greeting = BASH | {"env": [{"name": "WHO", "value": "you"}]}
    wanted = operation(
        greeting, PYTHON, CUSTOM, topic=TOPIC, payload='{"a": "ü"}', account="worker"
    )
    annotation = (
        '{"payload":"{\\"a\\": \\"ü\\"}","operation":"sums","namespace":"lab",'
        f'"uid":"{UID}","run":"1","runId":"1","topics":["exits","everything"]}}'
    )
    assert workflow(wanted, WIDE) == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": METADATA
        | {
            "annotations": {
                "cloudharness.io/run-id": "1",
                "cloudharness.io/exit-event": annotation,
            },
            "finalizers": [FINALIZER],
        },
        "spec": {
            "entrypoint": "Operation",
            "podMetadata": {"labels": {"cloudharness.io/operation": "sums"}},
            "serviceAccountName": "worker",
            "templates": [
                {
                    "name": "Operation",
                    "steps": [
                        [{"name": "add", "template": "add"}],
                        [{"name": "show", "template": "show"}],
                        [{"name": "sort", "template": "sort"}],
                    ],
                },
                {
                    "name": "add",
                    "script": {
                        "image": "python:3.13",
                        "command": ["bash"],
                        "source": "echo 3",
                        "env": [NAMED, {"name": "WHO", "value": "you"}],
                    },
                },
                {
                    "name": "show",
                    "script": {
                        "image": "python:3.13",
                        "command": ["python3"],
                        "source": "print(3)",
                        "env": [NAMED],
                    },
                },
                {
                    "name": "sort",
                    "container": {
                        "image": "busybox:1.37",
                        "command": ["sort"],
                        "args": ["-n", "/in"],
                        "imagePullPolicy": "Never",
                        "env": [
                            NAMED,
                            {"name": "LC_ALL", "value": "C"},
                            {"name": "EMPTY", "value": ""},
                        ],
                    },
                },
            ],
        },
    }


def test_an_image_alone_is_a_whole_task() -> None:
    made = workflow(operation({"name": "run", "custom": {"image": "busybox"}}), DEFAULTS)
    assert made["spec"]["templates"][1] == {
        "name": "run",
        "container": {"image": "busybox", "env": [NAMED]},
    }


def test_the_same_operation_always_becomes_the_same_workflow() -> None:
    assert workflow(operation(topic=TOPIC), WIDE) == workflow(operation(topic=TOPIC), WIDE)


def test_a_task_may_not_take_the_place_of_the_entrypoint() -> None:
    made = workflow(operation({"name": "operation", "bash": {"source": "x"}}), DEFAULTS)
    assert [one["name"] for one in made["spec"]["templates"]] == ["Operation", "operation"]


def test_labels_and_annotations_of_the_operation_stay_with_it() -> None:
    manifest = operation_manifest(
        metadata={
            "labels": {"argocd.argoproj.io/instance": "app"},
            "annotations": {"argocd.argoproj.io/tracking-id": "app:x"},
            "finalizers": ["mine.example.com/kept"],
        }
    )
    assert workflow(Operation.parse(manifest), DEFAULTS)["metadata"] == METADATA


@pytest.mark.parametrize(
    ("account", "default", "expected"),
    [("", "", None), ("", "tasks", "tasks"), ("own", "tasks", "own"), ("own", "", "own")],
    ids=["nobody's", "the operator's", "its own before the operator's", "its own"],
)
def test_the_service_account(account: str, default: str, expected: str | None) -> None:
    defaults = Defaults(task_image="x", service_account=default)
    spec = workflow(operation(account=account), defaults)["spec"]
    assert spec.get("serviceAccountName") == expected
    assert ("serviceAccountName" in spec) is (expected is not None)


@pytest.mark.parametrize(
    ("own", "everybodys", "expected"),
    [
        pytest.param("", "", None, id="nobody"),
        pytest.param("exits", "", ("exits",), id="its own"),
        pytest.param("", "everything", ("everything",), id="everybody's"),
        pytest.param("exits", "everything", ("exits", "everything"), id="both"),
        pytest.param("exits", "exits", ("exits",), id="both, which are the same"),
    ],
)
def test_who_is_told(own: str, everybodys: str, expected: tuple[str, ...] | None) -> None:
    wanted = operation(topic=own, payload="ours" if own else "")
    defaults = Defaults(task_image="x", topic=everybodys)
    told = destination(wanted, defaults)
    metadata: dict[str, Any] = workflow(wanted, defaults)["metadata"]
    if expected is None:
        assert told is None
        assert metadata["annotations"] == {"cloudharness.io/run-id": "1"}
        assert "finalizers" not in metadata
        return
    assert told == Destination(
        uid=UID,
        namespace="lab",
        operation="sums",
        run="1",
        run_id="1",
        topics=expected,
        payload="ours" if own else "",
    )
    assert metadata["finalizers"] == [FINALIZER]
    annotation = metadata["annotations"]["cloudharness.io/exit-event"]
    assert Destination.from_annotation(annotation) == told


@pytest.mark.parametrize(
    ("topic", "defaults", "met"),
    [
        pytest.param("", DEFAULTS, True, id="nothing asked"),
        pytest.param(TOPIC, DEFAULTS, True, id="an event, and a broker"),
        pytest.param("", NO_BROKER, True, id="nothing asked, and no broker"),
        pytest.param(TOPIC, NO_BROKER, False, id="an event, and no broker"),
    ],
)
def test_what_the_operator_cannot_do(topic: str, defaults: Defaults, met: bool) -> None:
    problem = unsupported(operation(topic=topic), defaults)
    if met:
        assert problem is None
    else:
        assert problem == (
            "spec.onExit.notify: this operator has no Kafka broker: "
            "set kafka.bootstrapServers in its Helm chart, or remove the field"
        )


@pytest.mark.parametrize(
    ("topic", "patterns", "allowed"),
    [
        pytest.param("exits", (), True, id="any"),
        pytest.param("exits", ("other", "exits"), True, id="named"),
        pytest.param("team-a.exits", ("team-a.*",), True, id="like a pattern"),
        pytest.param("team-b.exits", ("team-a.*", "exits"), False, id="unlike"),
        pytest.param("team-axexits", ("team-a.*",), False, id="a dot is a dot"),
        pytest.param("EXITS", ("exits",), False, id="another case"),
        pytest.param("exits-more", ("exits",), False, id="only its beginning"),
        pytest.param("", ("exits",), True, id="no event"),
    ],
)
def test_topics_that_are_allowed(topic: str, patterns: tuple[str, ...], allowed: bool) -> None:
    defaults = Defaults("x", topics=patterns, topic="everything")
    problem = unsupported(operation(topic=topic), defaults)
    told = destination(operation(topic=topic), defaults)
    assert told is not None
    if allowed:
        assert problem is None
        assert told.topics == tuple(filter(None, (topic, "everything")))
    else:
        assert problem == (
            f"spec.onExit.notify.topic: {topic!r} is not one of the topics that this operator "
            f"allows: use one like {', '.join(patterns)}, or add it to kafka.allowedTopics in "
            "the operator's Helm chart"
        )
        assert told.topics == ("everything",)


def test_a_task_that_does_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"spec\.tasks\.0: a task is exactly one of"):
        workflow(operation({"name": "idle"}), DEFAULTS)


def test_a_later_run_has_a_child_of_its_own() -> None:
    later = operation(topic=TOPIC, spec={"runId": "two"}, status={"run": 2, "runId": "two"})
    metadata = workflow(later, DEFAULTS)["metadata"]
    assert metadata["name"] == child_name("sums", UID, 2) != CHILD
    assert metadata["labels"]["cloudharness.io/run"] == "2"
    assert metadata["annotations"]["cloudharness.io/run-id"] == "two"
    told = destination(later, DEFAULTS)
    assert told is not None
    assert (told.run, told.run_id) == ("2", "two")


@pytest.mark.parametrize("policy", ["Allow", "Forbid", "Replace"])
def test_one_of_a_group_is_marked_and_locked(policy: str) -> None:
    group = {"concurrencyPolicy": policy, "concurrencyGroup": "db"}
    spec = workflow(operation(spec=group), DEFAULTS)["spec"]
    assert spec["podMetadata"]["labels"]["cloudharness.io/concurrency-group"] == "db"
    locks = {"mutexes": [{"name": "cloudharness-db"}]}
    assert spec.get("synchronization") == (None if policy == "Allow" else locks)


def test_one_that_replaces_its_own_runs_alone_needs_no_lock() -> None:
    spec = workflow(operation(spec={"concurrencyPolicy": "Replace"}), DEFAULTS)["spec"]
    assert "synchronization" not in spec


@pytest.mark.parametrize("instance", ["", "batch"])
def test_a_workflow_is_for_the_argo_controller_that_was_chosen(instance: str) -> None:
    found = workflow(operation(), Defaults("x", argo_instance=instance))
    label = "workflows.argoproj.io/controller-instanceid"
    assert found["metadata"]["labels"].get(label, "") == instance
