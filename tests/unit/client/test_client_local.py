"""Operations on this machine: the same results, order and failures as on a cluster, without one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cloudharness.workflows import operations, tasks
from cloudharness.workflows._local_attempt import expanded
from cloudharness.workflows._local_run import LocalRun
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    OperationFailed,
    OperationTimeout,
)
from cloudharness_operation.model import OperationSpec
from tests.support.builders import until
from tests.support.interrupts import interruptible


def double(number: int) -> int:
    print("doubling")
    return 2 * number


def read_out() -> str:
    return os.environ["OUT"]


def bash(name: str, source: str, **settings: Any) -> tasks.BashTask:
    return tasks.BashTask(name, source, **settings)


def single(source: str, **settings: Any) -> operations.SingleTaskOperation:
    return operations.SingleTaskOperation("local-", bash("task", source, **settings))


def test_the_result_is_that_of_the_function() -> None:
    op = operations.SingleTaskOperation("local-", tasks.PythonTask("p", double, number=4))
    assert op.run_local(30) == 8


def test_results_of_several_are_by_task() -> None:
    op = operations.ParallelOperation(
        "local-", [tasks.PythonTask("a", double, number=1), bash("b", "true")]
    )
    assert op.run_local(30) == {"a": 2}


def test_a_synchronous_operation_has_its_files_as_result() -> None:
    task = bash("write", "mkdir $shared_directory/a; printf 1 > $shared_directory/a/b.txt")
    op = operations.DistributedSyncOperationWithResults("local-", task)
    assert op.run_local(30) == [{"a/b.txt": "1"}]


def test_tasks_share_a_directory_and_run_in_order() -> None:
    op = operations.SimpleDagOperation(
        "local-",
        (
            bash("a", "sleep 0.3; echo a >> $shared_directory/x"),
            bash("b", "echo b >> $shared_directory/x"),
        ),
        bash("c", "echo c >> $shared_directory/x"),
        tasks.PythonTask("read", read),
        shared_directory="myclaim:/mnt/shared",
    )
    assert op.run_local(30) == {"read": ["b", "a", "c"]}


def read() -> list[str]:
    with open(os.environ["shared_directory"] + "/x") as file:  # noqa: PTH123, SIM112
        return file.read().split()


def test_outputs_reach_later_tasks_byte_for_byte(tmp_path: Path) -> None:
    text = "a 'b' $(HOME) {{x}} ü\n\n"
    first = bash(
        "first",
        f"printf '%s' {shlex.quote(text)} > {tmp_path}/out; echo said",
        outputs={"out": f"{tmp_path}/out"},
        stdout=True,
    )
    second = tasks.PythonTask("second", double, number=4)
    last = tasks.PythonTask(
        "last", seen, out=first.output("out"), said=first.output("stdout"), n=second.output()
    )
    found = operations.PipelineOperation("local-", [first, second, last]).run_local(30)
    assert found["last"] == [text.removesuffix("\n"), "said", "8"]


def seen() -> list[str]:
    return [os.environ[name] for name in ("out", "said", "n")]


def test_an_output_that_is_not_written_is_a_failure() -> None:
    with pytest.raises(OperationFailed) as caught:
        single("true", outputs={"out": "/tmp/nobody-writes-this"}).run_local(30)
    assert caught.value.exit_code == 64
    assert "cannot read an output: " in str(caught.value)


CLUSTERBOUND: list[tuple[dict[str, Any], str]] = [
    (
        {"env": [{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        "task 't': env a: the Secret s",
    ),
    (
        {"env": [{"name": "a", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]},
        "task 't': env a: the ConfigMap c",
    ),
    (
        {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]},
        "task 't': env a: the pod's spec.nodeName",
    ),
    ({"envFrom": [{"secretRef": {"name": "s"}}]}, "task 't': envFrom: the Secret s"),
    (
        {"bash": None, "python": {"sourceFrom": {"name": "code", "key": "k"}}},
        "task 't': python.sourceFrom: the ConfigMap code",
    ),
    (
        {
            "env": [
                {
                    "name": "a",
                    "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}},
                }
            ],
            "envFrom": [{"configMapRef": {"name": "c", "optional": True}}],
        },
        "",
    ),
]


@pytest.mark.parametrize(("fields", "said"), CLUSTERBOUND)
def test_what_only_a_cluster_has_is_told_before_anything_runs(
    fields: dict[str, Any], said: str
) -> None:
    task = {"name": "t", "bash": {"source": "[ -z ${a+x} ]"}, **fields}
    written = {"type": "SingleTask", "tasks": [{k: v for k, v in task.items() if v is not None}]}
    run = LocalRun("local", OperationSpec.model_validate(written), print, 30)
    if not said:
        assert run.return_values() == {}
        return
    with pytest.raises(BadOperationConfiguration, match="cannot run without a cluster") as caught:
        run.return_values()
    assert said in str(caught.value)


def test_parallel_tasks_run_at_once() -> None:
    # Each waits for the other.
    meet = "touch $shared_directory/$me; until [ -e $shared_directory/$you ]; do sleep 0.05; done"
    pair = [bash("a", meet, me="1", you="2"), bash("b", meet, me="2", you="1")]
    operations.ParallelOperation("local-", pair, shared_directory=True).run_local(30)


def test_a_task_has_its_variables_and_few_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_CH_SECRET", "hidden")
    op = single("env", number=1, cost="$(HOME) $$5", none=None)
    op.run_local(30, show=True)
    said = capsys.readouterr().err
    assert "task | cost=$(HOME) $$5\n" in said
    assert "task | number=1\n" in said
    assert "task | CH_WORKFLOW_NAME=local-" in said
    assert "hidden" not in said
    assert "none=" not in said


FAIL = "echo first; echo second >&2; exit 3"


def test_a_failure_says_what_it_says_on_a_cluster() -> None:
    op = operations.PipelineOperation(
        "local-", [bash("good", "true"), bash("bad", FAIL), bash("never", "touch /nowhere/x")]
    )
    with pytest.raises(OperationFailed) as caught:
        op.run_local(30)
    error = caught.value
    assert (error.task, error.exit_code, error.reason) == ("bad", 3, "TaskFailed")
    assert error.log_tail == ("first", "second")
    assert "task 'bad' ended with exit code 3" in str(error)


def test_of_two_failures_the_first_is_told_and_the_others_end() -> None:
    op = operations.ParallelOperation(
        "local-",
        [bash("late", "sleep 0.5; exit 4"), bash("soon", "exit 5"), bash("b", "sleep 0.7")],
    )
    with pytest.raises(OperationFailed) as caught:
        op.run_local(30)
    assert (caught.value.task, caught.value.exit_code) == ("soon", 5)


def test_a_task_is_tried_again_as_often_as_it_says() -> None:
    count = 'echo x >> $shared_directory/n; [ "$(wc -l < $shared_directory/n)" -ge 3 ]'
    for limit, ends_well in ((2, True), (1, False)):
        task = bash("task", count, retry_limit=limit)
        op = operations.SingleTaskOperation("local-", task, shared_directory=True)
        if ends_well:
            op.run_local(30)
        else:
            with pytest.raises(OperationFailed):
                op.run_local(30)


@pytest.mark.parametrize(
    ("source", "code"),
    [("kill -9 $$", 137), ("nothing-of-this-name", 127), ("exit 255", 255)],
    ids=["killed", "no such program", "any"],
)
def test_exit_codes_are_those_of_a_container(source: str, code: int) -> None:
    with pytest.raises(OperationFailed) as caught:
        single(source).run_local(30)
    assert caught.value.exit_code == code


def test_a_program_that_is_not_there_is_a_failure() -> None:
    task = tasks.CommandBasedTask("task", ["/nowhere/program"], retry_limit=0)
    with pytest.raises(OperationFailed) as caught:
        operations.SingleTaskOperation("local-", task).run_local(30)
    assert caught.value.exit_code == 127
    assert "/nowhere/program" in caught.value.log_tail[0]


def test_a_command_is_run_by_no_shell() -> None:
    task = tasks.CommandBasedTask("task", ["echo", "$HOME", "a b"], retry_limit=0)
    operations.SingleTaskOperation("local-", task).run_local(30)


LEAVES = "sleep 600 & echo $! > {path}; wait"


def alive(pid: int) -> bool:
    try:
        return f"{pid} (sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def has_begun(path: Path) -> bool:
    """Whether a task has written its number into a file."""
    return path.exists() and path.read_text().endswith("\n")


def ended(path: Path) -> bool:
    """Whether what a task has left its number in ends soon."""
    deadline = time.monotonic() + 10
    while alive(int(path.read_text())):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_time_out_ends_all_that_was_started(tmp_path: Path) -> None:
    op = single(LEAVES.format(path=tmp_path / "pid"), retry_limit=5)
    # Within this time a slow machine has to start the task.
    with pytest.raises(OperationTimeout, match="has not ended within 3 s, and was terminated"):
        op.run_local(3)
    assert ended(tmp_path / "pid")


def test_ctrl_c_ends_all_that_was_started(tmp_path: Path) -> None:
    script = (
        "from cloudharness.workflows import operations, tasks\n"
        f"task = tasks.BashTask('task', {LEAVES.format(path=tmp_path / 'pid')!r}, retry_limit=3)\n"
        "operations.SingleTaskOperation('local-', task).run_local()\n"
    )
    command = interruptible([sys.executable, "-c", script])
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not has_begun(tmp_path / "pid"):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in said
    assert ended(tmp_path / "pid")


def test_a_cancelled_twin_ends_all_that_was_started(tmp_path: Path) -> None:
    op = single(LEAVES.format(path=tmp_path / "pid"))

    async def cancelled() -> None:
        running = asyncio.create_task(op.run_local_async())
        await until(lambda: has_begun(tmp_path / "pid"))
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert ended(tmp_path / "pid")
    assert not [one for one in threading.enumerate() if "ThreadPool" in one.name]


ENGINE = """#!/bin/sh
echo "$@" >> {calls}
case "$1" in
version|info) echo "{problem}" >&2; [ -z "{problem}" ];;
image) [ -n "{has_image}" ];;
pull) echo pulled;;
run) echo "ran by {name}";;
cp) echo kept > "$3";;
esac
"""


def engines(place: Path, has_image: str = "yes", **problems: str) -> Path:
    """Put programs into a directory; each cannot run containers if it has a problem."""
    place.mkdir(exist_ok=True)
    calls = place / "calls"
    calls.touch()
    for name, problem in problems.items():
        text = ENGINE.format(calls=calls, name=name, problem=problem, has_image=has_image)
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    for name in ("sh", "cat"):
        (place / name).symlink_to(shutil.which(name) or "")
    return calls


def image_operation(**settings: Any) -> operations.SingleTaskOperation:
    fields: dict[str, Any] = {"command": ["ls", "-la"], "a": "b c", "retry_limit": 0, **settings}
    task = tasks.CustomTask("t", "x:1", **fields)
    return operations.SingleTaskOperation("local", task, shared_directory="c:/mnt/x")


def test_an_image_runs_in_a_container_that_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = engines(tmp_path / "bin", docker="")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    image_operation().run_local(30, show=True)
    assert capsys.readouterr().err == "t | ran by docker\n"
    _, inspect, run, kill, remove = calls.read_text().splitlines()
    assert inspect == "image inspect x:1"
    name = run.split()[2]
    assert run.startswith(f"run --name {name} --pull=never --env CH_WORKFLOW_NAME=local-")
    assert " --env shared_directory=/mnt/x --env a=b c --volume " in run
    assert run.endswith(":/mnt/x:z --entrypoint ls x:1 -la")
    assert [kill, remove] == [f"kill {name}", f"rm --force {name}"]


@pytest.mark.parametrize(
    ("policy", "has_image", "asked"),
    [
        ("IfNotPresent", "yes", ["image inspect x:1"]),
        ("IfNotPresent", "", ["image inspect x:1", "pull x:1"]),
        ("Always", "yes", ["pull x:1"]),
        ("Never", "", []),
    ],
)
def test_an_image_is_pulled_as_its_policy_says(
    policy: Any, has_image: str, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = engines(tmp_path / "bin", has_image, podman="")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = image_operation(image_pull_policy=policy, stdout=True).run_local(30)
    assert found is None
    said = [line for line in calls.read_text().splitlines() if not line.startswith("info ")]
    assert said[: len(asked)] == asked
    assert said[len(asked)].startswith("run --name t-")


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ({"docker": "", "podman": ""}, "t | ran by docker\n"),
        ({"docker": "no daemon", "podman": ""}, "t | ran by podman\n"),
        ({"podman": ""}, "t | ran by podman\n"),
    ],
)
def test_the_engine_that_answers_runs_the_image(
    problems: dict[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engines(tmp_path / "bin", **problems)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    image_operation().run_local(30, show=True)
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ({}, "docker is not installed; podman is not installed: install or start one"),
        (
            {"docker": "no daemon", "podman": "no subuid"},
            r"docker does not answer \(no daemon\); podman does not answer \(no subuid\)",
        ),
    ],
)
def test_without_an_engine_an_image_is_refused(
    problems: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(tmp_path / "bin", **problems)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(BadOperationConfiguration, match=rf"in the image x:1, .*{message}"):
        image_operation().run_local(30)


def test_an_output_is_copied_out_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(tmp_path / "bin", docker="")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    first = tasks.CustomTask("first", "x:1", outputs={"out": "/tmp/out"})
    second = tasks.PythonTask("second", read_out, OUT=first.output("out"))
    op = operations.PipelineOperation("local", [first, second])
    assert op.run_local(30) == {"second": "kept"}


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    single("touch here; mkdir -p $HOME").run_local(30)
    with pytest.raises(OperationFailed):
        single("exit 1").run_local(30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$$", "$"), ("$$(A)", "$(A)"), ("$(A)x", "1x"), ("$(B)", "$(B)"), ("$A $", "$A $")],
)
def test_variables_are_put_in_as_kubernetes_does(text: str, expected: str) -> None:
    assert expanded(text, {"A": "1"}) == expected


def test_results_of_groups_are_in_the_order_of_the_tasks() -> None:
    def python(name: str, group: int) -> dict[str, Any]:
        source = "def f(): return 1"
        return {"name": name, "group": group, "python": {"source": source, "function": "f"}}

    written = {"type": "SimpleDag", "tasks": [python("b", 1), python("a", 0)]}
    run = LocalRun("local", OperationSpec.model_validate(written), lambda _: None, 30)
    assert list(run.return_values()) == ["b", "a"]


def with_exit_task(source: str, exit_source: str) -> LocalRun:
    task = {"name": "task", "bash": {"source": source}}
    bye = {"name": "bye", "bash": {"source": exit_source}}
    spec = {"type": "SingleTask", "tasks": [task], "onExit": {"task": bye}}
    return LocalRun("local", OperationSpec.model_validate(spec), lambda _: None, timeout=30)


@pytest.mark.parametrize(
    ("source", "exit_source", "result", "failed"),
    [
        ("true", "true", "Succeeded", None),
        ("false", "true", "Failed", "task"),
        ("true", "exit 3", "Succeeded", "bye"),
        ("false", "exit 3", "Failed", "task"),
    ],
)
def test_the_exit_task_runs_after_success_and_failure(
    source: str, exit_source: str, result: str, failed: str | None, tmp_path: Path
) -> None:
    run = with_exit_task(source, f"printf %s $workflow_result > {tmp_path}/result; {exit_source}")
    with pytest.raises(OperationFailed) if failed else contextlib.nullcontext() as caught:
        run.return_values()
    assert (tmp_path / "result").read_text() == result
    assert (caught.value.task if caught else None) == failed
