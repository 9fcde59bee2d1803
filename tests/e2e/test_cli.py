"""The command line as a person has it, on a real cluster."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import terminal
from tests.support.installation import FULL_KIND, Installation, eventually
from tests.support.operations import Manifest, bash, operation

pytestmark = pytest.mark.e2e


class Shell:
    """A person's shell: the programs on its PATH, the cluster in its kubeconfig."""

    def __init__(self, one: Installation, place: Path) -> None:
        self.one = one
        self.place = place
        self.environment = {**one.environment(), "COLUMNS": "120"}

    def __call__(self, *words: str, code: int = 0) -> str:
        """Return what a command says, to stdout and below that to stderr."""
        done = subprocess.run(
            words, capture_output=True, text=True, env=self.environment, check=False, timeout=300
        )
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def cho(self, *words: str, code: int = 0) -> str:
        return self("cloudharness-operation", *words, code=code)

    def file(self, *found: Manifest) -> str:
        path = self.place / f"{found[0]['metadata']['name']}.yaml"
        path.write_text(yaml.safe_dump_all(found))
        return str(path)


@pytest.fixture
def shell(shared: Installation, tmp_path: Path) -> Shell:
    return Shell(shared, tmp_path)


def two_steps(name: str) -> Manifest:
    return operation(name, bash("echo one", "first"), bash("sleep 3; echo two", "second"))


def test_a_file_is_run_watched_and_looked_at(shell: Shell) -> None:
    said = shell.cho("run", shell.file(two_steps("cli-good")), "--watch").splitlines()
    assert said[0] == "cli-good created"
    assert said[-1].split()[:4] == ["cli-good", "Pipeline", "Succeeded", "2/2"]
    tree = shell.cho("get", "cli-good").splitlines()
    assert [line.split()[:4] for line in tree[-2:]] == [
        ["├─", "✔", "first", "Succeeded"],
        ["└─", "✔", "second", "Succeeded"],
    ]
    assert "█" in shell.cho("get", "cli-good", "-o", "gantt")
    found = json.loads(shell.cho("get", "cli-good", "-o", "json"))
    assert found["kind"] == "CloudHarnessOperation"
    assert found["status"]["phase"] == "Succeeded"
    assert shell.cho("logs", "cli-good").splitlines() == ["first | one", "second | two"]
    assert shell.cho("logs", "cli-good", "--task", "second", "--no-prefix") == "two\n"
    assert "cli-good has no task 'third'; its tasks: first, second" in shell.cho(
        "logs", "cli-good", "--task", "third", code=2
    )
    assert "already exists: run it again with `rerun`" in shell.cho(
        "run", shell.file(two_steps("cli-good")), code=5
    )
    assert shell.cho("explain-failure", "cli-good") == "cli-good has not failed: it succeeded\n"
    # The same, as kubectl has it.
    assert "cli-good" in shell("kubectl", "cho", "list", "-n", shell.one.namespace)
    namespace = shell.one.namespace
    listed = shell("kubectl", "__complete", "cho", "get", "-n", namespace, "cli-")
    assert listed.startswith("cli-good\tSucceeded\n:4\n")


def test_a_failure_is_told_and_explained(shell: Shell) -> None:
    bad = operation("cli-bad", bash("echo before; exit 127", "first"), bash("true", "second"))
    said = shell.cho("run", shell.file(bad), "-f", code=1)
    assert "first | before\n" in said
    assert "error: operation cli-bad failed: TaskFailed" in said
    explained = shell.cho("explain-failure", "cli-bad")
    assert "task first failed first: Error, exit code 127, on " in explained
    assert "is it in the image, and on its PATH?" in explained
    assert "  | before\nnever run: second\n" in explained
    assert "error: " in shell.cho("wait", "cli-bad", "-q", code=1)
    wide = shell.cho("list", "--phase", "Failed", "-o", "wide").splitlines()
    assert [line.split()[0] for line in wide] == ["NAME", "cli-bad"]


@pytest.mark.long
def test_the_course_of_an_operation_is_changed(shell: Shell) -> None:
    name = "cli-steered"
    shell.cho("run", shell.file(operation(name, bash("sleep 300"), suspend=True)))
    eventually(lambda: shell.one.status(name).get("phase") == "Suspended")
    assert "has not ended within 1 s; it is still running" in shell.cho(
        "wait", name, "--timeout", "1s", code=4
    )
    assert shell.cho("resume", name, "--no-wait").split()[0] == name
    eventually(lambda: shell.one.status(name).get("phase") == "Running")
    assert shell.cho("suspend", name) == f"{name}  Suspended\n"
    assert shell.cho("resume", name) == f"{name}  Running\n"
    assert shell.cho("cancel", name, "--terminate") == f"{name}  Cancelled\n"
    assert "is Cancelled" not in shell.cho("explain-failure", name)
    assert shell.cho("rerun", name, "--run-id", "two", "--timeout", "2m") == f"{name}  run two\n"
    shell.cho("cancel", name, "--timeout", "2m")
    wide = shell.cho("get", name, "-o", "wide")
    assert "previous runs:\n  1  Cancelled  Cancelled" in wide


def test_what_cannot_be_is_refused(shell: Shell) -> None:
    assert "not found" in shell.cho("get", "nobody-has-made-it", code=3)
    assert "not found" in shell.cho("cancel", "nobody-has-made-it", code=3)
    typo: Any = two_steps("cli-typo")
    typo["spec"]["tasks"][1]["bash"]["sauce"] = "x"
    good = two_steps("cli-with-typo")
    said = shell.cho("run", shell.file(good, typo), code=5)
    assert 'unknown field "spec.tasks[1].bash.sauce"' in said
    # None of the file was made.
    assert not shell.one.find(FULL_KIND, fields="metadata.name=cli-with-typo")
    assert shell.cho("run", shell.file(good), "--dry-run") == "cli-with-typo would be created\n"
    assert not shell.one.find(FULL_KIND, fields="metadata.name=cli-with-typo")
    assert "No operations found in namespace nowhere" in shell.cho("list", "-n", "nowhere")


def test_on_a_terminal_it_is_drawn_in_place_and_in_colours(shell: Shell) -> None:
    shell.cho("run", shell.file(two_steps("cli-drawn")))
    words = ["cloudharness-operation", "watch", "cli-drawn", "--gantt"]
    said = "".join(terminal.said(words, shell.environment))
    assert "\x1b[32mSucceeded\x1b[0m" in said
    # Where the last picture began, and each of its lines anew.
    assert "A\r\x1b[2K" in said
    assert "\x1b" not in shell.cho("get", "cli-drawn")


def levels(text: str) -> dict[str, str]:
    """Return the worst level of each subject, as `doctor -o json` reports it."""
    order = ("ok", "unknown", "warning", "failed")
    found: dict[str, str] = {}
    for one in json.loads(text):
        worst = max(one["level"], found.get(one["subject"], "ok"), key=order.index)
        found[one["subject"]] = worst
    return found


def test_an_installation_is_checked(own: Installation, tmp_path: Path) -> None:
    shell = Shell(own, tmp_path)
    own.apply(operation("published", bash("true"), topic=f"{own.namespace}-ends"))
    own.wait_for("published", "Notified")
    said = shell.cho("doctor")
    assert "acknowledged" in said
    assert " leads\n" in said
    assert "failed" not in said
    found = levels(shell.cho("doctor", "-o", "json"))
    # The clocks of this machine and of a cluster elsewhere may differ.
    assert {subject for subject, level in found.items() if level != "ok"} <= {"clocks"}
    own.kubectl("delete", "rolebinding", "cloudharness-task")
    own.scale_operator(0)
    eventually(lambda: not own.operator_pods())
    broken = shell.cho("doctor", code=1)
    assert "cloudharness-task may not create and patch workflowtaskresults" in broken
    assert "no pod of" in broken
    assert "kubectl logs deployment/" in broken
    elsewhere = shell.cho("doctor", "-n", "default", code=1)
    assert "does not serve namespace default" in elsewhere


def test_a_user_of_one_namespace_checks_what_he_may_read(
    shared: Installation, tmp_path: Path
) -> None:
    account = f"system:serviceaccount:{shared.namespace}:checker"
    shared.kubectl("create", "serviceaccount", "checker")
    shared.kubectl("create", "rolebinding", "checker", "--clusterrole=edit", f"--user={account}")
    shell = Shell(shared, tmp_path)
    config = yaml.safe_load(Path(shell.environment["KUBECONFIG"]).read_text())
    config["users"] = [
        {**one, "user": {"token": shared.kubectl("create", "token", "checker").strip()}}
        for one in config["users"]
    ]
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    try:
        found = levels(
            shell.cho("doctor", "--kubeconfig", str(file), "-n", shared.namespace, "-o", "json")
        )
    finally:
        shared.kubectl("delete", "rolebinding,serviceaccount", "checker")
    assert found["operator"] == "ok"
    assert found["CRD"] == "unknown"
    assert found["account of tasks"] == "unknown"
    assert "failed" not in found.values()
