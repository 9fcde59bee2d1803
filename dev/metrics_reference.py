"""docs/reference/metrics.md, made from the operator's metrics."""

from cloudharness_operator.metrics import Metrics

_HEAD = """# Metrics

`http://POD:8080/metrics` serves these metrics in Prometheus' text format. Those of the process and
of Python (`process_*`, `python_gc_*`) are those of Prometheus' Python client. No label has a text
that a user has written, so the number of series has a bound. The labels `phase` and `reason` have
the values of [an operation's status](../states.md).

Argo writes the end of a run to the second, so delays after it are at most a second too long.

| Metric | Type | Labels | Description |
| --- | --- | --- | --- |
"""


def text() -> str:
    """Return the page."""
    rows = (
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} "
        f"| {one.what} |\n"
        for one in Metrics().described
    )
    return _HEAD + "".join(rows)
