"""Environments, good and bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.policy import Policy, TemplatePatch
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.settings import Settings

ENV = {
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "TASK_IMAGE": "python:3.13",
    "WATCH_NAMESPACES": "lab",
}
LEAST = Settings(
    server="https://10.96.0.1:443",
    account=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
    namespaces=("lab",),
    defaults=Defaults(task_image="python:3.13", has_broker=False),
    kafka="",
    resync=600.0,
    workers=32,
    port=8080,
    log_level="INFO",
)
LEASE = {
    "LEASE_NAME": "lead",
    "POD_NAMESPACE": "ops",
    "POD_NAME": "operator-x",
    "POD_UID": "0c1d",
}
BROKER = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}


def at_home(**policy: Any) -> Defaults:
    """Return the least defaults of an operator in the namespace `ops`."""
    return replace(LEAST.defaults, policy=Policy(namespace="ops", **policy))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, LEAST, id="the least"),
        pytest.param(
            {"KUBERNETES_SERVICE_PORT": "6443"},
            replace(LEAST, server="https://10.96.0.1:6443"),
            id="another port",
        ),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "fd00::1"},
            replace(LEAST, server="https://[fd00::1]:443"),
            id="IPv6",
        ),
        pytest.param(
            {"WATCH_NAMESPACES": " lab, office ,lab,"},
            replace(LEAST, namespaces=("lab", "office")),
            id="several namespaces",
        ),
        pytest.param(
            {"WATCH_NAMESPACES": " * "}, replace(LEAST, namespaces=("",)), id="all namespaces"
        ),
        pytest.param(
            BROKER,
            replace(LEAST, kafka="kafka:9092", defaults=Defaults("python:3.13")),
            id="a broker",
        ),
        pytest.param(
            BROKER | {"EVENTS_TOPIC": " everything "},
            replace(
                LEAST, kafka="kafka:9092", defaults=Defaults("python:3.13", topic="everything")
            ),
            id="a topic for all",
        ),
        pytest.param(
            BROKER | {"ALLOWED_TOPICS": "exits, team-*"},
            replace(
                LEAST,
                kafka="kafka:9092",
                defaults=Defaults("python:3.13", topics=("exits", "team-*")),
            ),
            id="some topics",
        ),
        pytest.param(
            BROKER | {"KAFKA_SECRET_DIR": "/etc/secret"},
            replace(
                LEAST,
                kafka="kafka:9092",
                kafka_secret=Path("/etc/secret"),
                defaults=Defaults("python:3.13"),
            ),
            id="a broker with a secret",
        ),
        pytest.param(
            {"KAFKA_BOOTSTRAP_SERVERS": "  ", "EVENTS_TOPIC": ""}, LEAST, id="empty is not set"
        ),
        pytest.param(
            {"TASK_SERVICE_ACCOUNT": "tasks"},
            replace(
                LEAST,
                defaults=Defaults("python:3.13", service_account="tasks", has_broker=False),
            ),
            id="an account for tasks",
        ),
        pytest.param(
            {"SERVICE_ACCOUNT_DIR": "/account"},
            replace(LEAST, account=Path("/account")),
            id="another account of its own",
        ),
        pytest.param(
            {"RESYNC_SECONDS": "10", "WORKERS": "1", "HTTP_PORT": "9000", "LOG_LEVEL": "debug"},
            replace(LEAST, resync=10.0, workers=1, port=9000, log_level="DEBUG"),
            id="numbers",
        ),
        pytest.param(
            {"ARGO_INSTANCE_ID": "batch"},
            replace(
                LEAST, defaults=Defaults("python:3.13", has_broker=False, argo_instance="batch")
            ),
            id="one of several Argo controllers",
        ),
        pytest.param({"LOG_FORMAT": "json"}, replace(LEAST, log_format="json"), id="JSON"),
        pytest.param(
            {"PENDING_DEADLINE_SECONDS": "0", "ARGO_VERSION": "3.7"},
            replace(
                LEAST,
                defaults=Defaults("python:3.13", has_broker=False, argo="3.7", pending_deadline=0),
            ),
            id="a release of Argo",
        ),
        pytest.param(
            {"TASK_POD_SECURITY": "restricted"},
            replace(
                LEAST,
                defaults=Defaults("python:3.13", has_broker=False, pod_security="restricted"),
            ),
            id="a Pod Security Standard",
        ),
        pytest.param({"TASK_POD_SECURITY": ""}, LEAST, id="no Pod Security Standard"),
        pytest.param(
            {"DELETIONS_PER_SECOND": "0.5"}, replace(LEAST, deletions=0.5), id="few deletions"
        ),
        pytest.param(
            LEASE,
            replace(
                LEAST,
                lease="lead",
                namespace="ops",
                identity="operator-x_0c1d",
                defaults=at_home(),
            ),
            id="one of several that acts",
        ),
        pytest.param(LEASE | {"LEASE_NAME": " "}, replace(LEAST, defaults=at_home()), id="all act"),
        pytest.param(
            {
                "POD_NAMESPACE": "ops",
                "TEMPLATE_PATCH": "Denied",
                "ALLOWED_SERVICE_ACCOUNTS": "jobs-*, batch",
                "ALLOWED_IMAGES": "registry.example.org/*",
                "OWN_SERVICE_ACCOUNTS": "operator,operator-uninstall",
                "OWN_SECRETS": "kafka,",
            },
            replace(
                LEAST,
                defaults=at_home(
                    template_patch=TemplatePatch.DENIED,
                    accounts=("jobs-*", "batch"),
                    images=("registry.example.org/*",),
                    own_accounts=("operator", "operator-uninstall"),
                    own_secrets=("kafka",),
                ),
            ),
            id="what operations may name",
        ),
        pytest.param({"SOMETHING_ELSE": "x"}, LEAST, id="other variables"),
    ],
)
def test_settings(more: dict[str, str], expected: Settings) -> None:
    assert Settings.from_env(ENV | more) == expected


@pytest.mark.parametrize("missing", ENV)
@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_what_must_be_set(missing: str, empty: bool) -> None:
    env = ENV | {missing: " "} if empty else {k: v for k, v in ENV.items() if k != missing}
    with pytest.raises(InvalidSettings, match=f"^{missing} is not set: "):
        Settings.from_env(env)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            {"EVENTS_TOPIC": "everything"},
            "EVENTS_TOPIC needs KAFKA_BOOTSTRAP_SERVERS",
            id="a topic without a broker",
        ),
        pytest.param(LEASE | {"POD_UID": ""}, "POD_UID is not set: ", id="no one's Lease"),
        pytest.param(LEASE | {"POD_NAMESPACE": ""}, "POD_NAMESPACE is not set: ", id="nowhere"),
        pytest.param(
            {"KAFKA_SECRET_DIR": "/etc/secret"},
            "KAFKA_SECRET_DIR needs KAFKA_BOOTSTRAP_SERVERS",
            id="a secret without a broker",
        ),
        pytest.param({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD'", id="another level"),
        pytest.param(
            {"ARGO_INSTANCE_ID": "a b"}, "ARGO_INSTANCE_ID is 'a b': use the value", id="no label"
        ),
        pytest.param({"ARGO_INSTANCE_ID": "a" * 64}, "ARGO_INSTANCE_ID is 'aaaa", id="long label"),
        pytest.param({"LOG_FORMAT": "xml"}, "LOG_FORMAT is 'xml': use one of text, json", id="xml"),
        pytest.param(
            {"ARGO_VERSION": "2.9"},
            "ARGO_VERSION is '2.9': use one of 3.6, 3.7, 4.0, 4.1",
            id="no release of Argo",
        ),
        pytest.param(
            {"TASK_POD_SECURITY": "baseline"},
            "TASK_POD_SECURITY is 'baseline': use one of restricted",
            id="another Pod Security Standard",
        ),
        pytest.param({"RESYNC_SECONDS": "often"}, "RESYNC_SECONDS is 'often'", id="no number"),
        pytest.param({"RESYNC_SECONDS": "9"}, "RESYNC_SECONDS is '9'", id="too often"),
        pytest.param({"RESYNC_SECONDS": "nan"}, "RESYNC_SECONDS is 'nan'", id="not a number"),
        pytest.param({"RESYNC_SECONDS": "inf"}, "RESYNC_SECONDS is 'inf'", id="never"),
        pytest.param(
            {"DELETIONS_PER_SECOND": "0"}, "DELETIONS_PER_SECOND is '0'", id="no deletions"
        ),
        pytest.param({"WORKERS": "0"}, "WORKERS is '0'", id="no workers"),
        pytest.param({"WORKERS": "-3"}, "WORKERS is '-3'", id="less than none"),
        pytest.param({"HTTP_PORT": "http"}, "HTTP_PORT is 'http'", id="a named port"),
        pytest.param({"HTTP_PORT": "65536"}, "HTTP_PORT is '65536'", id="a port too high"),
        pytest.param({"WATCH_NAMESPACES": "*,lab"}, r"WATCH_NAMESPACES is '\*,lab'", id="* and"),
        pytest.param({"WATCH_NAMESPACES": ", ,"}, "WATCH_NAMESPACES is ", id="commas alone"),
    ],
)
def test_the_error_names_the_variable(more: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSettings, match=f"^{message}"):
        Settings.from_env(ENV | more)
