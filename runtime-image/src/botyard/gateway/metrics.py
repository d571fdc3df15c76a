"""What the gateway counts. Labels never hold anything that a caller chose."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from botyard.gateway.routes import RoutingTable

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The gateway's metrics, in a registry of their own so that one process may run several gateways."""

    def __init__(self, table: RoutingTable) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "botyard_gateway_requests",
            "Answered requests.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "botyard_gateway_request_seconds",
            "Time to the answer; for event streams to their beginning.",
            ["method", "path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.accepted = Counter(
            "botyard_gateway_accepted", "Accepted events.", ["kind", "duplicate"], registry=self._registry
        )
        self.streams = Gauge("botyard_gateway_streams", "Open event streams.", registry=self._registry)
        self.sent = Counter("botyard_gateway_sent_events", "Events sent to streams.", registry=self._registry)
        self.ended = Counter(
            "botyard_gateway_ended_streams",
            "Ended event streams by reason: client, slow, drain, storage or expired.",
            ["reason"],
            registry=self._registry,
        )
        routes = Gauge("botyard_gateway_routes", "Bots in the routing table.", registry=self._registry)
        routes.set_function(lambda: len(table))
        loaded = Gauge(
            "botyard_gateway_routes_loaded_timestamp_seconds",
            "When the routing table was last replaced.",
            registry=self._registry,
        )
        loaded.set_function(lambda: table.loaded_at or 0.0)

    def exposition(self) -> bytes:
        """Return the metrics as OpenMetrics text."""
        return bytes(generate_latest(self._registry))  # type: ignore[no-untyped-call]
