"""What the operator measures, for Prometheus."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from botyard_operator.reconcile.base import Key

_DURATIONS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The operator's own metrics, in a registry of their own so that tests can make several."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self.reconciles = Counter(
            "botyard_reconciles_total",
            "Reconciles by kind and outcome.",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "botyard_reconcile_duration_seconds",
            "Duration of reconciles.",
            ("kind",),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self.queue_seconds = Histogram(
            "botyard_workqueue_latency_seconds",
            "Time from a key being marked dirty to its reconcile.",
            ("kind",),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self.queue_depth = Gauge("botyard_workqueue_depth", "Keys that wait for a worker.", registry=self.registry)
        self.queue_age = Gauge(
            "botyard_workqueue_oldest_seconds",
            "How long the key that waits longest has waited.",
            registry=self.registry,
        )
        self.api_writes = Counter(
            "botyard_api_writes_total",
            "Writes to the API server by verb, kind and answer.",
            ("verb", "kind", "code"),
            registry=self.registry,
        )
        self.api_reads = Counter(
            "botyard_api_reads_total",
            "Single reads from the API server past the caches.",
            ("kind", "code"),
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "botyard_events_dropped_total",
            "Kubernetes Events that were not written because too many waited.",
            registry=self.registry,
        )
        self.watch_events = Counter(
            "botyard_watch_events_total", "Watch events by kind.", ("kind",), registry=self.registry
        )
        self.objects = Gauge(
            "botyard_objects", "Objects held in the caches, by kind.", ("kind",), registry=self.registry
        )
        self.fetches = Counter(
            "botyard_fetches_total",
            "Looks at remotes (poll) and fetches of sources by outcome: unchanged, changed, fetched or the reason of a "
            "failure.",
            ("work", "outcome"),
            registry=self.registry,
        )
        self.fetch_seconds = Histogram(
            "botyard_fetch_duration_seconds",
            "Duration of looks at remotes (poll) and of fetches.",
            ("work",),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self.artifact_bytes = Gauge(
            "botyard_artifact_bytes", "Size of all artifacts in storage, in bytes.", registry=self.registry
        )
        self.bundles = Gauge(
            "botyard_bundles", "Bundles by the status of their condition Ready.", ("ready",), registry=self.registry
        )
        self.leader = Gauge("botyard_leader", "1 while this process leads.", registry=self.registry)

    def fetched(self, work: Literal["poll", "fetch"], outcome: str, seconds: float) -> None:
        """Count a look at a remote or a fetch."""
        self.fetches.labels(work, outcome).inc()
        self.fetch_seconds.labels(work).observe(seconds)

    def started(self, key: Key, waited: float) -> None:
        """Count the time that a key waited."""
        self.queue_seconds.labels(key.kind).observe(waited)

    def finished(self, key: Key, seconds: float, error: BaseException | None) -> None:
        """Count a reconcile."""
        self.reconcile_seconds.labels(key.kind).observe(seconds)
        self.reconciles.labels(key.kind, "error" if error is not None else "success").inc()
