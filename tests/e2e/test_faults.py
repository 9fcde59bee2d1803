"""An operator that is killed, stopped, cut off or doubled loses nothing and does nothing twice."""

import random
import time
from collections import Counter

import pytest

from cloudharness_operation.names import child_name
from tests.support import kafka
from tests.support.audit import audit, writes
from tests.support.installation import DEPLOYMENT, FULL_KIND, Installation, condition, eventually
from tests.support.interrupts import cut_off
from tests.support.operations import DEAF, bash, is_deaf, operation

pytestmark = pytest.mark.e2e

SEED = 20261124
OPERATIONS = [f"op{number}" for number in range(10)]


@pytest.mark.long
def test_kills_at_random_moments_neither_lose_nor_repeat_anything(vacant: Installation) -> None:
    chance, topic = random.Random(SEED), vacant.namespace  # noqa: S311 - not for secrets.
    # Else most kills would hit an operator that waits for the Lease of the one before.
    vacant.everyone_acts(1)
    kills = 0
    for name in OPERATIONS:
        vacant.apply(operation(name, bash(f"sleep {chance.uniform(0, 3):.1f}"), topic=topic))
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 1.5))
            kills += vacant.kill_operator()
    while not all(_is_finished(vacant, name) for name in OPERATIONS):
        time.sleep(chance.uniform(0.5, 5))
        if kills < 10:
            kills += vacant.kill_operator()
    assert kills >= 5
    created = Counter(
        name.rpartition("-")[0]
        for verb, resource, name in writes(vacant.cluster, vacant.namespace, "")
        if (verb, resource) == ("create", "workflows")
    )
    assert created == dict.fromkeys(OPERATIONS, 1)
    assert {name: len(vacant.workflows(name)) for name in OPERATIONS} == created
    assert {vacant.status(name)["phase"] for name in OPERATIONS} == {"Succeeded"}
    uids = {vacant.get(FULL_KIND, name)["metadata"]["uid"] for name in OPERATIONS}
    found = kafka.events(vacant.kafka, topic, lambda all_: {e.key for e in all_} == uids)
    assert {event.id for event in found} == {f"{uid}/1/exit" for uid in uids}
    eventually(lambda: not any("finalizers" in w["metadata"] for w in vacant.find("workflows")))


def _is_finished(one: Installation, name: str) -> bool:
    return condition(one.status(name), "Finished").get("status") == "True"


def test_what_is_created_while_the_operator_is_down_runs_later(own: Installation) -> None:
    topic = own.namespace
    own.apply(operation("during", bash("sleep 2"), topic=topic))
    eventually(lambda: own.status("during")["phase"] == "Running")
    own.scale_operator(0)
    own.apply(operation("meanwhile", bash("true"), topic=topic))
    own.apply(operation("forgotten", bash("true"), topic=topic))
    own.kubectl("delete", "cho", "forgotten")
    eventually(lambda: own.workflows("during")[0]["status"]["phase"] == "Succeeded")
    # Deleted while nobody looks: its event must not be lost, nor its Workflow kept for ever.
    uid = own.get(FULL_KIND, "during")["metadata"]["uid"]
    own.kubectl("delete", "cho", "during")
    eventually(lambda: "deletionTimestamp" in own.workflows("during")[0]["metadata"])
    time.sleep(2)
    assert own.workflows("meanwhile") == []
    own.scale_operator(1)
    assert own.wait_for("meanwhile")["phase"] == "Succeeded"
    eventually(lambda: own.workflows("during") == [])
    found = kafka.events(own.kafka, topic, lambda all_: len(all_) >= 2)
    assert {event.data["operation"] for event in found} == {"during", "meanwhile"}
    assert f"{uid}/1/exit" in {event.id for event in found}


def test_an_unreachable_broker_delays_the_event_and_loses_nothing(own: Installation) -> None:
    if own.cluster.backend != "embedded":
        pytest.skip("only the embedded cluster's network is ours to break")
    topic = own.namespace
    own.apply(operation("before", bash("true"), topic=topic))
    own.wait_for("before")
    with cut_off(own):
        own.apply(operation("late", bash("true"), topic=topic))
        status = own.wait_for("late")
        assert status["phase"] == "Succeeded"
        assert condition(status, "Notified")["status"] == "False"
        assert condition(status, "Notified")["reason"] == "BrokerUnavailable"
        (child,) = own.workflows("late")
        assert child["metadata"]["finalizers"] == ["cloudharness.io/exit-event"]
        # Even its deletion does not lose what Kafka has not been told.
        own.kubectl("delete", "workflow", child["metadata"]["name"], "--wait=false")
        time.sleep(2)
        assert own.workflows("late")
    own.wait_for("late", "Notified")
    eventually(lambda: own.workflows("late") == [])
    found = kafka.events(own.kafka, topic, lambda all_: len(all_) >= 2)
    assert [event.data["operation"] for event in found] == ["before", "late"]


@pytest.mark.long
def test_two_operators_at_once_do_nothing_twice(vacant: Installation) -> None:
    vacant.everyone_acts(2)
    names = [f"both{number}" for number in range(5)]
    vacant.apply(*(operation(name, bash("sleep 1"), topic=vacant.namespace) for name in names))
    for name in names:
        assert vacant.wait_for(name)["phase"] == "Succeeded"
        assert len(vacant.workflows(name)) == 1
    ids = {f"{vacant.get(FULL_KIND, name)['metadata']['uid']}/1/exit" for name in names}
    found = kafka.events(vacant.kafka, vacant.namespace, lambda all_: {e.id for e in all_} >= ids)
    assert {event.id for event in found} == ids


def test_a_name_that_is_taken_is_refused_and_left_alone(own: Installation) -> None:
    """The child's name follows from the operation's uid, so it is taken while nobody acts."""
    own.scale_operator(0)
    own.apply(operation("taken", bash("true")))
    name = child_name("taken", own.get(FULL_KIND, "taken")["metadata"]["uid"], 1)
    stranger = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"entrypoint": "none", "templates": [{"name": "none", "suspend": {}}]},
    }
    own.apply(stranger)
    own.scale_operator(1)
    status = own.wait_for("taken")
    assert (status["phase"], status["reason"]) == ("Error", "NameTaken")
    assert condition(status, "Accepted")["status"] == "False"
    assert "ownerReferences" not in own.get("workflows", name)["metadata"]


@pytest.mark.long
def test_the_operator_uses_every_right_it_has_and_asks_for_no_other(own: Installation) -> None:
    share = {"claim": "not-there-yet", "mountPath": "/mnt/shared"}
    own.apply(
        operation("stubborn", bash(DEAF)),
        operation("lost", bash("sleep 300")),
        operation("normal", bash("true"), topic=own.namespace),
        operation("sharing", bash("true"), sharedVolumes=[share]),
        operation("fails", bash("false")),
        operation("brief", bash("true"), ttlStrategy={"secondsAfterSuccess": 0}),
        operation("again", bash("true"), runId="1"),
    )
    eventually(lambda: own.status("lost").get("workflowRef"))
    own.kubectl("delete", "workflow", "-l", "cloudharness.io/operation=lost")
    eventually(lambda: is_deaf(own, "stubborn"))
    own.kubectl("patch", "cho", "stubborn", "--type=merge", "-p", '{"spec":{"cancel":"Stop"}}')
    for name in ("lost", "normal", "sharing", "fails", "brief", "again"):
        own.wait_for(name)
    eventually(lambda: not own.workflows("brief"))
    own.apply(operation("brief", bash("true"), ttlSecondsAfterFinished=1))
    own.kubectl("patch", "cho", "again", "--type=merge", "-p", '{"spec":{"runId":"2"}}')
    own.wait_for("again")
    eventually(lambda: not own.find(FULL_KIND, fields="metadata.name=brief"))
    eventually(lambda: not own.pods("stubborn"))
    mine = (DEPLOYMENT, f"{DEPLOYMENT}-lease")
    granted = {
        (verb, resource)
        for role in own.find("roles")
        if role["metadata"]["name"] in mine
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    account = f"system:serviceaccount:{own.namespace}:{DEPLOYMENT}"
    used, refused = set(), []
    for entry in audit(own.cluster, own.namespace):
        if entry["user"].get("username") != account:
            continue
        # A list of ten thousand at once is what a start would need memory for.
        assert entry["verb"] != "list" or "limit=" in entry["requestURI"], entry
        about = entry["objectRef"]
        subresource = f"/{about['subresource']}" if "subresource" in about else ""
        used.add((entry["verb"], about["resource"] + subresource))
        if entry["responseStatus"]["code"] == 403:
            refused.append(entry["requestURI"])
    assert refused == []
    assert used == granted
