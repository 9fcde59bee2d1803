"""The operator's metrics, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREFIX = "cloudharness_operation"
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """All metrics of one operator."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self._duration = Histogram(
            f"{PREFIX}_reconcile_duration_seconds",
            "Time to reconcile one operation once.",
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._errors = Counter(
            f"{PREFIX}_reconcile_errors_total",
            "Reconciliations of an operation that failed and are retried.",
            ["cause"],
            registry=self.registry,
        )

        self._sent = Counter(
            f"{PREFIX}_events_sent",
            "Exit events that Kafka has acknowledged.",
            registry=self.registry,
        )
        self._failed = Counter(
            f"{PREFIX}_events_failed",
            "Attempts to publish an exit event that failed and are retried.",
            ["reason"],
            registry=self.registry,
        )

        self._given_up = Counter(
            f"{PREFIX}_events_given_up",
            "Exit events that were given up (kafka.giveUpAfterSeconds).",
            ["reason"],
            registry=self.registry,
        )

        self._k8s_events_dropped = Counter(
            f"{PREFIX}_kubernetes_events_dropped",
            "Kubernetes Events that were not created.",
            ["reason"],
            registry=self.registry,
        )
        self._skipped = Counter(
            f"{PREFIX}_skipped_objects",
            "Objects, in each of their versions, that could not be read and were skipped.",
            ["kind", "error"],
            registry=self.registry,
        )
        self._serving = Gauge(
            f"{PREFIX}_namespace_served",
            "1 for a namespace (empty: all) whose operations and Workflows are listed.",
            ["namespace"],
            registry=self.registry,
        )

    def skipped(self, kind: str, error: str) -> None:
        """Count an object that could not be read."""
        self._skipped.labels(kind, error).inc()

    def dropped_k8s_event(self, reason: str) -> None:
        """Count a Kubernetes Event that was not created."""
        self._k8s_events_dropped.labels(reason).inc()

    def serve(self, namespace: str, served: Callable[[], bool]) -> None:
        """Add the gauge of a namespace."""
        self._serving.labels(namespace).set_function(served)

    def lost_event(self, reason: str) -> None:
        """Count an event that is given up, by the reason of its last failure."""
        self._given_up.labels(reason).inc()

    def event(self, failure: str | None) -> None:
        """Count an attempt to publish an event: None, or the reason of its failure."""
        (self._failed.labels(failure) if failure else self._sent).inc()

    def follow(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is read at each scrape."""
        Gauge(f"{PREFIX}_{name}", what, registry=self.registry).set_function(value)

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
