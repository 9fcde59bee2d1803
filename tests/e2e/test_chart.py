"""What the chart becomes with other values than its own, by the helm of the cluster."""

import json
from collections.abc import Mapping

import pytest

from tests.cluster import Cluster, ClusterError
from tests.support.chart import Manifest, by_name, manifests, rendered
from tests.support.installation import CHART, DEPLOYMENT

pytestmark = pytest.mark.e2e

UNINSTALL = f"{DEPLOYMENT}-uninstall"
DIGEST = f"sha256:{'0a' * 32}"
ON = {"networkPolicy.enabled": True}
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
METRICS = [{"protocol": "TCP", "port": 8080}]
PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}

MONITORING = {"Service", "PodMonitor", "PrometheusRule", "ConfigMap"}


def tcp(*ports: int) -> Manifest:
    return {"ports": [{"protocol": "TCP", "port": port} for port in ports]}


@pytest.mark.parametrize(
    ("values", "ingress", "egress"),
    [
        pytest.param({}, [{"ports": METRICS}], [DNS, tcp(443, 6443)], id="no Kafka"),
        pytest.param(
            {"kafka.bootstrapServers": "a:9092,b.c:9094, [fd00::1]:7,a:9094,host"},
            [{"ports": METRICS}],
            [DNS, tcp(443, 6443), tcp(9092, 9094, 7)],
            id="the ports of the bootstrap servers",
        ),
        pytest.param(
            {"kafka.bootstrapServers": "a:9092", "networkPolicy.kafkaPorts": [9093]},
            [{"ports": METRICS}],
            [DNS, tcp(443, 6443), tcp(9093)],
            id="the ports that brokers advertise",
        ),
        pytest.param(
            {"networkPolicy.apiServerPorts": [16443]},
            [{"ports": METRICS}],
            [DNS, tcp(16443)],
            id="another port of the API server",
        ),
        pytest.param(
            {"networkPolicy.metricsFrom": [PEER], "networkPolicy.egress": [tcp(8443)]},
            [{"ports": METRICS, "from": [PEER]}],
            [DNS, tcp(443, 6443), tcp(8443)],
            id="peers that read the metrics, and another rule",
        ),
    ],
)
def test_the_network_policy_of_the_operator(
    cluster: Cluster, values: Mapping[str, object], ingress: object, egress: object
) -> None:
    found = rendered(cluster, {**ON, **values})
    spec = found["NetworkPolicy", DEPLOYMENT]["spec"]
    pods = found["Deployment", DEPLOYMENT]["spec"]["template"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert (spec["ingress"], spec["egress"]) == (ingress, egress)
    assert spec["podSelector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
    (port,) = pods["spec"]["containers"][0]["ports"]
    assert port["containerPort"] == METRICS[0]["port"]


def test_the_network_policy_of_the_uninstall_job(cluster: Cluster) -> None:
    found = rendered(cluster, {**ON, "kafka.bootstrapServers": "a:9092"})
    policy, job = found["NetworkPolicy", UNINSTALL], found["Job", UNINSTALL]
    assert policy["spec"]["ingress"] == []
    assert policy["spec"]["egress"] == [tcp(443, 6443)]
    pods = job["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"] == pods
    hooks = [one["metadata"]["annotations"] for one in (policy, job)]
    assert [hook["helm.sh/hook"] for hook in hooks] == ["post-delete"] * 2
    # Helm creates hooks in the order of their weights; the Job has the default, 0.
    assert [hook.get("helm.sh/hook-weight", "0") for hook in hooks] == ["-1", "0"]


@pytest.mark.parametrize(
    "values", [{}, {**ON, "uninstall.releaseWorkflows": False}], ids=["off", "no uninstall Job"]
)
def test_there_is_no_more_policy_than_asked_for(
    cluster: Cluster, values: Mapping[str, object]
) -> None:
    names = [name for kind, name in rendered(cluster, values) if kind == "NetworkPolicy"]
    assert names == [DEPLOYMENT] * bool(values)


@pytest.mark.parametrize(
    ("values", "image"),
    [
        pytest.param({}, "cloudharness/operator:0.1.0", id="the chart's"),
        pytest.param({"image.tag": "1.2"}, "cloudharness/operator:1.2", id="a tag"),
        pytest.param({"image.digest": DIGEST}, f"cloudharness/operator@{DIGEST}", id="a digest"),
        pytest.param(
            {"image.digest": DIGEST, "image.tag": "1.2", "image.repository": "r.example/o"},
            f"r.example/o@{DIGEST}",
            id="a digest and a tag",
        ),
    ],
)
def test_the_image(cluster: Cluster, values: Mapping[str, object], image: str) -> None:
    found = rendered(cluster, values)
    for kind, name in (("Deployment", DEPLOYMENT), ("Job", UNINSTALL)):
        (container,) = found[kind, name]["spec"]["template"]["spec"]["containers"]
        assert container["image"] == image


def test_only_pods_that_use_a_token_have_one(cluster: Cluster) -> None:
    found = rendered(cluster, {})
    mounted = "automountServiceAccountToken"
    for kind, name in (("Deployment", DEPLOYMENT), ("Job", UNINSTALL)):
        assert found[kind, name]["spec"]["template"]["spec"][mounted] is True
        assert found["ServiceAccount", name][mounted] is False
    # Argo has no field that turns it on in a pod.
    assert found["ServiceAccount", "cloudharness-task"][mounted] is True


@pytest.mark.parametrize(("replicas", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize("elected", [True, False], ids=["a leader", "all act"])
def test_several_replicas_have_a_disruption_budget(
    cluster: Cluster, replicas: int, expected: int, elected: bool
) -> None:
    values = {"replicas": replicas, "leaderElection.enabled": elected}
    found = rendered(cluster, values)
    budgets = [one["spec"] for (kind, _), one in found.items() if kind == "PodDisruptionBudget"]
    assert len(budgets) == expected
    for budget in budgets:
        assert budget["maxUnavailable"] == 1
        selector = found["Deployment", DEPLOYMENT]["spec"]["selector"]
        assert budget["selector"] == selector


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image.digest", "0a"),
        ("image.digest", f"md5:{'0a' * 32}"),
        ("tasks.podSecurity", "baseline"),
        ("networkPolicy.enabled", "yes"),
        ("networkPolicy.kafkaPorts", [0]),
        ("networkPolicy.kafkaPorts", ["kafka"]),
        ("networkPolicy.apiServerPorts", []),
        ("networkPolicy.apiServerPorts", [65536]),
        ("networkPolicy.metricsFrom", "monitoring"),
        ("networkPolicy.ports", [1]),
        ("metrics.podMonitor.interval", "soon"),
        ("metrics.podMonitor.labels", {"release": 1}),
        ("metrics.enabled", True),
        ("metrics.prometheusRule.runbookUrl", "https://docs.example.org/runbooks"),
        ("metrics.prometheusRule.alerts", {"CloudHarnessQueueOldd": {}}),
        ("metrics.prometheusRule.alerts", {"CloudHarnessQueueOld": {"for": "soon"}}),
        ("metrics.prometheusRule.alerts", {"CloudHarnessQueueOld": {"window": "1m"}}),
        ("metrics.prometheusRule.alerts", {"CloudHarnessOperatorAbsent": {"threshold": 1}}),
        ("metrics.dashboard.labels", "grafana"),
        ("argo.instanceId", "not a label"),
    ],
)
def test_a_wrong_value_is_refused(cluster: Cluster, key: str, value: object) -> None:
    with pytest.raises(ClusterError, match=key.partition(".")[0]):
        rendered(cluster, {key: value})


def test_services_of_a_cloudharness_deployment_may_run_operations(cluster: Cluster) -> None:
    values = ("-f", str(CHART / "values-cloudharness.yaml"))
    found = by_name(manifests(cluster, {}, *values, namespace="ch"))
    binding = found["RoleBinding", f"{DEPLOYMENT}-users"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "default", "namespace": "ch"}]
    assert binding["roleRef"]["name"] == f"{DEPLOYMENT}-users"
    allowed = {rule["resources"][0]: rule for rule in found["Role", f"{DEPLOYMENT}-users"]["rules"]}
    assert allowed["configmaps"]["resourceNames"] == ["cloudharness-allvalues"]
    assert "create" in allowed["cloudharnessoperations"]["verbs"]
    (container,) = found["Deployment", DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert "bootstrap:9092" in json.dumps(container["env"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"users.serviceAccounts": ["a", "b"]}, [("ops", "a"), ("ops", "b")]),
        (
            {"users.serviceAccounts": ["a"], "watch.namespaces": ["x", "y"]},
            [("x", "a"), ("y", "a")],
        ),
        ({"users.serviceAccounts": ["a"], "watch.allNamespaces": True}, []),
    ],
)
def test_which_service_accounts_may_run_operations(
    cluster: Cluster, values: Mapping[str, object], expected: list[tuple[str, str]]
) -> None:
    # Of each served namespace there is one, and all have the same name.
    made = manifests(cluster, values)
    bindings = [one for one in made if one["kind"] == "RoleBinding"]
    users = [one for one in bindings if one["metadata"]["name"] == f"{DEPLOYMENT}-users"]
    assert [(s["namespace"], s["name"]) for one in users for s in one["subjects"]] == expected


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        pytest.param({}, set(), id="off"),
        pytest.param({"metrics.service.enabled": True}, {"Service"}, id="a Service"),
        pytest.param({"metrics.podMonitor.enabled": True}, {"PodMonitor"}, id="a PodMonitor"),
        pytest.param({"metrics.prometheusRule.enabled": True}, {"PrometheusRule"}, id="alerts"),
        pytest.param({"metrics.dashboard.enabled": True}, {"ConfigMap"}, id="a dashboard"),
        pytest.param(
            {
                f"metrics.{part}.enabled": True
                for part in ("service", "podMonitor", "prometheusRule", "dashboard")
            },
            MONITORING,
            id="all",
        ),
    ],
)
def test_monitoring_is_installed_as_asked_for(
    cluster: Cluster, values: Mapping[str, object], kinds: set[str]
) -> None:
    assert {kind for kind, _ in rendered(cluster, values)} & MONITORING == kinds


@pytest.mark.parametrize("part", ["service", "podMonitor"])
def test_what_prometheus_discovers(cluster: Cluster, part: str) -> None:
    found = rendered(cluster, {f"metrics.{part}.enabled": True})
    pods = found["Deployment", DEPLOYMENT]["spec"]["template"]
    (port,) = pods["spec"]["containers"][0]["ports"]
    (spec,) = [one["spec"] for (kind, _), one in found.items() if kind in ("Service", "PodMonitor")]
    selector = spec["selector"].get("matchLabels", spec["selector"])
    assert selector.items() <= pods["metadata"]["labels"].items()
    ports = spec.get("ports") or spec["podMetricsEndpoints"]
    assert [one.get("targetPort", one.get("port")) for one in ports] == [port["name"]]


def test_a_pod_monitor_has_labels_by_which_a_prometheus_selects_it(cluster: Cluster) -> None:
    values = {"enabled": True, "labels": {"release": "prometheus"}, "interval": "1m"}
    monitor = rendered(cluster, {"metrics.podMonitor": values})["PodMonitor", DEPLOYMENT]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["podMetricsEndpoints"][0]["interval"] == "1m"


def rules(cluster: Cluster, **values: object) -> dict[str, Manifest]:
    """The alerts of the chart, by name."""
    rule = {"enabled": True, **values}
    found = rendered(cluster, {"metrics.prometheusRule": rule})["PrometheusRule", DEPLOYMENT]
    (group,) = found["spec"]["groups"]
    return {one["alert"]: one for one in group["rules"]}


def test_alerts_are_about_one_installation(cluster: Cluster) -> None:
    for name, rule in rules(cluster).items():
        assert 'namespace="ops"' in rule["expr"], name
        assert "$" not in rule["expr"]
        assert rule["annotations"].keys() == {"summary", "description"}
    selected = rules(cluster, selector='kubernetes_namespace="ops"')
    assert all('{kubernetes_namespace="ops"' in rule["expr"] for rule in selected.values())


def test_alerts_can_be_changed(cluster: Cluster) -> None:
    given = {
        "CloudHarnessQueueOld": {"threshold": 0, "for": "1m", "severity": "page"},
        "CloudHarnessDeletionsLate": {"enabled": False},
        "CloudHarnessStartDelayed": {"enabled": True, "threshold": 0.5, "window": "1h"},
    }
    before, after = rules(cluster), rules(cluster, alerts=given)
    assert after.keys() == before.keys() - {"CloudHarnessDeletionsLate"}
    queue, start = after.pop("CloudHarnessQueueOld"), after.pop("CloudHarnessStartDelayed")
    assert (queue["for"], queue["labels"]) == ("1m", {"severity": "page"})
    assert queue["expr"].endswith("> 0")
    assert start["expr"].endswith("> 0.5")
    assert "[1h]" in start["expr"]
    assert "of the last 1h" in start["annotations"]["description"]
    assert all(before[name] == rule for name, rule in after.items())


def test_alerts_name_their_runbooks(cluster: Cluster) -> None:
    for name, rule in rules(cluster, runbookUrl="https://d.example/NAME.md").items():
        assert rule["annotations"]["runbook_url"] == f"https://d.example/{name}.md"


def test_the_dashboard_is_found_by_the_sidecar(cluster: Cluster) -> None:
    found = rendered(cluster, {"metrics.dashboard.enabled": True})
    config = found["ConfigMap", f"{DEPLOYMENT}-dashboard"]
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = config["data"].values()
    assert json.loads(text)["title"] == "CloudHarness operator"
