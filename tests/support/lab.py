"""A namespace that all examples run in, and what can be seen of them afterwards."""

import contextlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from cloudharness_operation.names import KIND, LABEL_OPERATION
from tests.support.examples import NAMESPACE, Example, defaults, names
from tests.support.installation import FULL_KIND, Installation, condition, eventually

Manifest = dict[str, Any]

GPU = "gpu"
"""The one that does not run: no node here has a GPU."""
RUN = [name for name in names() if name != GPU]
TIMEOUT = 480
"""Seconds for all of them. A free machine of two processors needs less than a quarter."""
AT_ONCE = 9
"""Operations: more would starve what runs beside them, and be no faster."""


@dataclass(frozen=True)
class Lab:
    """A namespace that all examples ran in, and what was in it then."""

    one: Installation
    ssd: str
    """The node with the label disk=ssd."""
    operations: dict[str, Manifest]
    workflows: dict[str, Manifest]
    pods: dict[str, dict[str, Manifest]]
    """Of each operation, by task."""
    logs: dict[str, str]
    """What each pod said, without what Argo's executor says into the same log."""

    def pod(self, name: str) -> Manifest:
        """The only pod of an example."""
        (pod,) = self.pods[name].values()
        return pod

    def nodes(self, name: str) -> set[str]:
        """The nodes that an example ran on."""
        return {pod["spec"]["nodeName"] for pod in self.pods[name].values()}

    def said(self, name: str, task: str) -> str:
        """What a task said."""
        return self.logs[self.pods[name][task]["metadata"]["name"]]

    def span(self, name: str, task: str) -> tuple[str, str]:
        """When a task began and ended."""
        (node,) = (n for n in pod_nodes(self.workflows[name]) if n["displayName"] == task)
        return node["startedAt"], node["finishedAt"]


@contextlib.contextmanager
def opened(one: Installation, prepared: Callable[[Manifest], Manifest]) -> Iterator[Lab]:
    """Apply all examples, what they need first and as `prepared`, and wait for their ends."""
    texts = [local(Example(name).path.read_text(), one) for name in names()]
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    node = _any_node(one)
    one.cluster.kubectl("label", "node", node, "disk=ssd", "--overwrite")
    one.apply(*(prepared(other) for other in documents if other["kind"] != KIND))
    one.kubectl("rollout", "status", "deployment/shop", "--timeout=90s", timeout=100)
    operations = [other for other in documents if other["kind"] == KIND]
    deadline = time.monotonic() + TIMEOUT
    for first in range(0, len(operations), AT_ONCE):
        one.apply(*operations[first : first + AT_ONCE])
        # The test of an example reports that it has not finished.
        with contextlib.suppress(AssertionError):
            eventually(lambda: _all_ended(one), deadline - time.monotonic(), every=1)
    yield _look(one, node)
    one.cluster.kubectl("label", "node", node, "disk-")
    one.cluster.kubectl("delete", "priorityclass", "operations-urgent")


def local(text: str, one: Installation) -> str:
    """Return an example's text as it is for this namespace and this cluster's images."""
    image = one.cluster.python_image
    return text.replace(NAMESPACE, one.namespace).replace(defaults().task_image, image)


def _any_node(one: Installation) -> str:
    """Return the last of the nodes that take any pod."""
    found = one.find("nodes")
    return str([n["metadata"]["name"] for n in found if not n["spec"].get("taints")][-1])


def _all_ended(one: Installation) -> bool:
    found = [op for op in one.find(FULL_KIND) if op["metadata"]["name"] != GPU]
    return all(condition(op["status"], "Finished").get("status") == "True" for op in found)


def _look(one: Installation, ssd: str) -> Lab:
    operations = {op["metadata"]["name"]: op for op in one.find(FULL_KIND)}
    workflows = {w["metadata"]["labels"][LABEL_OPERATION]: w for w in one.find("workflows")}
    pods: dict[str, dict[str, Manifest]] = defaultdict(dict)
    # An attempt of a task that may be tried again is called `task(0)`.
    tasks = {n["id"]: n["templateName"] for w in workflows.values() for n in pod_nodes(w)}
    for pod in one.find("pods", LABEL_OPERATION):
        task = tasks[pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"]]
        pods[pod["metadata"]["labels"][LABEL_OPERATION]][task] = pod
    return Lab(
        one,
        ssd,
        _of_examples(operations),
        _of_examples(workflows),
        _of_examples(pods),
        _logs(one),
    )


def _of_examples(found: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """What belongs to examples, by their names: other tests may use the namespace too."""
    known = {Example(name).operation_name: name for name in names()}
    return {known[name]: value for name, value in found.items() if name in known}


def pod_nodes(workflow: Manifest) -> list[Manifest]:
    nodes = workflow.get("status", {}).get("nodes", {})
    return [node for node in nodes.values() if node["type"] == "Pod"]


def _logs(one: Installation) -> dict[str, str]:
    said: dict[str, list[str]] = defaultdict(list)
    text = one.kubectl(
        *("logs", "-l", LABEL_OPERATION, "-c", "main", "--prefix", "--tail=-1"),
        *("--max-log-requests=200", "--ignore-errors"),
    )
    for line in text.splitlines():
        if (found := re.fullmatch(r"\[pod/(.*)/main\] ?(.*)", line)) and " argo=true" not in line:
            said[found[1]].append(found[2])
    return {pod: "\n".join(lines) for pod, lines in said.items()}


SAYS = [
    ("single-task", "hello", "hello from Linux"),
    ("pipeline", "compute", "mean word length: 4.8"),
    ("simple-dag", "sum", "lines: 9"),
    ("python-function", "mean", "got 3 values"),
    ("python-from-configmap", "script", "hello script"),
    ("python-from-configmap", "function", "hello function"),
    ("braces", "bash", "Dear {{ item.name }}, {{=1+1}} from {{workflow.name}}"),
    ("braces", "python", "$(HOME) and {{workflow.name}} for $$5 {{ item.name }}"),
    ("command", "list", "two words $HOME"),
    ("custom", "other-command", "total "),
    ("catalogue", "print-file", "PRETTY_NAME="),
    ("image-pull-secret", "work", "Python 3."),
    ("env-from", "show", "blue 3 ada 10 no token"),
    ("resources", "python", "a little"),
    ("shared-directory", "read", "written by shared-directory-"),
    ("existing-claim", "read", "from one task to the next"),
    ("new-claim-by-name", "write", "written"),
    ("read-only", "read", "touch: cannot touch '/opt/archive/mark': Read-only file system"),
    ("volume-of-a-task", "read", "seen at both paths"),
    ("volume-paths", "write", "1\n2\n3"),
    ("service-account", "read", "read kube-root-ca.crt"),
    ("security-context", "work", "uid=1000 gid=1000 groups=1000"),
    ("security-context", "work", "touch: cannot touch '/usr/mark': Read-only file system"),
]


def has_succeeded(lab: Lab, name: str) -> None:
    """Check that an example has ended well, with a pod for each task."""
    status = lab.operations[name]["status"]
    assert (status["phase"], status["reason"]) == ("Succeeded", "AllTasksSucceeded")
    spec = Example(name).operation["spec"]
    exit_task = spec.get("onExit", {}).get("task")
    tasks = {task["name"] for task in (*spec["tasks"], *([exit_task] if exit_task else []))}
    assert lab.pods[name].keys() == tasks
