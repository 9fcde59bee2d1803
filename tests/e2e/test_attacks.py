"""The table of attacks (tests/support/attacks.py), on an operator with two namespaces."""

import base64
import gzip
import json
import re
import uuid
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as drawing

from cloudharness_operation.event import Destination
from cloudharness_operation.names import (
    ANNOTATION_EXIT_EVENT,
    API_VERSION,
    FINALIZER,
    KIND,
    LABEL_MANAGED_BY,
    LABEL_OPERATION,
    LABEL_RUN,
    LABEL_UID,
    MANAGER,
    child_name,
)
from tests.cluster import Cluster, ClusterError
from tests.support import kafka
from tests.support.attacks import ATTACKS, KAFKA_SECRET, TOPICS, Attack, Stop
from tests.support.drawn import operations
from tests.support.installation import FULL_KIND, Installation, condition, eventually
from tests.support.installations import empty
from tests.support.operations import Manifest, bash, operation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("attacks")]

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": KAFKA_SECRET},
    "stringData": {"protocol": "PLAINTEXT"},
}


@pytest.fixture(scope="module")
def neighbour(cluster: Cluster) -> Iterator[str]:
    """A second namespace, whose operations must not notice anything."""
    name = f"e2e-neighbour-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    Installation(cluster, name).remove()


@pytest.fixture(scope="module")
def arena(cluster: Cluster, neighbour: str) -> Iterator[Installation]:
    """An operator that serves its own namespace, where everything is tried, and another one."""
    for one in empty(cluster, "e2e-attacks"):
        one.apply(SECRET)
        one.install(*settings(one, neighbour))
        yield one


def settings(one: Installation, neighbour: str) -> tuple[str, ...]:
    """Return the settings of that operator."""
    return (
        f"kafka.bootstrapServers={one.kafka}",
        f"kafka.allowedTopics={{{TOPICS}}}",
        f"kafka.secret={KAFKA_SECRET}",
        f"watch.namespaces={{{one.namespace},{neighbour}}}",
    )


@pytest.fixture(autouse=True)
def _goes_on(arena: Installation, neighbour: str) -> Iterator[None]:
    """After each attack the same process serves others, without a pod to wait for."""
    yield
    other = Installation(arena.cluster, neighbour)
    name = f"after-{uuid.uuid4().hex[:8]}"
    other.apply(operation(name, bash("true"), cancel="Terminate"))
    assert other.wait_for(name, timeout=60)["reason"] == "Cancelled"
    other.server.delete(FULL_KIND, name)
    assert restarts(arena) == 0


def restarts(arena: Installation) -> int:
    """Return how many times the operator's process has ended."""
    (pod,) = [one for one in arena.operator_pods() if "deletionTimestamp" not in one["metadata"]]
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def rows(stop: Stop) -> list[object]:
    return [
        pytest.param(one, id=one.name, marks=[pytest.mark.long] if one.long else [])
        for one in ATTACKS
        if one.stop is stop and one.body
    ]


def unique() -> str:
    return f"attack-{uuid.uuid4().hex[:8]}"


def carried_out(arena: Installation, attack: Attack) -> str:
    """Create the operation of an attack and return its name."""
    name = unique()
    assert attack.body is not None
    arena.server.create(FULL_KIND, attack.body(name))
    return name


@pytest.mark.parametrize("attack", rows(Stop.APPLY))
def test_an_attack_that_the_crd_refuses(arena: Installation, attack: Attack) -> None:
    with pytest.raises(ClusterError, match=re.escape(attack.says)):
        carried_out(arena, attack)


def is_ended(arena: Installation, attack: Attack) -> None:
    name = carried_out(arena, attack)
    status = arena.wait_for(name, timeout=60)
    assert (status["reason"], status["phase"]) == ("InvalidSpec", "Error")
    assert attack.says in status["message"]
    assert arena.workflows(name) == []
    arena.server.delete(FULL_KIND, name)


@pytest.mark.parametrize("attack", rows(Stop.OPERATOR))
def test_an_attack_that_the_operator_ends(arena: Installation, attack: Attack) -> None:
    is_ended(arena, attack)


def forged(arena: Installation, owner: Manifest, to: Destination) -> Manifest:
    """Return a Workflow that somebody has written by hand in the place of the operator."""
    meta = owner["metadata"]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": child_name(meta["name"], meta["uid"], 1),
            "namespace": arena.namespace,
            "labels": {
                LABEL_OPERATION: meta["name"],
                LABEL_UID: meta["uid"],
                LABEL_RUN: "1",
                LABEL_MANAGED_BY: MANAGER,
            },
            "annotations": {ANNOTATION_EXIT_EVENT: to.to_annotation()},
            "finalizers": [FINALIZER],
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": KIND, "name": meta["name"], "uid": meta["uid"]}
            ],
        },
        "spec": {"entrypoint": "a", "templates": [{"name": "a", "suspend": {}}]},
        "status": {"phase": "Failed", "message": "forged", "finishedAt": "2026-01-01T00:00:00Z"},
    }


def promise(uid: str, namespace: str, name: str, topic: str, payload: str = "") -> Destination:
    return Destination(
        uid=uid,
        namespace=namespace,
        operation=name,
        run="1",
        run_id="",
        topics=(topic,),
        payload=payload,
    )


def test_a_forged_child_says_nothing_of_another_namespaces_operation(
    arena: Installation, neighbour: str
) -> None:
    other, name = Installation(arena.cluster, neighbour), unique()
    other.apply(operation(name, bash("sleep 3")))
    victim = other.get(FULL_KIND, name)
    to = promise(victim["metadata"]["uid"], neighbour, name, "attacks-forged")
    arena.kubectl("create", "-f", "-", text=yaml.safe_dump(forged(arena, victim, to)))
    assert other.wait_for(name)["reason"] == "AllTasksSucceeded"
    (left,) = arena.workflows(name)
    # Its owner is not in its namespace, so Kubernetes deletes it.
    arena.server.patch("workflows", left["metadata"]["name"], {"metadata": {"finalizers": None}})
    eventually(lambda: not arena.workflows(name))


def test_a_forged_exit_event_is_not_published(arena: Installation, neighbour: str) -> None:
    topic, nobody = (
        f"attacks-{unique()}",
        {"metadata": {"name": unique(), "uid": str(uuid.uuid4())}},
    )
    uid, name = nobody["metadata"]["uid"], nobody["metadata"]["name"]
    honest = promise(uid, arena.namespace, name, topic, "as promised")
    claims = (
        promise(uid, neighbour, name, topic, "another namespace"),
        promise(uid, arena.namespace, "other", topic, "another name"),
        promise(str(uuid.uuid4()), arena.namespace, name, topic, "another uid"),
        promise(uid, arena.namespace, name, "payroll", "another topic"),
    )
    for to in claims:
        arena.kubectl("create", "-f", "-", text=yaml.safe_dump(forged(arena, nobody, to)))
        eventually(lambda: not arena.workflows(name))
    # What agrees with the Workflow is published: it comes after all others.
    arena.kubectl("create", "-f", "-", text=yaml.safe_dump(forged(arena, nobody, honest)))
    eventually(lambda: not arena.workflows(name))
    published = kafka.all_events(arena.kafka, topic, 1)
    assert {event.data["payload"] for event in published} == {"as promised"}
    assert "is not published" in arena.kubectl("logs", "deployment/cho-cloudharness-operator")


HOSTILE: dict[str, Manifest] = {
    "a long message": {"message": "x" * 100_000},
    "packed nodes": {
        "compressedNodes": base64.b64encode(gzip.compress(b"[" + b"{}," * 30_000_000)).decode()
    },
    "odd nodes": {
        "startedAt": "9999-12-31T23:59:59Z",
        "nodes": {
            name: {
                "id": name,
                "name": f"x({'9' * 200})",
                "type": "Pod",
                "templateName": "task",
                "phase": phase,
                "startedAt": "0001-01-01T00:00:00Z",
                "outputs": {"exitCode": "many", "parameters": [{"name": "x" * 10_000}]},
            }
            for name, phase in (("a", "Pending"), ("b", "Failed"), ("c", "?"))
        },
    },
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_workflow_with_a_hostile_status_ends_all_the_same(arena: Installation, what: str) -> None:
    name = unique()
    nowhere = {"nodeSelector": {"example.org/there-is-none": "yes"}}
    arena.apply(operation(name, bash("true"), topic="attacks-status", **nowhere))
    eventually(lambda: arena.workflows(name))
    (child,) = arena.workflows(name)
    changes = {"phase": "Failed", "finishedAt": "2026-01-01T00:00:00Z", **HOSTILE[what]}
    done = {"labels": {"workflows.argoproj.io/completed": "true"}}
    arena.server.patch(
        "workflows", child["metadata"]["name"], {"metadata": done, "status": changes}
    )
    status = arena.wait_for(name)
    assert status["phase"] == "Failed"
    assert len(status["message"]) <= 4096
    assert condition(arena.wait_for(name, "Notified"), "Notified")["status"] == "True"


@pytest.mark.parametrize(
    ("what", "unit"),
    [
        ("time", "time="),
        ("escapes", "\\x1b[31m\\x00\\x07"),
        pytest.param("executor", 'time=a level=b msg=\\"', marks=pytest.mark.long),
    ],
)
def test_a_hostile_log_costs_nothing_but_its_lines(
    arena: Installation, what: str, unit: str
) -> None:
    name = unique()
    script = f"import sys\nsys.stdout.write('{unit}' * 100_000)\nsys.stdout.flush()\nsys.exit(3)"
    arena.apply(operation(name, {"name": what, "python": {"source": script}}))
    status = arena.wait_for(name)
    assert status["failure"]["exitCode"] == 3
    tail = "".join(status["failure"]["logTail"])
    assert len(tail.encode()) <= 4096
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", tail)


def test_a_pod_that_no_node_has_room_for_ends_with_its_own_words(arena: Installation) -> None:
    limits = {"limits": {"nvidia.com/gpu": "1e30"}}
    name = unique()
    task = bash("true", resources=limits)
    text = json.dumps(operation(name, task, pendingDeadlineSeconds=2))
    arena.server.create(FULL_KIND, text)
    assert arena.wait_for(name)["reason"] == "PendingDeadlineExceeded"


@pytest.mark.parametrize("attack", rows(Stop.STRICT))
def test_an_attack_that_strict_settings_end(
    arena: Installation, neighbour: str, attack: Attack
) -> None:
    if attack.name == "any image":  # The first one.
        arena.install(
            *settings(arena, neighbour),
            "tasks.templatePatch=Denied",
            "tasks.allowedServiceAccounts={jobs-*}",
            "tasks.allowedImages={registry.example.org/*}",
        )
    is_ended(arena, attack)


def test_an_ordinary_operation_meets_strict_settings(arena: Installation) -> None:
    name = unique()
    arena.apply(operation(name, bash("echo as ever"), topic="attacks-ordinary"))
    assert arena.wait_for(name)["reason"] == "AllTasksSucceeded"


@pytest.mark.long
def test_a_crowd_of_large_operations_fits_into_memory(arena: Installation) -> None:
    """The figure of docs/operating.md: a hundred of the largest size, with the default limit."""
    tasks = [
        bash("true", f"t{n}", env=[{"name": f"V{i}", "value": "x" * 4000} for i in range(25)])
        for n in range(10)
    ]
    largest = operation("x", *tasks, suspend=True)
    assert len(json.dumps(largest["spec"])) > 1_000_000
    names = [unique() for _ in range(100)]
    for name in names:
        arena.server.create(FULL_KIND, json.dumps(operation(name, *tasks, suspend=True)))
    eventually(lambda: all(arena.status(name)["reason"] == "Suspended" for name in names), 300)
    arena.kill_operator()
    arena.rolled_out()
    ordinary = unique()
    arena.apply(operation(ordinary, bash("true")))
    assert arena.wait_for(ordinary)["reason"] == "AllTasksSucceeded"
    for name in names:
        arena.server.delete(FULL_KIND, name)


@pytest.mark.long
@drawing(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(drawn=operations())
def test_after_a_drawn_operation_an_ordinary_one_ends_in_time(
    arena: Installation, neighbour: str, drawn: Manifest
) -> None:
    name = unique()
    whole = {**operation(name), "spec": drawn["spec"]}
    try:
        arena.server.create(FULL_KIND, json.dumps(whole))
    except ClusterError:
        return  # The API server has refused it.
    except ValueError:
        return  # It is no JSON: a number that is not finite.
    other, ordinary = Installation(arena.cluster, neighbour), unique()
    other.apply(operation(ordinary, bash("true"), cancel="Terminate"))
    assert other.wait_for(ordinary, timeout=60)["reason"] == "Cancelled"
    eventually(lambda: arena.status(name).get("observedGeneration"))
    arena.server.delete(FULL_KIND, name)


def test_a_namespace_without_rights_holds_up_no_other(arena: Installation, neighbour: str) -> None:
    binding = ("rolebinding", "cho-cloudharness-operator", f"--namespace={neighbour}")
    kept = yaml.safe_load(arena.cluster.kubectl("get", *binding, "-o", "yaml"))
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del kept["metadata"][field]
    arena.cluster.kubectl("delete", *binding)
    try:
        arena.kubectl("rollout", "restart", "deployment/cho-cloudharness-operator")
        arena.rolled_out()
        name = unique()
        arena.apply(operation(name, bash("true"), cancel="Terminate"))
        assert arena.wait_for(name, timeout=60)["reason"] == "Cancelled"
        pod = arena.operator_pod()["metadata"]["name"]
        path = f"/api/v1/namespaces/{arena.namespace}/pods/{pod}:8080/proxy"
        ready = arena.cluster.kubectl("get", "--raw", f"{path}/readyz")
        assert f"namespace {neighbour}: CloudHarnessOperation: 403" in ready
        metrics = arena.cluster.kubectl("get", "--raw", f"{path}/metrics")
        assert f'_namespace_served{{watched="{neighbour}"}} 0.0' in metrics
        assert f'_namespace_served{{watched="{arena.namespace}"}} 1.0' in metrics
    finally:
        arena.cluster.kubectl("create", "-f", "-", input=yaml.safe_dump(kept))
    # The fixture sees the namespace served again, by the same process.
