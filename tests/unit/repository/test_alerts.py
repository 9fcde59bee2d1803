"""The chart's alerts, with what belongs to each elsewhere."""

import json

import pytest

from dev.generate import ROOT
from tests.faults.alerts import alerts
from tests.support.installation import CHART

RUNBOOKS = ROOT / "docs" / "runbooks"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def test_each_alert_has_a_runbook_and_the_other_way_round() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_a_runbook_says_what_it_means_how_to_see_and_what_to_do(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    places = [page.index(part) for part in ("**Meaning.**", "**Diagnosis**", "**Mitigation.**")]
    assert places == sorted(places)


@pytest.mark.parametrize(("name", "alert"), alerts().items())
def test_values_can_change_what_an_alert_has(name: str, alert: dict[str, object]) -> None:
    rule = SCHEMA["properties"]["metrics"]["properties"]["prometheusRule"]["properties"]
    definition = rule["alerts"]["properties"][name]["$ref"].rpartition("/")[2]
    known = set(SCHEMA["definitions"][definition]["properties"])
    assert known - {"enabled"} == {"severity", "for", "threshold", "window"} & alert.keys()
    expression = str(alert["expr"])
    assert {"threshold", "window"} & alert.keys() == {
        token[1:].lower() for token in ("$THRESHOLD", "$WINDOW") if token in expression
    }
    assert "$SELECTOR" in expression


def test_the_schema_knows_all_alerts_and_no_others() -> None:
    rule = SCHEMA["properties"]["metrics"]["properties"]["prometheusRule"]["properties"]
    assert rule["alerts"]["properties"].keys() == alerts().keys()
