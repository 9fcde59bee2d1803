"""The Python client on a real cluster: what people write, and what comes back.

The first part is what CloudHarness's page on workflows shows, block by block; the second what is
done with an operation after that.
"""

import asyncio
import json
import threading
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudharness.workflows import argo, operations, tasks, utils
from cloudharness.workflows.argo import (
    Phase,
    V1alpha1Workflow,
    V1alpha1WorkflowList,
    Workflow,
    delete_workflow,
    get_workflow,
    get_workflow_logs,
    get_workflow_logs_list,
    get_workflows,
    submit_workflow,
)
from cloudharness.workflows.attach import attach
from cloudharness.workflows.errors import (
    ClusterUnavailable,
    OperationCancelled,
    OperationExists,
    OperationFailed,
    OperationRefused,
    OperationTimeout,
    WorkflowNotFound,
)
from cloudharness_operation.status import Phase as OperationPhase
from tests.cluster import Cluster
from tests.support import kafka
from tests.support.installation import FULL_KIND, Installation, eventually
from tests.support.installations import installed
from tests.support.relay import Relay

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("client")]


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[Installation]:
    """A namespace in which a service runs operations, with the image of a task of its own."""
    for one in installed(cluster, "e2e-client", "tasks.catalogue=images"):
        images = {"myapp-mytask": cluster.python_image}
        meta = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "images"}}
        one.apply({**meta, "data": images})
        yield one


@pytest.fixture(autouse=True)
def configured(service: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """What a person's shell says."""
    monkeypatch.setenv("KUBECONFIG", str(service.cluster.kubeconfig))
    monkeypatch.setenv("CLOUDHARNESS_NAMESPACE", service.namespace)
    return service


def f() -> None:
    import time  # noqa: PLC0415 - as the page has it.

    time.sleep(2)
    print("whatever")


def mean(values: list[float], *, digits: int = 1) -> dict[str, Any]:
    return {"mean": round(sum(values) / len(values), digits), "of": len(values)}


def custom(name: str = "print-file", **settings: Any) -> tasks.CustomTask:
    """The page's task in an image of its own; what is not told to run is not run to its end."""
    command = settings.pop("command", ["ls", "-la"])
    return tasks.CustomTask(name, "myapp-mytask", command=command, retry_limit=0, **settings)


def script(source: str = "true", name: str = "script", **settings: Any) -> tasks.BashTask:
    return tasks.BashTask(name, source, **settings)


def single(source: str, name: str = "one-", **settings: Any) -> operations.SingleTaskOperation:
    return operations.SingleTaskOperation(name, script(source), **settings)


def test_parallel_python_functions() -> None:
    op = operations.ParallelOperation(
        "test-parallel-op-", (tasks.PythonTask("p1", f), tasks.PythonTask("p2", f))
    )
    submitted = op.execute()
    assert submitted.name.startswith("test-parallel-op-")
    assert op.is_running()
    done = op.wait(120)
    assert done.succeeded()
    assert not op.is_running()
    assert not op.is_error()
    assert get_workflow_logs_list(done.name) == ["whatever", "whatever"]


@pytest.mark.long
def test_a_synchronous_operation_waits_for_its_end() -> None:
    done = operations.DistributedSyncOperation("sync-", tasks.PythonTask("my-task", f)).execute(120)
    assert (done.status, done.succeeded(), done.failed()) == (Phase.Succeeded, True, False)


def test_a_synchronous_operation_returns_what_its_function_returned() -> None:
    task = tasks.PythonTask("mean", mean, values=[1, 2, 6], digits=2)
    op = operations.DistributedSyncOperationWithResults("sync-results-", task)
    assert op.execute(timeout=120) == {"mean": 3.0, "of": 3}


def test_a_synchronous_operation_returns_what_its_task_has_written() -> None:
    task = script("mkdir -p $shared_directory/a && echo 1 > $shared_directory/a/b.txt")
    op = operations.DistributedSyncOperationWithResults("sync-files-", task)
    assert op.execute(timeout=120) == [{"a/b.txt": "1\n"}]


def test_a_task_of_an_application_with_a_command_and_variables() -> None:
    say = ["bash", "-c", "echo $env_variable1 $env_variable2; ls -la / | head -1"]
    my_task = custom(command=say, env_variable1="my variable", env_variable2=1)
    op = operations.SingleTaskOperation("my-op-", my_task)
    op.execute()
    op.wait(120)
    assert next(line.text for line in op.logs()) == "my variable 1"


@pytest.mark.parametrize(
    ("shared_directory", "mounts"),
    [
        pytest.param("myclaim:/opt/shared", {"/opt/shared": None}, marks=pytest.mark.long),
        (["myclaim:/opt/shared:ro", "myclaim2:/opt/shared2"], {"/opt/shared": True}),
    ],
    ids=["one", "several"],
)
def test_shared_volumes(
    service: Installation, shared_directory: Any, mounts: dict[str, bool | None]
) -> None:
    op = operations.SingleTaskOperation("my-op-", custom(), shared_directory=shared_directory)
    op.execute()
    name = op.wait(120).name
    (pod,) = service.pods(name)
    (main,) = (c for c in pod["spec"]["containers"] if c["name"] == "main")
    found = {m["mountPath"]: m.get("readOnly") for m in main["volumeMounts"]}
    assert mounts.items() <= found.items()
    assert {"name": "shared_directory", "value": "/opt/shared"} in main["env"]
    assert all(claim.ephemeral for claim in op.status.claims)


@pytest.mark.long
def test_resources(service: Installation) -> None:
    resources = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    op = operations.PipelineOperation("my-op-gpu-", [custom("my-gpu", resources=resources)])
    op.execute()
    (pod,) = service.pods(op.wait(120).name)
    (main,) = (c for c in pod["spec"]["containers"] if c["name"] == "main")
    assert main["resources"] == resources


def test_a_gpu_is_waited_for() -> None:
    my_task = custom("my-gpu", resources={"limits": {"nvidia.com/gpu": 1}})
    op = operations.PipelineOperation("my-op-gpu-", [my_task])
    name = op.execute().name
    eventually(lambda: op.status.reason == "Unschedulable")
    assert "nvidia.com/gpu" in (op.status.message or "")
    delete_workflow(workflow_name=name)
    with pytest.raises(OperationFailed, match="was deleted before it ended"):
        op.wait(60)


@pytest.mark.long
def test_contexts_put_pods_on_one_node(service: Installation) -> None:
    op = operations.ParallelOperation(
        "test-parallel-op-",
        (tasks.PythonTask("p1", f), tasks.PythonTask("p2", f)),
        pod_context=(
            operations.PodExecutionContext("a", "b"),
            operations.PodExecutionContext("c", "d", required=True),
            operations.PodExecutionContext("e", "f"),
        ),
    )
    op.execute()
    pods = service.pods(op.wait(120).name)
    assert len(pods) == 2
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 1
    labels = {"a": "b", "c": "d", "e": "f"}
    assert all(labels.items() <= pod["metadata"]["labels"].items() for pod in pods)


def test_a_time_to_live_and_an_end_that_is_told(service: Installation) -> None:
    queue = f"{service.namespace}-told"
    op = single(
        "true",
        ttl_strategy={
            "secondsAfterCompletion": 60 * 60 * 24,
            "secondsAfterSuccess": 1,
            "secondsAfterFailure": 60 * 120,
        },
        on_exit_notify={"queue": queue, "payload": json.dumps({"insert": 1})},
    )
    op.execute()
    name = op.wait(120).name
    (event,) = kafka.events(service.kafka, queue, bool)
    assert event.data["payload"] == '{"insert": 1}'
    assert (event.data["status"], event.data["operation"]) == ("Succeeded", name)
    eventually(lambda: service.workflows(name) == [])
    assert get_workflow(name).succeeded()


WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "my-workflow"},
    "spec": {
        "entrypoint": "main",
        "serviceAccountName": "cloudharness-task",
        "templates": [
            {"name": "main", "steps": [[{"name": "say", "template": "say"}]]},
            {"name": "say", "container": {"command": ["bash", "-c", "echo said; exit 3"]}},
        ],
    },
}


def test_a_plain_workflow_is_submitted_read_listed_and_deleted(service: Installation) -> None:
    spec = json.loads(json.dumps(WORKFLOW))
    spec["spec"]["templates"][1]["container"]["image"] = service.cluster.python_image
    submitted_workflow = submit_workflow(spec=spec)
    assert submitted_workflow.name == "my-workflow"
    eventually(lambda: get_workflow(workflow_name="my-workflow").is_finished())

    wf: Workflow = get_workflow(workflow_name="my-workflow")
    raw_workflow = wf.raw
    assert raw_workflow["kind"] == raw_workflow.kind == "Workflow"
    assert raw_workflow.status.started_at == raw_workflow["status"]["startedAt"]
    assert (wf.status, wf.succeeded(), wf.failed()) == (Phase.Failed, False, True)
    assert wf.get_status_message()
    pods = service.find("pods", "workflows.argoproj.io/workflow=my-workflow")
    assert wf.pod_names == [pod["metadata"]["name"] for pod in pods]
    assert len(pods) == 1

    logs_as_list = get_workflow_logs_list(workflow_name="my-workflow")
    logs_as_str = get_workflow_logs(workflow_name="my-workflow")
    assert (logs_as_list, logs_as_str) == (["said"], "said")

    failed = get_workflows(status=Phase.Failed, field_selector="metadata.name=my-workflow")
    assert [item.name for item in failed] == ["my-workflow"]
    delete_workflow(workflow_name="my-workflow")
    for ask in (get_workflow, delete_workflow, get_workflow_logs):
        with pytest.raises(WorkflowNotFound, match="no operation or Workflow 'my-workflow'"):
            ask("my-workflow")


def test_the_workflow_of_an_operation_runs_alone(service: Installation) -> None:
    op = operations.ParallelOperation(
        "alone-", [script("echo $CH_WORKFLOW_NAME", "a")], shared_directory="/mnt/x"
    )
    spec = op.to_workflow()
    for template in spec["spec"]["templates"][1:]:
        template["script"]["image"] = service.cluster.python_image
    name = submit_workflow(spec).name
    eventually(lambda: get_workflow(name).is_finished())
    assert get_workflow(name).succeeded()
    assert get_workflow_logs(name) == name


def test_what_runs_is_listed_page_by_page(service: Installation) -> None:
    names = {f"listed-{number}" for number in range(5)}
    for name in names:
        operations.SingleTaskOperation(name, script("sleep 300"), fixed_name=True).execute()
    eventually(lambda: {w.name for w in get_workflows(Phase.Running, limit=100)} >= names)

    workflow_list: V1alpha1WorkflowList = get_workflows(status=Phase.Running, limit=2)
    workflows: list[V1alpha1Workflow] = list(workflow_list.items)
    assert len(workflows) == 2
    while workflow_list.continue_token:
        workflow_list = get_workflows(Phase.Running, 2, workflow_list.continue_token)
        workflows += workflow_list.items
    found = [workflow.name for workflow in workflows]
    assert names <= set(found)
    assert len(found) == len(set(found))
    assert all(workflow.status == Phase.Running for workflow in workflows)
    service.server.clear(FULL_KIND)


FAIL = "echo first; echo 'disk full'; exit 3"


def test_a_failure_says_which_task_failed_how_and_what_it_said() -> None:
    op = operations.PipelineOperation("fails-", [script("true", "good"), script(FAIL, "bad")])
    op.execute()
    with pytest.raises(OperationFailed) as caught:
        op.wait(120)
    error = caught.value
    assert (error.task, error.exit_code, error.task_reason) == ("bad", 3, "Error")
    assert (error.phase, error.reason) == ("Failed", "TaskFailed")
    assert error.log_tail == ("first", "disk full")
    assert "  | disk full" in str(error)
    assert op.is_error()
    assert get_workflow_logs_list(error.operation) == ["", "first\ndisk full"]
    with pytest.raises(OperationFailed):
        op.result(10)


def test_the_log_of_a_failure_is_there_when_its_pod_is_gone(service: Installation) -> None:
    op = operations.ParallelOperation(
        "gone-", [script(FAIL)], pod_gc={"strategy": "OnPodCompletion", "deleteDelayDuration": 1}
    )
    name = op.execute().name
    with pytest.raises(OperationFailed):
        op.wait(120)
    eventually(lambda: service.pods(name) == [])
    assert [str(line) for line in op.logs()] == ["script | first", "script | disk full"]
    assert get_workflow_logs(name) == "first\ndisk full"
    assert service.workflows(name) != []


def test_a_cancelled_operation_says_so(service: Installation) -> None:
    op = single("sleep 300")
    name = op.execute().name
    service.kubectl("patch", FULL_KIND, name, "--type=merge", "-p", '{"spec":{"cancel":"Stop"}}')
    with pytest.raises(OperationCancelled) as caught:
        op.wait(120)
    assert caught.value.phase == Phase.Cancelled
    assert get_workflow(name).status == Phase.Cancelled


def test_its_course_is_changed_from_python() -> None:
    op = single("sleep 300")
    op.execute()
    assert op.suspend(120).status == Phase.Suspended
    assert op.suspend(120).status == Phase.Suspended
    assert op.resume(120).status in (Phase.Pending, Phase.Running)
    assert op.cancel(timeout=120).status == Phase.Cancelled
    with pytest.raises(OperationCancelled):
        op.wait(60)
    # It comes too late, and does no harm.
    assert op.suspend(120).status == Phase.Cancelled


def test_what_another_process_has_made_is_found_by_its_name() -> None:
    op = operations.SingleTaskOperation("found-", tasks.PythonTask("p", mean, values=[2, 4]))
    found = attach(op.execute().name)
    assert found.result(120) == {"mean": 3.0, "of": 2}
    assert found.wait(10).succeeded()
    with pytest.raises(WorkflowNotFound):
        attach("nobody-has-made-it")


def test_it_is_run_again_from_python() -> None:
    op = operations.SingleTaskOperation("again-", tasks.PythonTask("p", mean, values=[2, 4]))
    op.execute()
    assert op.result(120) == {"mean": 3.0, "of": 2}
    op.rerun(timeout=120)
    assert op.result(120) == {"mean": 3.0, "of": 2}
    assert (op.status.run, op.status.run_id) == (2, "2")
    assert [(past.run_id, past.phase) for past in op.status.history] == [("1", "Succeeded")]


def test_the_twins_of_what_changes_its_course() -> None:
    async def all_of_it() -> list[str | None]:
        op = single("sleep 300")
        await op.submit_async()
        steps = [
            await op.suspend_async(120),
            await op.resume_async(120),
            await op.cancel_async("Terminate", 120),
            await op.rerun_async("v2", 120),
            await op.cancel_async(timeout=120),
        ]
        assert op.status.run_id == "v2"
        return [step.status for step in steps]

    first, _, ended, begun, last = asyncio.run(all_of_it())
    assert (first, ended, last) == (Phase.Suspended, Phase.Cancelled, Phase.Cancelled)
    assert begun in (Phase.Pending, Phase.Running)


def test_a_time_out_is_one_and_the_operation_goes_on() -> None:
    op = single("sleep 300")
    name = op.execute().name
    with pytest.raises(OperationTimeout, match=f"operation {name} has not ended within 2 s"):
        op.wait(2)
    with pytest.raises(TimeoutError):
        op.result(1)
    assert op.is_running()
    delete_workflow(name)


def test_results_of_several_tasks_and_of_none() -> None:
    op = operations.SimpleDagOperation(
        "dag-",
        (tasks.PythonTask("a", mean, values=[1]), script(name="b")),
        tasks.PythonTask("c", lambda: "x" * 20000),
    )
    op.execute()
    assert op.result(180) == {"a": {"mean": 1.0, "of": 1}, "c": "x" * 20000}


def test_outputs_reach_later_tasks_and_python() -> None:
    write = "printf 'a  b' > /tmp/o; echo said"
    first = tasks.BashTask("first", write, outputs={"o": "/tmp/o"}, stdout=True)
    last = tasks.PythonTask("last", passed, o=first.output("o"), said=first.output("stdout"))
    op = operations.PipelineOperation("outputs-", [first, last])
    op.execute()
    assert op.outputs(120) == {
        "first": {"o": "a  b", "stdout": "said"},
        "last": {"result": '["a  b", "said"]'},
    }
    assert asyncio.run(op.outputs_async(60)) == op.outputs(60)
    assert op.result(60) == {"last": ["a  b", "said"]}


def passed() -> list[str]:
    import os  # noqa: PLC0415 - in the task.

    return [os.environ["o"], os.environ["said"]]  # noqa: SIM112


def test_deadlines_and_retries_are_said_in_python() -> None:
    retry = tasks.Retry(1, backoff=1)
    op = operations.SingleTaskOperation("again-", tasks.BashTask("t", "exit 3", retry=retry))
    op.execute()
    with pytest.raises(OperationFailed):
        op.wait(120)
    assert op.status.tasks[0].attempts == 2
    late = operations.SingleTaskOperation(
        "late-", tasks.BashTask("t", "sleep 300"), active_deadline_seconds=8
    )
    late.execute()
    with pytest.raises(OperationFailed) as caught:
        late.wait(180)
    assert caught.value.reason == "DeadlineExceeded"


def test_operations_of_a_group_wait_for_each_other() -> None:
    def one(name: str, source: str) -> operations.SingleTaskOperation:
        task = tasks.BashTask("t", source)
        return operations.SingleTaskOperation(
            name, task, concurrency_policy="Forbid", concurrency_group="pair"
        )

    first, second = one("first-", "sleep 300"), one("second-", "true")
    first.execute()
    eventually(lambda: first.status.phase == OperationPhase.RUNNING)
    second.execute()
    eventually(lambda: second.status.reason == "GroupBusy")
    first.cancel("Terminate", 120)
    second.wait(180)


def test_states_are_watched_until_the_end() -> None:
    op = single("sleep 2")
    op.execute()
    phases = [status.phase for status in op.watch(120)]
    assert phases[-1] is OperationPhase.SUCCEEDED
    assert OperationPhase.RUNNING in phases


COUNT = "for n in 1 2 3; do echo $n; sleep 1; done; sleep 8"


def test_logs_are_followed_as_they_come() -> None:
    op = operations.ParallelOperation("loud-", [script(COUNT, "a"), script(COUNT, "b")])
    op.execute()
    lines = []
    for line in op.logs(follow=True):
        lines.append((line.task, line.text))
        if len(lines) == 1:
            assert op.is_running()  # It sleeps for long after its last word.
    assert sorted(lines) == [(task, str(n)) for task in "ab" for n in (1, 2, 3)]
    assert [line.text for line in op.logs(task="b")] == ["1", "2", "3"]


def test_asynchronous_twins_do_the_same() -> None:
    async def all_of_it() -> tuple[Any, list[Any], list[str]]:
        op = operations.SingleTaskOperation("twin-", tasks.PythonTask("p", mean, values=[2, 4]))
        await op.submit_async()
        states = [status.phase async for status in op.watch_async(120)]
        lines = [str(line) async for line in op.logs_async()]
        assert (await op.wait_async(60)).succeeded()
        return await op.result_async(60), states, lines

    result, states, lines = asyncio.run(all_of_it())
    assert result == {"mean": 3.0, "of": 2}
    assert states[-1] is OperationPhase.SUCCEEDED
    assert lines == []


def test_a_cancelled_wait_ends_and_the_operation_goes_on() -> None:
    op = single("sleep 300")
    name = op.execute().name

    async def impatient() -> None:
        async with asyncio.timeout(1):
            await op.wait_async()

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    eventually(lambda: not [t for t in threading.enumerate() if "asyncio" in t.name])
    assert op.is_running()
    delete_workflow(name)


def test_the_api_server_is_asked_without_a_trace(service: Installation) -> None:
    op = operations.SingleTaskOperation(f"dry-{uuid.uuid4().hex[:6]}", script())
    stored = op.dry_run()
    assert stored["spec"]["tasks"][0]["bash"] == {"source": "true"}
    assert stored["spec"]["suspend"] is False
    assert service.find(FULL_KIND, fields=f"metadata.name={op.name}") == []


def test_what_the_api_server_refuses_is_told_in_its_words() -> None:
    much = [script("x" * 60000, f"t{number}") for number in range(9)]
    op = operations.ParallelOperation("much-", much)
    for ask in (op.dry_run, op.execute):
        with pytest.raises(OperationRefused, match="put code into a ConfigMap or an image"):
            ask()
    assert op.persisted is None


def test_a_fixed_name_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (single("sleep 300", "nightly", fixed_name=True) for _ in range(2))
    assert first.execute().name == "nightly"
    monkeypatch.setenv("CH_WORKFLOWS_SERVICE_URL", "http://workflows/api/")
    assert first.get_operation_update_url() == "http://workflows/api/operations/nightly"
    with pytest.raises(OperationExists, match="or choose another name"):
        second.execute()
    delete_workflow("nightly")


def test_yaml_is_what_kubectl_creates(service: Installation) -> None:
    op = operations.PipelineOperation("from-yaml-", [tasks.PythonTask("p", mean, values=[1])])
    said = service.kubectl("create", "-f", "-", "-o", "name", text=op.to_yaml())
    name = said.strip().partition("/")[2]
    assert service.wait_for(name)["phase"] == "Succeeded"


def test_an_outage_of_the_network_is_waited_out(
    service: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = yaml.safe_load(service.cluster.kubeconfig.read_text())
    (entry,) = settings["clusters"]
    server = urllib.parse.urlsplit(entry["cluster"]["server"])
    with Relay(server.hostname or "", server.port or 443) as relay:
        entry["cluster"]["server"] = f"https://{relay.address}"
        config = tmp_path / "config"
        config.write_text(yaml.safe_dump(settings))
        monkeypatch.setenv("KUBECONFIG", str(config))
        op = single("sleep 10")
        op.execute()
        found: list[Workflow] = []
        waiter = threading.Thread(target=lambda: found.append(op.wait(240)))
        waiter.start()
        # While one connection is held by the watch, this takes another.
        eventually(lambda: op.status.phase is OperationPhase.RUNNING and relay.carried > 1)
        relay.cut()
        eventually(lambda: relay.refused > 1)
        relay.mend()
        waiter.join(240)
        assert [one.succeeded() for one in found] == [True]
        relay.cut()
        with pytest.raises(ClusterUnavailable, match="the API server does not respond"):
            op.is_running()


def test_cloudharness_values_are_mounted_where_there_are_some(service: Installation) -> None:
    meta = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cloudharness-allvalues"}}
    service.apply({**meta, "data": {"allvalues.yaml": "domain: example.org"}})
    path = "/opt/cloudharness/resources/allvalues.yaml"
    op = operations.PipelineOperation("values-", [script(f"cat {path}")], shared_directory="/x")
    op.execute()
    op.wait(120)
    service.kubectl("delete", "configmap", "cloudharness-allvalues")
    assert [line.text for line in op.logs()] == ["domain: example.org"]


def test_code_in_a_task_tells_a_queue(
    service: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = f"{service.namespace}-from-code"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", service.kafka)
    utils.notify_queue(queue, {"done": [1, "ü"]})
    (record,) = kafka.records(service.kafka, queue, bool)
    assert json.loads(record.value() or b"") == {"done": [1, "ü"]}
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(utils, "_PUBLISH_SECONDS", 2.0)
    with pytest.raises(argo.WorkflowException, match="not acknowledged within 2 s"):
        utils.notify_queue(queue, {})


def ask_as(service: Installation, role: str) -> Any:
    """A client of the account of a service that has one of Kubernetes' own roles."""
    from kubernetes import client, config  # noqa: PLC0415

    service.kubectl("create", "serviceaccount", role)
    service.kubectl(
        *("create", "rolebinding", role, f"--clusterrole={role}"),
        f"--serviceaccount={service.namespace}:{role}",
    )
    settings = client.Configuration()
    path = str(service.cluster.kubeconfig)
    config.load_kube_config(path, client_configuration=settings)  # type: ignore[no-untyped-call]
    settings.cert_file = settings.key_file = None
    token = service.kubectl("create", "token", role).strip()
    settings.api_key = {"authorization": token}
    settings.api_key_prefix = {"authorization": "Bearer"}
    return client.ApiClient(settings)


def test_kubernetes_own_roles_are_enough(service: Installation) -> None:
    editor, viewer = ask_as(service, "edit"), ask_as(service, "view")
    op = operations.SingleTaskOperation("by-role-", tasks.PythonTask("p", lambda: "y" * 9000))

    def allowed() -> bool:
        try:  # Aggregated roles take a moment.
            return bool(op.dry_run(namespace=service.namespace, client=editor))
        except argo.WorkflowException:
            return False

    eventually(allowed)
    name = op.submit(namespace=service.namespace, client=editor).name
    assert op.result(120) == "y" * 9000
    assert get_workflow(name, namespace=service.namespace, client=viewer).succeeded()
    with pytest.raises(argo.WorkflowException, match="cannot delete"):
        delete_workflow(name, namespace=service.namespace, client=viewer)
    delete_workflow(name, namespace=service.namespace, client=editor)
