"""Operations and tasks as users of CloudHarness write them: what they become, what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import Any

import pytest
import yaml
from typing_extensions import override

from cloudharness.workflows import errors, operations, tasks, utils
from cloudharness.workflows._defaults import DEFAULT_TTL_STRATEGY
from cloudharness.workflows._operation_spec import DEFAULTS
from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness.workflows.operations import PodExecutionContext
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.render.containers import SHARED_DIRECTORY, WORKFLOW_NAME
from cloudharness_operation.render.engine import errors_in
from cloudharness_operation.render.engine_types import ENGINES
from tests.support.examples import defaults

Manifest = dict[str, Any]

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def f(number: int = 1, *, word: str = "x") -> str:
    return word * number


def task(name: str = "task", **settings: Any) -> tasks.Task:
    return tasks.BashTask(name, "true", **settings)


def spec_of(one: tasks.Task) -> Manifest:
    """A task as the resource has it."""
    return one.to_spec().model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True
    )


def env_of(one: tasks.Task) -> Manifest:
    return {variable["name"]: variable["value"] for variable in spec_of(one).get("env", ())}


class Level(Enum):
    HIGH = 3


TASKS: list[tuple[str, Callable[[], tasks.Task], Manifest]] = [
    (
        "a function with an argument and a variable",
        lambda: tasks.PythonTask("My Task", f, number=2, other=1),
        {"name": "my-task", "args": {"number": 2}, "env": {"other": "1"}},
    ),
    (
        "a script",
        lambda: tasks.BashTask("a", "ls -la", resources={"limits": {"nvidia.com/gpu": 1}}),
        {
            "name": "a",
            "bash": {"source": "ls -la"},
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
        },
    ),
    (
        "an image, tried again ten times as CloudHarness does",
        lambda: tasks.CustomTask("print-file", "myapp-mytask", env_variable1="my variable", n=2),
        {
            "name": "print-file",
            "custom": {"image": "myapp-mytask", "imagePullPolicy": "IfNotPresent"},
            "retry": {"limit": 10},
            "env": {"env_variable1": "my variable", "n": "2"},
        },
    ),
    (
        "an image with a command",
        lambda: tasks.CustomTask("a", "x", command=["ls", "-la"], retry_limit=0),
        {
            "name": "a",
            "custom": {"image": "x", "imagePullPolicy": "IfNotPresent", "command": ["ls", "-la"]},
        },
    ),
    (
        "a command as a person types it",
        lambda: tasks.CommandBasedTask("a", "echo 'a b' $HOME", retry_limit=1),
        {"name": "a", "command": {"command": ["echo", "a b", "$HOME"]}, "retry": {"limit": 1}},
    ),
    (
        "a command and when its image is pulled",
        lambda: tasks.CommandBasedTask("a", ["x"], image_pull_policy="Always", retry_limit=0),
        {
            "name": "a",
            "command": {"command": ["x"]},
            "templatePatch": {"container": {"imagePullPolicy": "Always"}},
        },
    ),
    (
        "all places in their order",
        lambda: tasks.CustomTask("a", "i", {"limits": {"cpu": "1"}}, "Never", ["c"], retry_limit=0),
        {
            "name": "a",
            "custom": {"image": "i", "imagePullPolicy": "Never", "command": ["c"]},
            "resources": {"limits": {"cpu": "1"}},
        },
    ),
    (
        "volumes of its own",
        lambda: task(volume_mounts=["a:/b", "/c", "d:/e:ro"]),
        {
            "name": "task",
            "bash": {"source": "true"},
            "sharedVolumes": [
                {"mountPath": "/b", "claim": "a", "mode": "rw"},
                {"mountPath": "/c", "mode": "rw"},
                {"mountPath": "/e", "claim": "d", "mode": "ro"},
            ],
        },
    ),
    (
        "overrides in Python's spelling",
        lambda: task(
            template_overrides=tasks.V1alpha1Template(
                name="other",
                node_selector={"my_label": "x"},
                active_deadline_seconds=5,
                retry_strategy=None,
            )
        ),
        {
            "name": "task",
            "bash": {"source": "true"},
            "templatePatch": {"nodeSelector": {"my_label": "x"}, "activeDeadlineSeconds": 5},
        },
    ),
    (
        "overrides in Argo's",
        lambda: task(template_overrides={"podSpecPatch": "x", "hostAliases": [{"ip": "1.2.3.4"}]}),
        {
            "name": "task",
            "bash": {"source": "true"},
            "templatePatch": {"podSpecPatch": "x", "hostAliases": [{"ip": "1.2.3.4"}]},
        },
    ),
    (
        "tried again, in place of CloudHarness's ten times",
        lambda: tasks.CommandBasedTask("a", ["x"], retry=tasks.Retry(2, "Always")),
        {
            "name": "a",
            "command": {"command": ["x"]},
            "retry": {"limit": 2, "policy": "Always"},
        },
    ),
    (
        "tried again after waits that grow",
        lambda: task(
            retry=tasks.Retry(5, backoff=tasks.Backoff(1.0, 2, timedelta(minutes=5))),
        ),
        {
            "name": "task",
            "bash": {"source": "true"},
            "retry": {
                "limit": 5,
                "backoff": {"duration": "1s", "factor": 2, "maxDuration": "300s"},
            },
        },
    ),
    (
        "tried again after the same wait each time",
        lambda: task(retry=tasks.Retry(1, backoff=tasks.Backoff("1m30s"))),
        {
            "name": "task",
            "bash": {"source": "true"},
            "retry": {"limit": 1, "backoff": {"duration": "1m30s"}},
        },
    ),
    (
        "what it leaves",
        lambda: task(outputs={"mean": "/tmp/mean.txt"}, stdout=True),
        {
            "name": "task",
            "bash": {"source": "true"},
            "outputs": [{"name": "mean", "path": "/tmp/mean.txt"}],
            "stdout": True,
        },
    ),
]


@pytest.mark.parametrize(("make", "expected"), [r[1:] for r in TASKS], ids=[r[0] for r in TASKS])
def test_a_task_becomes(make: Callable[[], tasks.Task], expected: Manifest) -> None:
    found = spec_of(make())
    if code := found.pop("python", None):
        found["args"] = code["args"]
    if env := found.pop("env", None):
        found["env"] = {variable["name"]: variable["value"] for variable in env}
    assert found == expected


def test_an_output_is_given_to_a_later_task_as_a_variable() -> None:
    first = tasks.PythonTask("first", f)
    found = spec_of(task(before="x", given=first.output(), printed=first.output("stdout"), n=1))
    assert found["env"] == [
        {"name": "before", "value": "x"},
        {"name": "given", "valueFrom": {"taskOutput": {"task": "first", "name": "result"}}},
        {"name": "printed", "valueFrom": {"taskOutput": {"task": "first", "name": "stdout"}}},
        {"name": "n", "value": "1"},
    ]


def test_variables_of_any_type() -> None:
    made = task(text="a $(b)", number=1, yes=True, none=None, level=Level.HIGH, of={"a": [1, None]})
    assert env_of(made) == {
        "text": "a $$(b)",
        "number": "1",
        "yes": "True",
        "level": "3",
        "of": '{"a": [1, null]}',
    }


@pytest.mark.parametrize("given", ["claim:/mnt/x:ro", "/mnt/x"])
def test_the_shared_directory_of_a_task_is_what_its_author_gave(given: str) -> None:
    assert env_of(task(shared_directory=given)) == {"shared_directory": given}


class Mine(tasks.ContainerizedTask):
    """As users of CloudHarness derive their own."""

    @property
    @override
    def image_name(self) -> str:
        return "registry.example.org/mine:1"


def test_a_kind_of_a_users_own() -> None:
    assert spec_of(Mine("a"))["custom"]["image"] == "registry.example.org/mine:1"


BAD_TASKS: list[tuple[str, Callable[[], tasks.Task], str]] = [
    ("a name that is none", lambda: task("my_task"), "name 'my_task': use letters, digits and '-'"),
    ("a name that is too long", lambda: task("x" * 64), "at most 63 characters"),
    ("a name that is no text", lambda: task(1), "name: a task's name is a str, not 1"),  # type: ignore[arg-type]
    ("nothing to run", lambda: tasks.BashTask("a", ""), "task 'a': source: "),
    ("an image that is none", lambda: tasks.CustomTask("a", "A B"), "task 'a': image_name: "),
    ("no image", lambda: tasks.ContainerizedTask("a"), "ContainerizedTask has no image_name"),
    ("no kind", lambda: tasks.Task("a"), "use PythonTask, BashTask"),
    ("an unknown policy", lambda: tasks.CustomTask("a", "i", {}, "Often"), "image_pull_policy: "),
    ("an empty command", lambda: tasks.CommandBasedTask("a", ""), "task 'a': command: give the"),
    ("a number in a command", lambda: tasks.CommandBasedTask("a", ["x", 1]), "command: give the"),  # type: ignore[list-item]
    ("a resource in no unit", lambda: task(resources={"limits": {"cpu": "x"}}), "resources.limits"),
    ("resources misspelt", lambda: task(resources={"limit": {"cpu": 1}}), "resources.limit: "),
    ("fewer than no retries", lambda: task(retry_limit=-1), "task 'task': retry_limit: "),
    ("a volume in another form", lambda: task(volume_mounts=["a:ro"]), "write [CLAIM:]PATH[:MODE]"),
    ("a reserved path", lambda: task(volume_mounts=["/etc/x"]), "/etc/x is reserved: use a path"),
    ("one path twice", lambda: task(volume_mounts=["a:/b", "c:/b"]), "/b is used twice"),
    ("a variable of Argo's", lambda: task(ARGO_TEMPLATE="x"), "'ARGO_TEMPLATE' is set by Argo"),
    (
        "a variable without a text",
        lambda: task(a=object()),
        "variable 'a': a object has no obvious",
    ),
    ("an unknown override", lambda: task(template_overrides={"nope": 1}), "no such field"),
    (
        "an override of a wrong type",
        lambda: task(template_overrides=tasks.V1alpha1Template(memoize=True)),
        "template_overrides: memoize: Argo",
    ),
    ("overrides that are none", lambda: task(template_overrides=3), "give a mapping, or an object"),
    (
        "a retry that is a number",
        lambda: task(retry=3),
        "retry: give a Retry, such as Retry(limit=3)",
    ),
    ("a policy that is none", lambda: task(retry=tasks.Retry(1, "Often")), "retry.policy: "),  # type: ignore[arg-type]
    (
        "a wait of half a second",
        lambda: task(retry=tasks.Retry(1, backoff=0.5)),
        "retry.backoff.duration: ",
    ),
    ("outputs that are no paths", lambda: task(outputs=["/a"]), "outputs: give a dict of paths"),
    ("a relative output", lambda: task(outputs={"a": "b"}), "outputs.0.path: "),
    (
        "an output of a taken name",
        lambda: task(outputs={"result": "/a"}),
        "outputs: 'result' is reserved",
    ),
    ("stdout as a path", lambda: task(stdout="/a"), "stdout: give True or False, not '/a'"),
    (
        "an output as an argument",
        lambda: tasks.PythonTask("a", takes, number=task().output("x")),
        "argument 'number' of takes is an output",
    ),
]


def takes(number: int) -> int:
    return number


@pytest.mark.parametrize(
    ("make", "words"), [row[1:] for row in BAD_TASKS], ids=[row[0] for row in BAD_TASKS]
)
def test_a_wrong_task_is_refused_where_it_is_made(
    make: Callable[[], tasks.Task], words: str
) -> None:
    with pytest.raises(BadOperationConfiguration) as caught:
        make()
    assert words in str(caught.value)
    assert caught.value.status == 400


ALL: dict[str, Callable[[], operations.ContainerizedOperation]] = {
    "single": lambda: operations.SingleTaskOperation("my-op-", task()),
    "sync": lambda: operations.DistributedSyncOperation("my-op-", task()),
    "frame": lambda: operations.DataFrameOperation("my-op-", task()),
    "results": lambda: operations.DistributedSyncOperationWithResults("my-op-", task()),
    "pipeline": lambda: operations.PipelineOperation("my-op-", [task("a"), task("b")]),
    "parallel": lambda: operations.ParallelOperation("my-op-", (task("a"), task("b"))),
    "dag": lambda: operations.SimpleDagOperation("my-op-", (task("a"), task("b")), task("c")),
}
TYPES = {
    **dict.fromkeys(("single", "sync", "frame"), "SingleTask"),
    **dict.fromkeys(("results", "pipeline"), "Pipeline"),
    "parallel": "Parallel",
    "dag": "SimpleDag",
}


@pytest.mark.parametrize("kind", ALL)
def test_every_type_becomes_a_resource_and_a_workflow(kind: str) -> None:
    op = ALL[kind]()
    manifest = op.to_manifest()
    assert manifest["spec"]["type"] == TYPES[kind]
    assert manifest["metadata"] == {"name": op.name}
    assert yaml.safe_load(op.to_yaml()) == manifest
    OperationSpec.model_validate(manifest["spec"])
    workflow = op.to_workflow()
    assert workflow["kind"] == "Workflow"
    assert workflow["metadata"]["name"] == op.name
    for engine in ENGINES:
        assert list(errors_in(workflow["spec"], "WorkflowSpec", engine)) == []


@pytest.mark.parametrize(
    ("basename", "expected"),
    [
        ("my-op-", r"my-op-[a-z0-9]{5}"),
        ("my-op", r"my-op-[a-z0-9]{5}"),
        ("x" * 51, rf"{'x' * 51}-[a-z0-9]{{5}}"),
        ("x" * 80, rf"{'x' * 51}-[a-z0-9]{{5}}"),
        (f"{'x' * 50}-{'y' * 20}-", rf"{'x' * 50}-[a-z0-9]{{5}}"),
    ],
)
def test_each_operation_has_a_name_of_its_own(basename: str, expected: str) -> None:
    first, second = (operations.SingleTaskOperation(basename, task()) for _ in range(2))
    assert re.fullmatch(expected, first.name)
    assert first.name != second.name
    assert (first.basename, len(first.name) <= 57) == (basename, True)


@pytest.mark.parametrize("fixed", [True, False])
def test_an_operation_has_one_name(*, fixed: bool) -> None:
    op = operations.SingleTaskOperation("nightly", task(), fixed_name=fixed)
    assert op.to_manifest()["metadata"]["name"] == op.name
    assert yaml.safe_load(op.to_yaml())["metadata"]["name"] == op.name
    workflow = op.to_workflow()
    assert workflow["metadata"]["name"] == op.name
    (script,) = (one["script"] for one in workflow["spec"]["templates"] if "script" in one)
    assert {"name": "CH_WORKFLOW_NAME", "value": op.name} in script["env"]
    assert (op.name == "nightly") == fixed


def test_a_workflow_is_tied_to_nothing() -> None:
    op = operations.SingleTaskOperation("my-op-", task(), on_exit_notify={"queue": "q"})
    metadata = op.to_workflow()["metadata"]
    assert metadata.keys() == {"name", "labels"}
    assert metadata["labels"].keys() == {"cloudharness.io/operation"}


def test_groups_run_in_order() -> None:
    op = operations.SimpleDagOperation("a", (task("a"), task("b")), task("c"), iter([task("d")]))
    assert [t["group"] for t in op.to_manifest()["spec"]["tasks"]] == [0, 0, 1, 2]
    steps = op.to_workflow()["spec"]["templates"][0]["steps"]
    assert [[step["name"] for step in group] for group in steps] == [["a", "b"], ["c"], ["d"]]


def spec(**settings: Any) -> Manifest:
    """What an operation of one task says with these settings."""
    found: Manifest = operations.SingleTaskOperation("a", task(), **settings).to_manifest()["spec"]
    return found


VOLUME = {"mode": "rw", "size": "10Mi"}
SETTINGS: list[tuple[str, Manifest, Manifest]] = [
    ("no directory", {}, {"sharedVolumes": None}),
    ("no directory either", {"shared_directory": ""}, {"sharedVolumes": None}),
    (
        "a directory",
        {"shared_directory": True},
        {"sharedVolumes": [{"mountPath": "/mnt/shared", **VOLUME}]},
    ),
    (
        "a claim",
        {"shared_directory": "myclaim:/opt/shared", "shared_volume_size": 100},
        {
            "sharedVolumes": [
                {"mountPath": "/opt/shared", "claim": "myclaim", "mode": "rw", "size": "100Mi"}
            ]
        },
    ),
    (
        "several",
        {"shared_directory": ["myclaim:/opt/shared:ro", "b:/c:rwx"], "shared_volume_size": "1Gi"},
        {
            "sharedVolumes": [
                {"mountPath": "/opt/shared", "claim": "myclaim", "mode": "ro", "size": "1Gi"},
                {"mountPath": "/c", "claim": "b", "mode": "rwx", "size": "1Gi"},
            ]
        },
    ),
    (
        "a context",
        {"pod_context": PodExecutionContext(key="a", value=1, required=True)},
        {"podContexts": [{"key": "a", "value": "1", "required": True}]},
    ),
    (
        "several contexts",
        {"pod_context": (PodExecutionContext("a", "b"), PodExecutionContext("c", "d", True))},
        {
            "podContexts": [
                {"key": "a", "value": "b", "required": False},
                {"key": "c", "value": "d", "required": True},
            ]
        },
    ),
    ("the time it is kept", {}, {"ttlStrategy": dict(DEFAULT_TTL_STRATEGY)}),
    ("kept for ever", {"ttl_strategy": None}, {"ttlStrategy": {}}),
    (
        "a part of the times",
        {"ttl_strategy": {"secondsAfterFailure": 60}},
        {"ttlStrategy": {"secondsAfterFailure": 60}},
    ),
    (
        "an end that is told",
        {"on_exit_notify": {"queue": "my_queue", "payload": json.dumps({"insert": 1})}},
        {"onExit": {"notify": {"topic": "my_queue", "payload": '{"insert": 1}'}}},
    ),
    (
        "an end that is told with JSON",
        {"on_exit_notify": {"queue": "q", "payload": {"a": 1}, "image": "workflows-notify-queue"}},
        {"onExit": {"notify": {"topic": "q", "payload": '{"a": 1}'}}},
    ),
    (
        "an end that is part of a trace",
        {"on_exit_notify": {"queue": "q", "traceparent": TRACE}},
        {"onExit": {"notify": {"topic": "q", "payload": "", "traceparent": TRACE}}},
    ),
    (
        "an exit task",
        {"exit_task": tasks.BashTask("bye", "true")},
        {"onExit": {"task": {"name": "bye", "bash": {"source": "true"}}}},
    ),
    (
        "an exit task and an exit event",
        {"exit_task": tasks.BashTask("bye", "true"), "on_exit_notify": {"queue": "q"}},
        {
            "onExit": {
                "task": {"name": "bye", "bash": {"source": "true"}},
                "notify": {"topic": "q", "payload": ""},
            }
        },
    ),
    (
        "pods that go early",
        {"pod_gc": {"strategy": "OnPodSuccess", "deleteDelayDuration": 1200}},
        {"podGC": {"strategy": "OnPodSuccess", "deleteDelayDuration": "1200s"}},
    ),
    ("no deadline", {}, {"activeDeadlineSeconds": None, "pendingDeadlineSeconds": None}),
    (
        "deadlines",
        {"active_deadline_seconds": timedelta(hours=1), "pending_deadline_seconds": 0},
        {"activeDeadlineSeconds": 3600, "pendingDeadlineSeconds": 0},
    ),
    (
        "others that it waits for",
        {"concurrency_policy": "Forbid", "concurrency_group": "db", "parallelism": 2},
        {"concurrencyPolicy": "Forbid", "concurrencyGroup": "db", "parallelism": 2},
    ),
    (
        "a record that goes too",
        {"ttl_seconds_after_finished": timedelta(days=1), "suspend": True},
        {"ttlSecondsAfterFinished": 86400, "suspend": True},
    ),
]


@pytest.mark.parametrize(
    ("settings", "expected"), [row[1:] for row in SETTINGS], ids=[row[0] for row in SETTINGS]
)
def test_a_setting_becomes(settings: Manifest, expected: Manifest) -> None:
    found = spec(**settings)
    assert {key: found.get(key) for key in expected} == expected
    assert found["tolerations"] == [
        {"key": "cloudharness/temporary-job", "operator": "Equal", "value": "true"}
    ]


def test_what_stands_where_in_cloudharness() -> None:
    context = PodExecutionContext("a", "b")
    single = operations.SingleTaskOperation("a", task(), context, "c:/d", None, {}, {"queue": "q"})
    composite = operations.PipelineOperation("a", [task()], "c:/d", 10, context)
    for op in (single, composite):
        found = op.to_manifest()["spec"]
        assert found["podContexts"][0]["key"] == "a"
        assert found["sharedVolumes"][0]["claim"] == "c"
    assert single.to_manifest()["spec"]["onExit"]["notify"]["topic"] == "q"


def test_a_task_is_not_changed_by_its_operation() -> None:
    one = task()
    before = spec_of(one)
    operations.SingleTaskOperation("a", one, shared_directory="c:/d").to_workflow()
    operations.ParallelOperation("b", [one], shared_directory="/e").to_workflow()
    assert spec_of(one) == before


def test_a_claim_of_operation_and_task_is_mounted_once() -> None:
    op = operations.ParallelOperation(
        "a", [task(volume_mounts=["c:/d"])], shared_directory="c:/d", shared_volume_size=5
    )
    container = op.to_workflow()["spec"]["templates"][1]["script"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/d"]


def test_a_named_claim_is_taken_to_be_there() -> None:
    workflow = operations.SingleTaskOperation("a", task(), shared_directory="c:/d").to_workflow()
    (volume,) = workflow["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "c"}
    assert "volumeClaimTemplates" not in workflow["spec"]


def test_what_to_workflow_takes_for_granted_is_how_the_chart_is() -> None:
    chart = defaults()
    assert DEFAULTS.task_image == chart.task_image
    assert DEFAULTS.service_account == chart.service_account


def parallel(*args: Any, **settings: Any) -> operations.ContainerizedOperation:
    return operations.ParallelOperation(*args, **settings)


ONE = (task(),)
BAD: list[tuple[str, Callable[[], object], str]] = [
    ("a deadline of none", lambda: spec(active_deadline_seconds=0), "active_deadline_seconds: "),
    (
        "a deadline of half a second",
        lambda: spec(pending_deadline_seconds=timedelta(seconds=0.5)),
        "pending_deadline_seconds: ",
    ),
    ("a policy that is none", lambda: spec(concurrency_policy="No"), "concurrency_policy: "),
    ("no group", lambda: spec(concurrency_policy="Forbid"), "concurrency_group: 'F"),
    ("no policy", lambda: spec(concurrency_group="g"), "concurrency_policy: concurrency_group"),
    (
        "an output of a task that is not there",
        lambda: parallel("a", [task(x=tasks.OutputReference("nobody", "y"))]),
        "nobody",
    ),
    (
        "an output of a task that is not before",
        lambda: parallel("a", [task(), tasks.BashTask("b", "true", x=task().output("y"))]),
        "operation: ",
    ),
    ("a name that is none", lambda: parallel("My_Op", ONE), "basename 'My_Op': use lower-case"),
    ("two dashes", lambda: parallel("a--", ONE), "basename 'a--': use"),
    (
        "a fixed name that is too long",
        lambda: parallel("x" * 58, ONE, fixed_name=True),
        "write at most 57 characters",
    ),
    (
        "a fixed name that ends in a dash",
        lambda: parallel("a-", ONE, fixed_name=True),
        "a fixed name ends with one too",
    ),
    ("a name that is no text", lambda: parallel(None, ONE), "basename: an operation's name is"),
    ("no tasks", lambda: parallel("a", []), "tasks: give at least one"),
    ("one task and no list", lambda: parallel("a", task()), "tasks: give a list of tasks"),
    ("something else", lambda: parallel("a", [f]), "tasks: each must be a task"),
    ("no task", lambda: operations.SingleTaskOperation("a", f), "task: give a task"),  # type: ignore[arg-type]
    (
        "two of one name",
        lambda: parallel("a", [task(), task()]),
        "tasks: two tasks are named 'task'",
    ),
    ("no groups", lambda: operations.SimpleDagOperation("a"), "tasks: give at least one"),
    ("a directory as a number", lambda: spec(shared_directory=3), "shared_directory: give True"),
    ("a relative directory", lambda: spec(shared_directory="b"), "shared_directory: shared vol"),
    (
        "two directories at one path",
        lambda: spec(shared_directory=["a:/b", "c:/b"]),
        "is used twice",
    ),
    (
        "a size in words",
        lambda: spec(shared_directory="/a", shared_volume_size="big"),
        "'/a': size: ",
    ),
    (
        "a size of no kind",
        lambda: spec(shared_volume_size=1.5),
        "shared_volume_size: give a number",
    ),
    ("a context as text", lambda: spec(pod_context="a"), "pod_context: each must be a PodExec"),
    ("a context that is none", lambda: spec(pod_context=3), "pod_context: give a PodExecution"),
    (
        "a context of ours",
        lambda: spec(pod_context=PodExecutionContext("cloudharness.io/x", "a")),
        "pod_context: key 'cloudharness.io/x' is reserved",
    ),
    (
        "a context with spaces",
        lambda: spec(pod_context=PodExecutionContext("a b", "c")),
        "pod_context: key: ",
    ),
    (
        "a context twice",
        lambda: spec(pod_context=[PodExecutionContext("a", "b"), PodExecutionContext("a", "c")]),
        "pod_context: key 'a' is used twice",
    ),
    (
        "times misspelt",
        lambda: spec(ttl_strategy={"secondsAfter": 1}),
        "ttl_strategy: secondsAfter",
    ),
    ("times below none", lambda: spec(ttl_strategy={"secondsAfterSuccess": -1}), "ttl_strategy: "),
    ("times as a number", lambda: spec(ttl_strategy=5), "ttl_strategy: give a dict or None"),
    (
        "no queue",
        lambda: spec(on_exit_notify={"payload": "x"}),
        "on_exit_notify: 'queue' is missing",
    ),
    ("a queue that is none", lambda: spec(on_exit_notify={"queue": "a b"}), "topic"),
    ("told in another way", lambda: spec(on_exit_notify={"queue": "q", "to": 1}), "not 'to'"),
    ("an exit task that is none", lambda: spec(exit_task="bye"), "exit_task: give a task"),
    (
        "an exit task of the task's name",
        lambda: spec(exit_task=task()),
        "exit_task: has the name of a task, 'task'",
    ),
    (
        "two exit tasks",
        lambda: spec(exit_task=tasks.BashTask("bye", "true"), on_exit_notify={"image": "i"}),
        "exit_task: the image of on_exit_notify is an exit task too",
    ),
    (
        "a key beside an exit task",
        lambda: spec(exit_task=tasks.BashTask("b", "true"), on_exit_notify={"queue": "q", "to": 1}),
        "not 'to'",
    ),
    (
        "variables of an exit task without an image",
        lambda: spec(on_exit_notify={"queue": "q", "sender_email": "a@b"}),
        "not 'sender_email': with 'image', they would be variables",
    ),
    (
        "pods that go at no time",
        lambda: spec(pod_gc={"deleteDelayDuration": "5s"}),
        "pod_gc: strategy",
    ),
    (
        "volumes of two sizes",
        lambda: spec(shared_directory=["c:/a:rwx", "c:/b"]),
        "c: one volume is requested in two ways",
    ),
    (
        "no operation of its own",
        lambda: operations.ContainerizedOperation("a"),
        "ContainerizedOperation has no tasks",
    ),
    ("no function", lambda: operations.DirectOperation("a", 3), "callback: give a function"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_wrong_operation_is_refused_where_it_is_made(
    make: Callable[[], object], words: str
) -> None:
    with pytest.raises(BadOperationConfiguration) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["shared_volume_siz", "execute", "timeout"])
def test_an_unknown_argument_is_refused_by_its_name(name: str) -> None:
    wrong: dict[str, Any] = {name: 5}
    for make in (operations.SingleTaskOperation, operations.DistributedSyncOperation):
        with pytest.raises(TypeError, match=name):
            make("a", task(), **wrong)
    for composite in (operations.ParallelOperation, operations.PipelineOperation):
        with pytest.raises(TypeError, match=name):
            composite("a", ONE, **wrong)
    with pytest.raises(TypeError, match=name):
        operations.SimpleDagOperation("a", task(), **wrong)


@pytest.mark.parametrize(
    "kind",
    [
        operations.DirectOperation,
        operations.ResourceQueryOperation,
        operations.DataQueryOperation,
    ],
)
def test_a_direct_operation_returns_what_its_function_returns(
    kind: type[operations.DirectOperation],
) -> None:
    op = kind("add", lambda one, other=0: one + other)
    assert op.execute(1, other=2) == 3
    assert isinstance(op, operations.SyncOperation)


def test_what_is_not_submitted_says_so() -> None:
    op = operations.SingleTaskOperation("a", task())
    assert not op.is_running()
    assert not op.is_error()
    assert op.persisted is None
    for ask in (op.wait, op.result, op.watch, op.logs, op.refresh):
        with pytest.raises(errors.WorkflowException, match="has not been submitted"):
            ask()


KINDS = {
    errors.BadOperationConfiguration: RuntimeError,
    errors.CannotBeShipped: errors.BadOperationConfiguration,
    errors.OperationTimeout: TimeoutError,
    errors.OperationCancelled: errors.OperationFailed,
}


def test_exceptions_are_one_tree_which_is_told() -> None:
    found = [one for one in vars(errors).values() if isinstance(one, type)]
    own = [one for one in found if issubclass(one, Exception)]
    assert all(issubclass(one, errors.WorkflowException) for one in own)
    assert all(f" {one.__name__} " in (errors.__doc__ or "") for one in own)
    for one, kind in KINDS.items():
        assert issubclass(one, kind)


def test_what_a_task_is_told_has_one_name() -> None:
    """Code in a task is to import no more than it needs, so the client has the names too."""
    assert utils.WORKFLOW_NAME_VARIABLE_NAME == WORKFLOW_NAME
    assert utils.SHARED_DIRECTORY_VARIABLE_NAME == SHARED_DIRECTORY


def test_what_a_task_knows_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CH_WORKFLOW_NAME", "my-op-abcde-12345")
    monkeypatch.setenv("shared_directory", "/mnt/shared")
    assert utils.get_workflow_name() == "my-op-abcde-12345"
    assert utils.get_shared_directory() == "/mnt/shared"
    monkeypatch.delenv("CH_WORKFLOW_NAME")
    monkeypatch.delenv("shared_directory")
    assert utils.get_shared_directory() is None
    with pytest.raises(errors.WorkflowException, match="CH_WORKFLOW_NAME is not set"):
        utils.get_workflow_name()
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(errors.WorkflowException, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        utils.notify_queue("q", {})
