"""Suspending, resuming, cancelling, deadlines, and a namespace that goes: on a real cluster."""

import json
import time
from collections.abc import Callable

import pytest

from cloudharness_operation.names import ANNOTATION_INTERVENTION
from tests.cluster import ClusterError
from tests.support import kafka
from tests.support.installation import DEPLOYMENT, FULL_KIND, Installation, condition, eventually
from tests.support.kstatus import kstatus
from tests.support.operations import (
    DEAF,
    GATED,
    Manifest,
    bash,
    change,
    is_deaf,
    open_gate,
    operation,
    runs,
)

pytestmark = pytest.mark.e2e


def reason_of(one: Installation, name: str) -> Callable[[], object]:
    return lambda: one.status(name).get("reason")


def the_event(one: Installation, topic: str) -> kafka.Event:
    (event,) = kafka.events(one.kafka, topic, bool)
    return event


def is_suspended(one: Installation, name: str) -> Manifest:
    """Wait until an operation says that it is suspended; return its status."""
    eventually(lambda: one.status(name).get("phase") == "Suspended")
    found = one.get(FULL_KIND, name)
    assert kstatus(found) == "InProgress"
    status: Manifest = found["status"]
    assert status["observedGeneration"] == found["metadata"]["generation"]
    told = {one["type"]: one["status"] for one in status["conditions"]}
    assert (told["Suspended"], told["Reconciling"], told["Finished"]) == ("True", "True", "False")
    return status


def check_cut(one: Installation, name: str, phase: str, reason: str) -> Manifest:
    """Check an end that was not the run's own, everywhere it is told; return the status."""
    status = one.wait_for(name, "Notified")
    assert (status["phase"], status["reason"]) == (phase, reason)
    for kind in ("Failed", "Stalled", "Finished", "Notified"):
        assert condition(status, kind)["status"] == "True"
    assert condition(status, "Failed")["reason"] == reason
    assert kstatus(one.get(FULL_KIND, name)) == "Failed"
    event = the_event(one, f"{one.namespace}-{name}")
    uid = one.get(FULL_KIND, name)["metadata"]["uid"]
    assert (event.id, event.data["status"]) == (f"{uid}/1/exit", "Failed")
    assert (event.data["reason"], event.data["message"]) == (reason, status["message"])
    return status


def test_suspended_from_the_beginning_nothing_is_made_until_it_is_resumed(
    shared: Installation,
) -> None:
    shared.apply(operation("asleep", bash("true"), suspend=True))
    status = is_suspended(shared, "asleep")
    time.sleep(3)
    assert shared.workflows("asleep") == []
    assert "workflowRef" not in status
    change(shared, "asleep", suspend=False)
    status = shared.wait_for("asleep")
    assert (status["phase"], condition(status, "Suspended")["status"]) == ("Succeeded", "False")
    assert len(shared.workflows("asleep")) == 1


def test_suspended_while_it_runs_no_new_task_starts_until_it_is_resumed(
    shared: Installation,
) -> None:
    shared.apply(operation("paused", bash(GATED, "one"), bash("true", "two")))
    runs(shared, "paused")
    change(shared, "paused", suspend=True)
    is_suspended(shared, "paused")
    open_gate(shared, "paused")
    eventually(lambda: shared.status("paused")["tasks"][0]["phase"] == "Succeeded")
    time.sleep(5)
    assert len(shared.pods("paused")) == 1
    assert shared.status("paused")["phase"] == "Suspended"
    change(shared, "paused", suspend=False)
    status = shared.wait_for("paused")
    assert (status["phase"], status["progress"]) == ("Succeeded", "2/2")
    assert condition(status, "Suspended")["status"] == "False"


@pytest.mark.parametrize("how", ["Stop", "Terminate"])
def test_what_runs_is_cancelled(shared: Installation, how: str) -> None:
    name = f"cancel-{how.lower()}"
    tasks = (bash("sleep 300", "one"), bash("true", "two"))
    shared.apply(operation(name, *tasks, topic=f"{shared.namespace}-{name}"))
    runs(shared, name)
    change(shared, name, cancel=how)
    status = check_cut(shared, name, "Cancelled", "Cancelled")
    assert [task["phase"] for task in status["tasks"]] == ["Failed", "Skipped"]
    (workflow,) = shared.workflows(name)
    assert workflow["spec"]["shutdown"] == how
    eventually(
        lambda: all(p["status"]["phase"] != "Running" for p in shared.pods(name)), timeout=90
    )


@pytest.mark.long
def test_argo_is_told_once_more_what_it_has_not_heard(shared: Installation) -> None:
    shared.apply(operation("unheard", bash("sleep 300")))
    runs(shared, "unheard")
    (workflow,) = shared.workflows("unheard")
    name = f"workflow/{workflow['metadata']['name']}"
    # Argo passes over what is labelled so (workflow/controller, reconciliationNeeded).
    deaf = "workflows.argoproj.io/completed"
    shared.kubectl("label", name, f"{deaf}=true", "--overwrite")
    change(shared, "unheard", cancel="Stop")
    eventually(lambda: reminders(shared, "unheard") > 0, timeout=90)
    (workflow,) = shared.workflows("unheard")
    assert (workflow["spec"]["shutdown"], workflow["status"]["phase"]) == ("Stop", "Running")
    shared.kubectl("label", name, f"{deaf}-")
    assert shared.wait_for("unheard")["phase"] == "Cancelled"


def reminders(one: Installation, name: str) -> int:
    (workflow,) = one.workflows(name)
    text = workflow["metadata"]["annotations"].get(ANNOTATION_INTERVENTION)
    return int(json.loads(text)["reminders"]) if text else 0


@pytest.mark.long
def test_what_does_not_stop_is_made_to(shared: Installation) -> None:
    shared.apply(operation("stubborn", bash(DEAF)))
    eventually(lambda: is_deaf(shared, "stubborn"))
    change(shared, "stubborn", cancel="Terminate")
    assert shared.wait_for("stubborn")["phase"] == "Cancelled"
    (pod,) = shared.pods("stubborn")
    # Argo's 30 s are those of the kubelet too, and they begin 10 s after the end.
    eventually(lambda: shared.pods("stubborn") == [], timeout=90)
    told = shared.kubectl("get", "events", "--field-selector=reason=PodsDeleted", "-o", "json")
    (event,) = json.loads(told)["items"]
    assert pod["metadata"]["name"] in event["message"]
    assert len(shared.workflows("stubborn")) == 1


def test_what_is_suspended_before_it_began_is_cancelled(shared: Installation) -> None:
    topic = f"{shared.namespace}-cancel-asleep"
    shared.apply(operation("cancel-asleep", bash("true"), topic=topic, suspend=True))
    is_suspended(shared, "cancel-asleep")
    change(shared, "cancel-asleep", cancel="Stop")
    check_cut(shared, "cancel-asleep", "Cancelled", "Cancelled")
    assert shared.workflows("cancel-asleep") == []


def test_what_is_suspended_while_it_runs_is_cancelled(shared: Installation) -> None:
    name = "cancel-paused"
    tasks = (bash(GATED, "one"), bash("true", "two"))
    shared.apply(operation(name, *tasks, topic=f"{shared.namespace}-{name}"))
    runs(shared, name)
    change(shared, name, suspend=True)
    is_suspended(shared, name)
    open_gate(shared, name)
    eventually(lambda: shared.status(name)["tasks"][0]["phase"] == "Succeeded")
    change(shared, name, cancel="Stop")
    status = check_cut(shared, name, "Cancelled", "Cancelled")
    assert condition(status, "Suspended")["status"] == "False"
    assert len(shared.pods(name)) == 1


def test_what_is_cancelled_from_the_beginning_never_begins(shared: Installation) -> None:
    topic = f"{shared.namespace}-cancel-first"
    shared.apply(operation("cancel-first", bash("true"), topic=topic, cancel="Terminate"))
    check_cut(shared, "cancel-first", "Cancelled", "Cancelled")
    assert shared.workflows("cancel-first") == []


def test_a_cancel_cannot_be_taken_back_and_comes_too_late_after_the_end(
    shared: Installation,
) -> None:
    shared.apply(operation("late", bash("true")))
    shared.wait_for("late")
    change(shared, "late", cancel="Stop")
    for wrong in (None, "Nothing"):
        with pytest.raises(ClusterError, match="cancel"):
            change(shared, "late", cancel=wrong)
    change(shared, "late", cancel="Terminate")

    def observed() -> bool:
        found = shared.get(FULL_KIND, "late")
        return bool(found["status"]["observedGeneration"] == found["metadata"]["generation"] == 3)

    eventually(observed)
    assert shared.status("late")["phase"] == "Succeeded"
    assert kstatus(shared.get(FULL_KIND, "late")) == "Current"


def test_what_runs_too_long_is_ended(shared: Installation) -> None:
    topic = f"{shared.namespace}-long"
    shared.apply(operation("long", bash("sleep 300"), topic=topic, activeDeadlineSeconds=10))
    status = check_cut(shared, "long", "Failed", "DeadlineExceeded")
    assert status["message"] == "not done after 10 s (activeDeadlineSeconds)"


@pytest.mark.long
def test_what_runs_too_long_is_ended_though_it_is_suspended(shared: Installation) -> None:
    topic = f"{shared.namespace}-long-paused"
    tasks = (bash("sleep 2", "one"), bash("true", "two"))
    shared.apply(operation("long-paused", *tasks, topic=topic, activeDeadlineSeconds=20))
    runs(shared, "long-paused")
    change(shared, "long-paused", suspend=True)
    check_cut(shared, "long-paused", "Failed", "DeadlineExceeded")


IMAGE = "localhost/nobody/built-this:1"
NO_IMAGE = {"name": "stuck", "custom": {"image": IMAGE, "command": ["true"]}}
KEY = {"valueFrom": {"secretKeyRef": {"name": "no-such-secret", "key": "k"}}}
NO_SECRET = bash("true", "stuck", env=[{"name": "A", **KEY}])
NO_NODE = bash("true", "stuck", nodeSelector={"no-such": "node"})


@pytest.mark.parametrize(
    ("name", "task", "said"),
    [
        ("no-image", NO_IMAGE, IMAGE),
        pytest.param(
            *("no-image-again", {**NO_IMAGE, "retry": {"limit": 2}}, IMAGE),
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("no-secret", NO_SECRET, 'secret "no-such-secret" not found'),
            marks=pytest.mark.long,
        ),
        pytest.param("no-node", NO_NODE, "Unschedulable", marks=pytest.mark.long),
    ],
)
def test_a_pod_that_does_not_start_ends_the_run_with_its_own_words(
    shared: Installation, name: str, task: Manifest, said: str
) -> None:
    topic = f"{shared.namespace}-{name}"
    shared.apply(operation(name, task, topic=topic, pendingDeadlineSeconds=25))
    status = check_cut(shared, name, "Failed", "PendingDeadlineExceeded")
    assert status["message"].startswith("task stuck: ")
    assert said in status["message"]
    assert status["message"].endswith("(pendingDeadlineSeconds: 25)")


@pytest.mark.long
def test_a_pods_wait_counts_on_while_no_operator_runs(own: Installation) -> None:
    topic = f"{own.namespace}-waits"
    own.apply(operation("waits", NO_SECRET, topic=topic, pendingDeadlineSeconds=25))
    eventually(lambda: own.status("waits").get("reason") == "CreateContainerConfigError")
    own.scale_operator(0)
    time.sleep(25)
    own.scale_operator(1)
    began = time.monotonic()
    check_cut(own, "waits", "Failed", "PendingDeadlineExceeded")
    assert time.monotonic() - began < 20


def _keep_rights(own: Installation) -> None:
    """Give the operator its rights once more, in all namespaces, where none of them is deleted.

    As `watch.allNamespaces` does, with which it would act for the other tests' namespaces too.
    """
    (role,) = [role for role in own.find("roles") if role["metadata"]["name"] == DEPLOYMENT]
    api = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    meta = {"metadata": {"name": own.namespace}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    account = {"kind": "ServiceAccount", "name": DEPLOYMENT, "namespace": own.namespace}
    own.apply(
        {**api, "kind": "ClusterRole", **meta, "rules": role["rules"]},
        {
            **api,
            "kind": "ClusterRoleBinding",
            **meta,
            "roleRef": {**reference, "name": own.namespace},
            "subjects": [account],
        },
    )


@pytest.mark.long
def test_a_namespace_is_deleted_while_an_operation_runs(own: Installation) -> None:
    """By an operator of another namespace, whose rights do not go with this one."""
    other = Installation(own.cluster, f"{own.namespace}-x")
    own.cluster.kubectl("create", "namespace", other.namespace)
    _keep_rights(own)
    own.install(f"kafka.bootstrapServers={own.kafka}", f"watch.namespaces={{{other.namespace}}}")
    topic = f"{own.namespace}-gone"
    other.apply(operation("gone", bash("sleep 300"), topic=topic))
    runs(other, "gone")
    uid = other.get(FULL_KIND, "gone")["metadata"]["uid"]
    own.cluster.kubectl("delete", "namespace", other.namespace, "--timeout=150s", timeout=160)
    event = the_event(own, topic)
    assert event.id == f"{uid}/1/exit"
    # The namespace takes its pods, Workflows and operations in no order.
    assert event.data["reason"] in ("Deleted", "WorkflowLost", "TaskFailed")
    own.cluster.kubectl("delete", "clusterrole,clusterrolebinding", own.namespace)
