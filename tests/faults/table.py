"""docs/faults.md, made from the table that is run."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from tests.faults.calls import Kind
from tests.faults.plans import KINDS, SCENARIOS, Scenario, is_always_tried, plans

_INTRO: Final = """\
# Faults

The operator is tested against every row of this table: {all} faults, each at one step of the life
of an operation, none at random. `make faults` runs all of them in about ten minutes; `make test`
runs {few} of them: for each kind of write, that it succeeds and its response is lost. This page is
generated from the table that the tests run.

Cluster, Argo and Kafka are real. The operator is a process with the chart's permissions. Its
requests to the API server pass through a proxy, which counts writes and fails at the one that the
row names; its producer publishes to Kafka directly, and kills the process where the row says so. A
killed process is started again.

After each fault all of this holds:

- **One Workflow.** All requests of all processes together have created one Workflow.
- **One event.** Kafka has the operation's exit event at least once, always with the same `source`,
  `id`, status and reason, which are those of the end.
- **The status is correct**: it has the reason of that end, and `Notified`.
- **Nothing is left**: no Workflow, no finalizer, no pod; and the operator has made no other change.
"""

_KINDS: Final = """\
## What happens to a step

| | Rows |
| --- | --- |
"""

_COLUMNS: Final[dict[str, Callable[[Kind], bool]]] = {
    "killed": lambda kind: kind.kills,
    "cut off": lambda kind: kind in (Kind.RESET, Kind.UNANSWERED),
    "refused": lambda kind: bool(kind.code),
    "watches": lambda kind: kind in (Kind.CUT, Kind.COMPACTED, Kind.HELD),
}


def text() -> str:
    """Return the page."""
    rows = list(plans())
    counted = Counter(plan.kind for plan in rows)
    intro = _INTRO.format(all=len(rows), few=sum(map(is_always_tried, rows)))
    kinds = "".join(f"| {kind.value} | {counted[kind]} |\n" for kind in Kind)
    return "\n".join((intro, _KINDS + kinds, *map(_section, SCENARIOS)))


def _section(scenario: Scenario) -> str:
    return "".join(_lines(scenario))


def _lines(scenario: Scenario) -> Iterator[str]:
    yield f"## {scenario.name.capitalize()}\n\n"
    yield f"{scenario.says[0].upper()}{scenario.says[1:]}. "
    yield f"Ends as `{scenario.status}`, `{scenario.reason}`.\n\n"
    columns = " | ".join(_COLUMNS)
    yield f"| Step | {columns} |\n| --- |{' --- |' * len(_COLUMNS)}\n"
    for place, step in enumerate(scenario.steps):
        tried = place in scenario.places
        kinds = KINDS.get(step, tuple(Kind)) if tried else ()
        counts = (sum(map(belongs, kinds)) for belongs in _COLUMNS.values())
        cells = " | ".join(str(count or "") for count in counts)
        yield f"| {place + 1}. {step} | {cells} |\n"
