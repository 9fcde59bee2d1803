"""The chart's dashboard for Grafana: files/dashboard.json, made from a table of panels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_METRIC: Final = "cloudharness_operation_"
_WHERE: Final = 'namespace=~"$namespace"'
_POD: Final = f'{_WHERE},pod=~".*cloudharness-operator.*"'
_SUCCEEDED: Final = 'phase="Succeeded"'
_RATE: Final = "$__rate_interval"
_COLUMNS: Final = 24
"""The width of a dashboard in Grafana's units (Grafana, dashboard JSON model, `gridPos`)."""


class Query(NamedTuple):
    """An expression, with the legend of its series."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """A figure or a graph."""

    title: str
    unit: str
    """A unit of Grafana's (`@grafana/data`, `getValueFormats`)."""
    queries: tuple[Query, ...]
    what: str = ""
    stacked: bool = False


def _metric(name: str, labels: str = "") -> str:
    """Return a selector of one of the operator's metrics."""
    return f"{_METRIC}{name}{{{','.join(one for one in (_WHERE, labels) if one)}}}"


def _rate(name: str, by: str = "", labels: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({_metric(name, labels)}[{_RATE}]))"


def _or_zero(expr: str) -> str:
    """Return a sum whose series begin with the first count, which may be never."""
    return f"{expr} or vector(0)"


def _quantiles(name: str, by: str = "") -> tuple[Query, ...]:
    legend = "".join(f" {{{{{label.strip()}}}}}" for label in by.split(",") if by)
    grouped = f"le, {by}" if by else "le"
    return tuple(
        Query(
            f"histogram_quantile({part}, {_rate(f'{name}_bucket', grouped)})",
            f"p{part * 100:.0f}{legend}",
        )
        for part in (0.5, 0.99)
    )


def _max(name: str, by: str = "", labels: str = "") -> str:
    """Return the highest figure of the replicas, each of which knows all operations."""
    return f"max{f' by ({by})' if by else ''} ({_metric(name, labels)})"


FIGURES: Final = (
    Panel("Pending", "short", (Query(_max("operations", labels='phase="Pending"')),)),
    Panel("Running", "short", (Query(_max("operations", labels='phase="Running"')),)),
    Panel(
        "Ended in the last hour", "short", (Query(f"sum(increase({_metric('ended_total')}[1h]))"),)
    ),
    Panel(
        "Succeeded in the last hour",
        "percentunit",
        (
            Query(
                f"sum(increase({_metric('ended_total', _SUCCEEDED)}[1h]))"
                f" / sum(increase({_metric('ended_total')}[1h]))"
            ),
        ),
        "Share of the operations that ended.",
    ),
    Panel("Exit events pending", "short", (Query(_max("events_pending")),)),
    Panel("Leaders", "short", (Query(f"sum({_metric('leading')})"),), "1, if one replica leads."),
)

GROUPS: Final[dict[str, tuple[Panel, ...]]] = {
    "Operations": (
        Panel(
            "Operations by phase",
            "short",
            (Query(_max("operations", "phase"), "{{phase}}"),),
            stacked=True,
        ),
        Panel(
            "Ended, by phase and reason",
            "ops",
            (Query(f"{_rate('ended_total', 'phase, reason')} > 0", "{{phase}}, {{reason}}"),),
            stacked=True,
        ),
        Panel(
            "Child Workflows",
            "short",
            (
                Query(_max("workflows"), "exist"),
                Query(_max("workflows_not_started"), "not started by Argo for 60 s"),
            ),
        ),
        Panel("Duration of runs", "s", _quantiles("run_duration_seconds")),
        Panel(
            "Creation to Workflow",
            "s",
            _quantiles("start_delay_seconds"),
            "From the creation of an operation until its Workflow exists.",
        ),
        Panel(
            "End to status",
            "s",
            _quantiles("record_delay_seconds"),
            "From the end of a run until the status has it. Argo writes the end to the second.",
        ),
    ),
    "Exit events": (
        Panel(
            "End to acknowledgement",
            "s",
            _quantiles("acknowledge_delay_seconds"),
            "From the end of a run until the broker has acknowledged its exit event.",
        ),
        Panel(
            "Published and failed",
            "ops",
            (
                Query(_rate("events_sent_total"), "acknowledged"),
                Query(
                    _or_zero(f"{_rate('events_failed_total', 'reason')} > 0"), "failed {{reason}}"
                ),
                Query(_rate("events_given_up_total"), "given up"),
            ),
        ),
        Panel("Pending", "short", (Query(_max("events_pending"), "pending"),)),
        Panel("Oldest pending", "s", (Query(_max("events_oldest_pending_seconds"), "age"),)),
    ),
    "Reconciliation": (
        Panel("Queue", "short", (Query(_max("queue_depth"), "operations"),)),
        Panel("Oldest in the queue", "s", (Query(_max("queue_oldest_seconds"), "age"),)),
        Panel("Wait in the queue", "s", _quantiles("queue_wait_seconds")),
        Panel("Time to reconcile", "s", _quantiles("reconcile_duration_seconds")),
        Panel(
            "Failed and abandoned",
            "ops",
            (
                Query(_or_zero(_rate("reconcile_errors_total", "cause")), "failed {{cause}}"),
                Query(_rate("reconcile_abandoned_total"), "abandoned"),
            ),
        ),
        Panel(
            "Skipped objects",
            "ops",
            (
                Query(
                    _or_zero(_rate("skipped_objects_total", "kind, error")),
                    "skipped {{kind}} {{error}}",
                ),
            ),
            "Objects that the operator cannot read.",
        ),
    ),
    "API server": (
        Panel(
            "Requests, by verb and resource",
            "reqps",
            (Query(_rate("api_requests_total", "verb, resource"), "{{verb}} {{resource}}"),),
            stacked=True,
        ),
        Panel(
            "Requests, by code",
            "reqps",
            (Query(_rate("api_requests_total", "code"), "{{code}}"),),
            "Code 0: no response.",
            stacked=True,
        ),
        Panel(
            "Time of requests",
            "s",
            _quantiles("api_request_duration_seconds", "verb")[1:],
            "Until the API server begins its response.",
        ),
        Panel(
            "Silence of watches",
            "s",
            (Query(_max("watch_idle_seconds", "kind"), "{{kind}}"),),
            "The API server sends a bookmark each minute.",
        ),
        Panel(
            "Namespaces",
            "short",
            (
                Query(f"count({_metric('namespace_served')} == 1) or vector(0)", "served"),
                Query(f"count({_metric('namespace_served')} == 0) or vector(0)", "not served"),
            ),
            "Counted in each replica.",
        ),
        Panel(
            "Kubernetes Events not created",
            "ops",
            (
                Query(
                    _or_zero(_rate("kubernetes_events_dropped_total", "reason")),
                    "dropped {{reason}}",
                ),
            ),
        ),
    ),
    "Deletion at the TTL": (
        Panel("Deletions", "ops", (Query(_rate("deletions_total", "kind"), "{{kind}}"),)),
        Panel("Deletions due", "short", (Query(_max("deletions_due"), "operations"),)),
    ),
    "Process": (
        Panel("Leader", "short", (Query(_metric("leading"), "{{pod}}"),)),
        Panel(
            "Changes of the leader",
            "short",
            (Query(f"sum(increase({_metric('leader_changes_total')}[{_RATE}]))", "changes"),),
        ),
        Panel(
            "Processor time",
            "percentunit",
            (Query(f"rate(process_cpu_seconds_total{{{_POD}}}[{_RATE}])", "{{pod}}"),),
            "Share of one processor.",
        ),
        Panel("Memory", "bytes", (Query(f"process_resident_memory_bytes{{{_POD}}}", "{{pod}}"),)),
        Panel(
            "Lag of the event loop",
            "s",
            _quantiles("event_loop_lag_seconds"),
            "Above 0.1 s, the operator has too little processor time.",
        ),
        Panel(
            "Garbage collections",
            "ops",
            (
                Query(
                    f"sum by (generation) (rate(python_gc_collections_total{{{_POD}}}[{_RATE}]))",
                    "generation {{generation}}",
                ),
            ),
        ),
    ),
}


def text() -> str:
    """Return the dashboard as Grafana imports it."""
    dashboard = {
        "uid": "cloudharness-operator",
        "title": "CloudHarness operator",
        "tags": ["cloudharness"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_datasource(), _namespaces()]},
        "panels": list(_laid_out()),
    }
    return json.dumps(dashboard, indent=1) + "\n"


def panels() -> list[Panel]:
    """Return all figures and graphs."""
    return [*FIGURES, *(panel for group in GROUPS.values() for panel in group)]


def sent(query: Query, namespace: str, interval: str) -> str:
    """Return an expression as Grafana sends it to Prometheus, with the values of its variables."""
    return query.expr.replace("$namespace", namespace).replace(_RATE, interval)


def _laid_out() -> Iterator[dict[str, Any]]:
    number, wide = 1, _COLUMNS // len(FIGURES)
    for at, figure in enumerate(FIGURES):
        place = {"x": at * wide, "y": 0, "w": wide, "h": 4}
        yield _panel(figure, number, "stat", place)
        number += 1
    y = 4
    for title, panels in GROUPS.items():
        place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": title, "gridPos": place, "panels": []}
        number += 1
        y += 1
        wide, high = _COLUMNS // (2 if len(panels) in (2, 4) else 3), 7
        for at, panel in enumerate(panels):
            column, row = at * wide % _COLUMNS, at * wide // _COLUMNS
            place = {"x": column, "y": y + row * high, "w": wide, "h": high}
            yield _panel(panel, number, "timeseries", place)
            number += 1
        y += -(-len(panels) * wide // _COLUMNS) * high


def _panel(panel: Panel, number: int, kind: str, place: dict[str, int]) -> dict[str, Any]:
    stacking = {"mode": "normal"} if panel.stacked else {"mode": "none"}
    custom = {"stacking": stacking, "fillOpacity": 30 if panel.stacked else 0, "lineWidth": 1}
    return {
        "id": number,
        "type": kind,
        "title": panel.title,
        "description": panel.what,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": one.expr, "legendFormat": one.legend}
            for at, one in enumerate(panel.queries)
        ],
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }


def _namespaces() -> dict[str, Any]:
    query = f"label_values({_METRIC}leading, namespace)"
    return {
        "name": "namespace",
        "label": "Namespace of the operator",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": query, "refId": "namespace"},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
