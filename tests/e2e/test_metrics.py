"""What the operator's metrics are after some operations."""

import re

import pytest

from cloudharness_operator.metrics import Metrics
from tests.support.broker_settings import metrics
from tests.support.installation import Installation, condition, eventually
from tests.support.operations import bash, operation

pytestmark = pytest.mark.e2e

PREFIX = "cloudharness_operation"
MAX_SERIES = 500


def test_the_metrics_count_what_has_happened(own: Installation) -> None:
    topic = f"{own.namespace}-metrics"
    own.apply(operation("published", bash("true"), topic=topic))
    own.apply(operation("fails", bash("exit 3"), ttlStrategy={"secondsAfterCompletion": 0}))
    own.apply(operation("waits", bash("true"), suspend=True))
    for name in ("published", "fails"):
        own.wait_for(name)
    eventually(lambda: condition(own.status("published"), "Notified").get("status") == "True")
    eventually(lambda: not own.workflows("fails"))
    expected = {
        'operations{phase="Succeeded"}': 1,
        'operations{phase="Failed"}': 1,
        'operations{phase="Suspended"}': 1,
        'ended_total{phase="Succeeded",reason="AllTasksSucceeded"}': 1,
        'ended_total{phase="Failed",reason="TaskFailed"}': 1,
        "start_delay_seconds_count": 2,
        'run_duration_seconds_count{phase="Failed"}': 1,
        "record_delay_seconds_count": 2,
        "acknowledge_delay_seconds_count": 1,
        "events_sent_total": 1,
        'deletions_total{kind="Workflow"}': 1,
        'api_requests_total{code="201",resource="workflows",verb="create"}': 2,
        "leader_changes_total": 1,
        "leading": 1,
    }

    def found() -> dict[str, float]:
        numbers = metrics(own)
        return {name: numbers.get(f"{PREFIX}_{name}", 0) for name in expected}

    eventually(lambda: found() == expected)
    numbers = metrics(own)
    assert len(numbers) <= MAX_SERIES
    # A watch is as old as its last bookmark, which comes each minute.
    for kind in ("CloudHarnessOperation", "Workflow"):
        assert 0 <= numbers[f'{PREFIX}_watch_idle_seconds{{kind="{kind}"}}'] < 150
    assert numbers["process_resident_memory_bytes"] > 1e7
    described = {one.name for one in Metrics().described}
    names = {name.partition("{")[0] for name in numbers if name.startswith(PREFIX)}
    assert {_family(name) for name in names} <= {_family(name) for name in described}


def _family(name: str) -> str:
    """A metric's name without what Prometheus' client appends to its series."""
    return re.sub(r"_(bucket|sum|count|total)$", "", name)
