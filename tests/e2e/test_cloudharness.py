"""Applications written for CloudHarness's library, with that library, in each way to install it.

They are in tests/support/applications, in the style of public applications, and import neither this
project nor the tests. The namespace is that of a CloudHarness deployment: it has the ConfigMap with
the Helm values and the Secret `accounts`, and its operator is installed with the chart's values for
it.
"""

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.support import kafka
from tests.support.cloudharness_library import Environment, build_wheel, create_library
from tests.support.installation import CHART, FULL_KIND, ROOT, Installation, condition, eventually
from tests.support.installations import empty
from tests.support.operations import claim

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("cloudharness")]

APPLICATIONS = ROOT / "tests" / "support" / "applications"
VOLUME = "composer-files"
PASSWORD = "mechanical-otter"  # noqa: S105 - of nobody.


def values(one: Installation) -> dict[str, Any]:
    """Return the Helm values of the deployment."""
    image = one.cluster.python_image

    def application(name: str, **harness: Any) -> dict[str, Any]:
        deployment = {"image": image, "volume": {"name": VOLUME}}
        return {"name": name, "harness": {"name": name, "deployment": deployment, **harness}}

    return {
        "namespace": one.namespace,
        "domain": "example.org",
        "registry": {"name": "registry", "secret": ""},
        "apps": {
            "composer": application("composer"),
            "accounts": application("accounts"),
            "workflows": application("workflows", subdomain="workflows"),
        },
        "task-images": {
            "cloudharness-base": one.cluster.client_image(),
            "composer-notify": image,
            "workspaces-scan": image,
            "workspaces-copy": image,
        },
    }


@pytest.fixture(scope="module")
def deployment(cluster: Cluster) -> Iterator[Installation]:
    """A namespace with a CloudHarness deployment, its volumes, and the operator."""
    for one in empty(cluster, "e2e-cloudharness"):
        text = yaml.safe_dump(values(one))
        allvalues = {
            "metadata": {"name": "cloudharness-allvalues"},
            "data": {"allvalues.yaml": text},
        }
        secret = {"metadata": {"name": "accounts"}, "stringData": {"api_user_password": PASSWORD}}
        one.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", **allvalues},
            {"apiVersion": "v1", "kind": "Secret", **secret},
            *(claim(name) for name in (VOLUME, "workspace-1", "workspace-2")),
        )
        settings = yaml.safe_load((CHART / "values-cloudharness.yaml").read_text())
        assert settings["kafka"] == {"bootstrapServers": "bootstrap:9092"}
        one.install(
            f"kafka.bootstrapServers={cluster.kafka}",
            f"users.serviceAccounts={{{','.join(settings['users']['serviceAccounts'])}}}",
        )
        yield one


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


class Pod:
    """A process that has what a pod of the deployment has."""

    def __init__(self, one: Installation, environment: Environment, values: Path | None) -> None:
        self.one, self.environment = one, environment
        self.variables = {
            "KUBECONFIG": str(one.cluster.kubeconfig),
            "CLOUDHARNESS_NAMESPACE": one.namespace,
            "CH_CURRENT_APP_NAME": "composer",
            "CH_SECRET": "hidden",
            "CH_VALUES_PATH": str(values or "/nowhere/allvalues.yaml"),
        }
        paths = (str(APPLICATIONS), environment.path)
        environment.path = ":".join(path for path in paths if path)

    def call(self, module: str, expression: str) -> Any:
        """Evaluate an expression in a module of the application, and return its value."""
        code = (
            f"import json, {module} as m\n"
            f"value = m.{expression}\n"
            "print()\n"
            "print(json.dumps(getattr(value, 'name', value)))\n"
        )
        return json.loads(self.environment.run(code, **self.variables).splitlines()[-1])


WAYS = (
    # As in CloudHarness's base image.
    "editable",
    pytest.param("regular", marks=pytest.mark.long),
    pytest.param("editable-compat", marks=pytest.mark.long),
)


@pytest.fixture(scope="module", params=WAYS)
def pod(
    request: pytest.FixtureRequest,
    deployment: Installation,
    wheel: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Pod:
    directory = tmp_path_factory.mktemp(request.param)
    environment = Environment(directory / "venv")
    environment.install_library(request.param, create_library(directory / "library"))
    environment.install(str(wheel))
    file = directory / "allvalues.yaml"
    file.write_text(yaml.safe_dump(values(deployment)))
    return Pod(deployment, environment, file)


def log_of(one: Installation, name: str, task: str) -> str:
    (found,) = (t for t in one.status(name)["tasks"] if t["name"].startswith(task))
    return one.kubectl("logs", found["podName"], "-c", "main")


def succeeded(one: Installation, name: str) -> None:
    status = one.wait_for(name)
    assert status["phase"] == "Succeeded", status


def test_a_task_is_submitted_as_often_as_one_likes(pod: Pod) -> None:
    names = [pod.call("composer", f"ingest('file-{number}')") for number in range(2)]
    assert len(set(names)) == 2
    for name in names:
        assert name.startswith("ingest-task-op-")
        succeeded(pod.one, name)


def test_users_are_mailed_and_the_end_is_published(pod: Pod) -> None:
    queue = f"{pod.one.namespace}-exports"
    name = pod.call("composer", f"export('a@example.org', '{queue}')")
    succeeded(pod.one, name)
    assert f"application {VOLUME}" in log_of(pod.one, name, "show")
    payload = {"type": "export", "email": "a@example.org"}
    mailed = log_of(pod.one, name, "exit-handler")
    assert f"mail: Succeeded {json.dumps(payload)} composer@example.org" in mailed

    def has_it(events: list[kafka.Event]) -> bool:
        return any(one.data["operation"] == name for one in events)

    found = kafka.events(pod.one.kafka, queue, has_it)
    (event,) = (one for one in found if one.data["operation"] == name)
    assert json.loads(event.data["payload"]) == payload
    assert condition(pod.one.wait_for(name, "Notified"), "Notified")["status"] == "True"
    env = {one["name"] for one in pod.one.get(FULL_KIND, name)["spec"]["tasks"][1]["env"]}
    assert ("CH_CURRENT_APP_NAME" in env, "CH_SECRET" in env) == (True, False)


def test_workspaces_are_copied_scanned_cloned_and_listed(pod: Pod) -> None:
    one = pod.one
    copied = pod.call("workspaces", "run_copy_tasks(1, 'a.nwb', 'b.nwb')")
    succeeded(one, copied)
    assert "scanned 1 /project_download" in log_of(one, copied, "workspaces-scan")
    cloned = pod.call("workspaces", "clone(1, 2)")
    succeeded(one, cloned)
    deleted = pod.call("workspaces", "delete_resource(1, 'a.nwb')")
    succeeded(one, deleted)
    held = pod.call("workspaces", "hold(1)")
    eventually(lambda: held in pod.call("workspaces", "running_in(1)"), every=0.5)
    assert held not in pod.call("workspaces", "running_in(2)")
    pod.call("workspaces", "remove_all(1)")
    eventually(lambda: not one.find(FULL_KIND, fields=f"metadata.name={held}"))


def test_an_operation_is_built_submitted_and_polled(pod: Pod) -> None:
    found, code = pod.call("composer", "explore()")
    assert code == 202
    succeeded(pod.one, found["task"]["name"])


def test_files_are_indexed_in_parallel(pod: Pod) -> None:
    name = pod.call("composer", "index('CID-MeSH', 'CID-Title.gz')")
    succeeded(pod.one, name)
    assert {one["name"] for one in pod.one.status(name)["tasks"]} == {
        "ingest-cid-mesh",
        "ingest-cid-title",
    }


def test_without_a_file_the_values_are_those_of_the_namespace(pod: Pod) -> None:
    code = (
        "from cloudharness.workflows import operations, tasks\n"
        "task = tasks.CustomTask('t', 'composer', command=['true'])\n"
        "print(operations.SingleTaskOperation('unmounted', task).execute().name)\n"
    )
    variables = {**pod.variables, "CH_VALUES_PATH": "/nowhere/allvalues.yaml"}
    name = pod.environment.run(code, **variables).splitlines()[-1]
    spec = pod.one.get(FULL_KIND, name)["spec"]
    assert spec["tasks"][0]["custom"]["image"] == pod.one.cluster.python_image
    succeeded(pod.one, name)


@pytest.fixture
def service(pod: Pod) -> Iterator[str]:
    """The URL of the samples service."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": pod.environment.path, **pod.variables}
    command = [str(pod.environment.python), "-m", "samples", str(port)]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: ask(f"{url}/operations/none")[0] == 404, every=0.5)
            yield url
        finally:
            process.terminate()


def ask(url: str, method: str = "GET") -> tuple[int, str]:
    """Return status and body of a response; 0 if there is none."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 - loopback.
    try:
        with urllib.request.urlopen(request, timeout=240) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def test_the_endpoints_of_the_samples_answer(service: str, deployment: Installation) -> None:
    code, text = ask(f"{service}/operation_async", "POST")
    assert code == 202, text
    task = json.loads(text)["task"]
    assert task["href"] == f"http://workflows.example.org/operations/{task['name']}"
    code, text = ask(f"{service}/operation_sync", "POST")
    assert (code, json.loads(text)["status"]["phase"]) == (200, "Succeeded")
    assert ask(f"{service}/operation_sync_results?a=2&b=3", "POST") == (200, '"5"\n')
    code, text = ask(f"{service}/operation_secret", "POST")
    assert (code, json.loads(text)) == (200, PASSWORD)
    succeeded(deployment, task["name"])
    assert "x://y" in ask(f"{service}/operations/{task['name']}/logs")[1]
    code, text = ask(f"{service}/operations?status=Succeeded")
    assert task["name"] in [one["name"] for one in json.loads(text)["items"]]
    found = json.loads(ask(f"{service}/operations/{task['name']}")[1])
    assert (found["status"], "'kind': 'CloudHarnessOperation'" in found["workflow"]) == (
        "Succeeded",
        True,
    )
    assert ask(f"{service}/operations/{task['name']}", "DELETE")[0] == 200
    assert ask(f"{service}/operations/{task['name']}")[0] == 404
