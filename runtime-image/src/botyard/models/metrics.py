"""What is measured of model calls."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)


class _Measured:
    outcome = "ok"

    def failed(self, outcome: str) -> None:
        """Say how the call ended, if not well."""
        self.outcome = outcome


class ModelMetrics:
    """Counters of one supervisor's calls."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter("botyard_model_calls_total", "Model calls.", ["model", "outcome"], registry=registry)
        self._seconds = Histogram(
            "botyard_model_call_seconds", "Whole calls.", ["model"], buckets=_BUCKETS, registry=registry
        )
        self._running = Gauge("botyard_model_calls_running", "Calls that wait or run.", ["model"], registry=registry)

    @contextmanager
    def measured(self, model: str) -> Iterator[_Measured]:
        """Measure what is inside as one call of `model`, which is a declared name."""
        measured, started = _Measured(), time.monotonic()
        self._running.labels(model).inc()
        try:
            yield measured
        except Exception as error:
            if measured.outcome == "ok":
                measured.failed(str(getattr(error, "code", "error")))
            raise
        finally:
            self._running.labels(model).dec()
            self._seconds.labels(model).observe(time.monotonic() - started)
            self._calls.labels(model, measured.outcome).inc()
