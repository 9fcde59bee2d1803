"""Whatever happens at whatever step: one child, one distinct event that is right, nothing left.

The table is in docs/faults.md. `make faults` tries all of it, `make test` a few rows.
"""

import os
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.faults.plans import Plan, is_always_tried, plans
from tests.faults.rig import Rig, rig

pytestmark = pytest.mark.e2e

RIGS = 8
"""How many operators are tried at once, besides the one of the few rows."""


def rows() -> Iterator[object]:
    """The table: rows of a group share an operator."""
    for number, plan in enumerate(sorted(plans(), key=is_always_tried)):
        few = is_always_tried(plan)
        group = "faults" if few else f"all-faults-{number % RIGS}"
        marks = [pytest.mark.xdist_group(group), *([] if few else [pytest.mark.long])]
        yield pytest.param(plan, id=plan.id, marks=marks)


@pytest.fixture(scope="module")
def operator(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with rig(cluster, f"faults-{worker}", tmp_path_factory.mktemp("operator")) as found:
        yield found


@pytest.mark.parametrize("plan", list(rows()))
def test_a_fault_loses_nothing_and_repeats_nothing(plan: Plan, operator: Rig) -> None:
    try:
        operator.run(plan.scenario, plan.fault)
    except BaseException:
        print(*(f"{call.step}: {code}" for call, code in operator.proxy.answers), sep="\n")
        print(operator.operator.log())
        raise
