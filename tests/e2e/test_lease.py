"""Of several operators one acts, and another goes on when it stops, dies or sleeps."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import pytest

from tests.cluster.embedded import process_ids
from tests.support import kafka
from tests.support.audit import audit
from tests.support.installation import DEPLOYMENT, FULL_KIND, Installation, Manifest, eventually
from tests.support.operations import bash, operation

pytestmark = pytest.mark.e2e

AFTER_A_STOP, AFTER_A_KILL = 2.0, 15.0
"""Seconds within which another acts, from the last sign of life."""
READS = ("get", "list", "watch")


class Request(NamedTuple):
    """What an operator has asked of the API server, and when that got it."""

    at: float
    pod: str
    verb: str
    resource: str
    name: str


def requests(one: Installation) -> Iterator[Request]:
    """Yield all requests of the operator's pods."""
    account = f"system:serviceaccount:{one.namespace}:{DEPLOYMENT}"
    for entry in audit(one.cluster, one.namespace):
        user, about = entry["user"], entry["objectRef"]
        if user.get("username") == account:
            at = datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
            (pod,) = user["extra"]["authentication.kubernetes.io/pod-name"]
            yield Request(at, pod, entry["verb"], about["resource"], about.get("name", ""))


def acts(one: Installation, pod: str = "") -> list[Request]:
    """What one of the operators has written, or all, but for their Lease."""
    return [
        request
        for request in requests(one)
        if request.verb not in READS and request.resource != "leases" and pod in ("", request.pod)
    ]


def renewals(one: Installation, pod: str) -> list[float]:
    """When an operator has written the Lease."""
    return [
        request.at
        for request in requests(one)
        if (request.verb, request.resource, request.pod) == ("update", "leases", pod)
    ]


def leader(one: Installation) -> str:
    """The pod that holds the Lease."""
    pod, _, _ = one.get("leases", DEPLOYMENT)["spec"].get("holderIdentity", "").partition("_")
    return str(pod)


def metric(one: Installation, pod: str, name: str) -> float:
    path = f"/api/v1/namespaces/{one.namespace}/pods/{pod}:8080/proxy/metrics"
    lines = one.kubectl("get", "--raw", path).splitlines()
    return sum(float(line.split()[-1]) for line in lines if re.match(rf"{name}[ {{]", line))


@pytest.fixture
def pair(vacant: Installation) -> Installation:
    """Two operators, of which one leads."""
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}", "replicas=2")
    eventually(lambda: leader(vacant) in names(vacant))
    return vacant


def names(one: Installation) -> set[str]:
    return {pod["metadata"]["name"] for pod in one.operator_pods()}


def succeed(one: Installation, *operations: str) -> None:
    """Wait for operations, and see that each has run once."""
    for name in operations:
        assert one.wait_for(name)["phase"] == "Succeeded"
        assert len(one.workflows(name)) == 1


def over_at_once(name: str) -> list[Manifest]:
    """Some operations that take the operator's writes, and no pods."""
    return [operation(f"{name}{n}", bash("true"), cancel="Stop") for n in range(8)]


def assert_one_event_each(one: Installation, *operations: str) -> None:
    """See that Kafka has one event of each operation, and no other."""
    ids = sorted(f"{one.get(FULL_KIND, name)['metadata']['uid']}/1/exit" for name in operations)
    found = kafka.all_events(one.kafka, one.namespace, len(ids))
    assert sorted(event.id for event in found) == ids


def test_one_of_two_acts_and_the_other_knows_all_that_it_knows(pair: Installation) -> None:
    first = leader(pair)
    (second,) = names(pair) - {first}
    before = len(acts(pair, second))
    crowd = [f"op{number}" for number in range(4)]
    pair.apply(*(operation(name, bash("true"), topic=pair.namespace) for name in crowd))
    succeed(pair, *crowd)
    assert {request.pod for request in acts(pair) if request.name.startswith("op")} == {first}
    assert len(acts(pair, second)) == before
    prefix = "cloudharness_operation"
    assert [metric(pair, pod, f"{prefix}_leading") for pod in (first, second)] == [1, 0]
    known = {"operations": 4, "workflows": 4, "queue_depth": 0}
    # The watches of that replica may bring a change later than those of this test.
    eventually(lambda: known == {name: metric(pair, second, f"{prefix}_{name}") for name in known})
    assert [pod["status"]["containerStatuses"][0]["ready"] for pod in pair.operator_pods()] == [
        True,
        True,
    ]
    assert_one_event_each(pair, *crowd)
    (budget,) = pair.find("poddisruptionbudgets")
    name = budget["metadata"]["name"]
    eventually(lambda: pair.get("poddisruptionbudgets", name)["status"]["disruptionsAllowed"] == 1)


@pytest.mark.long
def test_another_acts_at_once_when_the_leader_stops(pair: Installation) -> None:
    first = leader(pair)
    pair.apply(operation("before", bash("sleep 5"), topic=pair.namespace))
    eventually(lambda: pair.status("before")["phase"] == "Running")
    pair.kubectl("delete", "pod", first, "--wait=false")
    # There is always something to do: the first one, until it has released the Lease, acts as well.
    for number in range(1000):
        released = leader(pair) != first
        pair.apply(operation(f"then{number}", bash("true"), cancel="Stop"))
        if released:
            break
    succeed(pair, "before")
    second = leader(pair)
    assert second != first
    gone = renewals(pair, first)[-1]
    began = acts(pair, second)[0]
    print(f"released, and acted upon {began.at - gone:.2f} s later")
    print(f"deleted, and acted upon {began.at - deleted(pair, first):.2f} s later")
    assert began.at - gone < AFTER_A_STOP
    assert acts(pair, first)[-1].at < began.at


def deleted(one: Installation, pod: str) -> float:
    """When somebody asked for the deletion of a pod."""
    return min(
        datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
        for entry in audit(one.cluster, one.namespace)
        if (entry["verb"], entry["objectRef"]["resource"]) == ("delete", "pods")
        and entry["objectRef"].get("name") == pod
    )


@pytest.mark.long
def test_another_acts_soon_when_the_leader_is_killed(pair: Installation) -> None:
    first = leader(pair)
    pair.apply(operation("before", bash("sleep 5"), topic=pair.namespace))
    eventually(lambda: pair.status("before")["phase"] == "Running")
    pair.cluster.kill_pod(pair.namespace, first)
    pair.apply(*over_at_once("then"))
    succeed(pair, "before")
    second = leader(pair)
    assert second != first
    began = acts(pair, second)[0]
    waited = began.at - renewals(pair, first)[-1]
    print(f"last seen, and acted upon {waited:.2f} s later")
    assert waited < AFTER_A_KILL
    assert_one_event_each(pair, "before")


@pytest.mark.long
def test_a_leader_that_sleeps_does_nothing_when_it_wakes(pair: Installation) -> None:
    if pair.cluster.backend != "embedded":
        pytest.skip("only the embedded cluster's processes are ours to stop")
    first = leader(pair)
    long, quick = ["long0", "long1"], ["quick0", "quick1"]
    pair.apply(*(operation(name, bash("sleep 15"), topic=pair.namespace) for name in long))
    eventually(lambda: all(pair.status(name)["phase"] == "Running" for name in long))
    # It falls asleep in the middle of its work.
    pair.apply(*(operation(name, bash("true")) for name in quick), *over_at_once("never"))
    with asleep(first):
        eventually(lambda: leader(pair) != first, AFTER_A_KILL + 5)
        second, before = leader(pair), len(acts(pair, first))
        succeed(pair, *long, *quick)
        seen = len(list(requests(pair)))
    eventually(lambda: any(r.pod == first for r in list(requests(pair))[seen:]))
    pair.apply(operation("after", bash("true"), topic=pair.namespace))
    succeed(pair, "after")
    woken = [request for request in list(requests(pair))[seen:] if request.pod == first]
    assert {r.resource for r in woken if r.verb not in READS} <= {"leases"}
    assert len(acts(pair, first)) == before
    assert leader(pair) == second
    assert metric(pair, first, "cloudharness_operation_leading") == 0
    assert_one_event_each(pair, *long, "after")


@contextmanager
def asleep(pod: str) -> Iterator[None]:
    """Stop a pod's processes, which stay as they are."""
    processes = process_ids(f"HOSTNAME={pod}")
    assert processes
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.long
def test_in_a_rollout_no_two_act(own: Installation) -> None:
    first = leader(own)
    own.kubectl("rollout", "restart", f"deployment/{DEPLOYMENT}")
    while leader(own) in ("", first):
        own.apply(*over_at_once(f"op-{time.monotonic_ns()}-"))
    own.rolled_out()
    own.apply(*over_at_once("last"))
    eventually(lambda: all("completionTime" in cho["status"] for cho in own.find(FULL_KIND)))
    assert leader(own) != first
    by_first, by_second = acts(own, first), acts(own, leader(own))
    print(f"{by_second[0].at - by_first[-1].at:.2f} s between the one's and the other's acts")
    assert by_first[-1].at < by_second[0].at
