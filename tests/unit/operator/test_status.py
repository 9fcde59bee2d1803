"""The status of an operation, and what others make of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudharness_operation import crd
from cloudharness_operation.event import Outcome
from cloudharness_operation.status import NEVER, Condition, OperationStatus, Phase, WorkflowRef
from cloudharness_operator.decide.child import Child, ReasonMessage
from cloudharness_operator.decide.status import (
    Notified,
    ended,
    in_progress,
    merge_patch,
    only_details,
    refused,
)
from tests.support.builders import (
    BASH,
    CHILD,
    CHILD_UID,
    CREATED,
    FINISHED,
    NOW,
    PYTHON,
    STARTED,
    child,
    holds,
    on_record,
    operation,
    operation_manifest,
    outcome,
    reference,
    stamp,
    task,
)
from tests.support.kstatus import kstatus

UNDER_WAY = {"Accepted": "True", "Reconciling": "True", "Finished": "False"}
PULL = ReasonMessage("ImagePullFailed", "task add: ErrImagePull: no such image")
STUCK = task(phase="Pending", reason="ImagePullFailed", message="ErrImagePull: no such image")

ENDS = {
    "success": (outcome(), "Succeeded"),
    "failure": (outcome("Failed", "TaskFailed", "task add: exit 3"), "Failed"),
    "error": (outcome("Error", "WorkflowError", "bad template"), "Error"),
    "lost": (outcome("Error", "WorkflowLost", "it is gone"), "Error"),
    "deleted": (outcome("Error", "Deleted", "deleted before its end"), "Error"),
    "name taken": (outcome("Error", "NameTaken", "another's"), "Error"),
    "not submitted": (outcome("Error", "SubmissionFailed", "not valid"), "Error"),
    "not valid": (outcome("Error", "InvalidSpec", "no broker"), "Error"),
}
NEVER_BEGUN = {"name taken", "not submitted", "not valid"}


def patched(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch, as RFC 7386 has it."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            result[key] = patched(inner if isinstance(inner, dict) else {}, value)
        else:
            result[key] = value
    return result


def plain(status: OperationStatus) -> dict[str, Any]:
    dumped = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in dumped.items() if value != []}


def test_an_operation_that_runs_has_this_status() -> None:
    running = child("Running", progress="1/2")
    status = in_progress(operation(BASH, PYTHON, generation=4), running, None, NOW)
    assert plain(status) == {
        "observedGeneration": 4,
        "run": 1,
        "runId": "1",
        "phase": "Running",
        "reason": "TasksRunning",
        "message": "",
        "progress": "1/2",
        "startTime": "2026-01-02T03:00:01Z",
        "workflowRef": {
            "apiVersion": "argoproj.io/v1alpha1",
            "name": CHILD,
            "uid": CHILD_UID,
        },
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "observedGeneration": 4,
            },
            {
                "type": "Reconciling",
                "status": "True",
                "reason": "TasksRunning",
                "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "observedGeneration": 4,
            },
            {
                "type": "Finished",
                "status": "False",
                "reason": "TasksRunning",
                "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "observedGeneration": 4,
            },
        ],
    }


def test_an_operation_that_failed_has_this_status() -> None:
    failed = child("Failed", progress="0/1")
    end = outcome("Failed", "TaskFailed", "task add: exit 3")
    status = ended(operation(), failed, end, Notified(done=True), NOW)
    said = {"reason": "TaskFailed", "message": "task add: exit 3"}
    when = {"lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 1}
    assert plain(status) == {
        "observedGeneration": 1,
        "run": 1,
        "runId": "1",
        "phase": "Failed",
        **said,
        "progress": "0/1",
        "startTime": "2026-01-02T03:00:01Z",
        "completionTime": "2026-01-02T03:04:00Z",
        "workflowRef": {
            "apiVersion": "argoproj.io/v1alpha1",
            "name": CHILD,
            "uid": CHILD_UID,
        },
        "conditions": [
            {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", **when},
            {
                "type": "Reconciling",
                "status": "False",
                "reason": "TaskFailed",
                "message": "",
                **when,
            },
            {"type": "Failed", "status": "True", **said, **when},
            {"type": "Finished", "status": "True", **said, **when},
            {"type": "Stalled", "status": "True", **said, **when},
            {
                "type": "Notified",
                "status": "True",
                "reason": "EventAcknowledged",
                "message": "Kafka has acknowledged the exit event",
                **when,
            },
        ],
    }


@pytest.mark.parametrize(
    ("seen", "refusal", "phase", "reason", "message"),
    [
        pytest.param(None, None, "Pending", "Pending", "", id="no Workflow yet"),
        pytest.param(
            None,
            ReasonMessage("SubmissionFailed", "no"),
            "Pending",
            "SubmissionFailed",
            "no",
            id="refused",
        ),
        pytest.param(
            child(),
            None,
            "Pending",
            "WorkflowCreated",
            "waiting for the Argo workflow controller",
            id="not met by Argo",
        ),
        pytest.param(
            child("Pending", message="5 of 5 run"),
            None,
            "Pending",
            "WorkflowCreated",
            "5 of 5 run",
            id="Argo makes it wait",
        ),
        pytest.param(child("Running"), None, "Running", "TasksRunning", "", id="running"),
        pytest.param(
            child("Running", tasks=(STUCK,)), None, "Running", PULL.reason, PULL.message, id="stuck"
        ),
    ],
)
def test_where_an_operation_is(
    seen: Child | None, refusal: ReasonMessage | None, phase: str, reason: str, message: str
) -> None:
    status = in_progress(operation(generation=7), seen, refusal, NOW)
    assert (status.phase, status.reason, status.message) == (phase, reason, message)
    assert holds(status) == UNDER_WAY
    assert {one.observed_generation for one in status.conditions} == {7}
    assert status.observed_generation == 7
    assert status.completion_time is None


@pytest.mark.parametrize("notified", [None, Notified(done=True), Notified(done=False)])
@pytest.mark.parametrize("name", ENDS)
def test_an_end(name: str, notified: Notified | None) -> None:
    end, phase = ENDS[name]
    status = ended(operation(generation=7), child(), end, notified, NOW)
    well = name == "success"
    assert holds(status) == {
        "Accepted": "False" if name in NEVER_BEGUN else "True",
        "Reconciling": "False",
        "Complete" if well else "Failed": "True",
        "Finished": "True",
        **({} if well else {"Stalled": "True"}),
        **({"Notified": "True" if notified.done else "False"} if notified else {}),
    }
    assert (status.phase, status.reason) == (phase, end.reason)
    assert (status.message, status.completion_time) == (end.message, FINISHED)
    assert status.start_time == STARTED
    assert status.observed_generation == 7
    assert {one.observed_generation for one in status.conditions} == {7}


def test_an_event_that_is_not_told_says_why() -> None:
    late = Notified(done=False, reason="PublishFailed", message="topic exits: not allowed")
    status = ended(operation(), child(), outcome(), late, NOW)
    said = {one.type: (one.status, one.reason, one.message) for one in status.conditions}
    assert said["Notified"] == ("False", "PublishFailed", "topic exits: not allowed")


def test_an_invalid_operation_has_ended() -> None:
    begun = OperationStatus(tasks=(task(),), start_time=STARTED, workflow_ref=reference())
    kept = refused(begun, 5, ReasonMessage("InvalidSpec", "spec.tasks: Field required"), None, NOW)
    assert (kept.tasks, kept.start_time, kept.workflow_ref) == (
        begun.tasks,
        begun.start_time,
        begun.workflow_ref,
    )
    why = ReasonMessage("InvalidSpec", "spec.tasks: Field required")
    status = refused(OperationStatus(), 5, why, None, NOW)
    assert holds(status) == {
        "Accepted": "False",
        "Reconciling": "False",
        "Failed": "True",
        "Finished": "True",
        "Stalled": "True",
    }
    assert (status.phase, status.reason) == (Phase.ERROR, "InvalidSpec")
    assert (status.message, status.completion_time) == ("spec.tasks: Field required", NOW)
    assert status.observed_generation == 5
    assert {one.observed_generation for one in status.conditions} == {5}


@pytest.mark.parametrize(
    ("before", "at", "expected"),
    [
        pytest.param("True", CREATED, CREATED, id="kept while the condition stays"),
        pytest.param("False", CREATED, NOW, id="moved when it changes"),
        pytest.param("True", NEVER, NOW, id="moved from the CRD's 1970"),
    ],
)
def test_the_last_transition(before: str, at: datetime, expected: datetime) -> None:
    known = on_record("Pending", "Pending", holds={"Reconciling": before == "True"}, at=at)
    status = in_progress(operation(status=known), child("Running"), None, NOW)
    times = {one.type: one.last_transition_time for one in status.conditions}
    assert times["Reconciling"] == expected
    assert times["Accepted"] == NOW


def test_a_transition_is_kept_though_reason_and_generation_change() -> None:
    known = on_record("Pending", "Pending", "wait", holds={"Finished": False}, at=CREATED)
    status = in_progress(operation(status=known, generation=2), child("Running"), None, NOW)
    (finished,) = (one for one in status.conditions if one.type == "Finished")
    assert finished.last_transition_time == CREATED
    assert (finished.reason, finished.observed_generation) == ("TasksRunning", 2)


@pytest.mark.parametrize(
    ("argo", "tasks", "expected"),
    [
        pytest.param("", 3, None, id="Argo has said nothing"),
        pytest.param("0/1", 3, "0/3", id="Argo knows the first task"),
        pytest.param("1/1", 3, "1/3", id="Argo knows no second task yet"),
        pytest.param("3/3", 3, "3/3", id="all are done"),
        pytest.param("2/5", 3, "2/5", id="Argo knows more than we do"),
    ],
)
def test_progress_counts_all_tasks(argo: str, tasks: int, expected: str | None) -> None:
    many = [{**BASH, "name": f"t{number}"} for number in range(tasks)]
    status = in_progress(operation(*many), child("Running", progress=argo), None, NOW)
    assert status.progress == expected


def test_the_end_keeps_the_progress_and_start_that_are_on_record() -> None:
    known = on_record("Running", "TasksRunning", holds={}, progress="1/2", started=STARTED)
    lost = Outcome("Error", "WorkflowLost", "gone", None, FINISHED)
    status = ended(operation(status=known), None, lost, None, NOW)
    assert (status.progress, status.start_time) == ("1/2", STARTED)
    assert status.workflow_ref == reference()


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(
            on_record("Running", "ImagePullFailed", "task add: ImagePullBackOff: x", holds={}),
            "task add: ImagePullBackOff: x",
            id="the same trouble keeps its words",
        ),
        pytest.param(
            on_record("Running", "Unschedulable", "task add: no node", holds={}),
            PULL.message,
            id="another trouble brings its own",
        ),
        pytest.param(
            on_record("Running", "ImagePullFailed", "", holds={}),
            PULL.message,
            id="words replace none",
        ),
    ],
)
def test_the_words_of_a_trouble(known: OperationStatus, expected: str) -> None:
    status = in_progress(operation(status=known), child("Running", tasks=(STUCK,)), None, NOW)
    assert (status.reason, status.message) == ("ImagePullFailed", expected)


def test_what_changes_is_all_that_is_written() -> None:
    old = in_progress(operation(), child("Running", progress="0/1"), None, NOW)
    new = in_progress(operation(status=old), child("Running", progress="1/1"), None, NOW)
    assert merge_patch(old, new) == {"progress": "1/1"}
    assert merge_patch(new, new) == {}
    assert merge_patch(new, old.model_copy(update={"progress": None})) == {"progress": None}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"progress": "1/2", "tasks": [], "taskCounts": {}}, True),
        ({}, True),
        ({"progress": "1/2", "reason": "x"}, False),
    ],
)
def test_details_alone(patch: dict[str, Any], expected: bool) -> None:
    assert only_details(patch) is expected


moments = st.none() | st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - its time zone is the argument below.
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
words = st.text(min_size=1, max_size=9)
statuses = st.builds(
    OperationStatus,
    observed_generation=st.none() | st.integers(0, 9),
    phase=st.none() | st.sampled_from(Phase),
    reason=st.none() | words,
    message=st.none() | st.text(max_size=9),
    progress=st.none() | st.from_regex(r"\A[0-9]/[0-9]\Z"),
    start_time=moments,
    completion_time=moments,
    workflow_ref=st.none() | st.builds(WorkflowRef, apiVersion=words, name=words, uid=words),
    conditions=st.lists(
        st.builds(
            Condition,
            type=words,
            status=st.sampled_from(["True", "False", "Unknown"]),
            reason=words,
            message=st.text(max_size=9),
            lastTransitionTime=st.just(NOW),
            observed_generation=st.none() | st.integers(0, 9),
        ),
        max_size=3,
    ).map(tuple),
)


@given(statuses, statuses)
def test_a_patch_leads_from_the_old_to_the_new(old: OperationStatus, new: OperationStatus) -> None:
    patch = merge_patch(old, new)
    assert patched(plain(old), patch) == plain(new)
    assert all(plain(old).get(key) != value for key, value in patch.items())


def seen_by_kstatus(status: OperationStatus | dict[str, Any], **settings: Any) -> str:
    return kstatus(operation_manifest(status=status, **settings))


def initial() -> dict[str, Any]:
    (version,) = crd.manifest()["spec"]["versions"]
    default: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["status"][
        "default"
    ]
    return default


def test_flux_waits_for_an_operation_that_nobody_has_seen() -> None:
    assert seen_by_kstatus(initial()) == "InProgress"


@pytest.mark.parametrize("seen", [None, child(), child("Pending"), child("Running")])
def test_flux_waits_for_an_operation_that_is_under_way(seen: Child | None) -> None:
    assert seen_by_kstatus(in_progress(operation(), seen, None, NOW)) == "InProgress"


@pytest.mark.parametrize("notified", [None, Notified(done=True), Notified(done=False)])
@pytest.mark.parametrize("name", ENDS)
def test_flux_sees_the_end(name: str, notified: Notified | None) -> None:
    status = ended(operation(), child(), ENDS[name][0], notified, NOW)
    assert seen_by_kstatus(status) == ("Current" if name == "success" else "Failed")


def test_flux_sees_an_invalid_operation_as_failed() -> None:
    status = refused(OperationStatus(), 1, ReasonMessage("InvalidSpec", "no tasks"), None, NOW)
    assert seen_by_kstatus(status) == "Failed"


def test_flux_waits_where_the_status_is_of_an_older_generation() -> None:
    status = ended(operation(), child(), outcome(), None, NOW)
    assert seen_by_kstatus(status, generation=2) == "InProgress"


def test_flux_sees_a_deletion() -> None:
    status = ended(operation(), child(), outcome(), None, NOW)
    assert seen_by_kstatus(status, deleted=NOW) == "Terminating"
    assert stamp(NOW) == "2026-01-02T03:04:05Z"
