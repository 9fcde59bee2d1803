"""What the API server refuses at `kubectl apply` and in which words, and what it keeps as it is.

No operator is in the namespace, so nothing runs.
"""

import copy
import http
import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cloudharness_operation.lifetime import TTL_DEFAULT
from cloudharness_operation.model import FIXED, OperationSpec
from tests.cluster import Cluster, ClusterError
from tests.support.installation import CRD, FULL_KIND, ROOT, Installation, condition
from tests.support.operations import Manifest, bash, operation

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def quiet(cluster: Cluster) -> Iterator[Installation]:
    """A namespace that no operator looks at."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    one = Installation(cluster, f"e2e-validation-{worker}-{uuid.uuid4().hex[:6]}")
    cluster.kubectl("create", "namespace", one.namespace)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{FULL_KIND}", "--timeout=30s")
    yield one
    cluster.kubectl("delete", "namespace", one.namespace, "--wait=false", check=False)


TASK = bash("true")
TWO = (bash("true", "a"), bash("true", "b"))
LABEL = "use lower-case letters, digits and '-'"
OBJECT = "write the name of an object"
UNCHECKED = "some validation rules were not checked"
LATER = [{"name": "A", "valueFrom": {"taskOutput": {"task": "b", "name": "stdout"}}}]


def spec(**fields: Any) -> Manifest:
    """An operation of one task, with these fields besides."""
    return operation("x", TASK, **fields)


def task(**fields: object) -> Manifest:
    """An operation of one task that is a bash script, with these fields besides."""
    return operation("x", {**TASK, **fields})


def kind(**kinds: object) -> Manifest:
    """An operation of one task of these kinds."""
    return operation("x", {"name": "task", **kinds})


def named(name: object) -> Manifest:
    return {**spec(), "metadata": {"name": name}}


def notify(**fields: object) -> Manifest:
    return spec(onExit={"notify": {"topic": "t", **fields}})


def python(**fields: object) -> Manifest:
    return kind(python={"source": "x", **fields})


def custom(image: str, **fields: object) -> Manifest:
    return kind(custom={"image": image, **fields})


def variable(**fields: object) -> Manifest:
    return task(env=[{"name": "A", **fields}])


def field(path: str) -> Manifest:
    return variable(valueFrom={"fieldRef": {"fieldPath": path}})


def key_of(source: str, **fields: object) -> Manifest:
    return variable(valueFrom={source: {"name": "c", "key": "k", **fields}})


def resources(**fields: object) -> Manifest:
    return task(resources=fields)


def volume(path: str = "/a", **fields: object) -> Manifest:
    return spec(sharedVolumes=[{"mountPath": path, **fields}])


def volumes(*all_: Manifest, of_task: tuple[Manifest, ...] = ()) -> Manifest:
    return operation("x", {**TASK, "sharedVolumes": list(of_task)}, sharedVolumes=list(all_))


def claim(path: str, **fields: object) -> Manifest:
    return {"mountPath": path, "claim": "c", **fields}


def context(**fields: object) -> Manifest:
    return spec(podContexts=[{"key": "k", "value": "v", **fields}])


def toleration(**fields: object) -> Manifest:
    return spec(tolerations=[fields])


def seccomp(**fields: object) -> Manifest:
    return task(securityContext={"seccompProfile": fields})


Row = tuple[str, Manifest, str, str]
"""Its name, the manifest, the field that the answer must name, and how it must go on there."""

UNKNOWN: list[tuple[Manifest, str]] = [
    (spec(retries=3), "spec.retries"),
    (task(image="x"), "spec.tasks[0].image"),
    (kind(bash={"source": "x"}, args=["a"]), "spec.tasks[0].args"),
    (kind(bash={"source": "x", "shell": "zsh"}), "spec.tasks[0].bash.shell"),
    (task(env={"A": "b"}), "spec.tasks[0].env.A"),
    (notify(queue="x"), "spec.onExit.notify.queue"),
    (notify(payload={"a": 1}), "spec.onExit.notify.payload.a"),
    (volume(readOnly=True), "spec.sharedVolumes[0].readOnly"),
    (
        variable(valueFrom={"resourceFieldRef": {}}),
        "spec.tasks[0].env[0].valueFrom.resourceFieldRef",
    ),
]

STRUCTURE: list[Row] = [
    ("no spec", {**spec(), "spec": None}, "spec", "Required value"),
    ("no type", spec(type=None), "spec.type", "Required value"),
    (
        "another type",
        spec(type="Cron"),
        "spec.type",
        'Unsupported value: "Cron": supported values: "SingleTask", "Pipeline", "Parallel", "Simpl',
    ),
    ("no list of tasks", spec(tasks=None), "spec.tasks", "Required value"),
    ("no task", spec(tasks=[]), "spec.tasks", "should have at least 1 items"),
    (
        "many tasks",
        operation("x", *(bash("x", f"t{n}") for n in range(101))),
        "spec.tasks",
        "Too many: 101: must have at most 100 items",
    ),
    ("a task as tasks", spec(tasks="true"), "spec.tasks", "must be of type array"),
    ("a task that is a text", spec(tasks=["true"]), "spec.tasks[0]", "must be of type object"),
    (
        "two tasks of one name",
        operation("x", TASK, TASK),
        "spec.tasks[1]",
        'Duplicate value: {"name":"task"}',
    ),
    (
        "SingleTask with two tasks",
        operation("x", *TWO, type="SingleTask"),
        "spec.tasks",
        "type SingleTask takes exactly one task: use type Pipeline for several",
    ),
    (
        "SimpleDag without groups",
        operation("x", *TWO, type="SimpleDag"),
        "spec.tasks",
        "give each task a group",
    ),
    (
        "SimpleDag with one group missing",
        operation("x", {**TWO[0], "group": 0}, TWO[1], type="SimpleDag"),
        "spec.tasks",
        "give each task a group",
    ),
    (
        "a group in a Pipeline",
        operation("x", {**TWO[0], "group": 0}, TWO[1]),
        "spec.tasks",
        "group is for type SimpleDag: remove it",
    ),
    (
        "a negative group",
        operation("x", {**TASK, "group": -1}, type="SimpleDag"),
        "spec.tasks[0].group",
        "should be greater than or equal to 0",
    ),
    (
        "no task at once",
        spec(parallelism=0),
        "spec.parallelism",
        "should be greater than or equal to 1",
    ),
    ("a number as text", spec(parallelism="2"), "spec.parallelism", "must be of type integer"),
]

NAMES: list[Row] = [
    ("a long name", named("a" * 58), "metadata.name", "too long: at most 57 characters"),
    ("a dotted name", named("a.b"), "metadata.name", "lower-case letters, digits and '-'"),
    ("capitals in a task's name", task(name="Big"), "spec.tasks[0].name", LABEL),
    ("an underscore", task(name="a_b"), "spec.tasks[0].name", LABEL),
    ("a dash at the end", task(name="a-"), "spec.tasks[0].name", LABEL),
    ("a dot in a task's name", task(name="a.b"), "spec.tasks[0].name", LABEL),
    ("an empty name", task(name=""), "spec.tasks[0].name", LABEL),
    ("a long task name", task(name="a" * 64), "spec.tasks[0].name", "may not be more than 63"),
    ("a task without a name", kind(name=None, bash={"source": "x"}), "spec.tasks[0].name", "Requi"),
    ("an account", spec(serviceAccountName="Me!"), "spec.serviceAccountName", OBJECT),
    (
        "a task's account",
        task(serviceAccountName="a..b"),
        "spec.tasks[0].serviceAccountName",
        OBJECT,
    ),
    ("a priority", spec(priorityClassName="High"), "spec.priorityClassName", OBJECT),
    (
        "a pull secret",
        spec(imagePullSecrets=[{"name": ""}]),
        "spec.imagePullSecrets[0].name",
        OBJECT,
    ),
    (
        "a bare pull secret",
        spec(imagePullSecrets=["a"]),
        "spec.imagePullSecrets[0]",
        "of type object",
    ),
]

TASKS: list[Row] = [
    (
        "two kinds",
        kind(bash={"source": "x"}, python={"source": "x"}),
        "spec.tasks[0]",
        "exactly one of python, bash, command and custom: give one, and no other",
    ),
    ("no kind", kind(), "spec.tasks[0]", "exactly one of python, bash, command and custom: give"),
    ("no script", kind(bash={}), "spec.tasks[0].bash.source", "Required value"),
    ("an empty script", kind(bash={"source": ""}), "spec.tasks[0].bash.source", "at least 1 chars"),
    (
        "a huge script",
        kind(bash={"source": "x" * 65537}),
        "spec.tasks[0].bash.source",
        "Too long: may not be more than 65536",
    ),
    ("a script as such", kind(bash="true"), "spec.tasks[0].bash", "must be of type object"),
    ("no code", kind(python={}), "spec.tasks[0].python", "either source or sourceFrom: give one"),
    (
        "code twice",
        python(sourceFrom={"name": "c", "key": "k"}),
        "spec.tasks[0].python",
        "either source or sourceFrom: give one",
    ),
    (
        "a ConfigMap's name",
        kind(python={"sourceFrom": {"name": "C!", "key": "k"}}),
        "spec.tasks[0].python.sourceFrom.name",
        OBJECT,
    ),
    (
        "a ConfigMap's key",
        kind(python={"sourceFrom": {"name": "c", "key": "a/b"}}),
        "spec.tasks[0].python.sourceFrom.key",
        "write a key of a ConfigMap or Secret: letters, digits",
    ),
    (
        "no key",
        kind(python={"sourceFrom": {"name": "c"}}),
        "spec.tasks[0].python.sourceFrom.key",
        "Required value",
    ),
    (
        "a function with a module",
        python(function="os.getcwd"),
        "spec.tasks[0].python.function",
        "write the bare name of a function",
    ),
    ("a call", python(function="f()"), "spec.tasks[0].python.function", "write the bare name of a"),
    (
        "a word of Python's own",
        python(function="lambda"),
        "spec.tasks[0].python.function",
        "function is a keyword of Python: write the name of a function",
    ),
    (
        "arguments for nobody",
        python(args={"n": 1}),
        "spec.tasks[0].python.args",
        "args need a function to take them: set function, or remove args",
    ),
    (
        "arguments in a list",
        python(function="f", args=[1]),
        "spec.tasks[0].python.args",
        "must be of type object",
    ),
    (
        "a command line as text",
        kind(command={"command": "ls -la"}),
        "spec.tasks[0].command.command",
        "must be of type array",
    ),
    (
        "an empty command",
        kind(command={"command": []}),
        "spec.tasks[0].command.command",
        "at least 1 items",
    ),
    (
        "no program",
        kind(command={"command": ["", "x"]}),
        "spec.tasks[0].command.command",
        "command begins with the program to run: write its name",
    ),
    (
        "no program of an image",
        custom("a", command=[""]),
        "spec.tasks[0].custom.command",
        "command begins with the program to run: write its name",
    ),
    (
        "a number as an argument",
        custom("a", args=[1]),
        "spec.tasks[0].custom.args[0]",
        "must be of type string",
    ),
    ("no image", kind(custom={}), "spec.tasks[0].custom.image", "Required value"),
    ("an empty image", custom(""), "spec.tasks[0].custom.image", "write an image as [HOST"),
    ("a space", custom("busybox "), "spec.tasks[0].custom.image", "no spaces"),
    ("capitals", custom("example.org/Lab/Tool:1"), "spec.tasks[0].custom.image", "in lower case"),
    ("an image's address", custom("https://example.org/a"), "spec.tasks[0].custom.image", "HOST"),
    ("a tag of nothing", custom("busybox:"), "spec.tasks[0].custom.image", "write an image as"),
    (
        "another pull policy",
        custom("a", imagePullPolicy="Sometimes"),
        "spec.tasks[0].custom.imagePullPolicy",
        'supported values: "Always", "IfNotPresent", "Never"',
    ),
    (
        "another name by a patch",
        task(templatePatch={"name": "other"}),
        "spec.tasks[0].templatePatch.name",
        "must not rename the template: remove name",
    ),
]

VARIABLES: list[Row] = [
    (
        "a digit first",
        variable(name="1A"),
        "spec.tasks[0].env[0].name",
        "not beginning with a digit",
    ),
    (
        "a name with =",
        variable(name="A=B"),
        "spec.tasks[0].env[0].name",
        "use letters, digits, '_'",
    ),
    (
        "Argo's own",
        variable(name="ARGO_TEMPLATE", value="x"),
        "spec.tasks[0].env[0].name",
        "set by Argo itself: choose another name",
    ),
    ("a number", variable(value=1), "spec.tasks[0].env[0].value", "must be of type string"),
    ("a yes", variable(value=True), "spec.tasks[0].env[0].value", "must be of type string"),
    (
        "twice the same",
        task(env=[{"name": "A"}, {"name": "A"}]),
        "spec.tasks[0].env[1]",
        'Duplicate value: {"name":"A"}',
    ),
    (
        "value and valueFrom",
        variable(value="x", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
        "spec.tasks[0].env[0]",
        "a variable has value or valueFrom: remove one",
    ),
    (
        "a value from nowhere",
        variable(valueFrom={}),
        "spec.tasks[0].env[0].valueFrom",
        "exactly one of configMapKeyRef, secretKeyRef, fieldRef and taskOutput: give one",
    ),
    (
        "a Secret's name",
        key_of("secretKeyRef", name="A"),
        "spec.tasks[0].env[0].valueFrom.secretKeyRef.name",
        OBJECT,
    ),
    (
        "a Secret's key",
        key_of("secretKeyRef", key=""),
        "spec.tasks[0].env[0].valueFrom.secretKeyRef.key",
        "write a key of a ConfigMap or Secret",
    ),
    (
        "no field of a pod",
        field("status.phase"),
        "spec.tasks[0].env[0].valueFrom.fieldRef.fieldPath",
        "write a field that a pod can read: metadata.name,",
    ),
    (
        "all labels",
        field("metadata.labels"),
        "spec.tasks[0].env[0].valueFrom.fieldRef.fieldPath",
        "metadata.labels['KEY']",
    ),
    (
        "all of nothing",
        task(envFrom=[{"prefix": "A_"}]),
        "spec.tasks[0].envFrom[0]",
        "one of configMapRef and secretRef: give one",
    ),
    (
        "all of two",
        task(envFrom=[{"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}]),
        "spec.tasks[0].envFrom[0]",
        "one of configMapRef and secretRef: give one",
    ),
    (
        "a ConfigMap of variables",
        task(envFrom=[{"configMapRef": {"name": "a b"}}]),
        "spec.tasks[0].envFrom[0].configMapRef.name",
        OBJECT,
    ),
    (
        "a prefix",
        task(envFrom=[{"prefix": "1", "secretRef": {"name": "b"}}]),
        "spec.tasks[0].envFrom[0].prefix",
        "not beginning with a digit",
    ),
]

RETRY: list[Row] = [
    (
        "attempts without a number",
        task(retry={"policy": "Always"}),
        "spec.tasks[0].retry.limit",
        "Required value",
    ),
    (
        "fewer attempts than none",
        task(retry={"limit": -1}),
        "spec.tasks[0].retry.limit",
        "greater than or equal to 0",
    ),
    (
        "a policy of another tool",
        task(retry={"limit": 1, "policy": "OnError2"}),
        "spec.tasks[0].retry.policy",
        'supported values: "Always", "OnFailure", "OnError", "OnTransientError"',
    ),
    (
        "a wait without a unit",
        task(retry={"limit": 1, "backoff": {"duration": "10"}}),
        "spec.tasks[0].retry.backoff.duration",
        "write a time, such as 10s, 5m or 1h30m",
    ),
    (
        "waits that get shorter",
        task(retry={"limit": 1, "backoff": {"duration": "1s", "factor": 0}}),
        "spec.tasks[0].retry.backoff.factor",
        "greater than or equal to 1",
    ),
]

RESOURCES: list[Row] = [
    (
        "a bad quantity",
        resources(limits={"memory": "1 GB"}),
        "spec.tasks[0].resources.limits.memory",
        "should match",
    ),
    (
        "less than nothing",
        resources(requests={"cpu": -1}),
        "spec.tasks[0].resources.requests.cpu",
        "should be greater than or equal to 0",
    ),
    (
        "a fraction without quotes",
        resources(requests={"cpu": 0.5}),
        "spec.tasks[0].resources.requests.cpu",
        "must be of type integer,string",
    ),
    (
        "a resource nobody has",
        resources(requests={"mem": "1Gi"}),
        "spec.tasks[0].resources.requests",
        "a resource is cpu, memory, ephemeral-storage, hugepages-SIZE, or a device",
    ),
    (
        "a device without its domain",
        resources(limits={"gpu": 1}),
        "spec.tasks[0].resources.limits",
        "such as nvidia.com/gpu: correct the name",
    ),
    (
        "a device that is only requested",
        resources(requests={"nvidia.com/gpu": 1}),
        "spec.tasks[0].resources.requests",
        "put them into limits",
    ),
]

OUTPUTS: list[Row] = [
    ("a path", task(outputs=[{"name": "a"}]), "spec.tasks[0].outputs[0].path", "Required value"),
    (
        "a relative path",
        task(outputs=[{"name": "a", "path": "a"}]),
        "spec.tasks[0].outputs[0].path",
        "write the absolute path of a file",
    ),
    (
        "Argo's braces in a path",
        task(outputs=[{"name": "a", "path": "/{{pod.name}}"}]),
        "spec.tasks[0].outputs[0].path",
        "write the absolute path of a file",
    ),
    (
        "a dot in a name",
        task(outputs=[{"name": "a.b", "path": "/a"}]),
        "spec.tasks[0].outputs[0].name",
        "write the name of an output",
    ),
    *(
        (
            f"an output called {name}",
            task(outputs=[{"name": name, "path": "/a"}]),
            "spec.tasks[0].outputs[0].name",
            "choose another name",
        )
        for name in ("result", "stdout")
    ),
    (
        "one output twice",
        task(outputs=[{"name": "a", "path": "/a"}, {"name": "a", "path": "/b"}]),
        "spec.tasks[0].outputs[1]",
        'Duplicate value: {"name":"a"}',
    ),
    ("stdout as text", task(stdout="yes"), "spec.tasks[0].stdout", "must be of type boolean"),
    (
        "an output of no task",
        task(env=[{"name": "A", "valueFrom": {"taskOutput": {"name": "a"}}}]),
        "spec.tasks[0].env[0].valueFrom.taskOutput.task",
        "Required value",
    ),
    (
        "an output without a name",
        task(env=[{"name": "A", "valueFrom": {"taskOutput": {"task": "a"}}}]),
        "spec.tasks[0].env[0].valueFrom.taskOutput.name",
        "Required value",
    ),
]

VOLUMES: list[Row] = [
    (
        "no path",
        spec(sharedVolumes=[{"claim": "c"}]),
        "spec.sharedVolumes[0].mountPath",
        "Required",
    ),
    ("a text", spec(sharedVolumes=["c:/a:ro"]), "spec.sharedVolumes[0]", "must be of type object"),
    ("relative", volume("a"), "spec.sharedVolumes[0].mountPath", "write an absolute path"),
    ("the root", volume("/"), "spec.sharedVolumes[0].mountPath", "write an absolute path"),
    ("a slash at the end", volume("/a/"), "spec.sharedVolumes[0].mountPath", "no '/' at its end"),
    ("a space", volume("/a b"), "spec.sharedVolumes[0].mountPath", "no space"),
    ("a colon", volume("/a:ro"), "spec.sharedVolumes[0].mountPath", "no space, ':' or ','"),
    ("dots", volume("/a/../b"), "spec.sharedVolumes[0].mountPath", "a part that is '.' or '..'"),
    ("/etc", volume("/etc"), "spec.sharedVolumes[0].mountPath", "is taken: choose one outside of"),
    ("in /proc", volume("/proc/x"), "spec.sharedVolumes[0].mountPath", "is taken: choose one"),
    (
        "the task's code",
        volume("/cloudharness/source"),
        "spec.sharedVolumes[0].mountPath",
        "is taken: choose one",
    ),
    (
        "Argo's own, in a task",
        volumes(of_task=({"mountPath": "/var/run/argo"},)),
        "spec.tasks[0].sharedVolumes[0].mountPath",
        "is taken: choose one",
    ),
    (
        "a long path",
        volume("/" + "a" * 256),
        "spec.sharedVolumes[0].mountPath",
        "may not be more than 256",
    ),
    (
        "two at one path",
        volumes({"mountPath": "/a"}, {"mountPath": "/a"}),
        "spec.sharedVolumes[1]",
        'Duplicate value: {"mountPath":"/a"}',
    ),
    (
        "another mode",
        volume(mode="rox"),
        "spec.sharedVolumes[0].mode",
        'Unsupported value: "rox": supported values: "rw", "ro", "rwx"',
    ),
    ("a claim's name", volume(claim="My_Claim"), "spec.sharedVolumes[0].claim", OBJECT),
    ("a size", volume(size="ten"), "spec.sharedVolumes[0].size", "write a number with a unit"),
    ("no size", volume(size="0Gi"), "spec.sharedVolumes[0].size", "a size of more than 0"),
    ("a size as number", volume(size=5), "spec.sharedVolumes[0].size", "must be of type string"),
    ("a class", volume(storageClassName="Fast"), "spec.sharedVolumes[0].storageClassName", OBJECT),
    (
        "another access mode",
        volume(accessMode="ReadOnlyMany"),
        "spec.sharedVolumes[0].accessMode",
        'supported values: "ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"',
    ),
    (
        "rwx on one node",
        volume(mode="rwx", accessMode="ReadWriteOnce"),
        "spec.sharedVolumes[0].accessMode",
        "needs accessMode ReadWriteMany: set it, or leave it out",
    ),
    (
        "two sizes of a claim",
        volumes(claim("/a", size="1Gi"), claim("/b", size="2Gi")),
        "spec.sharedVolumes",
        "one volume is requested in two ways: give the same size",
    ),
    (
        "two modes of a claim",
        volumes(claim("/a", mode="rw"), claim("/b", mode="rwx")),
        "spec.sharedVolumes",
        "not both of rw and rwx",
    ),
    (
        "two classes in a task",
        volumes(of_task=(claim("/a", storageClassName="x"), claim("/b"))),
        "spec.tasks[0].sharedVolumes",
        "one volume is requested in two ways",
    ),
    (
        "a task against the operation",
        volumes(claim("/a"), of_task=(claim("/b", accessMode="ReadWriteOnce"),)),
        "spec.tasks",
        "one volume is requested in two ways",
    ),
]

PODS: list[Row] = [
    ("a context's key", context(key="-"), "spec.podContexts[0].key", "write a label's key"),
    (
        "a context's value",
        context(value="a b"),
        "spec.podContexts[0].value",
        "write a label's value",
    ),
    ("no value", spec(podContexts=[{"key": "a"}]), "spec.podContexts[0].value", "Required value"),
    (
        "one context twice",
        spec(podContexts=[{"key": "a", "value": "b"}, {"key": "a", "value": "c"}]),
        "spec.podContexts[1]",
        'Duplicate value: {"key":"a"}',
    ),
    ("usesvolume", context(key="usesvolume"), "spec.podContexts[0].key", "is taken: usesvolume"),
    *(
        (f"a key of {domain}", context(key=f"{domain}/x"), "spec.podContexts[0].key", "is taken")
        for domain in ("cloudharness.io", "volumes.cloudharness.io", "workflows.argoproj.io")
    ),
    (
        "a node's label",
        spec(nodeSelector={"a": "b c"}),
        "spec.nodeSelector[a]",
        "write a label's val",
    ),
    ("its key", spec(nodeSelector={"a b": "c"}), "spec.nodeSelector", "each key must be a label's"),
    (
        "a task's node",
        task(nodeSelector={"/a": "c"}),
        "spec.tasks[0].nodeSelector",
        "each key must be a label's",
    ),
    ("a yes", spec(nodeSelector={"a": True}), "spec.nodeSelector.a", "must be of type string"),
    (
        "Exists with a value",
        toleration(key="a", operator="Exists", value="x"),
        "spec.tolerations[0].value",
        "operator Exists takes no value: remove it",
    ),
    (
        "no key",
        toleration(value="x"),
        "spec.tolerations[0].operator",
        "give a key, or set operator Exists",
    ),
    (
        "seconds for nothing",
        toleration(key="a", effect="NoSchedule", tolerationSeconds=3),
        "spec.tolerations[0].tolerationSeconds",
        "is for effect NoExecute: set that effect",
    ),
    (
        "another effect",
        toleration(key="a", effect="Never"),
        "spec.tolerations[0].effect",
        'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    (
        "a profile without a file",
        seccomp(type="Localhost"),
        "spec.tasks[0].securityContext.seccompProfile.localhostProfile",
        "belongs to type Localhost: give both, or neither",
    ),
    (
        "a file without its type",
        seccomp(type="RuntimeDefault", localhostProfile="a.json"),
        "spec.tasks[0].securityContext.seccompProfile.localhostProfile",
        "belongs to type Localhost: give both, or neither",
    ),
    (
        "a file outside",
        seccomp(type="Localhost", localhostProfile="../a.json"),
        "spec.tasks[0].securityContext.seccompProfile.localhostProfile",
        "write a relative path with no '..'",
    ),
    (
        "not root, but root",
        spec(securityContext={"runAsNonRoot": True, "runAsUser": 0}),
        "spec.securityContext.runAsUser",
        "refuses user 0: choose another runAsUser",
    ),
    (
        "more rights, but no more",
        task(securityContext={"allowPrivilegeEscalation": False, "privileged": True}),
        "spec.tasks[0].securityContext.allowPrivilegeEscalation",
        "contradicts privileged",
    ),
]

EXITS: list[Row] = [
    (
        "an exit task with the name of a task",
        spec(onExit={"task": bash("true")}),
        "spec.onExit",
        "onExit.task has the name of another task: give it a different name",
    ),
    (
        "an exit task in a group",
        spec(onExit={"task": bash("true", "bye", group=1)}),
        "spec.onExit.task",
        "the exit task runs after all groups: remove group",
    ),
    (
        "an exit task with stdout",
        spec(onExit={"task": bash("true", "bye", stdout=True)}),
        "spec.onExit.task",
        "the exit task has no output stdout",
    ),
    (
        "an exit task that is passed an output",
        spec(onExit={"task": bash("true", "bye", env=LATER)}),
        "spec.onExit.task",
        "the exit task runs also if a task has no output",
    ),
    (
        "an exit task of no kind",
        spec(onExit={"task": {"name": "bye"}}),
        "spec.onExit.task",
        "a task is exactly one of",
    ),
    ("no topic", spec(onExit={"notify": {}}), "spec.onExit.notify.topic", "Required value"),
    ("a topic", notify(topic="a b"), "spec.onExit.notify.topic", "write a Kafka topic: letters"),
    (
        "an empty topic",
        notify(topic=""),
        "spec.onExit.notify.topic",
        "write a Kafka topic: letters",
    ),
    (
        "a trace of another form",
        notify(traceparent="00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        "spec.onExit.notify.traceparent",
        "write a W3C traceparent of version 00",
    ),
    ("two dots", notify(topic=".."), "spec.onExit.notify.topic", "choose another name"),
    (
        "a long topic",
        notify(topic="a" * 250),
        "spec.onExit.notify.topic",
        "may not be more than 249",
    ),
    (
        "a huge payload",
        notify(payload="x" * 32769),
        "spec.onExit.notify.payload",
        "may not be more than 32768",
    ),
    ("a number as payload", notify(payload=1), "spec.onExit.notify.payload", "of type string"),
]

TTLS: list[Row] = [
    (
        "a record that nobody could see",
        spec(ttlSecondsAfterFinished=0),
        "spec.ttlSecondsAfterFinished",
        "deleted before anybody has read its result: write 1 or more, or leave it out",
    ),
    (
        "a record before its end",
        spec(ttlSecondsAfterFinished=-1),
        "spec.ttlSecondsAfterFinished",
        "should be greater than or equal to 0",
    ),
    (
        "half a second",
        spec(ttlSecondsAfterFinished="1s"),
        "spec.ttlSecondsAfterFinished",
        "must be of type integer",
    ),
    (
        "more seconds than there are",
        spec(ttlSecondsAfterFinished=2**31),
        "spec.ttlSecondsAfterFinished",
        "should be less than or equal to 2147483647",
    ),
    (
        "a Workflow before its end",
        spec(ttlStrategy={"secondsAfterSuccess": -1}),
        "spec.ttlStrategy.secondsAfterSuccess",
        "should be greater than or equal to 0",
    ),
]

LIFECYCLE: list[Row] = [
    *(
        (f"a run id {what}", spec(runId=run), "spec.runId", "write a tag, a hash, a version")
        for what, run in (
            ("of nothing", ""),
            ("with a space", "a b"),
            ("that ends with a dash", "v1-"),
            ("of a path", "main/1"),
        )
    ),
    (
        "too long a run id",
        spec(runId="a" * 129),
        "spec.runId",
        "may not be more than 128",
    ),
    (
        "a run id that is a number",
        spec(runId=2),
        "spec.runId",
        "must be of type string",
    ),
    (
        "a group without a policy",
        spec(concurrencyGroup="g"),
        "spec.concurrencyPolicy",
        "concurrencyGroup needs a concurrencyPolicy: write Forbid",
    ),
    (
        "Forbid without a group",
        spec(concurrencyPolicy="Forbid"),
        "spec.concurrencyGroup",
        "name the group whose operations exclude each other",
    ),
    (
        "another policy",
        spec(concurrencyPolicy="Wait"),
        "spec.concurrencyPolicy",
        'Unsupported value: "Wait": supported values: "Allow", "Forbid", "Replace"',
    ),
    (
        "a group that is no label",
        spec(concurrencyPolicy="Forbid", concurrencyGroup="a b"),
        "spec.concurrencyGroup",
        "write a label's value",
    ),
    (
        "another way to cancel",
        spec(cancel="Abort"),
        "spec.cancel",
        'Unsupported value: "Abort": supported values: "Stop", "Terminate"',
    ),
    (
        "no time to run",
        spec(activeDeadlineSeconds=0),
        "spec.activeDeadlineSeconds",
        "should be greater than or equal to 1",
    ),
    (
        "pods deleted at no time",
        spec(podGC={"deleteDelayDuration": "5s"}),
        "spec.podGC.strategy",
        "Required value",
    ),
    (
        "a delay without a unit",
        spec(podGC={"strategy": "OnPodSuccess", "deleteDelayDuration": "5"}),
        "spec.podGC.deleteDelayDuration",
        "write a time, such as 10s, 5m or 1h30m",
    ),
    (
        "less than no time to start",
        spec(pendingDeadlineSeconds=-1),
        "spec.pendingDeadlineSeconds",
        "should be greater than or equal to 0",
    ),
]

BAD = [
    *(*STRUCTURE, *NAMES, *TASKS, *VARIABLES, *RETRY, *RESOURCES),
    *(*OUTPUTS, *VOLUMES, *PODS, *EXITS, *LIFECYCLE, *TTLS),
]


@pytest.mark.parametrize(
    ("manifest", "where", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_what_is_wrong_is_refused_with_the_field_and_the_fix(
    quiet: Installation, manifest: Manifest, where: str, words: str
) -> None:
    problems = asked(quiet, manifest)
    assert {problem.partition(": ")[0] for problem in problems} == {where}
    assert words in problems[0]


@pytest.mark.parametrize(("manifest", "path"), UNKNOWN, ids=[path for _, path in UNKNOWN])
def test_a_field_that_nobody_knows_is_refused(
    quiet: Installation, manifest: Manifest, path: str
) -> None:
    status, answer = quiet.server.ask("POST", FULL_KIND, json=manifest, params=STRICT)
    assert status == http.HTTPStatus.BAD_REQUEST
    assert f'unknown field "{path}"' in answer["message"]


STRICT = {"dryRun": "All", "fieldValidation": "Strict"}
"""As kubectl asks, and nothing is made even if it is accepted."""


def asked(one: Installation, manifest: Manifest, method: str = "POST", name: str = "") -> list[str]:
    """Return what the API server has against a manifest, as kubectl would list it."""
    status, answer = one.server.ask(method, FULL_KIND, name, json=manifest, params=STRICT)
    assert status == http.HTTPStatus.UNPROCESSABLE_ENTITY, answer
    causes = answer["details"]["causes"]
    return [f"{c['field']}: {c['message']}" for c in causes if UNCHECKED not in c["message"]]


def _problems(answer: str) -> list[str]:
    """Return what kubectl lists, without the note that there may be more."""
    found = answer.rpartition("is invalid: ")[2].strip().removeprefix("* ").split("\n* ")
    return [problem for problem in found if UNCHECKED not in problem]


LATE: list[tuple[str, Manifest, str]] = [
    (
        "more requested than allowed",
        resources(requests={"memory": "2Gi"}, limits={"memory": "1500M"}),
        "spec.tasks.0.resources: requests.memory 2Gi is more than limits.memory 1500M: raise",
    ),
    (
        "half a device",
        resources(limits={"nvidia.com/gpu": "500m"}),
        "spec.tasks.0.resources: limits.nvidia.com/gpu 500m is not whole: devices cannot be shared",
    ),
    (
        "two tasks about one claim",
        operation(
            "x",
            {**TWO[0], "sharedVolumes": [claim("/a", size="1Gi")]},
            {**TWO[1], "sharedVolumes": [claim("/a", size="2Gi")]},
        ),
        "spec: c: one volume is requested in two ways: give the same size",
    ),
    (
        "an output of a task that does not run before",
        operation("x", bash("true", "a", env=LATER), bash("true", "b", stdout=True)),
        "spec: tasks[0].env[0].valueFrom.taskOutput.task: 'b' has not ended when 'a' begins",
    ),
]
"""What CEL may not compare, since it could cost too much: the operator does."""


@pytest.mark.parametrize(
    ("manifest", "words"),
    [row[1:] for row in LATE],
    ids=[row[0] for row in LATE],
)
def test_what_the_api_server_cannot_know_the_operator_says_at_once(
    shared: Installation, manifest: Manifest, words: str
) -> None:
    name = f"late-{uuid.uuid4().hex[:6]}"
    shared.apply({**manifest, "metadata": {"name": name}})
    status = shared.wait_for(name, timeout=20)
    assert status["reason"] == "InvalidSpec"
    accepted = condition(status, "Accepted")
    assert accepted["status"] == "False"
    assert words in accepted["message"]
    assert shared.workflows(name) == []


def test_code_may_be_too_much_in_all(quiet: Installation) -> None:
    # Not applied, since kubectl itself would keep a second copy, and that be refused first.
    much = operation("x", *(bash("x" * 60000, f"t{n}") for n in range(9)))
    with pytest.raises(ClusterError) as caught:
        quiet.kubectl("create", "-f", "-", text=json.dumps(much))
    (problem,) = _problems(str(caught.value))
    assert problem.startswith("spec.tasks: ")
    assert "must not exceed 524288 characters: put code into a ConfigMap or an image" in problem


def test_all_that_is_wrong_is_told_at_once(quiet: Installation) -> None:
    wrong = operation(
        "x", bash("x", "No"), bash("x", "b"), type="SingleTask", serviceAccountName="!"
    )
    # The server tells in which order it found them: that of a map.
    assert sorted(problem.partition(": ")[0] for problem in _problems(quiet.refused(wrong))) == [
        *("spec.serviceAccountName", "spec.tasks", "spec.tasks[0].name")
    ]


# What is right: stored as it was sent, but for these defaults, which the docs and
# `kubectl explain` name.
VOLUME_DEFAULTS = {"mode": "rw", "size": "10Gi"}
CONTEXT_DEFAULTS = {"required": False}


def stored(sent: Manifest) -> Manifest:
    """Return a spec as the API server is to keep it."""
    kept: Manifest = {"ttlStrategy": TTL_DEFAULT.model_dump(by_alias=True), **copy.deepcopy(sent)}
    for holder in (kept, *kept["tasks"]):
        for one in holder.get("sharedVolumes", ()):
            one.update(VOLUME_DEFAULTS | one)
    for one in kept.get("podContexts", ()):
        one.update(CONTEXT_DEFAULTS | one)
    kept.setdefault("suspend", False)
    kept.setdefault("runId", "1")
    return kept


ALL_KINDS = (
    bash("true", "bash"),
    {"name": "python", "python": {"source": "print(1)"}},
    {"name": "command", "command": {"command": ["ls", "-la", "", "{{not.ours}}"]}},
    {"name": "custom", "custom": {"image": "busybox"}},
)
SCRIPT = "#!/bin/bash\n\techo 'Grüße, 世界 🚀' \\\n  \"$HOME\"\r\n# no: yes\n\n  \n"
ANY_JSON: Manifest = {
    "number": 1.5,
    "big": 9007199254740993,
    "none": None,
    "list": [1, "a", None, {"deep": {}}],
    "ünï": {"": ""},
    "yes": True,
}
LOCALHOST = {"type": "Localhost", "localhostProfile": "profiles/a.json"}
FIELDS = ("metadata.name", "spec.nodeName", "status.podIPs", "metadata.labels['example.org/a']")
LONG = {
    "claim": "c" * 253,
    "storageClassName": "s" * 253,
    "accessMode": "ReadWriteMany",
    "size": "1Gi",
}
LISTS = [[{"mountPath": f"/{one}{n}", **LONG} for n in range(10)] for one in "ab"]
MOST = operation(
    "x", *(bash("x", f"t{n}", sharedVolumes=LISTS[0]) for n in range(100)), sharedVolumes=LISTS[1]
)
GOOD: list[tuple[str, Manifest]] = [
    ("suspended", spec(suspend=True)),
    *(
        (f"the run {run}", spec(runId=run))
        for run in ("2", "v1.2.0-rc.1", "2026-11-25T12:00:00+01:00", "sha256:" + "0f" * 32)
    ),
    ("the longest run id", spec(runId="a" * 128)),
    ("one of a group", spec(concurrencyPolicy="Forbid", concurrencyGroup="A_b.c-d")),
    ("one that replaces its own run", spec(concurrencyPolicy="Replace")),
    ("one beside its group", spec(concurrencyPolicy="Allow", concurrencyGroup="g")),
    ("cancelled from the beginning", spec(cancel="Terminate")),
    ("deadlines", spec(activeDeadlineSeconds=1, pendingDeadlineSeconds=0)),
    (
        "more attempts",
        task(
            retry={
                "limit": 3,
                "policy": "Always",
                "backoff": {"duration": "1m30s", "factor": 2, "maxDuration": "1h"},
            }
        ),
    ),
    ("a Workflow for ever", spec(ttlStrategy={})),
    ("a Workflow for some time", spec(ttlStrategy={"secondsAfterSuccess": 0})),
    ("a record for a second", spec(ttlSecondsAfterFinished=1)),
    ("no more attempts", task(retry={"limit": 0})),
    ("the least", spec()),
    ("the longest name", named("a" * 57)),
    ("labels and annotations", {**spec(), "metadata": {"name": "x", "labels": {"a": "b"}}}),
    ("each kind in a pipeline", operation("x", *ALL_KINDS)),
    ("in parallel", operation("x", *ALL_KINDS, type="Parallel", parallelism=1)),
    ("one in parallel", operation("x", TASK, type="Parallel", parallelism=1000)),
    (
        "groups with gaps",
        operation(
            "x", *({**bash("x", f"t{n}"), "group": n % 3 * 500} for n in range(9)), type="SimpleDag"
        ),
    ),
    ("a hundred tasks", operation("x", *(bash("x", f"t{n}") for n in range(100)))),
    ("the longest task name", task(name="0" * 63)),
    ("a script in any language", kind(bash={"source": SCRIPT})),
    ("the longest script", kind(bash={"source": "ü" * 65536})),
    ("the most source", operation("x", *(bash("x" * 65536, f"t{n}") for n in range(8)))),
    ("code of a ConfigMap", kind(python={"sourceFrom": {"name": "my.code", "key": "_main-1.py"}})),
    (
        "code that may be missing",
        kind(python={"sourceFrom": {"name": "a", "key": "b", "optional": True}}),
    ),
    ("a function and any JSON", python(function="_Main2", args=ANY_JSON)),
    ("a function without arguments", python(function="lambda_", args={})),
    ("an image with all parts", custom("Example.org:5000/a-b/c__d.e:V1.0_x@sha256:" + "0a" * 32)),
    ("an image of this machine", custom("localhost/a--b", imagePullPolicy="Never")),
    ("an image of an address", custom("[2001:db8::1]:5000/a")),
    ("a name of the catalogue", custom("MyApp_my.Task", command=["a"], args=["", "-n 1"])),
    ("no command of an image", custom("busybox", command=[], args=[])),
    (
        "variables",
        task(env=[{"name": "A"}, {"name": "_.-b", "value": ""}, {"name": "C", "value": "1\n"}]),
    ),
    ("Argo's address", variable(name="ARGO_SERVER", value="argo:2746")),
    ("a hundred variables", task(env=[{"name": f"V{n}", "value": "ü"} for n in range(100)])),
    (
        "variables from elsewhere",
        task(
            env=[
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a.b", "key": ".env"}}},
                {
                    "name": "B",
                    "valueFrom": {"secretKeyRef": {"name": "a", "key": "b", "optional": False}},
                },
            ]
        ),
    ),
    (
        "fields of the pod",
        task(
            env=[
                {"name": f"F{n}", "valueFrom": {"fieldRef": {"fieldPath": path}}}
                for n, path in enumerate(FIELDS)
            ]
        ),
    ),
    (
        "all variables of objects",
        task(
            envFrom=[
                {"prefix": "A_", "configMapRef": {"name": "a", "optional": True}},
                {"secretRef": {"name": "b"}},
            ]
        ),
    ),
    (
        "quantities in all forms",
        resources(
            requests={"cpu": "50m", "memory": "1.5Gi", "ephemeral-storage": ".5G"},
            limits={"cpu": 2, "memory": "1e10", "ephemeral-storage": 1000000000},
        ),
    ),
    ("a GPU", resources(limits={"nvidia.com/gpu": 1})),
    ("a GPU twice", resources(requests={"nvidia.com/gpu": "1"}, limits={"nvidia.com/gpu": 1})),
    ("huge pages", resources(limits={"hugepages-2Mi": "4Mi", "memory": "8Mi"})),
    (
        "what a container may do",
        task(
            securityContext={
                "runAsUser": 0,
                "runAsGroup": 4294967295,
                "runAsNonRoot": False,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
                "seccompProfile": LOCALHOST,
            }
        ),
    ),
    (
        "what pods may do",
        spec(
            securityContext={
                "runAsUser": 1000,
                "runAsNonRoot": True,
                "fsGroup": 2000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "supplementalGroups": [1, 2],
                "seccompProfile": {"type": "RuntimeDefault"},
            }
        ),
    ),
    ("a new volume", volume("/mnt/ü_b.c/...")),
    ("the longest path", volume("/" + "a" * 255)),
    (
        "a volume with all said",
        volume(claim="a.b", size="1.5Ti", storageClassName="a.b", accessMode="ReadWriteOncePod"),
    ),
    ("a volume to read", volume(claim="c", mode="ro")),
    ("a volume for all nodes", volume(mode="rwx", accessMode="ReadWriteMany")),
    (
        "one inside another",
        volumes({"mountPath": "/a"}, {"mountPath": "/a/b"}, {"mountPath": "/ab"}),
    ),
    ("beside what is taken", volumes({"mountPath": "/etcetera"}, {"mountPath": "/var/run/argon"})),
    (
        "a claim at many places",
        volumes(claim("/a"), claim("/b", mode="ro"), of_task=(claim("/c"), claim("/a", mode="ro"))),
    ),
    ("a claim for all and to read", volumes(claim("/a", mode="rwx"), claim("/b", mode="ro"))),
    ("many volumes", volumes(*({"mountPath": f"/v{n}"} for n in range(10)))),
    ("as much as CEL has to compare", MOST),
    (
        "contexts",
        spec(
            podContexts=[
                {"key": "a", "value": "", "required": True},
                {"key": "example.org/Lab_1", "value": "A.b_C-d"},
                {"key": "mycloudharness.io/x", "value": "1"},
            ]
        ),
    ),
    ("nodes", operation("x", {**TASK, "nodeSelector": {}}, nodeSelector={"a.b/c_D": "", "e": "F"})),
    (
        "tolerations",
        operation(
            "x",
            {**TASK, "tolerations": [{"operator": "Exists"}]},
            tolerations=[
                {"key": "a"},
                {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
                {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0},
                {"key": "cloudharness/temporary-job", "value": "true"},
            ],
        ),
    ),
    (
        "as whom and how soon",
        operation(
            "x",
            {**TASK, "serviceAccountName": "b", "priorityClassName": "c"},
            serviceAccountName="a.b-c",
            priorityClassName="system-node-critical",
            imagePullSecrets=[{"name": "a"}, {"name": "b.c"}],
        ),
    ),
    ("a patch of anything", task(templatePatch={**ANY_JSON, "metadata": {"name": "x"}})),
    ("an end to tell", notify(topic="A_b.c-" + "d" * 243, payload='{"insert": 1}\n')),
    ("the longest payload", notify(payload="🚀" * 32768)),
    ("an end without a word", spec(onExit={})),
    (
        "pods that go early",
        spec(podGC={"strategy": "OnWorkflowSuccess", "deleteDelayDuration": "1h30m"}),
    ),
]


@pytest.mark.parametrize("manifest", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_what_is_right_is_kept_as_it_is(quiet: Installation, manifest: Manifest) -> None:
    name = manifest["metadata"]["name"]
    strict = {"fieldValidation": "Strict"}
    status, answer = quiet.server.ask("POST", FULL_KIND, json=manifest, params=strict)
    assert status == http.HTTPStatus.CREATED, answer
    kept = quiet.get(FULL_KIND, name)["spec"]
    quiet.server.ask("DELETE", FULL_KIND, name)
    assert kept == stored(manifest["spec"])
    OperationSpec.model_validate(kept)


EVERYTHING: Manifest = {
    "parallelism": 2,
    "sharedVolumes": [claim("/a")],
    "podContexts": [{"key": "a", "value": "b"}],
    "onExit": {"notify": {"topic": "t"}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a"}],
    "priorityClassName": "a",
    "serviceAccountName": "a",
    "securityContext": {"runAsUser": 1},
    "imagePullSecrets": [{"name": "a"}],
    "podGC": {"strategy": "OnPodSuccess"},
    "activeDeadlineSeconds": 60,
    "concurrencyPolicy": "Forbid",
    "concurrencyGroup": "g",
}
CHANGES: list[tuple[str, Manifest]] = [
    ("type", {"type": "Parallel"}),
    ("tasks", {"tasks": [bash("false")]}),
    ("tasks", {"tasks": [{**TASK, "priorityClassName": "a"}]}),
    ("parallelism", {"parallelism": 3}),
    ("sharedVolumes", {"sharedVolumes": [claim("/b")]}),
    ("sharedVolumes", {"sharedVolumes": [claim("/a", size="1Gi")]}),
    ("podContexts", {"podContexts": [{"key": "a", "value": "b", "required": True}]}),
    ("onExit", {"onExit": {"notify": {"topic": "t", "payload": "x"}}}),
    ("nodeSelector", {"nodeSelector": {"a": "c"}}),
    ("tolerations", {"tolerations": [{"key": "a"}, {"key": "b"}]}),
    ("priorityClassName", {"priorityClassName": "b"}),
    ("serviceAccountName", {"serviceAccountName": "b"}),
    ("securityContext", {"securityContext": {"runAsUser": 2}}),
    ("imagePullSecrets", {"imagePullSecrets": [{"name": "b"}]}),
    ("podGC", {"podGC": {"strategy": "OnPodSuccess", "deleteDelayDuration": "5s"}}),
    ("activeDeadlineSeconds", {"activeDeadlineSeconds": 61}),
    ("concurrencyPolicy", {"concurrencyPolicy": "Replace"}),
    ("concurrencyGroup", {"concurrencyGroup": "h"}),
]
REMOVALS = [(field, {field: None}) for field in EVERYTHING]


@pytest.fixture(scope="module")
def created(quiet: Installation) -> Manifest:
    """An operation that says everything that its spec can say."""
    manifest = {**spec(**EVERYTHING), "metadata": {"name": "fixed"}}
    quiet.kubectl("create", "-f", "-", text=json.dumps(manifest))
    return manifest


@pytest.mark.parametrize(
    ("where", "change"),
    [*CHANGES, *REMOVALS],
    ids=[f"{where} {n}" for n, (where, _) in enumerate((*CHANGES, *REMOVALS))],
)
def test_what_runs_cannot_be_changed(
    quiet: Installation, created: Manifest, where: str, change: Manifest
) -> None:
    changed = {**created["spec"], **change}
    spec_ = {key: value for key, value in changed.items() if value is not None}
    whole = {**quiet.get(FULL_KIND, created["metadata"]["name"]), "spec": spec_}
    problems = asked(quiet, whole, "PUT", whole["metadata"]["name"])
    (problem,) = (one for one in problems if "cannot change" in one)
    assert problem.startswith(f"spec.{where}: ")
    assert problem.endswith(f"{where} cannot change within a run: change runId too, to run again")


def test_with_another_run_all_can_change(quiet: Installation) -> None:
    manifest = {**spec(**EVERYTHING, cancel="Stop"), "metadata": {"name": "reran"}}
    quiet.kubectl("create", "-f", "-", text=json.dumps(manifest))
    whole = {**EVERYTHING, **{key: value for _, change in CHANGES for key, value in change.items()}}
    changed = {**manifest, "spec": {**manifest["spec"], **whole, "runId": "2"}}
    with pytest.raises(ClusterError) as caught:
        quiet.kubectl("replace", "-f", "-", text=json.dumps(changed))
    (problem,) = _problems(str(caught.value))
    assert "cancel must be removed where runId changes" in problem
    del changed["spec"]["cancel"]
    quiet.kubectl("replace", "-f", "-", text=json.dumps(changed))
    assert quiet.get(FULL_KIND, "reran")["spec"] == stored(changed["spec"])


@pytest.mark.parametrize("cancel", [None, "Stop"], ids=["taken back", "weakened"])
def test_what_is_cancelled_stays_so(quiet: Installation, cancel: str | None) -> None:
    name = f"cancelled-{cancel or 'back'}".lower()
    manifest = {**spec(cancel="Terminate"), "metadata": {"name": name}}
    quiet.kubectl("create", "-f", "-", text=json.dumps(manifest))
    patch = json.dumps({"spec": {"cancel": cancel}})
    with pytest.raises(ClusterError, match="change runId and remove cancel"):
        quiet.kubectl("patch", FULL_KIND, name, "--type=merge", "-p", patch)


def test_what_cannot_change_is_all_there_is() -> None:
    assert {where for where, _ in CHANGES} == set(FIXED)
    assert {where for where, _ in REMOVALS} == set(FIXED) - {"type", "tasks"}


def test_what_is_said_about_it_can_change(quiet: Installation, created: Manifest) -> None:
    quiet.kubectl("label", FULL_KIND, created["metadata"]["name"], "team=a", "--overwrite")
    found = quiet.get(FULL_KIND, created["metadata"]["name"])
    assert found["metadata"]["labels"] == {"team": "a"}
    assert found["metadata"]["generation"] == 1


def test_how_long_it_is_kept_can_change(quiet: Installation, created: Manifest) -> None:
    name = created["metadata"]["name"]
    times: list[Manifest] = [
        {"ttlStrategy": {"secondsAfterFailure": 5}, "ttlSecondsAfterFinished": 9},
        {"ttlStrategy": {}, "ttlSecondsAfterFinished": 7},
    ]
    for spec_ in times:
        quiet.kubectl(
            *("patch", FULL_KIND, name, "--type=json", "-p"),
            json.dumps([{"op": "add", "path": f"/spec/{k}", "value": v} for k, v in spec_.items()]),
        )
        assert quiet.get(FULL_KIND, name)["spec"].items() >= spec_.items()


def test_the_reference_shows_what_is_answered(quiet: Installation) -> None:
    wrong = operation(
        "twice", TASK, TASK, type="SingleTask", sharedVolumes=[{"mountPath": "/data/"}]
    )
    problems = _problems(quiet.refused(wrong))
    page = (ROOT / "docs" / "reference" / "operation.md").read_text()
    shown = page.partition('"twice" is invalid:\n')[2].partition("\n```")[0]
    assert shown == "\n".join(f"* {problem}" for problem in problems)


LEVELS = (
    *("", "spec", "spec.tasks", "spec.tasks.python", "spec.tasks.python.sourceFrom"),
    *("spec.tasks.custom", "spec.tasks.env", "spec.tasks.env.valueFrom", "spec.tasks.resources"),
    *("spec.tasks.templatePatch", "spec.tasks.securityContext.capabilities", "spec.sharedVolumes"),
    *("spec.podContexts", "spec.tolerations", "spec.onExit.notify", "status", "status.conditions"),
)


@pytest.mark.parametrize("level", LEVELS)
def test_kubectl_explains_it_at_every_level(quiet: Installation, level: str) -> None:
    told = quiet.kubectl("explain", ".".join(filter(None, ("cho", level))))
    description, _, fields = told.partition("DESCRIPTION:\n")[2].partition("FIELDS:\n")
    assert description.strip()[-1] == "."
    for field in fields.strip("\n").split("\n\n"):
        head, *lines = (line for line in field.splitlines() if not line.startswith("  enum:"))
        assert len(head.split()) >= 2, head
        assert " ".join(lines).strip(), f"{level}: {head} is not described"


def test_the_crd_is_kept_as_it_is_written(quiet: Installation) -> None:
    """What the API server writes otherwise, Argo CD would apply again and again."""
    written = yaml.safe_load(CRD.read_text())
    stored = json.loads(quiet.kubectl("get", "customresourcedefinition", FULL_KIND, "-o", "json"))
    assert list(lost(written["spec"], stored["spec"], "spec")) == []


def lost(written: Any, stored: Any, path: str) -> Iterator[str]:
    """Where something that was written is not there, or is another."""
    if isinstance(written, dict) and isinstance(stored, dict):
        for key, value in written.items():
            yield from lost(value, stored.get(key), f"{path}.{key}")
    elif isinstance(written, list) and isinstance(stored, list) and len(written) == len(stored):
        for number, (one, other) in enumerate(zip(written, stored, strict=True)):
            yield from lost(one, other, f"{path}[{number}]")
    elif written != stored:
        yield path


def test_kubectl_lists_all_fields_at_once(quiet: Installation) -> None:
    told = quiet.kubectl("explain", "cho.spec", "--recursive").split()
    fields = {info.alias or name for name, info in OperationSpec.model_fields.items()}
    assert fields | {"sourceFrom", "templatePatch", "secretKeyRef", "localhostProfile"} <= set(told)
