"""Compare what was read of an installation with what operations need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from cloudharness.workflows._doctor.facts import MOST, Deployment, Facts, Unreadable
from cloudharness_operation import crd, reasons
from cloudharness_operation.names import VERSION
from cloudharness_operation.render.engine_types import ENGINES

LEAST_KUBERNETES: Final = (1, 30)
"""As in the chart's kubeVersion."""
SKEW: Final = timedelta(seconds=5)
"""Difference of two clocks that is reported. The API server gives its time in whole seconds."""
PATIENCE: Final = timedelta(seconds=30)
"""Age of an operation that an operator must have observed."""

_APPLY: Final = (
    "kubectl apply --server-side -f crds/cloudharnessoperations.yaml (Helm does not update CRDs)"
)
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


class Level(StrEnum):
    """How a check has ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """What it needs could not be read, or is not there to be judged."""


class Finding(NamedTuple):
    """The result of one check."""

    level: Level
    subject: str
    text: str
    fix: str = ""


def check(facts: Facts) -> list[Finding]:
    """Return the findings, at least one of each check."""
    return [
        *_kubernetes(facts),
        *_clocks(facts),
        *_crd(facts),
        *_operator(facts),
        *_leader(facts),
        *_argo(facts),
        *_account(facts),
        *_operations(facts),
        *_kafka(facts),
    ]


def _kubernetes(facts: Facts) -> Iterator[Finding]:
    subject, text = "Kubernetes", facts.version
    if _major_minor(facts.version) < LEAST_KUBERNETES:
        wanted = ".".join(map(str, LEAST_KUBERNETES))
        yield Finding(Level.FAILED, subject, text, f"upgrade to {wanted} or later")
    else:
        yield Finding(Level.OK, subject, text)


def _clocks(facts: Facts) -> Iterator[Finding]:
    subject, fix = "clocks", "synchronize it by NTP: ages and durations are wrong by that much"
    difference = facts.local_time - facts.server_time
    if abs(difference) > SKEW:
        text = f"this machine's clock is {_apart(difference)} the API server's"
        yield Finding(Level.WARNING, subject, text, fix)
    else:
        yield Finding(Level.OK, subject, "this machine's clock agrees with the API server's")
    if (renewed := _renewed(facts.lease)) and renewed - facts.server_time > SKEW:
        text = f"the operator's clock is {_apart(renewed - facts.server_time)} the API server's"
        yield Finding(Level.WARNING, subject, text, "synchronize the clock of its node by NTP")


def _crd(facts: Facts) -> Iterator[Finding]:
    subject = "CRD"
    match facts.crd:
        case Unreadable(why):
            yield Finding(Level.UNKNOWN, subject, why)
        case None:
            yield Finding(Level.FAILED, subject, "CloudHarnessOperation is not installed", _APPLY)
        case found:
            served = _schema(found)
            if served is None:
                yield Finding(Level.FAILED, subject, f"{VERSION} is not served", _APPLY)
                return
            ours = _schema(crd.manifest()) or {}
            missing = sorted(set(_fields(ours)) - set(_fields(served)))
            if missing:
                text = f"{VERSION} does not have {_some(missing)}, which this client knows"
                yield Finding(Level.WARNING, subject, text, _APPLY)
            else:
                yield Finding(Level.OK, subject, f"{VERSION} has all fields that this client knows")


def _operator(facts: Facts) -> Iterator[Finding]:
    subject, where = "operator", facts.namespace
    if isinstance(facts.operators, Unreadable):
        yield Finding(Level.UNKNOWN, subject, facts.operators.why)
        return
    if not facts.operators and not facts.are_all:
        text = f"{where} has none, and you may not list the Deployments of all namespaces"
        yield Finding(Level.UNKNOWN, subject, text)
        return
    if not facts.operators:
        install = f"helm install operations charts/cloudharness-operator --namespace {where}"
        yield Finding(Level.FAILED, subject, "there is no Deployment of the operator", install)
        return
    ours = [one for one in facts.operators if one.serves(where)]
    if not ours:
        names = ", ".join(one.path for one in facts.operators)
        fix = f"add {where} to watch.namespaces of one of them"
        yield Finding(Level.FAILED, subject, f"{names} does not serve namespace {where}", fix)
        return
    if len(ours) > 1:
        names = " and ".join(one.path for one in ours)
        fix = "uninstall one, or serve different namespaces: each sends all requests"
        yield Finding(Level.WARNING, subject, f"{names} both serve namespace {where}", fix)
    yield from map(_readiness, ours)


def _readiness(one: Deployment) -> Finding:
    if one.ready:
        return Finding(Level.OK, "operator", f"{one.path} is ready ({one.ready})")
    return Finding(Level.FAILED, "operator", *_not_ready(one))


def _not_ready(one: Deployment) -> tuple[str, str]:
    """Return that no pod of a Deployment is ready, and where to look."""
    where = f"deployment/{one.name} --namespace {one.namespace}"
    return f"no pod of {one.path} is ready", f"kubectl describe {where}, and kubectl logs {where}"


def _leader(facts: Facts) -> Iterator[Finding]:
    subject, operator = "leader", facts.operator
    if operator is None:
        return
    if not operator.setting("LEASE_NAME"):
        yield Finding(Level.OK, subject, "each replica acts (leaderElection.enabled is false)")
        return
    if isinstance(facts.lease, Unreadable):
        yield Finding(Level.UNKNOWN, subject, facts.lease.why)
        return
    spec = (facts.lease or {}).get("spec") or {}
    holder, renewed = spec.get("holderIdentity") or "", _renewed(facts.lease)
    fix = "look at the operator's log for the Lease"
    if not holder or renewed is None:
        yield Finding(Level.FAILED, subject, "no replica leads", fix)
    elif (age := facts.server_time - renewed) > timedelta(seconds=spec["leaseDurationSeconds"]):
        text = f"the Lease of {holder} was last renewed {age.total_seconds():.0f} s ago"
        yield Finding(Level.FAILED, subject, text, fix)
    else:
        pod, _, _ = holder.partition("_")
        yield Finding(Level.OK, subject, f"{pod} leads")


def _argo(facts: Facts) -> Iterator[Finding]:
    subject, install = "Argo", "install Argo Workflows 3.6 or later"
    match facts.argo_crd:
        case Unreadable(why):
            yield Finding(Level.UNKNOWN, subject, why)
        case None:
            yield Finding(Level.FAILED, subject, "the CRD of Workflow is not installed", install)
            return
        case _:
            pass  # Its Deployment has the release.
    match facts.controllers:
        case Unreadable(why):
            yield Finding(Level.UNKNOWN, subject, why)
        case [] if not facts.are_all:
            text = "you may not list the Deployments of all namespaces"
            yield Finding(Level.UNKNOWN, subject, text)
        case []:
            text = "no Deployment has a name that ends in workflow-controller"
            yield Finding(Level.WARNING, subject, text, f"{install}, unless it runs elsewhere")
        case found:
            yield from (_controller(one, facts.operator) for one in found)


def _controller(one: Deployment, operator: Deployment | None) -> Finding:
    subject, name = "Argo", one.path
    if not one.ready:
        return Finding(Level.FAILED, subject, *_not_ready(one))
    tag = one.image.rpartition("@")[0] or one.image
    version = _VERSION.search(tag.rpartition("/")[2].partition(":")[2])
    if version is None:
        text = f"{name} is ready; its release is not in {one.image}"
        return Finding(Level.UNKNOWN, subject, text)
    release = f"{version[1]}.{version[2]}"
    wanted = operator.setting("ARGO_VERSION") if operator else ""
    if wanted and wanted != release:
        text = f"{name} is {release}, but the operator's argo.version is {wanted}"
        return Finding(Level.FAILED, subject, text, f"--set-string argo.version={release}")
    if release not in ENGINES:
        text = f"{name} is {release}; the operator is for {', '.join(ENGINES)}"
        return Finding(Level.WARNING, subject, text, "use one of these releases")
    return Finding(Level.OK, subject, f"{name} is {release}, and ready")


def _account(facts: Facts) -> Iterator[Finding]:
    operator = facts.operator
    if operator is None:
        return
    subject = "account of tasks"
    name = operator.setting("TASK_SERVICE_ACCOUNT") or "default"
    fix = (
        "tasks.serviceAccount.create of the chart creates it (with watch.allNamespaces: see NOTES)"
    )
    match facts.account:
        case None:
            text = f"service account {facts.namespace}/{name} does not exist"
            yield Finding(Level.FAILED, subject, text, fix)
            return
        case Unreadable(why):
            yield Finding(Level.UNKNOWN, subject, why)
        case _:
            pass
    match facts.account_may:
        case Unreadable(why):
            yield Finding(Level.UNKNOWN, subject, why)
        case False:
            text = f"{name} may not create and patch workflowtaskresults in {facts.namespace}"
            yield Finding(Level.FAILED, subject, text, fix)
        case True:
            yield Finding(Level.OK, subject, f"{name} may report results to Argo")


def _operations(facts: Facts) -> Iterator[Finding]:
    subject = "operations"
    if isinstance(facts.operations, Unreadable):
        yield Finding(Level.UNKNOWN, subject, facts.operations.why)
        return
    unseen = [one["metadata"]["name"] for one in facts.operations if _is_unseen(one, facts)]
    if unseen:
        text = f"not observed by an operator: {_some(unseen)}"
        yield Finding(Level.FAILED, subject, text, "see the findings about the operator")
    else:
        number = len(facts.operations)
        count = f"the first {MOST}" if number == MOST else str(number)
        yield Finding(Level.OK, subject, f"{count} in namespace {facts.namespace}")


def _is_unseen(one: Mapping[str, Any], facts: Facts) -> bool:
    created = datetime.fromisoformat(one["metadata"]["creationTimestamp"])
    return "observedGeneration" not in (one.get("status") or {}) and (
        facts.server_time - created > PATIENCE
    )


def _kafka(facts: Facts) -> Iterator[Finding]:
    subject, operator = "Kafka", facts.operator
    if operator is None:
        return
    if not operator.setting("KAFKA_BOOTSTRAP_SERVERS"):
        text = "none is configured: operations with onExit.notify are rejected"
        yield Finding(Level.OK, subject, text)
        return
    known = () if isinstance(facts.operations, Unreadable) else facts.operations
    notified = [(found, one) for one in known if (found := _notified(one))]
    # The latest says how it is now.
    last, operation = max(
        notified, key=lambda pair: pair[0]["lastTransitionTime"], default=({}, {})
    )
    if not last or last["reason"] == reasons.PUBLISHING:
        text = "no operation has published an exit event yet, which would show that Kafka responds"
        yield Finding(Level.UNKNOWN, subject, text)
        return
    name = operation["metadata"]["name"]
    if last["status"] == "True":
        yield Finding(Level.OK, subject, f"the exit event of {name} was acknowledged")
    else:
        text = f"the exit event of {name} is not published: {last['reason']}: {last['message']}"
        fix = "docs/reference/exit-event.md has a section for the reason"
        yield Finding(Level.FAILED, subject, text, fix)


def _notified(one: Mapping[str, Any]) -> dict[str, Any] | None:
    found = (one.get("status") or {}).get("conditions") or ()
    return next((dict(each) for each in found if each["type"] == "Notified"), None)


def _renewed(lease: Mapping[str, Any] | Unreadable | None) -> datetime | None:
    if lease is None or isinstance(lease, Unreadable):
        return None
    text = (lease.get("spec") or {}).get("renewTime")
    return datetime.fromisoformat(text) if text else None


def _major_minor(version: str) -> tuple[int, int]:
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _schema(found: Mapping[str, Any]) -> dict[str, Any] | None:
    versions = {one["name"]: one for one in found["spec"]["versions"] if one.get("served", True)}
    return versions[VERSION]["schema"]["openAPIV3Schema"] if VERSION in versions else None


def _fields(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of all fields of a schema: `spec.tasks[].name`."""
    for name, one in (schema.get("properties") or {}).items():
        here = f"{path}.{name}" if path else name
        yield here
        yield from _fields(one, here)
    if isinstance(items := schema.get("items"), Mapping):
        yield from _fields(items, f"{path}[]")


def _some(names: list[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _apart(difference: timedelta) -> str:
    seconds = difference.total_seconds()
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
