"""What is told of usage to Prometheus."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

MOST_COMPONENTS = 100
"""Components that are told apart; they are named by bundles, and each is a time series."""
_TOKENS = (0, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


class UsageMetrics:
    """Counters of one replica."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["service_type", "component"]
        self._calls = Counter("botyard_usage_calls_total", "Uses of services.", [*labels, "success"], registry=registry)
        self._tokens = Counter(
            "botyard_usage_tokens_total", "Tokens of services.", [*labels, "direction"], registry=registry
        )
        self._dollars = Counter(
            "botyard_usage_dollars_total", "What bundles say that services cost.", labels, registry=registry
        )
        self.per_turn = Histogram(
            "botyard_usage_turn_tokens", "Tokens that turns used.", buckets=_TOKENS, registry=registry
        )
        self.refused = Counter(
            "botyard_usage_refused_total", "Events that could not be kept for the storage.", registry=registry
        )
        self._components: set[str] = set()

    def count(self, event: Mapping[str, Any], sums: Mapping[str, int]) -> None:
        """Count an event that was recorded."""
        component = str(event.get("component") or "unknown")[:100]
        if component not in self._components and len(self._components) >= MOST_COMPONENTS:
            component = "other"
        self._components.add(component)
        labels = str(event.get("service_type") or "unknown")[:40], component
        self._calls.labels(*labels, str(bool(event.get("success"))).lower()).inc()
        for direction in ("input", "output"):
            if amount := sums.get(direction):
                self._tokens.labels(*labels, direction).inc(amount)
        if dollars := sums.get("microdollars"):
            self._dollars.labels(*labels).inc(dollars / 1_000_000)
