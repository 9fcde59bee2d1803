"""What becomes of operations, as people and other services see it."""

import json
import time
from collections import Counter

import pytest
import yaml

from tests.cluster import Cluster
from tests.support import kafka
from tests.support.audit import writes
from tests.support.installation import FULL_KIND, ROOT, Installation, condition, eventually
from tests.support.operations import bash, operation

pytestmark = pytest.mark.e2e


def test_a_pipeline_runs_its_steps_in_order_and_tells_its_end(shared: Installation) -> None:
    manifest = yaml.safe_load((ROOT / "examples" / "pipeline.yaml").read_text())
    name, topic = manifest["metadata"]["name"], f"{shared.namespace}-pipeline"
    manifest["spec"]["onExit"]["notify"]["topic"] = topic
    # As a person does.
    assert f"/{name} created" in shared.kubectl_apply(manifest)
    wait = ("wait", "--for=condition=Finished", f"cho/{name}", "--timeout=240s")
    assert "condition met" in shared.kubectl(*wait, timeout=250)
    status = shared.status(name)

    assert (status["phase"], status["progress"]) == ("Succeeded", "2/2")
    assert status["observedGeneration"] == 1
    assert condition(status, "Complete")["status"] == "True"
    assert condition(status, "Notified")["status"] == "True"
    assert not condition(status, "Failed")

    eventually(lambda: "finalizers" not in shared.workflows(name)[0]["metadata"])
    (child,) = shared.workflows(name)
    assert status["workflowRef"]["uid"] == child["metadata"]["uid"]
    (owner,) = child["metadata"]["ownerReferences"]
    uid = shared.get(FULL_KIND, name)["metadata"]["uid"]
    assert (owner["uid"], owner["controller"]) == (uid, True)

    ends = {
        node["displayName"]: (node["startedAt"], node["finishedAt"])
        for node in child["status"]["nodes"].values()
        if node["type"] == "Pod"
    }
    assert ends["compute"][1] <= ends["report"][0]

    (event,) = kafka.events(shared.kafka, topic, bool)
    assert event.key == uid
    assert event.attributes == {
        "ce_id": f"{uid}/1/exit",
        "ce_source": f"/apis/cloudharness.io/v1alpha1/namespaces/{shared.namespace}"
        f"/cloudharnessoperations/{name}",
        "ce_specversion": "1.0",
        "ce_type": "io.cloudharness.operation.succeeded.v1",
        "ce_subject": name,
        "ce_time": child["status"]["finishedAt"],
        "content-type": "application/json",
    }
    assert event.data["payload"] == '{"job": "hello"}'
    assert event.data["status"] == "Succeeded"
    assert event.data["workflow"] == child["metadata"]["name"]


def test_each_kind_of_task_gets_its_environment_and_says_what_it_was_told(
    shared: Installation, cluster: Cluster
) -> None:
    env = [{"name": "WORD", "value": "seven\n'quotes' $HOME"}]
    source = "import os, sys; print(repr(os.environ['WORD']), sys.argv[1:])"
    tasks = [
        {"name": "python", "python": {"source": source}, "env": env},
        bash('printf "%q\\n" "$WORD"', name="bash", env=env),
        {
            "name": "custom",
            "custom": {
                "image": cluster.python_image,
                "command": ["python3"],
                "args": ["-c", source, "{{not.a.parameter}}", "two words"],
            },
            "env": env,
        },
    ]
    shared.apply(operation("kinds", *tasks))
    assert shared.wait_for("kinds")["phase"] == "Succeeded"
    said = {pod["metadata"]["name"]: pod for pod in shared.pods("kinds")}
    logs = {name: shared.kubectl("logs", name, "-c", "main") for name in said}
    spoken = {name.split("-")[2]: _own_words(log) for name, log in logs.items()}
    assert spoken["python"] == repr("seven\n'quotes' $HOME") + " []"
    assert spoken["bash"] == r"$'seven\n\'quotes\' $HOME'"
    assert spoken["custom"].endswith("['{{not.a.parameter}}', 'two words']")


def _own_words(log: str) -> str:
    """A task's own output, without what Argo's executor says into the same log."""
    return "\n".join(line for line in log.splitlines() if " argo=true" not in line)


def test_a_failing_task_fails_the_operation_and_says_which_and_how(shared: Installation) -> None:
    topic = f"{shared.namespace}-failing"
    tasks = [bash("true", "first"), bash("exit 3", "second"), bash("true", "third")]
    shared.apply(operation("failing", *tasks, topic=topic))
    status = shared.wait_for("failing")
    assert (status["phase"], status["reason"]) == ("Failed", "TaskFailed")
    assert "second" in status["message"]
    assert "exit code 3" in status["message"]
    for kind in ("Failed", "Stalled"):
        assert condition(status, kind)["status"] == "True"
    assert not condition(status, "Complete")
    (event,) = kafka.events(shared.kafka, topic, bool)
    assert event.attributes["ce_type"] == "io.cloudharness.operation.failed.v1"
    assert event.data["status"] == "Failed"
    assert event.data["message"] == status["message"]


def test_deleting_a_running_operation_takes_its_workflow_and_pods_and_tells_of_it(
    shared: Installation,
) -> None:
    topic = f"{shared.namespace}-deleted"
    shared.apply(operation("deleted", bash("sleep 300"), topic=topic))
    eventually(lambda: [p for p in shared.pods("deleted") if p["status"]["phase"] == "Running"])
    uid = shared.get(FULL_KIND, "deleted")["metadata"]["uid"]
    shared.kubectl("delete", "cho", "deleted", "--timeout=30s")
    eventually(lambda: not shared.workflows("deleted"))
    eventually(lambda: not shared.pods("deleted"), timeout=90)
    (event,) = kafka.events(shared.kafka, topic, bool)
    assert (event.id, event.data["reason"]) == (f"{uid}/1/exit", "Deleted")


def test_a_workflow_that_someone_deletes_is_reported_lost(shared: Installation) -> None:
    topic = f"{shared.namespace}-lost"
    shared.apply(operation("lost", bash("sleep 300"), topic=topic))
    eventually(lambda: shared.status("lost").get("workflowRef"))
    shared.kubectl("delete", "workflow", "-l", "cloudharness.io/operation=lost", "--timeout=60s")
    status = shared.wait_for("lost")
    assert (status["phase"], status["reason"]) == ("Error", "WorkflowLost")
    (event,) = kafka.events(shared.kafka, topic, bool)
    assert event.data["reason"] == "WorkflowLost"
    assert shared.workflows("lost") == []


def test_a_missing_image_is_told_while_it_is_waited_for(shared: Installation) -> None:
    image = "localhost/nobody/built-this:1"
    task = {"name": "task", "custom": {"image": image, "command": ["true"]}}
    shared.apply(operation("no-image", task))
    eventually(lambda: shared.status("no-image").get("reason") == "ImagePullFailed")
    status = shared.status("no-image")
    finished, reconciling = condition(status, "Finished"), condition(status, "Reconciling")
    assert (finished["status"], finished["reason"]) == ("False", "ImagePullFailed")
    assert (reconciling["status"], reconciling["reason"]) == ("True", "ImagePullFailed")
    assert image in finished["message"]
    shared.kubectl("delete", "cho", "no-image", "--timeout=30s")


def test_a_missing_service_account_ends_it_and_is_named(shared: Installation) -> None:
    shared.apply(operation("no-account", bash("true"), serviceAccountName="nobody"))
    status = shared.wait_for("no-account")
    assert (status["phase"], status["reason"]) == ("Failed", "TaskFailed")
    assert 'serviceaccount "nobody" not found' in condition(status, "Failed")["message"]


@pytest.mark.parametrize(
    ("topic", "most"),
    [
        pytest.param("", 4, id="silent", marks=pytest.mark.long),
        pytest.param("counted", 5, id="notifying"),
    ],
)
def test_an_operation_costs_few_writes(shared: Installation, topic: str, most: int) -> None:
    name = f"counted-{'event' if topic else 'silent'}"
    shared.apply(operation(name, bash("sleep 1"), topic=topic and f"{shared.namespace}-counted"))
    shared.wait_for(name)
    eventually(lambda: "finalizers" not in shared.workflows(name)[0]["metadata"])
    time.sleep(3)  # Nothing more may come.
    made = [
        f"{verb} {resource}" for verb, resource, _ in writes(shared.cluster, shared.namespace, name)
    ]
    # The child, running, the end, and where there is an event, the finalizer. A slow machine
    # may take a second look at the tasks in between. Events tell people, and are not counted.
    status = "patch cloudharnessoperations/status"
    counted = [one for one in made if one != "create events"]
    looks = counted.count(status)
    assert counted == [
        "create workflows",
        *[status] * looks,
        *(["patch workflows"] if topic else []),
    ]
    assert 1 <= looks <= 3, json.dumps(shared.status(name), indent=1)
    assert len(counted) <= most
    assert made.count("create events") <= 3


@pytest.mark.long
def test_another_run_costs_one_write_more_than_the_first(shared: Installation) -> None:
    """The one that says which run it is now, before its Workflow is made."""

    def made() -> Counter[str]:
        found = writes(shared.cluster, shared.namespace, "counted-again")
        return Counter(f"{verb} {resource}" for verb, resource, _ in found if resource != "events")

    shared.apply(operation("counted-again", bash("sleep 1")))
    shared.wait_for("counted-again")
    time.sleep(3)  # Nothing more may come.
    before = made()
    shared.server.patch(FULL_KIND, "counted-again", {"spec": {"runId": "2"}})
    eventually(lambda: shared.status("counted-again").get("runId") == "2")
    shared.wait_for("counted-again")
    time.sleep(3)
    more = made() - before
    status = more.pop("patch cloudharnessoperations/status")
    assert more == {"create workflows": 1}
    # That it is another run, that it runs, its end; on a slow machine a look at the tasks.
    assert status in (3, 4)
