"""The alerts of the chart, and for each a fault that makes it fire."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import yaml

from tests.faults.killable import NOT_PARSED, NOT_STORED
from tests.faults.rig import Rig
from tests.support.installation import CHART, DEPLOYMENT, FULL_KIND, Installation, eventually
from tests.support.operations import bash, operation

Manifest = dict[str, Any]

QUICK: Final = {"for": "2s"}
NO_BROKER: Final = "kafka.bootstrapServers=127.0.0.1:1"
TOPIC: Final = "alerts"


def alerts() -> dict[str, Manifest]:
    """Return the chart's alerts, by name, as its file has them."""
    found: dict[str, Manifest] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    return found


class InstallationFault(NamedTuple):
    """A fault of an operator that the chart has installed."""

    text: str
    begin: Callable[[Installation], object]
    end: Callable[[Installation], object]
    values: Manifest = QUICK
    """Values of the chart for this alert, so that the test takes less time."""
    settings: tuple[str, ...] = ()
    """Of the installation. The end of a fault is often an upgrade without them."""


class RigFault(NamedTuple):
    """A fault between the API server and an operator that runs as a process, or in the process."""

    text: str
    begin: Callable[[Rig], None]
    end: Callable[[Rig], None]
    values: Manifest = QUICK


def _upgrade(one: Installation) -> None:
    one.install(f"kafka.bootstrapServers={one.kafka}")


def _remove_binding(suffix: str) -> Callable[[Installation], object]:
    return lambda one: one.kubectl("delete", "rolebinding", f"{DEPLOYMENT}{suffix}")


def _forbid_events(one: Installation) -> None:
    role = one.get("roles", DEPLOYMENT)
    rules = [rule for rule in role["rules"] if rule["resources"] != ["events"]]
    assert rules != role["rules"]
    one.server.patch("roles", DEPLOYMENT, {"rules": rules})
    one.apply(operation("without-events", bash("true")))


def _reject_workflows(one: Installation) -> None:
    """Have the API server reject all Workflows of the namespace as invalid."""
    name = {"metadata": {"name": one.namespace}}
    rule = {
        "apiGroups": ["argoproj.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["workflows"],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": one.namespace}}
    admission = "admissionregistration.k8s.io/v1"
    policy = {
        "matchConstraints": {"namespaceSelector": here, "resourceRules": [rule]},
        "validations": [{"expression": "false", "reason": "Invalid", "message": "a fault"}],
    }
    binding = {"policyName": one.namespace, "validationActions": ["Deny"]}
    kind = "ValidatingAdmissionPolicy"
    one.kubectl_apply(
        {"apiVersion": admission, "kind": kind, **name, "spec": policy},
        {"apiVersion": admission, "kind": f"{kind}Binding", **name, "spec": binding},
    )
    names = (f"rejected-{number}" for number in range(100))

    def is_rejected() -> bool:
        # The API server enforces a policy some time after it was created.
        name = next(names)
        one.apply(operation(name, bash("true")))
        return bool(one.wait_for(name)["reason"] == "SubmissionFailed")

    eventually(is_rejected)


def _accept_workflows(one: Installation) -> None:
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        one.kubectl("delete", kind, one.namespace)


def _end_with_event(one: Installation) -> None:
    one.apply(operation("unpublished", bash("true"), topic=f"{one.namespace}-{TOPIC}"))
    one.wait_for("unpublished")


def _expire(one: Installation) -> None:
    # They end at once, since Argo has no such field.
    task = bash("true", templatePatch={"none": 1})
    for number in range(40):
        one.apply(operation(f"expires-{number}", task, ttlSecondsAfterFinished=1))


def _not_taken(one: Installation) -> None:
    one.apply(operation("not-taken", bash("true")))


def _delete_operations(one: Installation) -> None:
    one.kubectl("delete", FULL_KIND, "--all")


def _refuse(code: int) -> Callable[[Rig], None]:
    def begin(rig: Rig) -> None:
        rig.one.apply(operation("refused", bash("true")))
        rig.one.wait_for("refused")
        rig.proxy.refused = code
        rig.one.apply(operation("waits", bash("true"), suspend=True))

    return begin


def _answer(rig: Rig) -> None:
    rig.proxy.refused, rig.proxy.delay = 0, 0.0


def _be_slow(rig: Rig) -> None:
    rig.proxy.delay = 8.0
    for number in range(120):
        rig.one.apply(operation(f"slow-{number}", bash("true"), suspend=True))


def _start_late(rig: Rig) -> None:
    rig.proxy.refused = 503
    rig.one.apply(operation("late", bash("true")))
    begun = time.monotonic()
    eventually(lambda: time.monotonic() - begun > 8)
    _answer(rig)
    rig.one.wait_for("late")


def _have_defect(name: str) -> Callable[[Rig], None]:
    return lambda rig: rig.one.apply(operation(name, bash("true"), suspend=True))


def _nothing(_: object) -> None:
    """The fault is over, and the alert ends with its window."""


INSTALLATION_FAULTS: Final = {
    "CloudHarnessOperatorAbsent": InstallationFault(
        "The Deployment is scaled to 0.",
        lambda one: one.scale_operator(0),
        lambda one: one.scale_operator(1),
    ),
    "CloudHarnessOperatorWithoutLeader": InstallationFault(
        "The RoleBinding for the Lease is deleted.", _remove_binding("-lease"), _upgrade
    ),
    "CloudHarnessNamespaceNotServed": InstallationFault(
        "The RoleBinding of the served namespace is deleted.",
        _remove_binding(""),
        _upgrade,
        settings=("resyncSeconds=10",),
    ),
    "CloudHarnessWorkflowsNotStarted": InstallationFault(
        "`argo.instanceId` is that of no controller.",
        _not_taken,
        _delete_operations,
        settings=("argo.instanceId=nobody",),
    ),
    "CloudHarnessRequestsForbidden": InstallationFault(
        "The rule for Events is removed from the Role.",
        _forbid_events,
        _upgrade,
        {**QUICK, "window": "20s"},
    ),
    "CloudHarnessSubmissionFailed": InstallationFault(
        "An admission policy rejects Workflows as invalid.",
        _reject_workflows,
        _accept_workflows,
        {**QUICK, "window": "20s"},
    ),
    "CloudHarnessExitEventsPending": InstallationFault(
        "No broker listens at `kafka.bootstrapServers`.",
        _end_with_event,
        _upgrade,
        {**QUICK, "threshold": 10},
        (NO_BROKER,),
    ),
    "CloudHarnessExitEventsGivenUp": InstallationFault(
        "No broker listens, and `kafka.giveUpAfterSeconds` is 1.",
        _end_with_event,
        _nothing,
        {**QUICK, "window": "20s"},
        (NO_BROKER, "kafka.giveUpAfterSeconds=1"),
    ),
    "CloudHarnessDeletionsLate": InstallationFault(
        "40 operations expire at once, with `deletionsPerSecond` at 1.",
        _expire,
        _upgrade,
        {**QUICK, "window": "10s"},
        ("deletionsPerSecond=1",),
    ),
}

RIG_FAULTS: Final = {
    "CloudHarnessWatchSilent": RigFault(
        "The watches carry nothing.",
        lambda rig: rig.proxy.hold(held=True),
        lambda rig: rig.proxy.hold(held=False),
        {**QUICK, "threshold": 75},
    ),
    "CloudHarnessQueueOld": RigFault(
        "Each request takes 8 s more, and 120 operations are created at once.",
        _be_slow,
        _answer,
        {**QUICK, "threshold": 5},
    ),
    "CloudHarnessStartDelayed": RigFault(
        "All requests are refused (503) for some seconds while an operation waits.",
        _start_late,
        _nothing,
        {**QUICK, "threshold": 5, "window": "20s"},
    ),
    "CloudHarnessAPIRequestsFailing": RigFault(
        "All requests are refused (500).", _refuse(500), _answer, {**QUICK, "window": "20s"}
    ),
    "CloudHarnessReconcileAbandoned": RigFault(
        "All requests are refused as invalid (422), until 12 attempts have failed.",
        _refuse(422),
        _answer,
        {**QUICK, "window": "20s"},
    ),
    "CloudHarnessInternalError": RigFault(
        "The operator has a defect: it cannot parse an operation.",
        _have_defect(NOT_PARSED),
        _nothing,
        {**QUICK, "window": "20s"},
    ),
    "CloudHarnessObjectsSkipped": RigFault(
        "The operator has a defect: it cannot put an operation into its store.",
        _have_defect(NOT_STORED),
        _nothing,
        {**QUICK, "window": "20s"},
    ),
}

FAULTS: Final[Mapping[str, InstallationFault | RigFault]] = {**INSTALLATION_FAULTS, **RIG_FAULTS}
