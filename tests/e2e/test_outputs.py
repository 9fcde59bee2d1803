"""What tasks leave behind, and what is said of those that fail, on a real cluster."""

import json
from typing import Any

import pytest

from tests.support.installation import FULL_KIND, Installation, condition, eventually
from tests.support.operations import GATED, Manifest, bash, open_gate, operation

pytestmark = pytest.mark.e2e

NASTY = (
    "'\"\\ `{{workflow.name}} {{ {{{{ }} {{=1+1}} {{inputs.parameters.made_raw}} {{pod.name}} "
    "$(HOME) $HOME $$ $$(HOME) $ %s & < > \t\x01\x07\x1b[0m\x7f é 😀 \u2028\u200b\n\n {"
    '"a": {"b": {"c": "}}"}} '
)
"""All that Argo, Kubernetes, Go, JSON and a shell would replace, escape or refuse."""

FILE = [{"name": "o", "path": "/tmp/o"}]

MAKE = """\
def make(text):
    with open("/tmp/raw", "w") as file:
        file.write(text)
    return {"text": text}
"""
ECHO = """\
import json, os
def echo():
    return [os.environ["RAW"], json.loads(os.environ["RESULT"])["text"]]
"""


def passed(task: str, **names: str) -> list[Manifest]:
    """Variables that are outputs of a task."""
    return [
        {"name": variable, "valueFrom": {"taskOutput": {"task": task, "name": name}}}
        for variable, name in names.items()
    ]


def function(name: str, source: str, called: str, **fields: Any) -> Manifest:
    """A task that calls a function; `args` are its arguments."""
    args = {"args": fields.pop("args")} if "args" in fields else {}
    return {"name": name, "python": {"source": source, "function": called, **args}, **fields}


def outputs(status: Manifest) -> dict[tuple[str, str], Manifest]:
    """The outputs of a run by their task and name."""
    return {(one["task"], one["name"]): one for one in status.get("outputs", ())}


def values(status: Manifest) -> dict[str, str]:
    """The values of outputs that stand in the status."""
    return {
        f"{task}/{name}": one["value"]
        for (task, name), one in outputs(status).items()
        if "value" in one
    }


@pytest.mark.parametrize("kind", ["Pipeline", pytest.param("SimpleDag", marks=pytest.mark.long)])
def test_a_value_reaches_a_later_task_byte_for_byte(shared: Installation, kind: str) -> None:
    env = passed("made", RAW="raw", RESULT="result")
    printing = ["python3", "-c", "import os; print(os.environ['RAW'], end='')"]
    makes = function("made", MAKE, "make", args={"text": NASTY})
    tasks: list[Manifest] = [
        {**makes, "outputs": [{"name": "raw", "path": "/tmp/raw"}]},
        function("by-python", ECHO, "echo", env=env, retry={"limit": 1}),
        {
            **bash('printf %s "$RAW" > /tmp/raw; printf %s "$RESULT" > /tmp/json', "by-bash"),
            "env": env,
            "outputs": [{"name": "raw", "path": "/tmp/raw"}, {"name": "json", "path": "/tmp/json"}],
        },
        {"name": "by-command", "command": {"command": printing}, "env": env, "stdout": True},
    ]
    if kind == "SimpleDag":
        tasks = [{**task, "group": min(index, 1)} for index, task in enumerate(tasks)]
    name = f"nasty-{kind.lower()}"
    shared.apply(operation(name, *tasks, type=kind))
    status = shared.wait_for(name)
    assert status["phase"] == "Succeeded", status["message"]
    found = values(status)
    assert found["made/raw"] == NASTY
    assert json.loads(found["made/result"]) == {"text": NASTY}
    assert json.loads(found["by-python/result"]) == [NASTY, NASTY]
    assert found["by-bash/raw"] == NASTY
    assert found["by-bash/json"] == found["made/result"]
    assert found["by-command/stdout"] == NASTY


def test_what_is_printed_is_kept_where_it_is_asked_for(shared: Installation) -> None:
    loud = bash("echo hello; echo there; echo aside >&2", "loud", stdout=True, retry={"limit": 1})
    quiet = bash("echo unheard", "quiet")
    last = bash(
        '[ "$SAID" = "$(printf "hello\\nthere")" ]', "last", env=passed("loud", SAID="stdout")
    )
    shared.apply(operation("printed", loud, quiet, last))
    status = shared.wait_for("printed")
    assert status["phase"] == "Succeeded", status["message"]
    assert values(status) == {"loud/stdout": "hello\nthere"}


def test_a_large_value_is_told_by_where_it_is(shared: Installation) -> None:
    big = function("big", "def f(): return 'x' * 100_000", "f")
    file = bash("head -c 300000 /dev/zero | tr '\\0' y > /tmp/o", "file", outputs=FILE)
    size = "import os\ndef f(): return len(os.environ['BIG'])"
    shared.apply(
        operation(
            "out-large", big, file, function("size", size, "f", env=passed("big", BIG="result"))
        )
    )
    status = shared.wait_for("out-large")
    assert status["phase"] == "Succeeded", status["message"]
    told = outputs(status)[("big", "result")]
    assert "value" not in told
    assert told["size"] == 100_002
    assert values(status) == {"size/result": "100002"}
    where = told["valueFrom"]
    assert outputs(status)[("file", "o")]["size"] == 300_000
    path = f"{{.status.nodes['{where['node']}'].outputs.parameters[?(@.name=='result')].value}}"
    text = shared.kubectl("get", "workflow", where["workflow"], "-o", f"jsonpath={path}")
    assert text == f'"{"x" * 100_000}"'


def test_a_value_that_cannot_be_kept_is_an_error_that_says_so(shared: Installation) -> None:
    code = "def f(): return 'x' * 300_000"
    write = "head -c 3000000 /dev/zero | tr '\\0' x > /tmp/o"
    shared.apply(
        operation("result-too-large", function("task", code, "f")),
        operation("file-too-large", bash(write, outputs=FILE)),
        operation("file-missing", bash("true", outputs=FILE)),
    )
    status = shared.wait_for("result-too-large")
    assert status["phase"] == "Failed"
    assert "at most 122880 are kept" in status["failure"]["logTail"][-1]
    for name, words in (("file-too-large", "larger than max"), ("file-missing", "no such file")):
        status = shared.wait_for(name)
        assert condition(status, "Failed")["status"] == "True"
        assert words in status["message"], status["message"]


def test_a_failed_task_keeps_the_files_it_wrote(shared: Installation) -> None:
    files = [{"name": "why", "path": "/tmp/why"}]
    shared.apply(operation("reason", bash("echo disk full > /tmp/why; exit 3", outputs=files)))
    shared.apply(operation("raised", function("task", "def f(): raise ValueError('é')", "f")))
    assert values(shared.wait_for("reason")) == {"task/why": "disk full"}
    status = shared.wait_for("raised")
    assert values(status) == {}
    assert status["failure"]["logTail"][-1] == "ValueError: é"


def test_an_output_that_is_not_there_is_refused(shared: Installation) -> None:
    late = bash("true", "late")
    shared.apply(operation("absent", bash("true", "first", env=passed("late", X="stdout")), late))
    status = shared.wait_for("absent")
    assert (status["phase"], status["reason"]) == ("Error", "InvalidSpec")
    assert "tasks[0].env[0].valueFrom.taskOutput.task: 'late'" in status["message"]


def test_the_end_of_a_failed_tasks_log_is_kept(shared: Installation) -> None:
    many = "for n in $(seq 500); do echo line $n é😀; done; printf unended; exit 7"
    shared.apply(operation("out-many", bash("true", "good"), bash(many, "bad")))
    shared.apply(operation("mute", bash("exit 4")))
    status = shared.wait_for("out-many")
    assert status["failure"] == {
        "task": "bad",
        "exitCode": 7,
        "reason": "Error",
        "message": "main: Error (exit code 7)",
        "logTail": [*(f"line {n} é😀" for n in range(482, 501)), "unended"],
    }
    shared.kubectl("delete", "workflow", status["workflowRef"]["name"])
    described = shared.kubectl("describe", "cho", "out-many").splitlines()
    place = next(n for n, line in enumerate(described) if line.strip() == "Log Tail:")
    assert [line.strip() for line in described[place + 1 : place + 21]] == status["failure"][
        "logTail"
    ]
    assert shared.wait_for("mute")["failure"]["logTail"] == []


def test_of_parallel_failures_the_first_is_told(shared: Installation) -> None:
    tasks = [bash("sleep 6; echo two; exit 2", "a-late"), bash("echo one; exit 1", "b-early")]
    shared.apply(operation("two", *tasks, type="Parallel"))
    found = shared.wait_for("two")["failure"]
    assert (found["task"], found["exitCode"], found["logTail"]) == ("b-early", 1, ["one"])


FILL = "echo filling; head -c 20000000 /dev/zero > /tmp/fill; sleep 120"
HOG = "print('hogging', flush=True)\nhog = 'x' * (512 << 20)"


@pytest.mark.long
def test_running_out_of_memory_and_being_evicted_are_told_apart(shared: Installation) -> None:
    little = {"limits": {"ephemeral-storage": "1Mi"}}
    hog = {"name": "hog", "python": {"source": HOG}, "resources": {"limits": {"memory": "64Mi"}}}
    shared.apply(operation("out-hog", hog), operation("fill", bash(FILL, resources=little)))
    found = shared.wait_for("out-hog")["failure"]
    assert (found["reason"], found["exitCode"], found["logTail"]) == ("OOMKilled", 137, ["hogging"])
    found = shared.wait_for("fill")["failure"]
    assert found["reason"] == "Evicted", found


def test_a_pod_that_was_taken_away_is_told(shared: Installation) -> None:
    shared.apply(operation("drained", bash("echo begun; sleep 120 & wait")))
    # A pod that is taken away before it runs, Argo makes anew.
    eventually(lambda: [p["status"]["phase"] for p in shared.pods("drained")] == ["Running"])
    (pod,) = shared.pods("drained")
    name = pod["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": shared.namespace},
    }
    path = f"/api/v1/namespaces/{shared.namespace}/pods/{name}/eviction"
    shared.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))
    status = shared.wait_for("drained")
    found = status["failure"]
    # Argo may see how the container ended, before the pod is gone.
    assert found["reason"] in ("Error", "PodDeleted"), found


@pytest.mark.long
def test_a_log_that_is_gone_holds_up_nothing(own: Installation) -> None:
    own.apply(operation("gone", bash(f"{GATED} echo unheard; exit 5")))
    eventually(lambda: own.status("gone")["phase"] == "Running")
    own.scale_operator(0)
    open_gate(own, "gone")
    eventually(lambda: own.workflows("gone")[0]["status"]["phase"] == "Failed")
    own.kubectl("delete", "pods", "-l", "cloudharness.io/operation=gone", "--timeout=60s")
    own.scale_operator(1)
    status = own.wait_for("gone", timeout=60)
    assert status["phase"] == "Failed"
    assert (status["failure"]["exitCode"], status["failure"]["logTail"]) == (5, [])
    assert own.get(FULL_KIND, "gone")["status"]["failure"]["task"] == "task"
