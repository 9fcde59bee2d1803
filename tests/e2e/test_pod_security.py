"""Tasks in a namespace that enforces the Pod Security Standard `restricted`."""

import json
from collections.abc import Iterator

import pytest

from cloudharness_operation.render.restricted import CONTAINER, POD
from tests.support.examples import names
from tests.support.installation import DEPLOYMENT, Installation, eventually
from tests.support.lab import GPU, RUN, SAYS, Lab, Manifest, has_succeeded, opened
from tests.support.operations import bash, operation

# The examples share a PriorityClass and a label of a node with those of test_examples.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("examples")]

TOOLS = ("sh", "bash", "busybox", "perl", "apt", "dpkg", "pip")
PLACES = "/opt/operator/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

WRITE = """
id
test "$HOME" = /tmp && touch "$HOME/mark"
echo 42 > /mnt/shared/number
"""
READ = {
    "name": "read",
    "python": {
        "source": "def read(path):\n    return int(open(path).read())",
        "function": "read",
        "args": {"path": "/mnt/shared/number"},
    },
}


def containers(pod: Manifest) -> dict[str, Manifest]:
    """The securityContext of each container of a pod."""
    spec = pod["spec"]
    return {
        one["name"]: one["securityContext"] for one in spec["initContainers"] + spec["containers"]
    }


def test_the_image_of_the_operator_has_no_shell(shared: Installation) -> None:
    code = f"import shutil; print([shutil.which(one, path={PLACES!r}) for one in {TOOLS!r}])"
    found = shared.kubectl("exec", f"deployment/{DEPLOYMENT}", "--", "python", "-c", code)
    assert found.strip() == str([None] * len(TOOLS))


def test_tasks_run_as_an_ordinary_user(restricted: Installation) -> None:
    shared = [{"mountPath": "/mnt/shared", "size": "1Mi"}]
    restricted.apply(operation("ordinary", bash(WRITE, "write"), READ, sharedVolumes=shared))
    status = restricted.wait_for("ordinary")
    assert status["phase"] == "Succeeded"
    assert [one["value"] for one in status["outputs"]] == ["42"]
    pods = restricted.pods("ordinary")
    assert len(pods) == 2
    for pod in pods:
        assert pod["spec"]["securityContext"] == POD
        assert containers(pod) == dict.fromkeys(("init", "wait", "main"), CONTAINER)


def test_a_task_that_asks_for_more_is_refused_with_the_field(restricted: Installation) -> None:
    root = bash("id", securityContext={"runAsUser": 0, "capabilities": {"add": ["SYS_TIME"]}})
    restricted.apply(operation("root", root))
    status = restricted.wait_for("root")
    assert status["phase"] == "Failed", status
    assert 'violates PodSecurity "restricted' in status["message"]
    for field in ("runAsNonRoot=false", "runAsUser=0", '"SYS_TIME"'):
        assert field in status["message"]


@pytest.mark.long
def test_what_the_author_writes_is_kept_and_completed(restricted: Installation) -> None:
    image = {"image": restricted.cluster.python_image}
    executor = [{"name": "wait", "securityContext": {"runAsUser": 3000}}]
    patch = {
        "sidecars": [{"name": "beside", **image, "command": ["sleep", "600"]}],
        "initContainers": [{"name": "before", **image, "command": ["true"]}],
        "podSpecPatch": json.dumps({"containers": executor}),
    }
    source = "import os\ndef user():\n    return os.getuid()"
    task = {
        "name": "work",
        "python": {"source": source, "function": "user"},
        "securityContext": {"runAsUser": 2000},
        "templatePatch": patch,
    }
    restricted.apply(operation("mixed", task))
    status = restricted.wait_for("mixed")
    assert [one["value"] for one in status["outputs"]] == ["2000"]
    (pod,) = restricted.pods("mixed")
    names = ("init", "before", "main", "wait", "beside")
    assert containers(pod) == {
        **dict.fromkeys(names, CONTAINER),
        "main": {**CONTAINER, "runAsUser": 2000},
        "wait": {**CONTAINER, "runAsUser": 3000},
    }


@pytest.mark.long
def test_without_the_setting_the_namespace_refuses_every_task(vacant: Installation) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    vacant.cluster.kubectl("label", "namespace", vacant.namespace, label)
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}")
    vacant.apply(operation("unset", bash("true")))
    status = vacant.wait_for("unset")
    assert status["phase"] == "Failed"
    assert 'containers "init", "wait", "main" must set' in status["message"]


@pytest.fixture(scope="module")
def lab(restricted: Installation) -> Iterator[Lab]:
    with opened(restricted, conforming) as found:
        yield found


def conforming(document: Manifest) -> Manifest:
    """Return a document with a Deployment's pods as the namespace wants them."""
    if document["kind"] == "Deployment":
        spec = document["spec"]["template"]["spec"]
        spec["securityContext"] = POD
        for container in spec["containers"]:
            container["securityContext"] = CONTAINER
    return document


@pytest.mark.long
@pytest.mark.parametrize("name", RUN)
def test_an_example_succeeds(lab: Lab, name: str) -> None:
    has_succeeded(lab, name)


@pytest.mark.long
@pytest.mark.parametrize(("name", "task", "expected"), SAYS, ids=[row[0] for row in SAYS])
def test_what_an_example_says(lab: Lab, name: str, task: str, expected: str) -> None:
    assert expected in lab.said(name, task)


@pytest.mark.long
@pytest.mark.parametrize("name", names())
def test_each_container_of_an_example_is_restricted(lab: Lab, name: str) -> None:
    for pod in lab.pods[name].values():
        assert pod["spec"]["securityContext"] == POD
        for context in containers(pod).values():
            assert CONTAINER.items() <= context.items()


@pytest.mark.long
def test_gpu_is_admitted_and_waits_for_a_node(lab: Lab) -> None:
    eventually(lambda: lab.one.status(GPU).get("reason") == "Unschedulable")
