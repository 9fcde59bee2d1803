"""The operator's metrics: names, labels, and that their number has a bound."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloudharness_operation import reasons
from cloudharness_operation.status import OperationStatus, Phase
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.state import ObservedState
from cloudharness_operator.kafka.errors import REASONS
from cloudharness_operator.loop import measure
from cloudharness_operator.loop.store import Store
from cloudharness_operator.metrics import ARGO_PATIENCE, INTERNAL, OTHER, Metrics
from tests.support.bench import FakeMeter
from tests.support.builders import (
    CLOCK,
    FINISHED,
    NOW,
    STARTED,
    UID,
    on_record,
    operation,
    operation_manifest,
    stamp,
    until,
    workflow_manifest,
)

MAX_SERIES = 500
REQUESTS = [
    *((verb, "cloudharnessoperations") for verb in ("get", "list", "watch", "delete")),
    ("patch", "cloudharnessoperations/status"),
    *((verb, "workflows") for verb in ("get", "list", "watch", "create", "patch", "delete")),
    *(("list", kind) for kind in ("pods",)),
    ("get", "pods/log"),
    ("deletecollection", "pods"),
    *(("get", kind) for kind in ("persistentvolumeclaims", "configmaps", "leases")),
    *((verb, "leases") for verb in ("create", "update")),
    ("create", "events"),
]
"""Verb and resource of each request that the operator sends."""
LINE = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$")


def values(metrics: Metrics) -> dict[str, float]:
    lines = metrics.text().decode().splitlines()
    found = [LINE.match(line) for line in lines if not line.startswith("#")]
    assert all(found)
    return {f"{one[1]}{one[2] or ''}": float(one[3]) for one in found if one}


def value(metrics: Metrics, name: str) -> float:
    return values(metrics)[f"cloudharness_operation_{name}"]


def count_everything(metrics: Metrics) -> None:
    """Count each thing that can happen."""
    for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.ERROR, Phase.CANCELLED):
        metrics.ended(phase, reasons.ALL_TASKS_SUCCEEDED, 1.0, 1.0)
    for reason in reasons.ENDS:
        metrics.ended(Phase.FAILED, reason, 1.0, 1.0)
    for verb, resource in REQUESTS:
        for code in (0, 200, 409, 500):
            metrics.request(verb, resource, code, 0.1)
    count_failures(metrics)


def count_failures(metrics: Metrics) -> None:
    """Count each failure of Kafka and the API server, in 20 namespaces."""
    for reason in set(REASONS.values()):
        metrics.event(reason)
        metrics.lost_event(reason)
    for kind in ("CloudHarnessOperation", "Workflow"):
        metrics.deleted(kind)
        metrics.watch(kind, lambda: 0.0)
        metrics.skipped(kind, "ValueError")
    for number in range(20):
        metrics.serve(f"team-{number}", lambda: True)
    for error in ("ApiError", "TimeoutError", "ConnectionResetError"):
        metrics.dropped_k8s_event(error)


def test_ten_thousand_operations_and_all_failures_are_500_series_at_most() -> None:
    metrics, store = Metrics(), Store(lambda _: None, lambda: 0.0)
    phases = list(Phase)
    for number in range(10_000):
        reason = f"Reason{number}"
        status = on_record(phases[number % len(phases)], reason, holds={})
        one: dict[str, Any] = {
            "name": f"op-{number}",
            "namespace": f"team-{number}",
            "uid": f"uid-{number}",
        }
        store.upsert_operation(operation_manifest(status=status, **one))
        metrics.ended(Phase.ERROR, reason, 1.0, 1.0)
    metrics.follow_phases(store.phases)
    count_everything(metrics)
    assert len(values(metrics)) <= MAX_SERIES
    assert value(metrics, f'ended_total{{phase="Error",reason="{OTHER}"}}') == 10_000


def test_operations_are_counted_by_phase() -> None:
    metrics = Metrics()
    assert value(metrics, 'operations{phase="Running"}') == 0
    metrics.follow_phases(lambda: {Phase.RUNNING: 3, Phase.FAILED: 1})
    assert value(metrics, 'operations{phase="Running"}') == 3
    assert value(metrics, 'operations{phase="Failed"}') == 1


@pytest.mark.parametrize(
    ("status", "phase"),
    [(None, "Pending"), ({"phase": "Running"}, "Running"), ({"phase": "x"}, "Pending")],
)
def test_an_unknown_phase_is_no_label(status: Any, phase: str) -> None:
    store = Store(lambda _: None, lambda: 0.0)
    store.upsert_operation(operation_manifest(status=status or {}))
    assert store.phases() == {phase: 1}


def test_all_are_described() -> None:
    described = {one.name: one for one in Metrics().described}
    own = [one for one in Metrics().registry.collect() if one.name.startswith("cloudharness")]
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in own}
    assert names == described.keys()
    assert all(one.what.endswith(".") for one in described.values())


def test_a_late_timer_is_a_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudharness_operator.metrics.LAG_EVERY", 0.001)
    metrics = Metrics()
    count = "event_loop_lag_seconds_count"

    async def run() -> None:
        task = asyncio.create_task(metrics.measure_lag())
        await until(lambda: value(metrics, count) >= 3)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert value(metrics, f'event_loop_lag_seconds_bucket{{le="{INTERNAL[0]}"}}') >= 0


def failed(**notified: bool) -> OperationStatus:
    """Return the status of a run that has failed."""
    holds = {"Finished": True, **notified}
    return on_record("Failed", "TaskFailed", holds=holds, started=STARTED, finished=FINISHED)


NEW = OperationStatus()
RUNNING = on_record("Running", "TasksRunning", holds={"Finished": False}, started=STARTED)
FAILED = failed()
PENDING = failed(Notified=False)
PUBLISHED = failed(Notified=True)
REFUSED = on_record("Error", "InvalidSpec", holds={"Finished": True}, finished=FINISHED)
ENDED = ("ended", "Failed", "TaskFailed", 239.0, 7.0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (NEW, RUNNING, []),
        (RUNNING, FAILED, [ENDED]),
        (RUNNING, PENDING, [ENDED]),
        (RUNNING, PUBLISHED, [ENDED, ("acknowledged", 7.0)]),
        (PENDING, PUBLISHED, [("acknowledged", 7.0)]),
        (FAILED, FAILED, []),
        (PUBLISHED, PUBLISHED, []),
        (NEW, REFUSED, [("ended", "Error", "InvalidSpec", None, 7.0)]),
    ],
)
def test_an_end_and_an_acknowledgement_are_measured_once(
    old: OperationStatus, new: OperationStatus, expected: list[tuple[Any, ...]]
) -> None:
    meter = FakeMeter()
    measure.status_written(meter, old, new, FINISHED.timestamp() + 7.0)
    assert meter.measured == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"status": None}, [2.5]),
        ({"status": on_record("Pending", "Pending", holds={})}, [2.5]),
        ({"status": on_record("Suspended", "Suspended", holds={})}, []),
        ({"status": on_record("Pending", "GroupBusy", holds={})}, []),
        # Created a minute before this process read it.
        ({"metadata": {"creationTimestamp": stamp(NOW - timedelta(seconds=60))}}, [59.0]),
    ],
)
def test_a_start_that_nobody_asked_to_delay_is_measured(
    settings: dict[str, Any], expected: list[float]
) -> None:
    meter = FakeMeter()
    created = {"metadata": {"creationTimestamp": stamp(NOW)}}
    state = ObservedState(
        UID, NOW, CLOCK, operation=operation(**{**created, **settings}), since=CLOCK - 2.5
    )
    child = replace(Child.read(workflow_manifest()), created=NOW)
    measure.workflow_created(meter, state, child, CLOCK)
    assert meter.measured == [("created", delay) for delay in expected]
    measure.workflow_created(meter, replace(state, run=2), child, CLOCK)
    assert len(meter.measured) == len(expected)


@pytest.mark.parametrize(
    ("phase", "age", "expected"),
    [("", 61, 1), ("", 59, 0), ("Pending", 61, 0), ("Succeeded", 61, 0)],
)
def test_a_workflow_that_argo_does_not_begin_with_is_counted(
    phase: str, age: int, expected: int
) -> None:
    store = Store(lambda _: None, lambda: 0.0)
    child = Child.read(workflow_manifest(status={"phase": phase}))
    created = NOW - timedelta(seconds=age)
    store.upsert_workflow(replace(child, created=created))
    assert store.counts() == (0, 1)
    assert store.workflows_without_phase(NOW.timestamp() - ARGO_PATIENCE) == expected
