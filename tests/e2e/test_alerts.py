"""Each alert of the chart fires for its own fault and then ends, judged by a real Prometheus.

`for`, thresholds and windows are shorter than the chart's; the expressions are the chart's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.cluster import Cluster
from tests.faults.alerts import FAULTS, INSTALLATION_FAULTS, RIG_FAULTS, alerts
from tests.faults.rig import rig
from tests.support import prometheus
from tests.support.chart import Manifest, by_name, manifests
from tests.support.installation import DEPLOYMENT, Installation, eventually
from tests.support.prometheus import Prometheus

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PATIENCE = 300.0


def rules(cluster: Cluster, namespace: str, values: Mapping[str, object]) -> Manifest:
    """Return the rules that the chart makes, as Prometheus reads them."""
    setting = {"metrics.prometheusRule": {"enabled": True, "alerts": values}}
    made = by_name(manifests(cluster, setting, namespace=namespace))
    found: Manifest = made["PrometheusRule", DEPLOYMENT]["spec"]
    return found


def fires_and_ends(
    one: Prometheus, alert: str, begin: Callable[[], object], end: Callable[[], object]
) -> None:
    """Let a fault begin, wait for its alert, end the fault, and wait for the alert to end."""
    eventually(lambda: one.scrapes() and alert not in one.firing(), PATIENCE)
    begun = time.monotonic()
    try:
        begin()
        eventually(lambda: alert in one.firing(), PATIENCE)
        fired = time.monotonic()
    finally:
        end()
    eventually(lambda: alert not in one.firing(), PATIENCE)
    print(
        f"{alert}: fired after {fired - begun:.0f} s, ended after {time.monotonic() - fired:.0f} s"
    )


@pytest.mark.parametrize("alert", INSTALLATION_FAULTS)
def test_an_alert_fires_and_ends(vacant: Installation, tmp_path: Path, alert: str) -> None:
    fault = INSTALLATION_FAULTS[alert]
    # Of two settings for one value, helm takes the last.
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}", *fault.settings)
    values = rules(vacant.cluster, vacant.namespace, {alert: fault.values})
    with prometheus.beside(vacant, values, tmp_path) as one:
        fires_and_ends(one, alert, lambda: fault.begin(vacant), lambda: fault.end(vacant))


@pytest.mark.parametrize("alert", RIG_FAULTS)
def test_an_alert_fires_and_ends_behind_a_proxy(
    cluster: Cluster, tmp_path: Path, alert: str
) -> None:
    fault = RIG_FAULTS[alert]
    namespace = f"e2e-{alert.lower()}"
    values = rules(cluster, namespace, {alert: fault.values})
    with (
        rig(cluster, namespace, tmp_path) as found,
        prometheus.beside(found.one, values, tmp_path, found.operator.port) as one,
    ):
        try:
            fires_and_ends(one, alert, lambda: fault.begin(found), lambda: fault.end(found))
        except BaseException:
            print(found.operator.log())
            raise


def test_each_alert_has_a_fault() -> None:
    assert set(FAULTS) == set(alerts())


@pytest.fixture(scope="module")
def rules_at(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the rules of the chart, with its own values, in `rules.yaml`."""
    place = tmp_path_factory.mktemp("rules")
    (place / "rules.yaml").write_text(yaml.safe_dump(rules(cluster, "ops", {})))
    return place


def test_prometheus_accepts_the_rules_of_the_chart(rules_at: Path) -> None:
    answer = prometheus.promtool("check", "rules", "--lint-fatal", "rules.yaml", at=rules_at)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{len(alerts())} rules found" in answer.stdout


class Case(NamedTuple):
    """Whether an alert fires at a minute, with the values of some series in each minute."""

    alert: str
    series: Mapping[str, str]
    minute: int
    fires: bool


def _case(alert: str, minute: int, fires: str, **series: str) -> Case:
    return Case(f"CloudHarness{alert}", series, minute, fires == "fires")


def delays(at_most_30: str, at_most_60: str) -> dict[str, str]:
    """The series of a histogram."""
    bounds = {"30.0": at_most_30, "60.0": at_most_60, "+Inf": at_most_60}
    return {f'start_delay_seconds_bucket{{le="{at}"}}': values for at, values in bounds.items()}


def requests(**by_code: str) -> dict[str, str]:
    """Requests by code: `c500` is 500."""
    labels = 'verb="create",resource="workflows"'
    return {
        f'api_requests_total{{{labels},code="{code[1:]}"}}': values
        for code, values in by_code.items()
    }


def ended(reason: str, values: str) -> dict[str, str]:
    return {f'ended_total{{phase="Error",reason="{reason}"}}': values}


CASES = [
    _case("OperatorAbsent", 4, "is quiet"),
    _case("OperatorAbsent", 6, "fires"),
    _case("OperatorAbsent", 6, "is quiet", leading="1x10"),
    _case(
        "OperatorWithoutLeader",
        2,
        "fires",
        **{'leading{pod="a"}': "0x5", 'leading{pod="b"}': "0x5"},
    ),
    _case(
        "OperatorWithoutLeader",
        2,
        "is quiet",
        **{'leading{pod="a"}': "0x5", 'leading{pod="b"}': "1x5"},
    ),
    _case("OperatorWithoutLeader", 2, "is quiet", **{'leading{namespace="other"}': "0x5"}),
    _case(
        "NamespaceNotServed",
        6,
        "fires",
        **{'namespace_served{watched="a"}': "0x9", 'namespace_served{watched="b"}': "1x9"},
    ),
    _case("NamespaceNotServed", 6, "is quiet", **{'namespace_served{watched="a"}': "0x3 1x6"}),
    _case("WatchSilent", 2, "fires", **{'watch_idle_seconds{kind="Workflow"}': "181x5"}),
    _case("WatchSilent", 2, "is quiet", **{'watch_idle_seconds{kind="Workflow"}': "179x5"}),
    _case("WorkflowsNotStarted", 6, "fires", workflows_not_started="1x9"),
    _case("WorkflowsNotStarted", 6, "is quiet", workflows_not_started="1x3 0x6"),
    _case("QueueOld", 3, "fires", queue_oldest_seconds="31x5"),
    _case("QueueOld", 3, "is quiet", queue_oldest_seconds="29x5"),
    _case("StartDelayed", 10, "fires", **delays("0x15", "0+1x15")),
    _case("StartDelayed", 10, "is quiet", **delays("0+1x15", "0+1x15")),
    _case("APIRequestsFailing", 8, "fires", **requests(c200="0+90x9", c500="0+10x9")),
    _case("APIRequestsFailing", 8, "fires", **requests(c200="0+90x9", c0="0+10x9")),
    _case("APIRequestsFailing", 8, "is quiet", **requests(c200="0+99x9", c503="0+1x9")),
    _case("APIRequestsFailing", 8, "is quiet", **requests(c200="0+50x9", c409="0+50x9")),
    _case("RequestsForbidden", 6, "fires", **requests(c403="_x5 1x40")),
    _case("RequestsForbidden", 30, "is quiet", **requests(c403="_x5 1x40")),
    _case("RequestsForbidden", 30, "fires", **requests(c403="_x5 1x20 2x40")),
    _case("SubmissionFailed", 6, "fires", **ended("SubmissionFailed", "0x5 1x40")),
    _case("SubmissionFailed", 30, "is quiet", **ended("SubmissionFailed", "0x5 1x40")),
    _case("SubmissionFailed", 6, "is quiet", **ended("TaskFailed", "0x5 1x40")),
    _case("InternalError", 6, "fires", **ended("InternalError", "0x5 1x40")),
    _case("InternalError", 30, "is quiet", **ended("InternalError", "0x5 1x40")),
    _case("ReconcileAbandoned", 60, "fires", reconcile_abandoned_total="0x5 1x80"),
    _case("ReconcileAbandoned", 70, "is quiet", reconcile_abandoned_total="0x5 1x80"),
    _case(
        "ObjectsSkipped",
        60,
        "fires",
        **{'skipped_objects_total{kind="Workflow",error="E"}': "_x5 1x80"},
    ),
    _case(
        "ObjectsSkipped",
        70,
        "is quiet",
        **{'skipped_objects_total{kind="Workflow",error="E"}': "_x5 1x80"},
    ),
    _case("ExitEventsPending", 1, "fires", events_oldest_pending_seconds="301x5"),
    _case("ExitEventsPending", 1, "is quiet", events_oldest_pending_seconds="299x5"),
    _case(
        "ExitEventsGivenUp",
        60,
        "fires",
        **{'events_given_up_total{reason="TLSFailed"}': "0x5 1x80"},
    ),
    _case(
        "ExitEventsGivenUp",
        70,
        "is quiet",
        **{'events_given_up_total{reason="TLSFailed"}': "0x5 1x80"},
    ),
    _case("DeletionsLate", 17, "fires", deletions_due="5x5 0 5x20"),
    _case("DeletionsLate", 11, "is quiet", deletions_due="5x5 0 5x20"),
]


def as_rule_test(case: Case) -> Manifest:
    """Return a test in the format of promtool."""
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    expected = [{"labels": "{}", "value": 1}] if case.fires else []
    return {
        "interval": "1m",
        "input_series": [
            {"series": _full(name), "values": values} for name, values in case.series.items()
        ],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{case.minute}m", "exp_samples": expected}
        ],
    }


def _full(series: str) -> str:
    name, _, labels = series.rstrip("}").partition("{")
    namespace = "" if "namespace=" in labels else 'namespace="ops"'
    both = ",".join(one for one in (namespace, labels) if one)
    return f"cloudharness_operation_{name}{{{both}}}"


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_fires_at_its_threshold(rules_at: Path, tmp_path: Path, alert: str) -> None:
    cases = [case for case in CASES if case.alert == alert]
    assert {case.fires for case in cases} == {True, False}
    settings = {
        "rule_files": [str(rules_at / "rules.yaml")],
        "evaluation_interval": "1m",
        "tests": [as_rule_test(case) for case in cases],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(settings))
    answer = prometheus.promtool("test", "rules", "tests.yaml", at=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
