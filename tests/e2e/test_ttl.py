"""What a run leaves behind goes when its time has come, and not before."""

import time
from collections import Counter
from typing import Any

import pytest

from cloudharness_operation.names import PLURAL
from tests.support.audit import audit, deletions, moment, writes
from tests.support.installation import FULL_KIND, Installation, condition, eventually
from tests.support.interrupts import cut_off
from tests.support.operations import Manifest, bash, operation

pytestmark = pytest.mark.e2e

LATE = 60.0
"""Seconds after its time within which a deletion has to come, on however busy a machine."""
PRECISELY = 2.0
"""The same where nothing else runs: what is promised."""

EPHEMERAL = {"mountPath": "/mnt/data", "size": "1Mi"}
BAD = {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}
"""What only the operator can refuse: such an operation ends at once, and costs no pod."""


def last_change(one: Installation, name: str) -> float:
    """Return when a person last changed an operation."""
    return max(
        moment(entry["requestReceivedTimestamp"])
        for entry in audit(one.cluster, one.namespace)
        if entry["verb"] == "patch"
        and (entry["objectRef"]["resource"], entry["objectRef"]["name"]) == (PLURAL, name)
        and "cloudharness-operator" not in entry["user"].get("username", "")
    )


def end(one: Installation, name: str) -> float:
    return moment(one.status(name)["completionTime"])


def gone(one: Installation, name: str, timeout: float = 60) -> float:
    """Wait until the Workflow of an operation is gone with all it had; return how late it went."""
    status = one.status(name)
    workflow = status["workflowRef"]["name"]
    eventually(lambda: not one.workflows(name), timeout)
    eventually(lambda: not one.pods(name), timeout)
    eventually(lambda: not _claims(one, workflow), timeout)
    return deletions(one, "workflows", workflow)[workflow] - moment(status["completionTime"])


def _claims(one: Installation, workflow: str) -> list[Manifest]:
    found = one.find("persistentvolumeclaims")
    return [claim for claim in found if claim["metadata"]["name"].startswith(workflow)]


def finished(one: Installation, name: str, source: str = "true", **spec: Any) -> Manifest:
    one.apply(operation(name, bash(source), **spec))
    return one.wait_for(name)


@pytest.mark.parametrize(
    ("name", "source", "ttl", "after"),
    [
        ("succeeds", "true", {"secondsAfterSuccess": 5, "secondsAfterFailure": 600}, 5),
        ("fails", "exit 3", {"secondsAfterFailure": 4, "secondsAfterCompletion": 600}, 4),
        ("completes", "exit 3", {"secondsAfterCompletion": 3, "secondsAfterSuccess": 600}, 3),
    ],
)
def test_the_workflow_goes_at_its_time_with_pods_and_claims_and_the_record_stays(
    shared: Installation, name: str, source: str, ttl: Manifest, after: int
) -> None:
    status = finished(shared, name, source, ttlStrategy=ttl, sharedVolumes=[EPHEMERAL])
    late = gone(shared, name) - after
    assert 0 <= late < LATE, f"{late:.2f} s"
    time.sleep(1.5)
    assert shared.status(name) == status


@pytest.mark.long
def test_what_is_kept_for_ever_is_kept_until_somebody_says_otherwise(shared: Installation) -> None:
    finished(shared, "kept", ttlStrategy={})
    assert shared.get(FULL_KIND, "kept")["spec"]["ttlStrategy"] == {}
    finished(shared, "default")
    ttl = {"secondsAfterCompletion": 3600, "secondsAfterSuccess": 1200, "secondsAfterFailure": 7200}
    assert shared.get(FULL_KIND, "default")["spec"]["ttlStrategy"] == ttl
    finished(shared, "other", ttlStrategy={"secondsAfterFailure": 1})
    time.sleep(4)
    assert all(shared.workflows(name) for name in ("kept", "default", "other"))
    shared.apply(operation("kept", bash("true"), ttlStrategy={"secondsAfterSuccess": 1}))
    went = end(shared, "kept") + gone(shared, "kept")
    assert 0 <= went - last_change(shared, "kept") < LATE
    shared.apply(operation("default", bash("true"), ttlStrategy={}))
    assert shared.workflows("default")
    shared.apply(operation("kept", bash("true"), ttlSecondsAfterFinished=1))
    assert deletions(shared, PLURAL, "kept")["kept"] - last_change(shared, "kept") < LATE


@pytest.mark.long
def test_a_restart_and_an_outage_of_the_operator_change_no_time(own: Installation) -> None:
    finished(own, "meanwhile", ttlStrategy={})
    finished(own, "during", ttlStrategy={"secondsAfterSuccess": 30})
    own.scale_operator(0)
    own.apply(operation("meanwhile", bash("true"), ttlStrategy={"secondsAfterSuccess": 1}))
    time.sleep(3)
    assert own.workflows("meanwhile")
    own.scale_operator(1)
    gone(own, "meanwhile")
    late = gone(own, "during") - 30
    assert 0 <= late < LATE, f"{late:.2f} s"


def test_nothing_goes_before_its_event_is_told(own: Installation) -> None:
    if own.cluster.backend != "embedded":
        pytest.skip("only the embedded cluster's network is ours to break")
    with cut_off(own):
        status = finished(
            own,
            "untold",
            topic=own.namespace,
            ttlStrategy={"secondsAfterSuccess": 0},
            ttlSecondsAfterFinished=1,
        )
        assert condition(status, "Notified")["status"] == "False"
        time.sleep(5)
        assert own.workflows("untold")
        assert own.status("untold")["phase"] == "Succeeded"
    eventually(lambda: not own.find(FULL_KIND), 90)
    eventually(lambda: not own.workflows("untold"))


OWNED: dict[str, Manifest] = {
    "argo-cd": {"annotations": {"argocd.argoproj.io/tracking-id": "app:x/y:z"}},
    "argo-cd-label": {
        "labels": {"app.kubernetes.io/instance": "app"},
        "annotations": {"argocd.argoproj.io/sync-wave": "1"},
    },
    "flux": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
    "flux-helm": {"labels": {"helm.toolkit.fluxcd.io/name": "apps"}},
    "helm": {"labels": {"app.kubernetes.io/managed-by": "Helm"}},
}
FREE: dict[str, Manifest] = {
    "nobody": {},
    "instance": {"labels": {"app.kubernetes.io/instance": "app"}},
    "hook": {
        "annotations": {
            "argocd.argoproj.io/tracking-id": "app:x/y:z",
            "argocd.argoproj.io/hook": "PostSync",
        }
    },
}


def test_a_record_goes_unless_somebody_would_make_it_again(shared: Installation) -> None:
    after = 20
    task = {**bash("true"), **BAD}
    manifests = [operation(name, task, ttlSecondsAfterFinished=after) for name in OWNED | FREE]
    for manifest in manifests:
        manifest["metadata"] |= (OWNED | FREE)[manifest["metadata"]["name"]]
    shared.apply(*manifests)
    ends = {name: moment(shared.wait_for(name)["completionTime"]) for name in OWNED | FREE}
    eventually(lambda: not {*FREE} & {o["metadata"]["name"] for o in shared.find(FULL_KIND)})
    deleted = deletions(shared, PLURAL, *FREE)
    late = {name: deleted[name] - ends[name] - after for name in FREE}
    assert all(0 <= by < LATE for by in late.values()), late
    eventually(lambda: all("TTLDeletionSkipped" in shared.events(name) for name in OWNED))
    time.sleep(2)  # Nobody is told twice.
    told = {name: Counter(shared.events(name))["TTLDeletionSkipped"] for name in OWNED}
    assert told == dict.fromkeys(OWNED, 1)
    assert {*OWNED} <= {o["metadata"]["name"] for o in shared.find(FULL_KIND)}
    assert not {*OWNED} & deleted.keys()


def test_a_record_takes_its_workflow_along(shared: Installation) -> None:
    finished(shared, "short", ttlSecondsAfterFinished=3, sharedVolumes=[EPHEMERAL])
    eventually(lambda: not shared.workflows("short"))
    eventually(lambda: not shared.pods("short"))
    assert [
        one for one in writes(shared.cluster, shared.namespace, "short") if one[0] == "delete"
    ] == [("delete", "cloudharnessoperations", "short")]


@pytest.mark.parametrize(
    ("topic", "most"),
    [
        pytest.param("", 4, id="silent"),
        pytest.param("ttl", 5, id="notifying", marks=pytest.mark.long),
    ],
)
def test_a_whole_life_costs_few_writes(shared: Installation, topic: str, most: int) -> None:
    name = f"life-{'event' if topic else 'silent'}"
    topic = topic and f"{shared.namespace}-{topic}"
    finished(shared, name, topic=topic, ttlStrategy={"secondsAfterSuccess": 2})
    gone(shared, name)
    time.sleep(3)  # Nothing more may come.
    made = [f"{verb} {what}" for verb, what, _ in writes(shared.cluster, shared.namespace, name)]
    counted = [one for one in made if one != "create events"]
    # The child, running, the end, the finalizer where there is an event, the deletion. On a slow
    # machine there is more to tell of the tasks: `test_an_operation_costs_few_writes`.
    status = "patch cloudharnessoperations/status"
    looks = counted.count(status)
    release = ["patch workflows"] if topic else []
    assert counted == ["create workflows", *[status] * looks, *release, "delete workflows"]
    assert len(counted) - max(0, looks - 2) <= most
    assert looks <= 3


@pytest.mark.long
def test_what_is_due_goes_within_two_seconds(own: Installation) -> None:
    """Also right after a start of the operator: some of them are due while it is down."""
    names = [f"due{number}" for number in range(10)]
    own.apply(
        *(
            operation(name, bash("true"), ttlStrategy={"secondsAfterSuccess": 40 + 4 * number})
            for number, name in enumerate(names)
        )
    )
    ends = {name: moment(own.wait_for(name)["completionTime"]) for name in names}
    child = {name: own.status(name)["workflowRef"]["name"] for name in names}
    own.scale_operator(0)
    time.sleep(10)
    own.scale_operator(1)
    ready = moment(condition(own.operator_pod()["status"], "Ready")["lastTransitionTime"])
    eventually(lambda: not own.find("workflows"))
    deleted = deletions(own, "workflows", *child.values())
    for number, name in enumerate(names):
        due = max(ends[name] + 40 + 4 * number, ready + 1)
        assert deleted[child[name]] - due < PRECISELY, name


MANY, RATE = 200, 50


@pytest.mark.long
def test_many_at_once_keep_to_the_rate(vacant: Installation) -> None:
    vacant.install(f"deletionsPerSecond={RATE}")
    names = [f"many{number}" for number in range(MANY)]
    task = {**bash("true"), **BAD}
    vacant.apply(*(operation(name, task, ttlSecondsAfterFinished=3600) for name in names))
    vacant.kubectl(
        "wait", "--for=condition=Finished", FULL_KIND, "--all", "--timeout=60s", timeout=70
    )
    vacant.scale_operator(0)
    time.sleep(2)
    vacant.apply(*(operation(name, task, ttlSecondsAfterFinished=1) for name in names))
    vacant.scale_operator(1)
    eventually(lambda: not vacant.find(FULL_KIND))
    times = sorted(deletions(vacant, PLURAL, *names).values())
    assert len(times) == MANY
    # A busy machine takes some turns late, and so more within one second than it has turns.
    for first in times:
        assert sum(first <= at < first + 1 for at in times) <= RATE * 1.5
    assert times[-1] - times[0] > (MANY - 1) / RATE * 0.9
    # Nor is it slow: half of the rate at least.
    assert times[-1] - times[0] < MANY / RATE * 2
