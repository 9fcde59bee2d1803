"""What `doctor` finds in an installation, by what was read of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudharness.workflows._doctor.checks import Level, check
from cloudharness.workflows._doctor.facts import MOST, Deployment, Facts, Unreadable
from cloudharness_operation import crd

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DENIED = Unreadable("deployments.apps is forbidden")

Manifest = dict[str, Any]


def deployment(name: str, image: str, *, ready: int = 1, **env: str) -> Deployment:
    container = {
        "image": image,
        "env": [
            *({"name": key, "value": value} for key, value in env.items()),
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
    }
    return Deployment(
        {
            "metadata": {"namespace": "ops", "name": name},
            "spec": {"template": {"spec": {"containers": [container]}}},
            "status": {"readyReplicas": ready} if ready else {},
        }
    )


def operator(name: str = "operator", *, ready: int = 1, **env: str) -> Deployment:
    settings = {
        "WATCH_NAMESPACES": "team,other",
        "LEASE_NAME": "operator",
        "TASK_SERVICE_ACCOUNT": "tasks",
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    }
    return deployment(name, "operator:1", ready=ready, **(settings | env))


def argo(tag: str, *, ready: int = 1) -> Deployment:
    return deployment("workflow-controller", f"quay.example:5000/argo{tag}", ready=ready)


def lease(holder: str = "operator-1_uid", *, age: float = 2.0) -> Manifest:
    renewed = NOW - timedelta(seconds=age)
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 10, "renewTime": renewed.isoformat()}
    return {"spec": spec}


def an_operation(name: str, *, age: int, notified: tuple[str, str] | None = None) -> Manifest:
    status: Manifest = {}
    if notified:
        value, reason = notified
        condition = {"type": "Notified", "status": value, "reason": reason, "message": "no broker"}
        at = (NOW - timedelta(seconds=age)).isoformat()
        status = {
            "observedGeneration": 1,
            "conditions": [condition | {"lastTransitionTime": at}],
        }
    created = (NOW - timedelta(seconds=age)).isoformat()
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": status}


def older_crd() -> Manifest:
    found: Manifest = copy.deepcopy(crd.manifest())
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["suspend"]
    return found


def another_crd() -> Manifest:
    found: Manifest = copy.deepcopy(crd.manifest())
    found["spec"]["versions"][0]["name"] = "v1"
    return found


PUBLISHED = an_operation("published", age=60, notified=("True", "EventAcknowledged"))
GOOD = Facts(
    namespace="team",
    version="v1.34.4",
    server_time=NOW,
    local_time=NOW + timedelta(seconds=1),
    crd=crd.manifest(),
    operators=[operator()],
    lease=lease(),
    argo_crd={"metadata": {}},
    controllers=[argo(":v3.7.14")],
    account={"metadata": {}},
    account_may=True,
    operations=[PUBLISHED],
)


def test_a_good_installation_has_no_other_finding() -> None:
    found = check(GOOD)
    assert {one.level for one in found} == {Level.OK}
    assert not any(one.fix for one in found)
    texts = " | ".join(one.text for one in found)
    for text in (
        "v1.34.4",
        "operator-1 leads",
        "3.7, and ready",
        "1 in namespace team",
        "published",
    ):
        assert text in texts


@pytest.mark.parametrize(
    ("changes", "level", "subject", "text", "fix"),
    [
        ({"version": "v1.29.3"}, "failed", "Kubernetes", "v1.29.3", "upgrade to 1.30"),
        (
            {"local_time": NOW + timedelta(seconds=90)},
            "warning",
            "clocks",
            "this machine's clock is 90 s ahead of the API server's",
            "NTP",
        ),
        ({"local_time": NOW - timedelta(days=1)}, "warning", "clocks", "86400 s behind", "NTP"),
        ({"lease": lease(age=-30)}, "warning", "clocks", "operator's clock is 30 s ahead", "NTP"),
        ({"crd": None}, "failed", "CRD", "is not installed", "kubectl apply"),
        ({"crd": DENIED}, "unknown", "CRD", "forbidden", ""),
        ({"crd": older_crd()}, "warning", "CRD", "spec.suspend", "kubectl apply"),
        ({"crd": another_crd()}, "failed", "CRD", "v1alpha1 is not served", "kubectl apply"),
        ({"operators": []}, "failed", "operator", "there is no Deployment", "helm install"),
        ({"operators": [], "are_all": False}, "unknown", "operator", "team has none", ""),
        ({"operators": DENIED}, "unknown", "operator", "forbidden", ""),
        (
            {"operators": [operator(WATCH_NAMESPACES="a,b")]},
            "failed",
            "operator",
            "ops/operator does not serve namespace team",
            "add team to watch.namespaces",
        ),
        (
            {"operators": [operator(), operator("two", WATCH_NAMESPACES="*")]},
            "warning",
            "operator",
            "ops/operator and ops/two both serve",
            "uninstall one",
        ),
        (
            {"operators": [operator(ready=0)]},
            "failed",
            "operator",
            "no pod of ops/operator is ready",
            "kubectl logs deployment/operator --namespace ops",
        ),
        ({"lease": None}, "failed", "leader", "no replica leads", "log"),
        ({"lease": lease("")}, "failed", "leader", "no replica leads", "log"),
        ({"lease": lease(age=40)}, "failed", "leader", "last renewed 40 s ago", "log"),
        ({"lease": DENIED}, "unknown", "leader", "forbidden", ""),
        ({"operators": [operator(LEASE_NAME="")]}, "ok", "leader", "each replica acts", ""),
        ({"argo_crd": None}, "failed", "Argo", "CRD of Workflow is not", "install Argo"),
        ({"argo_crd": DENIED}, "unknown", "Argo", "forbidden", ""),
        ({"controllers": DENIED}, "unknown", "Argo", "forbidden", ""),
        ({"controllers": []}, "warning", "Argo", "workflow-controller", "unless it runs elsewhere"),
        ({"controllers": [], "are_all": False}, "unknown", "Argo", "may not list", ""),
        ({"controllers": [argo(":v3.7.14", ready=0)]}, "failed", "Argo", "no pod of", "describe"),
        ({"controllers": [argo(":v3.5.1")]}, "warning", "Argo", "3.5", "one of these"),
        ({"controllers": [argo("@sha256:37ab")]}, "unknown", "Argo", "its release is not in", ""),
        ({"controllers": [argo(":v4.0.5@sha256:37ab")]}, "ok", "Argo", "is 4.0, and ready", ""),
        (
            {"operators": [operator(ARGO_VERSION="3.6")]},
            "failed",
            "Argo",
            "is 3.7, but the operator's argo.version is 3.6",
            "--set-string argo.version=3.7",
        ),
        ({"account": None}, "failed", "account of tasks", "team/tasks does not exist", "chart"),
        ({"account": DENIED}, "unknown", "account of tasks", "forbidden", ""),
        ({"account_may": False}, "failed", "account of tasks", "tasks may not create", "chart"),
        ({"account_may": DENIED}, "unknown", "account of tasks", "forbidden", ""),
        (
            {"operations": [an_operation("new", age=60)]},
            "failed",
            "operations",
            "not observed by an operator: new",
            "the operator",
        ),
        ({"operations": [an_operation("new", age=9)]}, "ok", "operations", "1 in namespace", ""),
        ({"operations": DENIED}, "unknown", "operations", "forbidden", ""),
        ({"operations": [PUBLISHED] * MOST}, "ok", "operations", "the first 500 in", ""),
        ({"lease": lease(age=11)}, "failed", "leader", "last renewed 11 s ago", "log"),
        ({"lease": lease(age=9)}, "ok", "leader", "operator-1 leads", ""),
        ({"operations": []}, "unknown", "Kafka", "no operation has published", ""),
        (
            {
                "operations": [
                    PUBLISHED,
                    an_operation("late", age=3, notified=("False", "BrokerUnavailable")),
                ]
            },
            "failed",
            "Kafka",
            "late is not published: BrokerUnavailable: no broker",
            "exit-event.md",
        ),
        (
            {
                "operations": [
                    PUBLISHED,
                    an_operation("old", age=300, notified=("False", "BrokerUnavailable")),
                ]
            },
            "ok",
            "Kafka",
            "the exit event of published was acknowledged",
            "",
        ),
        (
            {"operators": [operator(KAFKA_BOOTSTRAP_SERVERS="")]},
            "ok",
            "Kafka",
            "none is configured",
            "",
        ),
    ],
)
def test_what_is_wrong_is_found_with_its_fix(
    changes: dict[str, Any], level: str, subject: str, text: str, fix: str
) -> None:
    found = check(replace(GOOD, **changes))
    (one,) = [
        one for one in found if (one.level, one.subject) == (level, subject) and text in one.text
    ]
    assert fix in one.fix
    assert bool(one.fix) == bool(fix)
