"""What a runtime pod measures of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from botyard.program import TurnOutcome

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)


class Metrics:
    """Counters and gauges of one supervisor, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._turns = Counter("botyard_turns_total", "Committed turns.", ["outcome"], registry=self.registry)
        self._seconds = Histogram(
            "botyard_turn_seconds", "From begin to commit.", buckets=_BUCKETS, registry=self.registry
        )
        self._waited = Histogram(
            "botyard_turn_wait_seconds", "From acceptance to begin.", buckets=_BUCKETS, registry=self.registry
        )
        self.partitions = Gauge("botyard_partitions", "Partitions that this replica owns.", registry=self.registry)
        self.running = Gauge("botyard_turns_running", "Turns that run now.", registry=self.registry)
        self.parked = Gauge("botyard_turns_parked", "Turns that were put aside.", registry=self.registry)
        self.oldest = Gauge(
            "botyard_oldest_open_turn_seconds", "Age of the oldest turn that waits or runs.", registry=self.registry
        )
        self.workers = Gauge("botyard_workers", "Workers that have imported the bundle.", registry=self.registry)
        self.worker_deaths = Gauge(
            "botyard_worker_deaths", "Workers that ended without being told to.", registry=self.registry
        )

    def turn(self, outcome: TurnOutcome, *, seconds: float, waited: float) -> None:
        """Count one committed turn."""
        self._turns.labels(outcome.error.kind if outcome.error else "ok").inc()
        self._seconds.observe(seconds)
        self._waited.observe(max(0.0, waited))
