"""Our kstatus against its documentation, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kstatus import kstatus

NO_CONDITIONS: dict[str, str] = {}


def manifest(
    conditions: dict[str, str],
    *,
    generation: int | None = 2,
    observed: int | None = 2,
    deleted: str | None = None,
) -> dict[str, Any]:
    metadata = {"generation": generation, "deletionTimestamp": deleted}
    said = [{"type": kind, "status": status} for kind, status in conditions.items()]
    status = {"observedGeneration": observed, "conditions": said}
    return {
        "metadata": {key: value for key, value in metadata.items() if value is not None},
        "status": {key: value for key, value in status.items() if value is not None},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "NotFound"),
        ({"metadata": {}}, "Current"),
        ({"metadata": {}, "status": None}, "Current"),
        ({"metadata": {}, "status": {"conditions": None}}, "Current"),
        ({"metadata": {"generation": 1}, "status": {}}, "Current"),
    ],
)
def test_what_says_nothing_of_itself(found: dict[str, Any] | None, expected: str) -> None:
    assert kstatus(found) == expected


@pytest.mark.parametrize(
    ("generation", "observed", "expected"),
    [
        (2, 2, "Current"),
        (2, 1, "InProgress"),
        (2, 0, "InProgress"),
        (1, 2, "InProgress"),
        (2, None, "Current"),
        (None, 2, "Current"),
    ],
)
def test_a_change_that_was_not_observed(
    generation: int | None, observed: int | None, expected: str
) -> None:
    assert kstatus(manifest({}, generation=generation, observed=observed)) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (NO_CONDITIONS, "Current"),
        ({"Reconciling": "True"}, "InProgress"),
        ({"Reconciling": "False"}, "Current"),
        ({"Reconciling": "Unknown"}, "Current"),
        ({"Stalled": "True"}, "Failed"),
        ({"Stalled": "False"}, "Current"),
        ({"Stalled": "Unknown"}, "Current"),
        ({"Reconciling": "False", "Stalled": "True"}, "Failed"),
        ({"Reconciling": "True", "Stalled": "False"}, "InProgress"),
        ({"Reconciling": "True", "Stalled": "True"}, "InProgress"),
        ({"Stalled": "True", "Reconciling": "True"}, "Failed"),
        ({"Ready": "True"}, "Current"),
        ({"Ready": "False"}, "InProgress"),
        ({"Ready": "Unknown"}, "InProgress"),
        ({"Ready": "True", "Reconciling": "True"}, "InProgress"),
        ({"Ready": "True", "Stalled": "True"}, "Failed"),
        ({"Ready": "False", "Stalled": "True"}, "Failed"),
        ({"Ready": "False", "Reconciling": "False", "Stalled": "False"}, "InProgress"),
        ({"Failed": "True", "Complete": "False"}, "Current"),
    ],
)
def test_conditions(conditions: dict[str, str], expected: str) -> None:
    assert kstatus(manifest(conditions)) == expected


@pytest.mark.parametrize("conditions", [{}, {"Stalled": "True"}, {"Reconciling": "True"}])
@pytest.mark.parametrize("observed", [1, 2, None])
def test_what_is_being_deleted_is_nothing_else(
    conditions: dict[str, str], observed: int | None
) -> None:
    found = manifest(conditions, observed=observed, deleted="2026-01-02T03:04:05Z")
    assert kstatus(found) == "Terminating"


@pytest.mark.parametrize("conditions", [{"Stalled": "True"}, {"Ready": "True"}])
def test_an_end_that_is_of_an_older_generation_is_none(conditions: dict[str, str]) -> None:
    assert kstatus(manifest(conditions, observed=1)) == "InProgress"
