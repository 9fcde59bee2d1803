"""The command line without a cluster: what is wrong is told, and what it exits with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cloudharness.workflows.cli import main as cli
from cloudharness.workflows.cli.target import Target
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    BadParam,
    ClusterUnavailable,
    OperationCancelled,
    OperationExists,
    OperationFailed,
    OperationRefused,
    OperationTimeout,
    ResultUnavailable,
    WorkflowNotFound,
)
from tests.support.builders import operation_manifest
from tests.support.documents import COMMAND_LINE

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "pipeline.yaml"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster is to be found by chance."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for variable in ("CLOUDHARNESS_NAMESPACE", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)


def run(*words: str) -> int:
    """Return what a command exits with."""
    with pytest.raises(SystemExit) as end:
        cli.main(list(words))
    code = end.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--version"], 0, "0.1.0"),
        (["-h"], 0, "explain-failure"),
        (["run", "-h"], 0, "--local"),
        ([], 2, "Usage"),
        (["dance"], 2, "No such command 'dance'"),
        (["get"], 2, "NAME"),
        (["cancel"], 2, "NAMES"),
        (["list", "--phase", "Dancing"], 2, "Dancing"),
        (["wait", "a", "--timeout", "soon"], 2, "write 90, 90s, 10m, 2h or 1d"),
        (["get", "a", "-o", "xml"], 2, "gantt"),
        (["list"], 6, "cannot find a cluster in"),
        (["get", "a"], 6, "set KUBECONFIG"),
        (["get", "a", "--kubeconfig", "/nowhere"], 6, "cannot find a cluster in /nowhere"),
        (["completion", "bash"], 0, "_CLOUDHARNESS_OPERATION_COMPLETE=bash_complete"),
        (["completion", "tcsh"], 2, "tcsh"),
        (["run", str(EXAMPLE)], 6, "cannot find a cluster in"),
        (["run", str(EXAMPLE), "--local", "--watch"], 2, "leave out --watch"),
        (["run", str(EXAMPLE), "--local", "--dry-run"], 2, "leave out --dry-run"),
        (["run", str(EXAMPLE), "--dry-run", "--follow"], 2, "--dry-run creates nothing"),
        (["run", "/nowhere/x.yaml"], 5, "/nowhere/x.yaml"),
    ],
)
def test_what_it_says_and_exits_with(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == code
    out = capsys.readouterr()
    assert said in (out.out if code == 0 else out.err)


GOOD = operation_manifest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("a: [", "while parsing"),
        ("- a", "expected a manifest of a CloudHarnessOperation, not ['a']"),
        ("kind: Pod", "apiVersion: is None, not cloudharness.io/v1alpha1"),
        ({**GOOD, "kind": "Workflow"}, "kind: is 'Workflow', not CloudHarnessOperation"),
        ({**GOOD, "metadata": {}}, "metadata: set name or generateName"),
        ({**GOOD, "spec": {**GOOD["spec"], "tpye": 1}}, "spec: tpye: Extra inputs"),
        ({**GOOD, "spec": None}, "spec: "),
    ],
)
def test_a_file_that_is_wrong_is_told_by_its_field(
    content: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "op.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    assert run("run", str(file), "--local") == 5
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: ")
    assert said in error


def test_a_name_is_for_one_operation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump_all([GOOD, GOOD]))
    assert run("run", str(file), "--name", "x") == 2
    assert "contains 2 operations" in capsys.readouterr().err


def test_an_operation_runs_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = [{"name": "word", "value": "hi"}]
    found = operation_manifest({"name": "one", "bash": {"source": "echo $word"}, "env": env})
    file = tmp_path / "op.yaml"
    file.write_text(json.dumps(found))
    assert run("run", str(file), "--local") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "one | hi"
    assert said[-1].endswith("Succeeded")


def test_one_that_fails_here_exits_as_one_that_fails_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "op.yaml"
    file.write_text(
        yaml.safe_dump(operation_manifest({"name": "a", "bash": {"source": "echo no; exit 3"}}))
    )
    assert run("run", str(file), "--local") == 1
    assert "exit code 3\n  | no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationFailed("x"), 1),
        (OperationCancelled("x"), 1),
        (ResultUnavailable("x"), 1),
        (WorkflowNotFound("x"), 3),
        (OperationTimeout("x"), 4),
        (OperationExists("x"), 5),
        (OperationRefused("x"), 5),
        (BadOperationConfiguration("x"), 5),
        (BadParam("a", "x"), 5),
        (ClusterUnavailable("x"), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Target, "attach", fail)
    assert run("get", "a") == code
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err == (
        "error: x\n" if code != 130 else "\ninterrupted; operations on the cluster continue\n"
    )


def test_one_that_this_version_cannot_read_is_no_crash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    future = operation_manifest(spec={"type": "Future"}) | {"status": {}}
    found = SimpleNamespace(found=future)
    monkeypatch.setattr(Target, "attach", lambda *_: found)
    assert run("get", "a") == 5
    assert "cannot read the operation: spec.type: " in capsys.readouterr().err
    assert run("get", "a", "-o", "name") == 0


def fake(monkeypatch: pytest.MonkeyPatch, *found: dict[str, Any]) -> None:
    monkeypatch.setattr(Target, "operations", lambda *_, **__: iter(found))


def test_a_list_is_for_people_and_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = operation_manifest(name="one", status={"phase": "Failed"}, metadata={"managedFields": []})
    two = operation_manifest(name="two")
    fake(monkeypatch, two, one)
    assert run("list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        *("NAME", "two", "one")
    ]
    assert run("list", "--phase", "Pending", "-o", "name") == 0
    assert capsys.readouterr().out == "two\n"
    assert run("list", "-o", "json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["metadata"]["name"] for item in items] == ["two", "one"]
    assert "managedFields" not in items[1]["metadata"]
    assert run("list", "--phase", "Failed", "-o", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out)["metadata"]["name"] == "one"


def test_names_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("sums-1", "sums-2", "other")
    fake(
        monkeypatch, *(operation_manifest(name=name, status={"phase": "Failed"}) for name in names)
    )
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-cho", "get", "su"])
    cli.complete_for_kubectl()
    assert capsys.readouterr().out == "sums-1\tFailed\nsums-2\tFailed\n:4\n"
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-cho", "expl"])
    cli.complete_for_kubectl()
    assert capsys.readouterr().out.startswith("explain-failure\t")


def test_nothing_is_completed_where_no_cluster_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-cho", "get", ""])
    cli.complete_for_kubectl()
    assert capsys.readouterr().out == ":4\n"


@pytest.mark.parametrize("program", ["cloudharness-operation", "kubectl-cho"])
def test_it_is_installed_under_both_names(program: str) -> None:
    place = Path(sys.executable).parent
    done = subprocess.run([place / program, "--help"], capture_output=True, text=True, check=True)
    called = program.replace("kubectl-", "kubectl ")
    assert done.stdout.startswith(f"Usage: {called} ")


def test_who_has_read_enough_may_go(tmp_path: Path) -> None:
    file = tmp_path / "op.yaml"
    source = "for n in $(seq 20000); do echo $n; done"
    file.write_text(yaml.safe_dump(operation_manifest({"name": "a", "bash": {"source": source}})))
    command = f"{sys.executable} -m cloudharness.workflows.cli run {file} --local | head -1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert (done.stdout, done.stderr) == ("a | 1\n", "")


def test_the_page_names_each_command_and_each_option_that_is_there() -> None:
    page = COMMAND_LINE.read_text()
    table = "".join(re.findall(r"^\| `.*$", page, re.MULTILINE))
    for name, command in cli.cli.commands.items():
        assert re.search(rf"`[^`]*\b{name}\b", table), name
        assert command.help, name
    known = {
        option
        for command in cli.cli.commands.values()
        for one in command.params
        for option in one.opts
    }
    assert set(re.findall(r"(?<=[`\s])--?[a-z][a-z-]*", page)) <= known
