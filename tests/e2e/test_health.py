"""What Flux (by kstatus) and Argo CD (by our health check) make of every state of a run."""

from itertools import groupby

import pytest

from tests.support.health import health
from tests.support.installation import FULL_KIND, Installation, eventually
from tests.support.kstatus import kstatus
from tests.support.operations import Manifest, bash, operation
from tests.support.watch import OPERATIONS, Watch, watching

pytestmark = pytest.mark.e2e

HALF_A_DEVICE = {"limits": {"nvidia.com/gpu": "500m"}}
WAITS, RUNS_WELL, FAILS = (
    ("InProgress", "Progressing"),
    ("Current", "Healthy"),
    ("Failed", "Degraded"),
)


def verdicts(watch: Watch, name: str) -> list[tuple[str, str]]:
    """What both say, once for each change."""
    said = [
        # Of what is being deleted, Argo CD itself says so and asks no script.
        (state, health(found).status if found and state != "Terminating" else "")
        for found in watch.states(name)
        if (state := kstatus(found))
    ]
    return [verdict for verdict, _ in groupby(said)]


@pytest.mark.parametrize(
    ("name", "tasks", "spec", "end"),
    [
        ("succeeds", [bash("sleep 1", "one"), bash("true", "two")], {"topic": "t"}, RUNS_WELL),
        ("fails", [bash("sleep 1", "one"), bash("exit 1", "two")], {"topic": "t"}, FAILS),
        ("refused", [bash("true", "one", resources=HALF_A_DEVICE)], {}, FAILS),
    ],
)
def test_an_end_is_seen_when_it_is_there_and_not_before(
    shared: Installation, name: str, tasks: list[Manifest], spec: Manifest, end: tuple[str, str]
) -> None:
    with watching(shared.cluster, OPERATIONS, shared.namespace) as watch:
        shared.apply(operation(f"seen-{name}", *tasks, **spec))
        shared.wait_for(f"seen-{name}")
        eventually(lambda: verdicts(watch, f"seen-{name}")[-1:] == [end])
        states, said = watch.states(f"seen-{name}"), verdicts(watch, f"seen-{name}")
    # From before the operator's first write.
    assert states[0]
    assert "observedGeneration" not in states[0]["status"]
    assert len(states) >= 2
    assert said == [WAITS, end]


def test_a_deletion_is_seen_as_one(shared: Installation) -> None:
    with watching(shared.cluster, OPERATIONS, shared.namespace) as watch:
        shared.apply(operation("seen-deleted", bash("sleep 300")))
        eventually(lambda: shared.status("seen-deleted").get("phase") == "Running")
        shared.kubectl("delete", FULL_KIND, "seen-deleted", "--cascade=foreground")
        eventually(lambda: watch.states("seen-deleted")[-1:] == [None])
        assert verdicts(watch, "seen-deleted") == [WAITS, ("Terminating", ""), ("NotFound", "")]
