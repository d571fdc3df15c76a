"""Kubernetes Events about transitions, written in the background."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from datetime import UTC
from typing import Protocol

from botyard_operator.metrics import Metrics
from botyard_operator.reconcile.base import Clock, EventType, JsonObject

logger = logging.getLogger(__name__)

_WAITING = 1000
"""Events that may wait to be written; more are dropped and counted."""
_REPEAT_AFTER = 300.0
"""Seconds in which the same Event about the same object is not written again."""
_REMEMBERED = 10_000


class Creator(Protocol):
    """What the recorder needs of the API client."""

    async def create(self, obj: JsonObject) -> JsonObject:
        """Create an object."""


class EventRecorder:
    """Writes Events one after another; a failure is logged and forgotten."""

    def __init__(self, kube: Creator, clock: Clock, metrics: Metrics, identity: str) -> None:
        self._kube = kube
        self._clock = clock
        self._metrics = metrics
        self._identity = identity
        self._queue: asyncio.Queue[JsonObject] = asyncio.Queue(_WAITING)
        self._recent: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._number = 0

    def event(self, obj: JsonObject, type_: EventType, reason: str, message: str) -> None:
        """Record an Event about `obj`; the same one is not repeated within five minutes."""
        metadata = obj["metadata"]
        mark = (str(metadata.get("uid")), reason, message)
        now = self._clock.monotonic()
        last = self._recent.get(mark)
        if last is not None and now - last < _REPEAT_AFTER:
            return
        self._recent[mark] = now
        self._recent.move_to_end(mark)
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        moment = self._clock.now().astimezone(UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._number += 1
        event: JsonObject = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:200]}.{int(moment.timestamp() * 1e6):x}{self._number % 4096:03x}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": type_,
            "reason": reason,
            "message": message[:1000],
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "source": {"component": "botyard-operator"},
            "reportingComponent": "botyard.dev/operator",
            "reportingInstance": self._identity,
        }
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Write Events until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._kube.create(event)
            except Exception as error:
                logger.warning(
                    "an Event was not written: %s", error, extra={"namespace": event["metadata"]["namespace"]}
                )
