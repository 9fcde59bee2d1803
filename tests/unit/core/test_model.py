"""What counts as an operation."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.model import (
    MAX_PAYLOAD_LENGTH,
    MAX_TASKS,
    Operation,
    OperationSpec,
    OperationType,
)
from cloudharness_operation.pods import POD_FIELDS
from cloudharness_operation.status import OperationStatus
from cloudharness_operation.tasks import MAX_SOURCE_LENGTH
from tests.support.builders import (
    BASH,
    NAME,
    NAMESPACE,
    NOW,
    PYTHON,
    TOPIC,
    UID,
    on_record,
    operation,
    operation_manifest,
)

CUSTOM = {
    "name": "sort",
    "custom": {"image": "busybox", "command": ["sort"], "args": ["-n"]},
    "env": [{"name": "LC_ALL", "value": "C"}, {"name": "EMPTY"}],
}


def with_spec(**fields: Any) -> dict[str, Any]:
    manifest = operation_manifest()
    manifest["spec"] |= fields
    return manifest


def with_task(**fields: Any) -> dict[str, Any]:
    return operation_manifest({"name": "add", "bash": {"source": "true"}} | fields)


def test_an_operation_is_read_whole() -> None:
    read = Operation.parse(
        operation_manifest(
            BASH, PYTHON, CUSTOM, topic=TOPIC, payload="ours", account="worker", deleted=NOW
        )
    )
    meta, spec = read.metadata, read.spec
    assert (meta.name, meta.namespace, meta.uid) == (NAME, NAMESPACE, UID)
    assert (meta.generation, meta.resource_version, meta.deletion_timestamp) == (1, "10", NOW)
    assert spec.type is OperationType.PIPELINE
    assert spec.service_account_name == "worker"
    assert spec.on_exit is not None
    assert spec.on_exit.notify is not None
    assert (spec.on_exit.notify.topic, spec.on_exit.notify.payload) == (TOPIC, "ours")
    bash, python, custom = spec.tasks
    assert bash.bash is not None
    assert bash.bash.source == "echo 3"
    assert python.python is not None
    assert python.python.source == "print(3)"
    assert custom.custom is not None
    assert (custom.custom.image, custom.custom.command) == ("busybox", ("sort",))
    assert (custom.custom.args, custom.custom.image_pull_policy) == (("-n",), None)
    assert [(one.name, one.value) for one in custom.env] == [("LC_ALL", "C"), ("EMPTY", None)]
    assert read.status == OperationStatus()


def test_the_least_operation_is_read() -> None:
    read = Operation.parse(
        {
            "metadata": {"name": "a", "namespace": "b", "uid": "c"},
            "spec": {"type": "SingleTask", "tasks": [BASH]},
        }
    )
    assert (read.metadata.generation, read.metadata.deletion_timestamp) == (1, None)
    assert (read.spec.on_exit, read.spec.service_account_name) == (None, None)


def test_a_status_is_read_as_it_was_written() -> None:
    status = on_record("Running", "TasksRunning", holds={"Accepted": True, "Finished": False})
    read = operation(status=status)
    assert read.status == status
    assert read.status.is_true("Accepted")
    assert not read.status.is_true("Finished")
    assert not read.status.is_true("Complete")


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(operation_manifest() | {"extra": 1}, id="at the top"),
        pytest.param(operation_manifest(metadata={"selfLink": "/x"}), id="in metadata"),
        pytest.param(with_spec(suspend=True), id="in spec"),
        pytest.param(with_task(image="x"), id="in a task"),
        pytest.param(with_task(bash={"source": "echo 3", "shell": "zsh"}), id="in a bash task"),
        pytest.param(with_spec(onExit={"webhook": "http://x"}), id="in onExit"),
        pytest.param(operation_manifest(status={"percent": 3}), id="in status"),
    ],
)
def test_fields_of_a_newer_version_are_passed_over(manifest: dict[str, Any]) -> None:
    assert Operation.parse(manifest).metadata.uid == UID


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        pytest.param({"metadata": {}, "spec": {}}, "metadata.name", id="no name"),
        pytest.param(with_spec(type="Cron"), "spec.type", id="another type"),
        pytest.param(with_spec(tasks=[]), "spec.tasks", id="no task"),
        pytest.param(with_spec(tasks=[BASH] * (MAX_TASKS + 1)), "spec.tasks", id="many tasks"),
        pytest.param(with_spec(tasks="add"), "spec.tasks", id="no list"),
        pytest.param(with_task(name="Add"), "spec.tasks.0.name", id="capitals"),
        pytest.param(with_task(name="a-"), "spec.tasks.0.name", id="a dash at the end"),
        pytest.param(with_task(name="a" * 64), "spec.tasks.0.name", id="a long name"),
        pytest.param(with_task(bash={}), "spec.tasks.0.bash.source", id="no source"),
        pytest.param(
            with_task(bash={"source": ""}), "spec.tasks.0.bash.source", id="an empty source"
        ),
        pytest.param(
            with_task(bash={"source": "x" * (MAX_SOURCE_LENGTH + 1)}),
            "spec.tasks.0.bash.source",
            id="a long source",
        ),
        pytest.param(
            with_task(custom={"image": ""}), "spec.tasks.0.custom.image", id="an empty image"
        ),
        pytest.param(
            with_task(custom={"image": "x", "imagePullPolicy": "Sometimes"}),
            "spec.tasks.0.custom.imagePullPolicy",
            id="another pull policy",
        ),
        pytest.param(
            with_task(env=[{"name": "1A"}]), "spec.tasks.0.env.0.name", id="a wrong variable"
        ),
        pytest.param(
            with_task(env=[{"name": "A", "value": 3}]),
            "spec.tasks.0.env.0.value",
            id="a number for a text",
        ),
        pytest.param(with_spec(onExit={"notify": {}}), "spec.onExit.notify.topic", id="no topic"),
        pytest.param(
            with_spec(onExit={"notify": {"topic": "a b"}}),
            "spec.onExit.notify.topic",
            id="a wrong topic",
        ),
        pytest.param(
            with_spec(onExit={"notify": {"topic": "a", "payload": "x" * (MAX_PAYLOAD_LENGTH + 1)}}),
            "spec.onExit.notify.payload",
            id="a long payload",
        ),
        pytest.param(
            with_spec(serviceAccountName="Me!"), "spec.serviceAccountName", id="a wrong account"
        ),
        pytest.param(
            operation_manifest(status={"phase": "Dreaming"}), "status.phase", id="another phase"
        ),
        pytest.param(
            operation_manifest(status={"startTime": "2026-01-02T03:04:05"}),
            "status.startTime",
            id="a time of nowhere",
        ),
    ],
)
def test_the_error_names_the_field(manifest: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidOperation) as caught:
        Operation.parse(manifest)
    assert field in [problem.partition(": ")[0] for problem in str(caught.value).split("; ")]


def shared(path: str = "/a", claim: str = "c", **fields: str) -> dict[str, str]:
    return {"mountPath": path, **({"claim": claim} if claim else {}), **fields}


@pytest.mark.parametrize(
    ("own", "first", "second", "name"),
    [
        pytest.param([], [shared()], [shared("/b", mode="ro")], None, id="read elsewhere"),
        pytest.param([shared(mode="rwx")], [shared(mode="ro")], [], None, id="read by one of all"),
        pytest.param([], [shared(size="1Gi")], [shared(size="2Gi")], "c", id="two sizes"),
        pytest.param([shared()], [shared("/b", mode="rwx")], [], "c", id="two modes"),
        pytest.param(
            [shared(mode="ro")],
            [shared()],
            [shared(mode="rwx")],
            "c",
            id="two modes, and one to read before",
        ),
        pytest.param([shared()], [shared(accessMode="ReadWriteOnce")], [], "c", id="unsaid"),
        pytest.param(
            [],
            [shared(claim="", size="1Gi")],
            [shared(claim="", size="2Gi")],
            "/a",
            id="a new volume at one path",
        ),
        pytest.param([], [shared(claim="d", size="1Gi")], [shared()], None, id="two claims"),
    ],
)
def test_a_volume_is_wanted_in_one_way(
    own: list[Any], first: list[Any], second: list[Any], name: str | None
) -> None:
    tasks = [{**BASH, "sharedVolumes": first}, {**PYTHON, "sharedVolumes": second}]
    manifest = with_spec(type="Pipeline", tasks=tasks, sharedVolumes=own)
    if name is None:
        assert Operation.parse(manifest)
    else:
        with pytest.raises(
            InvalidOperation, match=f"^spec: {name}: one volume is requested in two"
        ):
            Operation.parse(manifest)


def test_the_error_says_what_to_do_about_resources() -> None:
    wanted = {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}
    with pytest.raises(InvalidOperation) as caught:
        Operation.parse(with_task(resources=wanted))
    assert str(caught.value) == (
        "spec.tasks.0.resources: requests.cpu 2 is more than limits.cpu 1500m: raise the limit"
    )


@pytest.mark.parametrize(
    ("image", "right"),
    [
        ("busybox", True),
        ("MyApp_my.Task", True),
        ("docker.io/library/python:3.13-slim", True),
        ("Host:5000/a/b__c/d--e.f@sha256:" + "0a" * 32, True),
        ("[2001:db8::1]:5000/a:b", True),
        ("", False),
        (" busybox", False),
        ("lab/Tool", False),
        ("lab/tool:", False),
        ("lab//tool", False),
        ("lab/tool@sha256", False),
        ("https://lab/tool", False),
    ],
)
def test_names_of_images(image: str, right: bool) -> None:
    manifest = operation_manifest({"name": "a", "custom": {"image": image}})
    if right:
        assert Operation.parse(manifest)
    else:
        with pytest.raises(InvalidOperation, match=r"^spec\.tasks\.0\.custom\.image: "):
            Operation.parse(manifest)


@pytest.mark.parametrize(
    ("path", "right"),
    [
        *((path, True) for path in POD_FIELDS),
        ("metadata.labels['a.b/c']", True),
        ("metadata.annotations['a']", True),
        ("metadata.labels", False),
        ("metadataXname", False),
        ("status.phase", False),
    ],
)
def test_fields_of_a_pod(path: str, right: bool) -> None:
    source = {"valueFrom": {"fieldRef": {"fieldPath": path}}}
    manifest = with_task(env=[{"name": "A", **source}])
    if right:
        assert Operation.parse(manifest)
    else:
        with pytest.raises(InvalidOperation, match="fieldPath: "):
            Operation.parse(manifest)


def test_the_error_names_every_field_and_shows_no_value() -> None:
    with pytest.raises(InvalidOperation) as caught:
        Operation.parse(with_spec(type="secret", serviceAccountName="se!cret"))
    problems = str(caught.value).split("; ")
    assert {problem.partition(":")[0] for problem in problems} == {
        "spec.type",
        "spec.serviceAccountName",
    }
    assert "secret" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"suspended": True},
        {"on_exits": None},
        {"tasks": [{"name": "a", "bash": {"source": "x", "shell": "zsh"}}]},
    ],
    ids=["at the top", "misspelt", "deep inside"],
)
def test_who_writes_a_spec_may_not_misspell(fields: dict[str, Any]) -> None:
    spec = {"type": "SingleTask", "tasks": [BASH]} | fields
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        OperationSpec.model_validate(spec)


def test_a_spec_does_not_change() -> None:
    spec = operation().spec
    with pytest.raises(ValidationError, match="frozen"):
        spec.type = OperationType.PIPELINE  # type: ignore[misc]
