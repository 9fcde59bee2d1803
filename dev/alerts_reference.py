"""The page docs/runbooks/README.md: the chart's alerts."""

from __future__ import annotations

from tests.faults.alerts import FAULTS, Manifest, alerts

_HEAD = """# Alerts

`metrics.prometheusRule.enabled` creates a PrometheusRule with these alerts, each with the
annotations `summary` and `description`, and with `runbook_url` if
`metrics.prometheusRule.runbookUrl` is set. The values under `metrics.prometheusRule.alerts`
change severity, duration, threshold and window of an alert, or disable it. The expressions are
shown without the label matchers of the installation (`metrics.prometheusRule.selector`), with the
chart's own thresholds and windows.

| Alert | Severity | Fires if |
| --- | --- | --- |
"""
_TESTED = """
## Tested

`tests/e2e/test_alerts.py` installs the operator on a real cluster, lets each fault begin and end,
and waits until a real Prometheus reports that the alert fires, and then that it has ended.
Durations, thresholds and windows are shorter there; the expressions are the same. promtool
evaluates each alert with the chart's own values, on both sides of its threshold.

| Alert | Fault |
| --- | --- |
"""


def text() -> str:
    """Return the page."""
    rows = [
        f"| [{name}]({name}.md) | {one['severity']} | {_condition(one)} |"
        for name, one in alerts().items()
    ]
    tested = [f"| {name} | {FAULTS[name].text} |" for name in alerts()]
    return _HEAD + "\n".join(rows) + "\n" + _TESTED + "\n".join(tested) + "\n"


def _condition(one: Manifest) -> str:
    expression = (
        one["expr"]
        .replace("{$SELECTOR}", "")
        .replace("$SELECTOR,", "")
        .replace("$THRESHOLD", str(one.get("threshold")))
        .replace("$WINDOW", str(one.get("window")))
        .replace("|", "\\|")
    )
    lasting = "" if one["for"] == "0m" else f" for {one['for'].replace('m', ' min')}"
    return f"`{expression}`{lasting}"
