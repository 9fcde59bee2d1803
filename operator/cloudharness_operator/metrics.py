"""The operator's metrics, for Prometheus.

Names and labels follow the conventions of Prometheus and of controller-runtime. The operator knows
all values of each label: no user writes one, so the number of series has a bound.
docs/reference/metrics.md is generated from this module.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from cloudharness_operation import reasons
from cloudharness_operation.names import KIND, WORKFLOW_KIND
from cloudharness_operation.states import REFUSED
from cloudharness_operation.status import Phase
from cloudharness_operator.kafka.errors import REASONS

PREFIX: Final = "cloudharness_operation"

INTERNAL: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets of what happens inside the operator, in seconds."""
REQUEST: Final = (0.025, 0.1, 0.5, 2, 10)
"""Of a request to the API server: few, since there is a histogram for each verb and resource."""
DELAY: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""Of what a user waits for."""
RUN: Final = (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
"""Of a whole run."""

ARGO_PATIENCE: Final = 60.0
"""Seconds after which a Workflow without a phase counts as not started."""

LAG_EVERY: Final = 1.0
"""Seconds between two measurements of the event loop's lag."""

_OF_A_REQUEST: Final = ("verb", "resource")
OTHER: Final = "Other"
"""The label of a reason that is none of `reasons.ENDS`."""


class Described(NamedTuple):
    """A metric as it is documented."""

    name: str
    """As in /metrics."""
    kind: str
    """Counter, gauge or histogram."""
    labels: tuple[str, ...]
    what: str


class Metrics:
    """All metrics of one operator: the port `Meter`, and what the process' other parts report."""

    def __init__(self) -> None:
        """Start at zero."""
        # A gauge beside each counter that has the time of its creation: twice as many series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        self._gauges: dict[str, Gauge] = {}
        self._by_phase = _ByPhase(
            f"{PREFIX}_operations", self._describe("operations", "gauge", "Operations.", "phase")
        )
        self.registry.register(self._by_phase)
        self._gauge("workflows", "Child Workflows.")
        self._gauge(
            "workflows_not_started",
            f"Child Workflows older than {ARGO_PATIENCE:.0f} s to which Argo has given no phase.",
        )

        self._ended = self._counter(
            "ended", "Runs whose end this process has recorded.", "phase", "reason"
        )
        self._started_after = self._histogram(
            "start_delay_seconds",
            "From the creation of an operation until its Workflow exists. Operations that were "
            "suspended or waited for their group are not counted.",
            DELAY,
        )
        self._run = self._histogram(
            "run_duration_seconds", "From the start of a run to its end.", RUN, "phase"
        )
        self._recorded_after = self._histogram(
            "record_delay_seconds", "From the end of a run until the status has it.", DELAY
        )
        self._acknowledged_after = self._histogram(
            "acknowledge_delay_seconds",
            "From the end of a run until the broker has acknowledged its exit event.",
            DELAY,
        )

        self._sent = self._counter("events_sent", "Exit events that Kafka has acknowledged.")
        self._failed = self._counter(
            "events_failed",
            "Attempts to publish an exit event that failed and are retried.",
            "reason",
        )
        self._given_up = self._counter(
            "events_given_up",
            "Exit events that were given up (kafka.giveUpAfterSeconds).",
            "reason",
        )
        self._gauge("events_pending", "Exit events that Kafka has not acknowledged yet.")
        self._gauge(
            "events_oldest_pending_seconds",
            "For how long this process has tried to publish the oldest pending exit event.",
        )

        self._gauge("queue_depth", "Operations that wait to be reconciled.")
        self._gauge("queue_oldest_seconds", "For how long the first of them has waited.")
        self._waited = self._histogram(
            "queue_wait_seconds", "Time of an operation in the queue.", INTERNAL
        )
        self._duration = self._histogram(
            "reconcile_duration_seconds",
            "Time to reconcile an operation once, with its requests.",
            INTERNAL,
        )
        self._errors = self._counter(
            "reconcile_errors",
            "Reconciliations that failed and are retried, by exception.",
            "cause",
        )
        self._abandoned = self._counter(
            "reconcile_abandoned",
            "Operations that are not retried until they change, since each attempt has failed.",
        )
        self._skipped = self._counter(
            "skipped_objects",
            "Versions of operations and Workflows that could not be read and were skipped.",
            "kind",
            "error",
        )

        self._requests = self._counter(
            "api_requests",
            "Requests to the API server. Code 0: no response.",
            *_OF_A_REQUEST,
            "code",
        )
        self._request_duration = self._histogram(
            "api_request_duration_seconds",
            "Time until the API server begins its response.",
            REQUEST,
            *_OF_A_REQUEST,
        )
        self._watch_idle = self._gauge(
            "watch_idle_seconds",
            "Since the last message of a watch, of the namespace in which this is longest. The API "
            "server sends a bookmark each minute.",
            "kind",
        )
        self._serving = self._gauge(
            "namespace_served",
            "1 for a namespace (empty: all) whose operations and Workflows are listed, 0 for one "
            "whose lists fail.",
            "watched",
        )
        self._k8s_events_dropped = self._counter(
            "kubernetes_events_dropped",
            "Kubernetes Events that were not created: by the API server's reason, or QueueFull.",
            "reason",
        )

        self._deletions = self._counter("deletions", "Objects deleted at their TTL.", "kind")
        self._gauge("deletions_due", "Operations whose deletions wait for their turn.")

        self._gauge("leading", "1 for the replica that leads.")
        self._elected = self._counter("leader_changes", "How often this replica has begun to lead.")
        self._lag = self._histogram(
            "event_loop_lag_seconds",
            f"By how much a timer of the event loop was late, measured each {LAG_EVERY:.0f} s.",
            INTERNAL,
        )
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Create the series that alerts watch: Prometheus sees no increase to a first value."""
        for reason in reasons.REFUSED:
            self._ended.labels(REFUSED.phase, reason)
        for reason in (*set(REASONS.values()), reasons.PUBLISH_FAILED):
            self._failed.labels(reason)
            self._given_up.labels(reason)
        for kind in (KIND, WORKFLOW_KIND):
            self._deletions.labels(kind)

    def workflow_created(self, delay: float) -> None:
        """Observe the creation of an operation's first Workflow, by its delay in seconds."""
        self._started_after.observe(delay)

    def ended(self, phase: str, reason: str, ran: float | None, delay: float) -> None:
        """Count a run whose end was written, by the seconds that it ran and those until then."""
        self._ended.labels(phase, reason if reason in reasons.ENDS else OTHER).inc()
        if ran is not None:
            self._run.labels(phase).observe(ran)
        self._recorded_after.observe(delay)

    def acknowledged(self, delay: float) -> None:
        """Observe an exit event that the broker has acknowledged, by the seconds since the end."""
        self._acknowledged_after.observe(delay)

    def deleted(self, kind: str) -> None:
        """Count an object that was deleted at its TTL."""
        self._deletions.labels(kind).inc()

    def waited(self, seconds: float) -> None:
        """Observe how long an operation was in the queue."""
        self._waited.observe(seconds)

    def abandoned(self) -> None:
        """Count an operation that is not retried until it changes."""
        self._abandoned.inc()

    def request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """Observe a request to the API server; code 0 if there was no response."""
        self._requests.labels(verb, resource, str(code)).inc()
        self._request_duration.labels(verb, resource).observe(seconds)

    def elected(self) -> None:
        """Count that this replica begins to lead."""
        self._elected.inc()

    def skipped(self, kind: str, error: str) -> None:
        """Count an object that could not be read."""
        self._skipped.labels(kind, error).inc()

    def dropped_k8s_event(self, reason: str) -> None:
        """Count a Kubernetes Event that was not created."""
        self._k8s_events_dropped.labels(reason).inc()

    def lost_event(self, reason: str) -> None:
        """Count an event that is given up, by the reason of its last failure."""
        self._given_up.labels(reason).inc()

    def event(self, failure: str | None) -> None:
        """Count an attempt to publish an event: None, or the reason of its failure."""
        (self._failed.labels(failure) if failure else self._sent).inc()

    def serve(self, namespace: str, served: Callable[[], bool]) -> None:
        """Add the gauge of a namespace."""
        self._serving.labels(namespace).set_function(served)

    def watch(self, kind: str, idle: Callable[[], float]) -> None:
        """Add the gauge of the watches of a kind."""
        self._watch_idle.labels(kind).set_function(idle)

    def follow(self, **values: Callable[[], float]) -> None:
        """Read the values of gauges without labels, by their names, at each scrape."""
        for name, value in values.items():
            self._gauges[name].set_function(value)

    def follow_phases(self, count: Callable[[], Mapping[str, int]]) -> None:
        """Read the number of operations in each phase at each scrape."""
        self._by_phase.count = count

    async def measure_lag(self) -> None:
        """Measure the event loop's lag, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            await asyncio.sleep(LAG_EVERY)
            self._lag.observe(max(0.0, clock() - begun - LAG_EVERY))

    def timed(
        self, handler: Callable[[str], Awaitable[float | None]]
    ) -> Callable[[str], Awaitable[float | None]]:
        """Return the handler with its duration and its errors measured."""

        async def measured(key: str) -> float | None:
            begun = time.perf_counter()
            try:
                return await handler(key)
            except Exception as error:
                self._errors.labels(type(error).__name__).inc()
                raise
            finally:
                self._duration.observe(time.perf_counter() - begun)

        return measured

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _describe(self, name: str, kind: str, what: str, *labels: str) -> str:
        self.described.append(Described(f"{PREFIX}_{name}", kind, labels, what))
        return what

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", what, *labels)
        return Counter(f"{PREFIX}_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", what, *labels)
        made = self._gauges[name] = Gauge(f"{PREFIX}_{name}", what, labels, registry=self.registry)
        return made

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        self._describe(name, "histogram", what, *labels)
        return Histogram(f"{PREFIX}_{name}", what, labels, registry=self.registry, buckets=buckets)


class _ByPhase(Collector):
    """The number of operations in each phase, also if it is 0, counted at each scrape."""

    def __init__(self, name: str, what: str) -> None:
        self._name = name
        self._what = what
        self.count: Callable[[], Mapping[str, int]] = dict

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._what, labels=["phase"])
        counts: dict[str, int] = dict.fromkeys(Phase, 0)
        for phase, number in {**counts, **self.count()}.items():
            family.add_metric([phase], number)
        yield family
