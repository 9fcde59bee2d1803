"""The table of attacks that a user who may create operations may try, and what stops each.

`docs/security.md` shows it; `tests/e2e/test_attacks.py` carries out each row that has a manifest.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from tests.support.operations import bash, operation

Manifest = dict[str, Any]

KAFKA_SECRET: Final = "brokers"  # noqa: S105 - a name.
TOPICS: Final = "attacks-*"
ACCOUNT: Final = "cho-cloudharness-operator"


class Stop(Enum):
    """What stops an attack."""

    APPLY = "rejected by the API server"
    OPERATOR = "ends as `InvalidSpec`, without a Workflow"
    STRICT = "ends as `InvalidSpec`, with strict settings"
    BOUND = "contained: no effect on others"
    KUBERNETES = "not prevented by the operator"


@dataclass(frozen=True)
class Attack:
    """One attack."""

    name: str
    gain: str
    """Its goal."""
    stop: Stop
    by: str
    """What stops it, for the page."""
    test: str = ""
    """The test, where it is not the one of its kind of stop."""
    body: Callable[[str], str] | None = None
    """The operation as JSON, by its name."""
    says: str = ""
    """A part of the message."""
    long: bool = False
    """It belongs to `make test-long`: it differs from another one by the field alone."""


def _json(*tasks: Manifest, **spec: Any) -> Callable[[str], str]:
    return lambda name: json.dumps(operation(name, *tasks, **spec))


def _deep(task: Manifest, levels: int) -> Callable[[str], str]:
    """Return an operation in which lists in so many levels stand for the text DEEP of a task."""
    nested = "[" * levels + "]" * levels
    return lambda name: json.dumps(operation(name, task)).replace('"DEEP"', nested)


def _python(args: object) -> Manifest:
    code = {"source": "def f(a): pass", "function": "f", "args": {"a": args}}
    return {"name": "t", "python": code}


def _patched(**patch: object) -> Manifest:
    return bash("true", templatePatch=patch)


def _pod(**patch: object) -> Manifest:
    return _patched(podSpecPatch=json.dumps(patch))


def _nested_inline(levels: int) -> Manifest:
    template: Manifest = {"container": {"image": "x"}}
    for _ in range(levels):
        template = {"steps": [[{"name": "s", "inline": template}]]}
    return _patched(script=None, **template)


def _secret_variable(name: str) -> Manifest:
    reference = {"secretKeyRef": {"name": name, "key": "password"}}
    return bash("true", env=[{"name": "A", "valueFrom": reference}])


def _resources(**limits: str) -> Manifest:
    return bash("true", resources={"limits": {k.replace("_", "/"): v for k, v in limits.items()}})


_STOPS = "stop the operator for all namespaces"
_SLOWS = "slow down the operator for all users"
_MEMORY = "exhaust the operator's memory"
_FOREVER = "create an operation that never ends and is always retried"
_ACCOUNT = "run as the operator, with its permissions in all namespaces that it serves"
_READ = "read the password for Kafka, and publish to any topic"
_BOUNDS = "the bounds of free-form fields (64 levels, 96 and 128 KiB)"
_OWN = "the operator's own account is never allowed"
_OWN_SECRETS = "the operator's own Secrets are never allowed"
_LOCKS = "locks must be in the operation's own namespace"
_RESTRICTED = "`tasks.templatePatch: Restricted`"


def _rows() -> Iterator[Attack]:
    yield from _poison()
    yield from _tenancy()
    yield from _strict()
    yield from _refused()
    yield from _others()


def _poison() -> Iterator[Attack]:
    def ended(name: str, gain: str, body: Callable[[str], str], says: str, by: str = "") -> Attack:
        return Attack(name, gain, Stop.OPERATOR, by or _BOUNDS, body=body, says=says)

    levels, size = "nested in more than 64 levels", "as JSON, at most"
    for depth in (100, 1200, 9000):
        yield ended(f"`args` of {depth} levels", _STOPS, _deep(_python("DEEP"), depth), levels)
    patch = _patched(metadata={"annotations": {"a": "DEEP"}})
    yield ended("a `templatePatch` of 1200 levels", _STOPS, _deep(patch, 1200), levels)
    yield ended("`inline` templates in 150 levels", _FOREVER, _json(_nested_inline(150)), levels)
    yield ended("1.2 MB of `{}` in `args`", _MEMORY, _json(_python([{}] * 300_000)), size)
    yield ended("1.2 MB of text in `args`", _MEMORY, _json(_python("x" * 1_200_000)), size)
    yield ended("400 KB of numbers in `args`", _MEMORY, _json(_python([1] * 200_000)), size)
    wide = _patched(metadata={"labels": {f"l{n}": "x" for n in range(12_000)}})
    yield ended("200 KB of labels in `templatePatch`", _MEMORY, _json(wide), size)
    many = [
        bash("true", f"t{n}", env=[{"name": f"V{i}", "value": "x" * 4000} for i in range(28)])
        for n in range(10)
    ]
    yield ended(
        "1.1 MB of variables, so that a status does not fit into etcd",
        "prevent the final status from being written",
        _json(*many),
        "bytes as JSON, at most 1048576",
        "the bound of a whole operation (1 MiB)",
    )
    request = bash("true", resources={"requests": {"cpu": "1e50"}, "limits": {"cpu": "1"}})
    for name, task, says in (
        ("a request of 1e50 processors", request, "requests.cpu 1e50 is more than"),
        ("half of a device, 1e-30", _resources(**{"nvidia.com_gpu": "1e-30"}), "is not whole"),
    ):
        yield ended(
            name, _FOREVER, _json(task), says, "quantities of any size are compared exactly"
        )


def _tenancy() -> Iterator[Attack]:
    def ended(name: str, gain: str, task: Manifest, says: str, by: str, **spec: object) -> Attack:
        return Attack(name, gain, Stop.OPERATOR, by, body=_json(task, **spec), says=says)

    own, text = "is the operator's own account", "cannot be checked here"
    yield ended(
        "the operator's account", _ACCOUNT, bash("true"), own, _OWN, serviceAccountName=ACCOUNT
    )
    for name, task in (
        ("of a task", bash("true", serviceAccountName=ACCOUNT)),
        ("in `templatePatch`", _patched(serviceAccountName=ACCOUNT)),
        ("in `executor`", _patched(executor={"serviceAccountName": ACCOUNT})),
        ("in `podSpecPatch`", _pod(serviceAccountName=ACCOUNT)),
        ("in `podSpecPatch`, in upper case", _pod(SERVICEACCOUNTNAME=ACCOUNT)),
        ("in `podSpecPatch`, in the deprecated field", _pod(serviceAccount=ACCOUNT)),
    ):
        attack = ended(f"the operator's account, {name}", _ACCOUNT, task, own, _OWN)
        yield replace(attack, long=not name.startswith("in `podSpecPatch`"))
    for name, task in (
        ("computed by Argo", _patched(serviceAccountName="{{=sprig.lower('CHO')}}")),
        ("in YAML", _patched(podSpecPatch=f"serviceAccountName: {ACCOUNT}")),
    ):
        yield ended(f"the operator's account, {name}", _ACCOUNT, task, text, _OWN)
    volume = {"name": "v", "secret": {"secretName": KAFKA_SECRET}}
    sources = [{"secret": {"name": KAFKA_SECRET}}]
    secret = "is a Secret of the operator's own"  # noqa: S105 - a message.
    for name, task in (
        ("as a variable", _secret_variable(KAFKA_SECRET)),
        ("as variables", bash("true", envFrom=[{"secretRef": {"name": KAFKA_SECRET}}])),
        ("as a volume", _patched(volumes=[volume])),
        (
            "as a projected volume",
            _patched(volumes=[{"name": "v", "projected": {"sources": sources}}]),
        ),
        ("in `podSpecPatch`", _pod(volumes=[volume])),
    ):
        attack = ended(f"the operator's Secret, {name}", _READ, task, secret, _OWN_SECRETS)
        yield replace(attack, long=name not in ("as a variable", "in `podSpecPatch`"))
    pulled = {"imagePullSecrets": [{"name": KAFKA_SECRET}]}
    yield ended(
        "the operator's Secret, as a pull secret",
        _READ,
        bash("true"),
        secret,
        _OWN_SECRETS,
        **pulled,
    )
    lock = {"mutexes": [{"name": "cloudharness-group", "namespace": "kube-system"}]}
    hold = "keep operations of another namespace pending"
    elsewhere = "a lock is of the operation's own namespace"
    yield ended(
        "a mutex in another namespace", hold, _patched(synchronization=lock), elsewhere, _LOCKS
    )
    inline = {"steps": [[{"name": "s", "inline": {"synchronization": lock}}]]}
    yield ended(
        "a mutex in another namespace, inline",
        hold,
        _patched(script=None, **inline),
        elsewhere,
        _LOCKS,
    )
    cluster = {"name": "s", "templateRef": {"name": "a", "template": "b", "clusterScope": True}}
    denied = "this operator does not allow it"
    for name, gain, task in (
        ("metrics", "exhaust the memory of Argo's controller", _patched(metrics={})),
        ("memoize", "make Argo's controller write ConfigMaps", _patched(memoize={"key": "k"})),
        ("plugin", "run an executor plugin with its permissions", _patched(plugin={"a": {}})),
        (
            "a ClusterWorkflowTemplate",
            "read and run a cluster-scoped template",
            _patched(script=None, steps=[[cluster]]),
        ),
    ):
        yield ended(name, gain, task, denied, _RESTRICTED)
    yield Attack(
        "a topic that is not allowed",
        "publish to another team's topic",
        Stop.OPERATOR,
        "`kafka.allowedTopics`",
        body=_json(bash("true"), topic="payroll"),
        says="is not one of the topics that this operator allows",
    )


def _strict() -> Iterator[Attack]:
    def strict(name: str, gain: str, task: Manifest, says: str, by: str) -> Attack:
        return Attack(name, gain, Stop.STRICT, by, body=_json(task), says=says)

    image = {"name": "t", "custom": {"image": "example.com/miner"}}
    yield strict(
        "any image",
        "run unchecked software",
        image,
        "is not one of the images that this operator allows",
        "`tasks.allowedImages`",
    )
    yield strict(
        "any account of the namespace",
        "use the permissions of the namespace's other services",
        bash("true", serviceAccountName="admin"),
        "is not one of the service accounts",
        "`tasks.allowedServiceAccounts`",
    )
    host = {"name": "host", "hostPath": {"path": "/"}}
    for name, patch in (
        ("a node's files", {"volumes": [host]}),
        ("a privileged container", {"script": {"securityContext": {"privileged": True}}}),
        ("a node's network", {"podSpecPatch": '{"hostNetwork": true}'}),
        ("any change of a pod", {"nodeSelector": {"a": "b"}}),
    ):
        yield strict(
            f"{name}, by `templatePatch`",
            "do what Pod Security `restricted` forbids",
            _patched(**patch),
            "this operator does not allow it",
            "`tasks.templatePatch: Denied`",
        )


def _refused() -> Iterator[Attack]:
    def refused(name: str, gain: str, body: Callable[[str], str], says: str) -> Attack:
        return Attack(name, gain, Stop.APPLY, "the CRD", body=body, says=says)

    many = {f"k{n}": n for n in range(300)}
    code = {"source": "x", "function": "f", "args": many}
    longest = {"onExit": {"notify": {"topic": "attacks-a", "payload": "x" * 40_000}}}
    trace = {"onExit": {"notify": {"topic": "attacks-a", "traceparent": "00-a\nb-c-01"}}}
    volume = {"sharedVolumes": [{"mountPath": "/argo/x"}]}
    context = {"podContexts": [{"key": "argoproj.io/x", "value": "y"}]}
    for name, gain, body, says in (
        ("101 tasks", _SLOWS, _json(*(bash("true", f"t{n}") for n in range(101))), "at most 100"),
        ("300 arguments", _SLOWS, _json({"name": "t", "python": code}), "at most 256"),
        ("a quantity of 1e999", _FOREVER, _json(_resources(cpu="1e999")), "limits.cpu"),
        ("a number of 1e999", _STOPS, _deep_number, "1e999"),
        ("a payload of 40 KB", _MEMORY, _json(bash("true"), **longest), "32768"),
        (
            "a newline in `traceparent`",
            "forge a header of the event",
            _json(bash("true"), **trace),
            "traceparent",
        ),
        (
            "a variable of Argo's",
            "redirect Argo's executor",
            _json(bash("true", env=[{"name": "ARGO_TEMPLATE", "value": "x"}])),
            "set by Argo itself",
        ),
        (
            "a volume over Argo's files",
            "replace Argo's executor",
            _json(bash("true"), **volume),
            "mountPath is taken",
        ),
        (
            "a label of Argo's",
            "pose as another run's pod",
            _json(bash("true"), **context),
            "key is taken",
        ),
        (
            "a template's name",
            "run in place of another task",
            _json(_patched(name="Operation")),
            "must not rename the template",
        ),
        (
            "an unknown field",
            "bypass a check",
            _json(bash("true", hostNetwork=True)),
            "hostNetwork",
        ),
    ):
        yield refused(name, gain, body, says)


def _deep_number(name: str) -> str:
    return json.dumps(operation(name, _python("N"))).replace('"N"', "1e999")


def _others() -> Iterator[Attack]:
    hostile_log = "`tests/e2e/test_attacks.py::test_a_hostile_log_costs_nothing_but_its_lines`"
    forged = "`tests/e2e/test_attacks.py::test_a_forged_"
    publish = "publish in the name of another namespace's operation"
    for name, gain, stop, by, test in (
        (
            "600 KB of `time=` in a failing task's log",
            _STOPS,
            Stop.BOUND,
            "lines are truncated, and searched in linear time",
            f"{hostile_log}, `tests/unit/core/test_logs.py`",
        ),
        (
            "escape sequences and control characters in a log",
            "write to the terminal of a user who reads the status",
            Stop.BOUND,
            "they are removed",
            f"{hostile_log}, `tests/unit/operator/test_failure.py`",
        ),
        (
            "a message of 100 KB in a Workflow's status",
            _FOREVER,
            Stop.BOUND,
            "messages are truncated when they are read",
            "`tests/e2e/test_attacks.py::test_a_workflow_with_a_hostile_status_ends_all_the_same`",
        ),
        (
            "packed nodes that unpack to 100 MB",
            _MEMORY,
            Stop.BOUND,
            "the size and the number of their parts are limited before they are decoded",
            "`tests/e2e/test_attacks.py::test_a_workflow_with_a_hostile_status_ends_all_the_same`",
        ),
        (
            "nodes of the wrong types",
            _STOPS,
            Stop.BOUND,
            "the status omits details that cannot be read",
            "`tests/e2e/test_attacks.py::test_a_workflow_with_a_hostile_status_ends_all_the_same`",
        ),
        (
            "a forged Workflow with another namespace's labels",
            "decide how another namespace's operation ends",
            Stop.BOUND,
            "the Workflow must have the namespace, name and uid of its operation",
            f"{forged}child_says_nothing_of_another_namespaces_operation`",
        ),
        (
            "a forged exit event for another namespace's operation",
            publish,
            Stop.BOUND,
            "the annotation must agree with the Workflow itself",
            f"{forged}exit_event_is_not_published`",
        ),
        (
            "a forged exit event to a topic that is not allowed",
            "publish to another team's topic",
            Stop.BOUND,
            "topics are checked again when the event is published",
            f"{forged}exit_event_is_not_published`",
        ),
        (
            "a Workflow with the name of a future run",
            "make an operation adopt another Workflow",
            Stop.BOUND,
            "the operation ends as `NameTaken`",
            "`tests/unit/operator/test_reconcile.py`",
        ),
        (
            "a request of 1e30 devices",
            _FOREVER,
            Stop.BOUND,
            "the pod stays pending until `pendingDeadlineSeconds`",
            "`tests/e2e/test_attacks.py::test_a_pod_that_no_node_has_room_for_ends_with_its_own_words`",
        ),
        (
            "100 suspended operations of the maximum size",
            _MEMORY,
            Stop.BOUND,
            "the operator keeps a part of a large operation, and reconciles one of them at a time",
            "`tests/e2e/test_attacks.py::test_a_crowd_of_large_operations_fits_into_memory`",
        ),
        (
            "10,000 operations in one concurrency group",
            _SLOWS,
            Stop.BOUND,
            "a group is sorted once for all pending changes, and a change enqueues few members",
            "`tests/unit/operator/test_concurrency.py::test_in_a_large_group_a_change_moves_few`",
        ),
        (
            "the deletion of a served namespace's RoleBinding",
            "prevent the operator from serving other namespaces",
            Stop.BOUND,
            "each namespace starts and fails separately",
            "`tests/e2e/test_attacks.py::test_a_namespace_without_rights_holds_up_no_other`",
        ),
        (
            "`{{...}}` in code, arguments and variables",
            "make Argo evaluate an expression",
            Stop.BOUND,
            "the author's text is encoded if Argo would interpolate it",
            "`tests/unit/core/test_render_escaping.py`, `tests/e2e/test_tasks.py`",
        ),
        (
            "a result or an output of many megabytes",
            _MEMORY,
            Stop.BOUND,
            "a status has at most 32 KiB of outputs",
            "`tests/unit/core/test_outputs.py`, `tests/e2e/test_outputs.py`",
        ),
        (
            "results of another task, with the token of an own task",
            "rewrite another operation's outputs in the same namespace",
            Stop.KUBERNETES,
            "Argo's executor reports results this way (see [SECURITY.md](../SECURITY.md))",
            "none",
        ),
    ):
        yield Attack(name, gain, stop, by, test)


ATTACKS: Final = tuple(_rows())

BEGIN: Final = "<!-- The table of attacks, by `make generate`: begin -->"
END: Final = "<!-- The table of attacks: end -->"
_TESTS: Final = {
    Stop.APPLY: "test_an_attack_that_the_crd_refuses",
    Stop.OPERATOR: "test_an_attack_that_the_operator_ends",
    Stop.STRICT: "test_an_attack_that_strict_settings_end",
}


def page(old: str) -> str:
    """Return the page on security with the table as it is now."""
    head, rest = old.split(BEGIN)
    _, tail = rest.split(END)
    rows = "".join(map(_row, ATTACKS))
    table = (
        "| Attack | Goal | What stops it | Result | Test |\n"
        f"| --- | --- | --- | --- | --- |\n{rows}"
    )
    return f"{head}{BEGIN}\n\n{table}\n{END}{tail}"


def _row(attack: Attack) -> str:
    test = attack.test or f"`tests/e2e/test_attacks.py::{_TESTS[attack.stop]}`"
    return f"| {attack.name} | {attack.gain} | {attack.by} | {attack.stop.value} | {test} |\n"
