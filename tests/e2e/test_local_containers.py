"""`run_local` of tasks with images, by Podman, and by Docker's client that talks to Podman."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudharness.workflows import operations, tasks
from cloudharness.workflows.errors import OperationFailed, OperationTimeout
from tests.cluster import Cluster, packages
from tests.cluster.embedded import EmbeddedCluster
from tests.support.installation import eventually
from tests.support.podman import Podman, own_podman

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("local-containers")]


@pytest.fixture(scope="module")
def podman(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Podman, which this process uses too."""
    if not isinstance(cluster, EmbeddedCluster):
        pytest.skip("the image is one of the embedded cluster")
    packages.install(cluster.place.progress, {"podman": "podman"})
    with (
        pytest.MonkeyPatch.context() as patch,
        own_podman(tmp_path_factory.mktemp("podman"), "host") as one,
    ):
        for name, value in one.variables.items():
            patch.setenv(name, value)
        yield one


@pytest.fixture(scope="module")
def image(cluster: Cluster, podman: Podman) -> str:
    """An image that it has."""
    assert isinstance(cluster, EmbeddedCluster)
    podman("load", "--input", cluster.artifacts.python_image)
    return cluster.python_image


def custom(image: str, source: str, name: str = "t", **fields: Any) -> tasks.CustomTask:
    fields = {"retry_limit": 0, "image_pull_policy": "Never", **fields}
    return tasks.CustomTask(name, image, command=["bash", "-c", source], **fields)


def single(task: tasks.Task, **fields: Any) -> operations.SingleTaskOperation:
    return operations.SingleTaskOperation("local-", task, **fields)


def test_a_container_has_variables_and_shares_a_directory_with_processes(
    image: str, podman: Podman
) -> None:
    text = "a 'b' \"c\"\n$d\te"
    first = custom(image, 'printf %s "$text" > $shared_directory/text', "first", text=text)

    def read() -> str:
        return Path(os.environ["shared_directory"], "text").read_text()  # noqa: SIM112

    op = operations.PipelineOperation(
        "local-", [first, tasks.PythonTask("second", read)], shared_directory="/data"
    )
    assert op.run_local(120) == {"second": text}
    assert podman.containers() == []


def test_outputs_of_a_container_reach_later_tasks(image: str, podman: Podman) -> None:
    first = custom(
        image,
        "echo printed; printf kept > /tmp/out",
        "first",
        outputs={"out": "/tmp/out"},
        stdout=True,
    )

    def read() -> str:
        return os.environ["OUT"] + os.environ["PRINTED"]

    variables = {"OUT": first.output("out"), "PRINTED": first.output("stdout")}
    op = operations.PipelineOperation("local-", [first, tasks.PythonTask("p", read, **variables)])
    assert op.run_local(120) == {"p": "keptprinted"}
    assert podman.containers() == []


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("echo no; exit 3", 3, "no"),
        ("(kill -9 $BASHPID); exit $?", 137, ""),
        ("exec nothing-of-this-name", 127, "not found"),
    ],
)
def test_exit_codes_are_the_containers(
    image: str, podman: Podman, source: str, code: int, said: str
) -> None:
    with pytest.raises(OperationFailed) as caught:
        single(custom(image, source)).run_local(120)
    assert caught.value.exit_code == code
    assert said in "\n".join(caught.value.log_tail)
    assert podman.containers() == []


def test_a_missing_image_is_said(image: str, podman: Podman) -> None:
    task = custom("localhost/nobody/built-this:1", "true")
    with pytest.raises(OperationFailed, match="nobody/built-this"):
        single(task).run_local(120)
    task = custom("localhost:1/nobody/built-this:1", "true", image_pull_policy="IfNotPresent")
    with pytest.raises(OperationFailed, match="connection refused"):
        single(task).run_local(240)
    assert image
    assert podman.containers() == []


DEAF = "trap '' TERM; echo begun; while true; do sleep 1; done"


def test_a_timeout_ends_the_container(image: str, podman: Podman) -> None:
    with pytest.raises(OperationTimeout):
        single(custom(image, DEAF)).run_local(10)
    assert podman.containers() == []


def test_ctrl_c_ends_the_container(image: str, podman: Podman, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from cloudharness.workflows import operations, tasks\n"
        f"task = tasks.CustomTask('t', {image!r}, command=['bash', '-c', {DEAF!r}])\n"
        "operations.SingleTaskOperation('local-', task).run_local()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        eventually(lambda: podman.containers("--filter", "status=running"))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    assert podman.containers() == []
