"""How each source fares, for probes and metrics: what is wrong, how far behind, what was sent."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from botyard.connector.problems import Notice, Reason

State = Literal["starting", "standby", "snapshot", "streaming", "failing"]


class Metrics:
    """The connector's metrics. Labels name sources, which the installation declares."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.changes = self._counter("changes", "Changes that were read.")
        self.deliveries = self._counter("deliveries", "Changes that were stored, one for each Persona that gets one.")
        self.events = self._counter("events", "Events in which they were stored.")
        self.repeated = self._counter("repeated", "Changes that had been stored before, known by their place.")
        self.truncated = self._counter("truncated_tables", "Tables that were truncated; no Persona is told.")
        self.left_out = self._counter("shortened_changes", "Changes of which values were left out as too large.")
        self.streaming = self._gauge("streaming", "1 where this replica reads the source.")
        self.lag_bytes = self._gauge("lag_bytes", "Bytes of PostgreSQL's log that are not confirmed yet.")
        self.lag_seconds = self._gauge(
            "lag_seconds", "Age of the change that is being stored or was stored last; 0 when idle."
        )
        self.slot_room = self._gauge("slot_room_bytes", "Bytes until PostgreSQL may give the slot up; -1: no limit.")
        self.problem = Gauge(
            "botyard_connector_problem", "1 for what is wrong now.", ["source", "reason"], registry=self.registry
        )

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"botyard_connector_{name}", text, ["source"], registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"botyard_connector_{name}", text, ["source"], registry=self.registry)

    def exposition(self) -> bytes:
        """Return the metrics as OpenMetrics text."""
        return bytes(generate_latest(self.registry))  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class Report:
    """How one source fares.

    Attributes:
        state: What it does.
        failure: Why it does not stream; None where it does.
        waits: Why it waits with what it has read; None where it does not.
        notices: What a person should know besides.
        since: When the state began, in seconds since the epoch.
    """

    name: str
    metrics: Metrics
    state: State = "starting"
    failure: Notice | None = None
    waits: Notice | None = None
    notices: tuple[Notice, ...] = ()
    since: float = field(default_factory=time.time)
    _shown: set[Reason] = field(default_factory=set)

    def enter(self, state: State, failure: Notice | None = None) -> None:
        """Note what it does from now on."""
        if state != self.state:
            self.state, self.since = state, time.time()
        self.failure = failure
        self.metrics.streaming.labels(self.name).set(state in ("streaming", "snapshot"))
        self.show()

    def show(self) -> None:
        """Bring the metrics up to date with what is wrong."""
        now: set[Reason] = {each.reason for each in (self.failure, self.waits, *self.notices) if each is not None}
        for reason in now | self._shown:
            self.metrics.problem.labels(self.name, reason).set(reason in now)
        self._shown = now

    @property
    def well(self) -> bool:
        """Tell whether it does what it should."""
        return self.failure is None and self.waits is None and self.state != "starting"

    def document(self) -> Mapping[str, Any]:
        """Return it for people and programs."""
        said = [each for each in (self.failure, self.waits, *self.notices) if each is not None]
        return {
            "source": self.name,
            "state": self.state,
            "since": round(self.since, 3),
            "ok": self.well,
            "problems": [{"reason": each.reason, "message": each.message} for each in said],
        }
