"""Code written for CloudHarness's library: in one of its deployments, and its subclasses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typing_extensions import override

from cloudharness.workflows import argo_service, operations, tasks, utils
from cloudharness.workflows._api import Connection
from cloudharness.workflows._deployment import VALUES_PATH_VARIABLE, VARIABLES, of_namespace
from cloudharness.workflows._snapshots import Workflow
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    ClusterUnavailable,
    WorkflowException,
    WorkflowNotFound,
)
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.render.engine import errors_in
from cloudharness_operation.render.engine_types import ENGINES

Manifest = dict[str, Any]


def application(name: str, **harness: Any) -> Manifest:
    deployment = {"image": f"registry/{name}:1", "volume": {"name": f"{name}-files"}}
    return {"name": name, "harness": {"name": name, "deployment": deployment, **harness}}


VALUES: Manifest = {
    "namespace": "ch",
    "domain": "example.org",
    "tls": "certificate",
    "registry": {"name": "registry", "secret": "pull"},
    "apps": {
        "composer": application("composer"),
        "accounts": application("accounts"),
        "events": application("events"),
        "workflows": application("workflows", subdomain="workflows"),
        "argo": {"name": "argo", "harness": {"name": "argo"}},
    },
    "task-images": {
        "cloudharness-base": "registry/base:1",
        "composer-notify": "registry/notify:1",
        "workflows-notify-queue": "registry/notify-queue:1",
    },
}


@pytest.fixture(autouse=True)
def no_deployment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take away what the machine has."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "allvalues.yaml"
    monkeypatch.setenv(VALUES_PATH_VARIABLE, str(path))
    return path


@pytest.fixture
def deployment(no_deployment: Path) -> Manifest:
    """A process of a CloudHarness deployment."""
    no_deployment.write_text(yaml.safe_dump(VALUES))
    return VALUES


def pipeline(*several: tasks.Task, **settings: Any) -> operations.PipelineOperation:
    return operations.PipelineOperation("op", several, **settings)


def bash(name: str = "b", **settings: Any) -> tasks.BashTask:
    return tasks.BashTask(name, "true", **settings)


def custom(image: str = "composer", **settings: Any) -> tasks.CustomTask:
    return tasks.CustomTask("c", image, command=["true"], retry_limit=0, **settings)


def number() -> int:
    return 1


def script() -> tasks.Task:
    return tasks.PythonTask("p", number)


def templates(op: operations.ContainerizedOperation) -> dict[str, Manifest]:
    return {one["name"]: one for one in op.to_workflow()["spec"]["templates"]}


def container(template: Manifest) -> Manifest:
    found: Manifest = template.get("script") or template["container"]
    return found


def image(task: tasks.Task) -> str:
    found: str = container(templates(pipeline(task))[task.name])["image"]
    return found


class Inline(tasks.BashTask):
    @property
    @override
    def image_name(self) -> str:
        return "composer"


class Command(tasks.CommandBasedTask):
    @property
    @override
    def image_name(self) -> str:
        return "mine:1"


@pytest.mark.parametrize(
    ("task", "inside", "outside"),
    [
        (lambda: custom("composer"), "registry/composer:1", "composer"),
        (lambda: custom("composer-notify"), "registry/notify:1", "composer-notify"),
        (lambda: custom("argo"), "argo", "argo"),
        (lambda: custom("ubuntu:24.04"), "ubuntu:24.04", "ubuntu:24.04"),
        (bash, "registry/base:1", "python:3.13-slim"),
        (script, "registry/base:1", "python:3.13-slim"),
        (
            lambda: tasks.CommandBasedTask("c", ["ls"], image_pull_policy="Always"),
            "registry/base:1",
            "python:3.13-slim",
        ),
        (
            lambda: bash(template_overrides={"script": {"image": "own:1"}}),
            "own:1",
            "own:1",
        ),
        (lambda: Inline("b", "true"), "registry/composer:1", "composer"),
        (lambda: Command("c", "ls"), "mine:1", "mine:1"),
    ],
)
def test_images_are_those_of_the_deployment(
    task: Callable[[], tasks.Task], inside: str, outside: str, no_deployment: Path
) -> None:
    assert image(task()) == outside
    no_deployment.write_text(yaml.safe_dump(VALUES))
    assert image(task()) == inside


@pytest.mark.usefixtures("deployment")
def test_tasks_get_the_variables_of_the_service_that_are_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CH_CURRENT_APP_NAME", "composer")
    monkeypatch.setenv("CH_DOMAIN", "example.org")
    monkeypatch.setenv("CH_SECRET", "s")
    monkeypatch.setenv("CH_ACCOUNTS_CLIENT_SECRET", "s")
    task = bash(CH_DOMAIN="own", x=1)
    env = pipeline(task).to_manifest()["spec"]["tasks"][0]["env"]
    assert {one["name"]: one["value"] for one in env} == {
        "CH_CURRENT_APP_NAME": "composer",
        "CH_DOMAIN": "own",
        "x": "1",
    }


@pytest.mark.usefixtures("deployment")
def test_tasks_get_the_files_of_the_library() -> None:
    op = pipeline(bash(), custom(volume_mounts=["data:/data"]))
    spec = op.to_workflow()["spec"]
    assert [one["name"] for one in spec["volumes"]] == [
        "cloudharness-allvalues",
        "cloudharness-kc-accounts",
        "data",
    ]
    for name, own in (("b", []), ("c", ["/data"])):
        mounts = container(templates(op)[name])["volumeMounts"]
        assert [one["mountPath"] for one in mounts] == [
            "/opt/cloudharness/resources/allvalues.yaml",
            "/opt/cloudharness/resources/auth",
            *own,
        ]
    assert op.to_manifest()["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    for task in op.to_manifest()["spec"]["tasks"]:
        (main,) = json.loads(task["templatePatch"]["podSpecPatch"])["containers"]
        assert "/opt/cloudharness/resources/secrets/accounts" in [
            one["mountPath"] for one in main["volumeMounts"]
        ]


def test_outside_of_a_deployment_nothing_is_added() -> None:
    op = pipeline(bash(), custom("mine"))
    assert op.to_manifest()["spec"] == {
        "type": "Pipeline",
        "tasks": [
            {"name": "b", "bash": {"source": "true"}},
            {
                "name": "c",
                "custom": {
                    "image": "mine",
                    "command": ["true"],
                    "imagePullPolicy": "IfNotPresent",
                },
            },
        ],
        "tolerations": op.to_manifest()["spec"]["tolerations"],
        "ttlStrategy": op.to_manifest()["spec"]["ttlStrategy"],
    }


@pytest.mark.parametrize("inside", [True, False])
def test_the_workflow_is_valid_for_every_release_of_argo(inside: bool, no_deployment: Path) -> None:
    if inside:
        no_deployment.write_text(yaml.safe_dump(VALUES))
    op = pipeline(
        bash(),
        custom(),
        script(),
        shared_directory="data:/data",
        pod_context=operations.PodExecutionContext("a", "b"),
        on_exit_notify={"queue": "q", "payload": "p"},
    )
    for engine in ENGINES:
        assert list(errors_in(op.to_workflow()["spec"], "WorkflowSpec", engine)) == []
    OperationSpec.model_validate(op.to_manifest()["spec"])


def test_values_that_cannot_be_read_raise(no_deployment: Path) -> None:
    no_deployment.write_text("a: [")
    with pytest.raises(BadOperationConfiguration, match="are not YAML"):
        pipeline(bash()).to_manifest()
    no_deployment.write_text("- a")
    with pytest.raises(BadOperationConfiguration, match="are not a mapping"):
        pipeline(bash()).to_manifest()


class Answer(Connection):
    """Answers one read."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @override
    def get(self, path: str, name: str = "", query: Any = None) -> Manifest:
        if isinstance(self.answer, Exception):
            raise self.answer
        found: Manifest = self.answer
        return found


CONFIG_MAP = {"data": {"allvalues.yaml": yaml.safe_dump(VALUES)}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (CONFIG_MAP, "registry/composer:1"),
        ({"data": {}}, "composer"),
        ({}, "composer"),
        (WorkflowNotFound(), "composer"),
    ],
)
def test_without_a_file_the_values_are_those_of_the_namespace(answer: Any, expected: str) -> None:
    assert of_namespace(Answer(answer)).image("composer") == expected


def test_values_of_the_namespace_that_may_not_be_read_are_left_out_with_a_warning() -> None:
    denied = ClusterUnavailable("no", is_final=True)
    with pytest.warns(UserWarning, match="grant this account `get` on it"):
        assert not of_namespace(Answer(denied))
    with pytest.raises(ClusterUnavailable):
        of_namespace(Answer(ClusterUnavailable("away")))


@pytest.mark.parametrize(
    ("value", "settings"),
    [
        ("files", {"shared_directory": "files:/data"}),
        ("files-ch", {"shared_directory": "files:/data"}),
        ("own", {}),
    ],
)
def test_the_context_of_a_volume_is_the_volumes_own(value: str, settings: Any) -> None:
    context = operations.PodExecutionContext("usesvolume", value, required=True)
    other = operations.PodExecutionContext("a", "b")
    op = pipeline(custom(volume_mounts=["own:/own"]), pod_context=[context, other], **settings)
    assert [one["key"] for one in op.to_manifest()["spec"]["podContexts"]] == ["a"]


def test_the_context_of_a_volume_that_nobody_mounts_is_refused() -> None:
    context = operations.PodExecutionContext("usesvolume", "other", required=True)
    with pytest.raises(BadOperationConfiguration, match="no task mounts the claim 'other'"):
        pipeline(bash(), pod_context=context, shared_directory="files:/data")


# Exit tasks.


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize(
    ("given", "event", "env", "command"),
    [
        (
            {
                "image": "composer-notify",
                "queue": "default",
                "payload": '{"a": 1}',
                "command": ["python", "notify.py"],
                "sender_email": "a@example.org",
            },
            {"topic": "default", "payload": '{"a": 1}'},
            {"queue_name": "default", "payload": '{"a": 1}', "sender_email": "a@example.org"},
            ["python", "notify.py"],
        ),
        ({"image": "composer-notify"}, None, {}, None),
        (
            {"image": "composer-notify", "queue": "q"},
            {"topic": "q", "payload": ""},
            {"queue_name": "q"},
            None,
        ),
        ({"image": "workflows-notify-queue", "queue": "q"}, {"topic": "q", "payload": ""}, {}, 0),
        ({"queue": "q"}, {"topic": "q", "payload": ""}, {}, 0),
    ],
)
def test_what_runs_and_what_is_published_at_the_end(
    given: Mapping[str, Any], event: Any, env: Any, command: Any
) -> None:
    on_exit = pipeline(bash(), on_exit_notify=given).to_manifest()["spec"]["onExit"]
    assert on_exit.get("notify") == event
    task = on_exit.get("task")
    assert (task is None) == (command == 0)
    if task:
        assert task["name"] == "exit-handler"
        assert task["custom"]["image"] == "registry/notify:1"
        assert task["custom"].get("command") == command
        assert {one["name"]: one["value"] for one in task.get("env", [])} == env


@pytest.mark.usefixtures("deployment")
def test_the_workflow_of_a_deployment_publishes_without_the_operator() -> None:
    op = pipeline(bash(), on_exit_notify={"queue": "q", "payload": "p"})
    found = templates(op)["exit-handler"]["container"]
    assert found["image"] == "registry/notify-queue:1"
    env = {one["name"]: one["value"] for one in found["env"]}
    assert env["workflow_result"] == "{{workflow.status}}"
    assert (env["queue_name"], env["payload"]) == ("q", "p")


# Subclasses.

EMPTY = {"name": "scratch", "emptyDir": {}}


class WithVolume(operations.PipelineOperation):
    @override
    def spec(self) -> Manifest:
        spec = super().spec()
        spec["volumes"] = [*spec.get("volumes", []), EMPTY, {"name": "unused", "emptyDir": {}}]
        spec["serviceAccountName"] = "jobs"
        return spec

    @override
    def modify_template(self, template: Manifest) -> Manifest:
        template = super().modify_template(template)
        template["metadata"]["labels"]["team"] = "a"
        mount = {"name": "scratch", "mountPath": "/scratch", "readonly": False}
        container(template)["volumeMounts"] += [mount]
        container(template)["env"].append({"name": "LEVEL", "value": "2"})
        return template


@pytest.mark.parametrize("inside", [True, False])
def test_an_override_may_add_volumes_labels_and_variables(
    inside: bool, no_deployment: Path
) -> None:
    if inside:
        no_deployment.write_text(yaml.safe_dump(VALUES))
    op = WithVolume("op", [bash(), custom()], shared_directory="data:/data")
    spec = op.to_manifest()["spec"]
    assert spec["serviceAccountName"] == "jobs"
    for task in spec["tasks"]:
        patch = json.loads(task["templatePatch"]["podSpecPatch"])
        assert EMPTY in patch["volumes"]
        assert "unused" not in [one["name"] for one in patch["volumes"]]
        (main,) = patch["containers"]
        assert {"name": "scratch", "mountPath": "/scratch"} in main["volumeMounts"]
        assert main["env"] == [{"name": "LEVEL", "value": "2"}]
        assert task["templatePatch"]["metadata"] == {"labels": {"team": "a"}}
    for name in ("b", "c"):
        assert container(templates(op)[name])["volumeMounts"][-1]["mountPath"] == "/data"
    OperationSpec.model_validate(spec)


class WithExit(operations.PipelineOperation):
    @override
    def spec(self) -> Manifest:
        spec = super().spec()
        spec["onExit"] = "bye"
        bye = tasks.CustomTask("bye", "composer-notify", result="{{workflow.status}}")
        spec["templates"].append(self.modify_template(bye.spec()))
        return spec


def test_overrides_apply_to_the_exit_task_too() -> None:
    op = WithVolume("op", [bash()], exit_task=Patched("bye", "true"), on_exit_notify={"queue": "q"})
    bye = op.to_manifest()["spec"]["onExit"]["task"]
    assert bye["templatePatch"]["metadata"] == {"labels": {"team": "a"}}
    assert bye["templatePatch"]["activeDeadlineSeconds"] == 60
    (main,) = json.loads(bye["templatePatch"]["podSpecPatch"])["containers"]
    assert main["env"] == [{"name": "LEVEL", "value": "2"}]


@pytest.mark.usefixtures("deployment")
def test_an_override_may_add_an_exit_task() -> None:
    op = WithExit("op", [bash()], on_exit_notify={"queue": "q"})
    on_exit = op.to_manifest()["spec"]["onExit"]
    assert on_exit["notify"]["topic"] == "q"
    assert on_exit["task"]["custom"]["image"] == "registry/notify:1"
    found = container(templates(op)["bye"])
    assert {"name": "result", "value": "{{workflow.status}}"} in found["env"]
    assert op.to_workflow()["spec"]["onExit"] == "bye"


class Patched(tasks.BashTask):
    @override
    def spec(self) -> Manifest:
        return {**super().spec(), "activeDeadlineSeconds": 60}

    @override
    def cloudharness_configmap_spec(self) -> list[Manifest]:
        return super().cloudharness_configmap_spec()[:1]


@pytest.mark.usefixtures("deployment")
def test_tasks_may_override_their_template_and_its_files() -> None:
    op = pipeline(Patched("b", "true"), bash("c"))
    found = templates(op)
    assert (found["b"].get("activeDeadlineSeconds"), found["c"].get("activeDeadlineSeconds")) == (
        60,
        None,
    )
    paths = {name: len(container(found[name])["volumeMounts"]) for name in ("b", "c")}
    assert paths == {"b": 1, "c": 2}


def changed(change: Callable[[Manifest], Any]) -> Callable[[], Any]:
    """Return how to make the manifest of an operation whose `spec` is changed."""

    class Changed(operations.PipelineOperation):
        @override
        def spec(self) -> Manifest:
            spec = super().spec()
            found: Manifest = "x" if change(spec) == "x" else spec  # type: ignore[assignment]
            return found

    return lambda: Changed("op", [bash("b", x=1)], shared_directory="d:/d").to_manifest()


def first(spec: Manifest) -> Manifest:
    found: Manifest = spec["templates"][1]
    return found


def modified(change: Callable[[Manifest], Any]) -> Callable[[], Any]:
    class Modified(operations.PipelineOperation):
        @override
        def modify_template(self, template: Manifest) -> Manifest:
            template = super().modify_template(template)
            found: Manifest = change(template)
            return found

    return lambda: Modified("op", [bash()]).to_manifest()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            changed(lambda s: s.update(hooks={})),
            "field 'hooks' of the Workflow cannot",
        ),
        (changed(lambda s: s.update(entrypoint="x")), "field 'entrypoint' of the Workflow"),
        (changed(lambda s: s["templates"].pop()), "the templates b cannot be removed"),
        (
            changed(lambda s: s["templates"].append({"name": "x", "container": {}})),
            "the templates x are not run by any task, nor by onExit",
        ),
        (changed(lambda s: s["templates"][0].update(steps=[])), "arranges the tasks and cannot be"),
        (changed(lambda s: s["volumes"].pop()), "volumes: d cannot be removed"),
        (changed(lambda s: first(s)["script"]["env"].clear()), "x cannot be removed"),
        (changed(lambda s: first(s).pop("script")), "no 'script' any more"),
        (changed(lambda s: s.update(onExit="x")), "onExit: there is no template 'x'"),
        (changed(lambda _: "x"), "Changed.spec: return a dict, not 'x'"),
        (modified(lambda _: None), "modify_template: template 'b': return the template"),
        (modified(lambda t: {**t, "name": "x"}), "do not change 'name'"),
    ],
)
def test_a_change_that_cannot_be_expressed_is_refused(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(BadOperationConfiguration, match=message):
        make()


@pytest.mark.parametrize(
    ("base", "name", "message"),
    [
        (operations.PipelineOperation, "steps_spec", "use PipelineOperation, ParallelOperation"),
        (operations.SingleTaskOperation, "templates", "define modify_template"),
        (operations.PipelineOperation, "add_on_exit_notify_handler", "use on_exit_notify"),
        (tasks.CustomTask, "instance", "use the operation's arrangement"),
        (tasks.PythonTask, "envs", "use add_env"),
    ],
)
def test_a_method_that_would_not_be_called_is_refused_where_it_is_defined(
    base: type, name: str, message: str
) -> None:
    with pytest.raises(BadOperationConfiguration, match=f"Mine.{name}: .*{message}"):
        type("Mine", (base,), {name: lambda _: None})


def test_a_variable_is_added_later() -> None:
    task = bash(x=1)
    task.add_env("retry", 3)
    assert task.envs == {"x": 1, "retry": 3}
    with pytest.raises(BadOperationConfiguration, match="environment variable 'a b'"):
        task.add_env("a b", 1)
    assert task.envs == {"x": 1, "retry": 3}
    assert task.instance() == {"name": "b", "template": "b"}


@pytest.mark.parametrize("name", ["retry", "outputs", "stdout"])
def test_a_variable_with_the_name_of_an_option_is_refused(name: str) -> None:
    with pytest.raises(BadOperationConfiguration, match="of this name use add_env"):
        bash(**{name: "3"})


# What is read.


def stored(op: operations.ContainerizedOperation) -> Workflow:
    status = {"phase": "Running", "progress": "1/2"}
    return Workflow({**op.to_manifest(), "status": status})


@pytest.mark.usefixtures("deployment")
def test_an_operation_is_read_as_a_workflow() -> None:
    context = operations.PodExecutionContext("workspace", 7, required=True)
    raw = stored(pipeline(bash(), custom(), pod_context=context)).raw
    assert raw.spec.templates[0].metadata.labels.get("workspace").strip() == "7"
    assert raw.spec.templates[2].container.command == ["true"]
    assert raw.spec.type == "Pipeline"
    assert raw.status.progress == "1/2"
    assert raw.to_dict()["spec"]["type"] == "Pipeline"
    assert "'progress': '1/2'" in raw.to_str()


def test_addresses_are_those_of_the_deployment(
    no_deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CH_WORKFLOWS_SERVICE_URL", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(WorkflowException, match="CH_WORKFLOWS_SERVICE_URL is not set"):
        utils.get_workflows_service_url()
    with pytest.raises(WorkflowException, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        utils.notify_queue("q", 1)
    assert not utils.is_accounts_present()
    no_deployment.write_text(yaml.safe_dump(VALUES))
    assert utils.get_workflows_service_url() == "https://workflows.example.org"
    assert utils.is_accounts_present()
    monkeypatch.setenv("CH_WORKFLOWS_SERVICE_URL", "http://other/")
    assert utils.get_workflows_service_url() == "http://other"


@pytest.mark.parametrize("name", ["get_api_client", "get_configuration"])
def test_clients_of_argos_server_do_not_exist(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(argo_service, name)


@pytest.mark.parametrize(
    ("volume", "expected"), [("a", False), ("a:b", True), ("a:b:ro", True), ("a:b:rwx", False)]
)
def test_volumes_that_need_one_node(volume: str, *, expected: bool) -> None:
    assert utils.volume_requires_affinity(volume) == expected
