"""When what a run left behind is due, by whose outcome, and whether it may go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudharness_operation.lifetime import TTL_DEFAULT
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.expiry import (
    EVENT_TTL,
    FOR_EVER,
    LONGEST_WAIT,
    Due,
    Expiry,
    Retention,
    due,
    of_child,
    read,
)
from tests.support.builders import FINISHED, NOW, child, on_record, operation_manifest

END = FINISHED.timestamp()

ALL = {"secondsAfterCompletion": 30, "secondsAfterSuccess": 10, "secondsAfterFailure": 20}
NO_SUCCESS = {"secondsAfterCompletion": 30, "secondsAfterFailure": 20}
NO_FAILURE = {"secondsAfterCompletion": 30, "secondsAfterSuccess": 10}
NO_COMPLETION = {"secondsAfterSuccess": 10, "secondsAfterFailure": 20}
COMPLETION, SUCCESS, FAILURE = ({key: value} for key, value in ALL.items())
ABSENT: dict[str, int] | None = None

TTLS = [
    # What is given, and the seconds after Succeeded, Failed and Error.
    pytest.param(ABSENT, (1200, 7200, 7200), id="nothing is said"),
    pytest.param({}, (None, None, None), id="for ever"),
    pytest.param(ALL, (10, 20, 20), id="all"),
    pytest.param(NO_SUCCESS, (30, 20, 20), id="no success"),
    pytest.param(NO_FAILURE, (10, 30, 30), id="no failure"),
    pytest.param(NO_COMPLETION, (10, 20, 20), id="no completion"),
    pytest.param(COMPLETION, (30, 30, 30), id="completion alone"),
    pytest.param(SUCCESS, (10, None, None), id="success alone"),
    pytest.param(FAILURE, (None, 20, 20), id="failure alone"),
    pytest.param(ALL | {"secondsAfterSuccess": 0}, (0, 20, 20), id="at once is a time too"),
]


def ended(phase: str = "Succeeded", **settings: Any) -> dict[str, Any]:
    """Return an operation on record as ended; `settings` are fields of its spec."""
    status = on_record(phase, "Any", holds={"Finished": True}, finished=FINISHED)
    manifest = operation_manifest(status=status)
    return manifest | {"spec": manifest["spec"] | settings}


@pytest.mark.parametrize(("given", "after"), TTLS)
@pytest.mark.parametrize("place", [0, 1, 2], ids=["Succeeded", "Failed", "Error"])
def test_the_seconds_of_a_workflow(
    given: dict[str, int] | None, after: tuple[int | None, ...], place: int
) -> None:
    said = {} if given is None else {"ttlStrategy": given}
    phase = ("Succeeded", "Failed", "Error")[place]
    found = read(ended(phase, **said))
    assert found is not None
    assert of_child(found.retention, child(phase), END, END) == after[place]
    if given == {}:
        assert found == Expiry(END)


def test_the_default_is_what_the_api_server_fills_in() -> None:
    assert read(ended()) == read(ended(ttlStrategy=TTL_DEFAULT.model_dump(by_alias=True)))


@pytest.mark.parametrize(
    "given",
    ["soon", [], {"secondsAfterCompletion": -1}, {"secondsAfterCompletion": "soon"}, None],
    ids=["text", "list", "negative", "no number", "nothing"],
)
def test_what_is_not_understood_deletes_nothing(given: Any) -> None:
    assert read(ended(ttlStrategy=given)) == Expiry(END)


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (None, None),
        (1, 1),
        (2**31 - 1, 2**31 - 1),
        (0, None),
        (-5, None),
        ("9", None),
        (True, None),
    ],
)
def test_the_seconds_of_a_record(given: Any, after: int | None) -> None:
    found = read(ended(ttlStrategy={}, ttlSecondsAfterFinished=given))
    assert found == Expiry(END, ttl=after)


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    manifest = ended(ttlStrategy={}, ttlSecondsAfterFinished=5)
    manifest["metadata"]["deletionTimestamp"] = "2026-01-02T03:05:00Z"
    assert read(manifest) == Expiry(END)


@pytest.mark.parametrize("time", [None, "", "soon", 5])
def test_an_end_at_no_time_is_never_due(time: Any) -> None:
    manifest = ended()
    manifest["status"]["completionTime"] = time
    assert read(manifest) is None


def test_an_owner_matters_to_the_record_alone() -> None:
    rows: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, ""),
        ({"ttlSecondsAfterFinished": 5}, "Flux"),
    )
    for settings, owner in rows:
        manifest = ended(**settings)
        manifest["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
        found = read(manifest)
        assert found is not None
        assert found.owner == owner


DONE = child("Succeeded")
STOPPED = child("Failed", shutdown="Terminate")
UNENDED = child("Running", shutdown="Terminate")
LATER = FINISHED + timedelta(seconds=5)


def row(sentence: str, expiry: Expiry | None, of: Child | None, at: float, **expected: Any) -> Any:
    return pytest.param(expiry, of, END + at, Due(**expected), id=sentence)


DUE = [
    row("nothing is due of what has no time", None, DONE, 1e6),
    row(
        "a Workflow waits for its time", Expiry(END, Retention(10, 10)), DONE, 3, requeue_after=7.0
    ),
    row(
        "a far time is worked out again",
        Expiry(END, Retention(9**9, 9**9)),
        DONE,
        0,
        requeue_after=LONGEST_WAIT,
    ),
    row("its time has come", Expiry(END, Retention(10, 10)), DONE, 10, workflow=DONE),
    row("its time has long come", Expiry(END, Retention(10, 10)), DONE, 1e6, workflow=DONE),
    row("at once", Expiry(END, Retention(0, 0)), DONE, 0, workflow=DONE),
    row("nothing is due of what is gone", Expiry(END, Retention(10, 10)), None, 1e6),
    row(
        "a held one is told of first",
        Expiry(END, Retention(0, 0)),
        child("Succeeded", held=True),
        9,
    ),
    row(
        "one that is being deleted is not deleted again",
        Expiry(END, Retention(0, 0)),
        child("Failed", deleted=NOW),
        9,
    ),
    row("one that runs again is left alone", Expiry(END, Retention(0, 0)), child("Running"), 9),
    row(
        "and kept from its new end on",
        Expiry(END, Retention(10, 10)),
        child("Failed", finished=LATER),
        12,
        requeue_after=3.0,
    ),
    row(
        "one without a time of its own has its operation's",
        Expiry(END, Retention(10, 10)),
        child("Failed", finished=None),
        4,
        requeue_after=6.0,
    ),
    row(
        "the pods of one that was ended may stop by themselves", None, STOPPED, 4, requeue_after=6.0
    ),
    row("and are ended then", None, STOPPED, 10, pods=STOPPED),
    row("not after a long time", None, STOPPED, EVENT_TTL + 10),
    row("they go with their Workflow", Expiry(END, Retention(0, 0)), STOPPED, 10, workflow=STOPPED),
    row(
        "they go before their Workflow",
        Expiry(END, Retention(60, 60)),
        STOPPED,
        10,
        pods=STOPPED,
        requeue_after=50.0,
    ),
    row(
        "not if it is being deleted",
        None,
        child("Failed", shutdown="Terminate", deleted=NOW),
        10,
    ),
    row(
        "those of one that Argo does not end count from its operation's end",
        Expiry(END, Retention(60, 60)),
        UNENDED,
        10,
        pods=UNENDED,
        requeue_after=50.0,
    ),
    row(
        "also where its Workflow is kept for ever",
        Expiry(END),
        UNENDED,
        10,
        pods=UNENDED,
    ),
    row(
        "it goes in its time all the same",
        Expiry(END, Retention(60, 60)),
        UNENDED,
        60,
        workflow=UNENDED,
    ),
    row("those of a run that ended itself have ended", None, child("Failed"), 10),
    row("a record waits without a Workflow", Expiry(END, FOR_EVER, 10), None, 4, requeue_after=6.0),
    row("a record goes", Expiry(END, FOR_EVER, 10), None, 10, operation=True),
    row("and takes its Workflow along", Expiry(END, Retention(5, 5), 10), DONE, 10, operation=True),
    row(
        "the Workflow goes first, and the record later",
        Expiry(END, Retention(5, 5), 10),
        DONE,
        6,
        workflow=DONE,
        requeue_after=4.0,
    ),
    row(
        "the nearer of two times counts",
        Expiry(END, Retention(9, 9), 20),
        DONE,
        4,
        requeue_after=5.0,
    ),
    row("whichever it is", Expiry(END, Retention(20, 20), 9), DONE, 4, requeue_after=5.0),
    row(
        "an owned record waits too, to be told of",
        Expiry(END, FOR_EVER, 9, "Flux"),
        None,
        4,
        requeue_after=5.0,
    ),
    row("an owned record stays", Expiry(END, FOR_EVER, 9, "Helm"), None, 9, retained_by="Helm"),
    row(
        "its Workflow waits on",
        Expiry(END, Retention(20, 20), 9, "Helm"),
        DONE,
        9,
        retained_by="Helm",
        requeue_after=11.0,
    ),
    row(
        "and goes",
        Expiry(END, Retention(20, 20), 9, "Helm"),
        DONE,
        20,
        retained_by="Helm",
        workflow=DONE,
    ),
    row("that it stays is no news for ever", Expiry(END, FOR_EVER, 9, "Helm"), None, 9 + EVENT_TTL),
]


@pytest.mark.parametrize(("expiry", "of", "at", "expected"), DUE)
def test_what_is_due(expiry: Expiry | None, of: Child | None, at: float, expected: Due) -> None:
    assert due(expiry, of, at) == expected


def test_pods_are_seen_to_once() -> None:
    assert due(None, STOPPED, END + 10, pods_deleted=True) == Due()


@given(st.integers(0, 9999), st.floats(0, 100), st.booleans())
def test_who_looks_again_when_told_to_deletes_at_the_time_and_never_before(
    after: int, begun: float, record: bool
) -> None:
    expiry = Expiry(END, FOR_EVER, after) if record else Expiry(END, Retention(after, after))
    now = END + begun
    while (found := due(expiry, DONE, now)).requeue_after is not None:
        assert 0 < found.requeue_after <= LONGEST_WAIT
        assert (found.workflow, found.operation) == (None, False)
        now += max(found.requeue_after, 1e-6)
    assert (found.workflow, found.operation) == ((None, True) if record else (DONE, False))
    assert now == pytest.approx(END + max(after, begun), abs=1e-3)
