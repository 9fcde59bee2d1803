"""The samples service on a real cluster, from its image by its manifests, called by HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.support import kafka
from tests.support.examples import ROOT
from tests.support.installation import Installation, eventually
from tests.support.installations import installed

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("samples")]

MANIFESTS = ROOT / "examples" / "samples-service" / "manifests.yaml"


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[Installation]:
    """The service, as its page says, beside an operator that serves its namespace."""
    for one in installed(cluster, "e2e-samples"):
        manifests = list(yaml.safe_load_all(MANIFESTS.read_text()))
        (deployment,) = (m for m in manifests if m["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        container["image"] = cluster.samples_image()
        (topic,) = container["env"]
        topic["value"] = one.namespace
        one.apply(*manifests)
        one.kubectl("rollout", "status", "deployment/samples", "--timeout=240s", timeout=250)
        yield one


def call(one: Installation, method: str, path: str, **more: Any) -> tuple[int, Any]:
    """Call the service through the API server, as `kubectl proxy` lets a person do."""
    return one.server.ask(method, "services", f"samples:http/proxy/api/{path}", **more)


def test_a_sum_is_made_here_or_in_a_task(service: Installation) -> None:
    asked = {"params": {"a": "2", "b": "3"}}
    assert call(service, "GET", "sum", **asked) == (200, {"result": 5})
    assert service.find("workflows") == []
    code, told = call(service, "POST", "sum", **asked)
    assert (code, told["result"]) == (200, 5)
    assert call(service, "GET", f"operations/{told['operation']}")[1]["phase"] == "Succeeded"


def test_words_are_counted_afterwards(service: Installation) -> None:
    text = "to be or not to be"
    code, told = call(service, "POST", "words", data=text)
    assert (code, told["phase"]) == (202, "Pending")
    place = f"operations/{told['name']}"
    eventually(lambda: call(service, "GET", place)[1]["phase"] == "Succeeded", timeout=180)
    found = call(service, "GET", place)[1]
    assert found["result"] == {"count": {"to": 2, "be": 2, "or": 1, "not": 1}}
    assert found["progress"] == "2/2"
    names = [one["name"] for one in call(service, "GET", "operations")[1]["operations"]]
    assert told["name"] in names
    payload = '{"words": 6}'

    def told_of(events: list[kafka.Event]) -> bool:
        return any(event.data["payload"] == payload for event in events)

    assert told_of(kafka.events(service.kafka, service.namespace, told_of))


def test_what_takes_too_long_is_cancelled(service: Installation) -> None:
    _, told = call(service, "POST", "words", data="x", params={"pause": "600"})
    place = f"operations/{told['name']}"
    eventually(lambda: call(service, "GET", place)[1]["phase"] == "Running", timeout=120)
    code, found = call(service, "DELETE", place)
    assert (code, found["phase"]) == (200, "Cancelled")


def test_what_is_wrong_has_its_own_status(service: Installation) -> None:
    code, told = call(service, "POST", "sum", params={"a": "2", "b": "three"})
    assert (code, told["error"]) == (400, "b: give a whole number, not 'three'")
    code, told = call(service, "GET", "operations/nobody-has-made-it")
    assert code == 404
    assert "not found" in told["error"]
