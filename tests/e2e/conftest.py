"""One operator for each test process, and one of its own for a test that hurts its operator."""

import json
import os
import re
from collections.abc import Generator, Iterator

import pytest

from tests.cluster import Cluster, ClusterError
from tests.support.installation import DEPLOYMENT, FULL_KIND, Installation
from tests.support.installations import empty, installed

INSTALLATIONS = ("arena", "own", "vacant", "installation", "catalogued", "restricted")
ENFORCE = "pod-security.kubernetes.io/enforce"


def _after(request: pytest.FixtureRequest) -> str:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    return f"e2e-{name[:45].strip('-')}"


@pytest.fixture(scope="session")
def installation(cluster: Cluster) -> Iterator[Installation]:
    """An installation for all tests of a process that do not hurt it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    yield from installed(cluster, f"e2e-{worker}")


@pytest.fixture
def shared(installation: Installation) -> Iterator[Installation]:
    """The process's installation, for a test that only creates operations.

    They go with the test, so that no other test finds its own names taken.
    """
    yield installation
    installation.server.clear(FULL_KIND)


@pytest.fixture
def own(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """An installation for one test, which may stop its operator or break its connections."""
    yield from installed(cluster, _after(request))


@pytest.fixture
def vacant(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A namespace for one test, which installs its operator itself, with settings of its own."""
    yield from empty(cluster, _after(request))


@pytest.fixture(scope="module")
def catalogued(cluster: Cluster) -> Iterator[Installation]:
    """An installation whose operator looks images up in the ConfigMap `images`."""
    yield from installed(cluster, "e2e-examples", "tasks.catalogue=images")


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> Iterator[Installation]:
    """An installation for tasks that conform to Pod Security `restricted`, which is enforced."""
    for one in empty(cluster, "e2e-restricted"):
        cluster.kubectl("label", "namespace", one.namespace, f"{ENFORCE}=restricted")
        broker = f"kafka.bootstrapServers={cluster.kafka}"
        tasks = ("tasks.catalogue=images", "tasks.podSecurity=restricted")
        one.install(broker, *tasks, "networkPolicy.enabled=true")
        yield one


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the operator's log and what there is in its namespace with a failure."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    one = next((arguments[name] for name in INSTALLATIONS if name in arguments), None)
    if report.failed and one is not None:
        log = one.kubectl("logs", f"deployment/{DEPLOYMENT}", "--tail=60", check=False)
        there = one.kubectl("get", "cho,workflows,pods", "-o", "wide", check=False)
        report.sections += [("the operator's log", log), (f"in {one.namespace}", there)]
        report.sections += _last_words(one)
    return report


def _last_words(one: Installation) -> list[tuple[str, str]]:
    """The end of the log of each container that has ended badly, Argo's own too."""
    found = one.kubectl("get", "pods", "-o", "json", check=False) or "{}"
    bad = [
        (pod["metadata"]["name"], container["name"])
        for pod in json.loads(found).get("items", ())
        for container in pod["status"].get("containerStatuses", ())
        if container["state"].get("terminated", {}).get("exitCode")
    ]
    return [(f"{pod}, {name}", _log(one, pod, name)) for pod, name in bad[:8]]


def _log(one: Installation, pod: str, container: str) -> str:
    try:
        return one.kubectl("logs", pod, "-c", container, "--tail=15")
    except ClusterError as error:
        return str(error)
