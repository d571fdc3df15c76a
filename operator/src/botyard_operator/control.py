"""The control loop: changes of the caches mark keys dirty, queues hand dirty keys to their reconcilers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from botyard_operator.caches import OWN_KINDS, Caches
from botyard_operator.clock import SystemClock
from botyard_operator.faring import Faring
from botyard_operator.kube import KubeClient
from botyard_operator.mapping import concerned
from botyard_operator.marked import Marked
from botyard_operator.metrics import Metrics
from botyard_operator.queue import KeyedQueue
from botyard_operator.ramps import Ramps
from botyard_operator.reconcile import persona_shards, routes
from botyard_operator.reconcile.base import (
    ApiError,
    Clock,
    Context,
    JsonObject,
    Key,
    Reconciler,
    RetryLater,
)
from botyard_operator.reconcile.bot import BotReconciler
from botyard_operator.reconcile.persona import PersonaReconciler
from botyard_operator.reconcile.persona_shards import PersonaShardsReconciler, ShardReader
from botyard_operator.reconcile.routes import RoutesReconciler
from botyard_operator.recorder import EventRecorder
from botyard_operator.sessions import Sessions
from botyard_operator.settings import Settings
from botyard_operator.spending import Spending
from botyard_operator.watches import Watches, WatchHealth

logger = logging.getLogger(__name__)

STUCK_AFTER = 300.0
"""A key that waits this many seconds for a worker shows that the queue does not move."""


def reconcilers(
    spending: Spending | None = None,
    sessions: Sessions | None = None,
    faring: Faring | None = None,
    ramps: Ramps | None = None,
) -> dict[str, Reconciler]:
    """Return the reconcilers of Bots, Personas and what is aggregated from them.

    Args:
        spending: What was spent; None: statuses do not tell.
        faring: How Personas fare; None: statuses do not tell.
        sessions: The stored conversations; None: no revision is held back for them.
        ramps: How turns of ramps end; None: nothing of them is known.
    """
    reader = ShardReader()
    table = RoutesReconciler(reader)
    spending = spending or Spending(None, SystemClock())
    return {
        "Bot": BotReconciler(spending, sessions, ramps),
        "Persona": PersonaReconciler(reader, spending, faring or Faring(None, SystemClock()), table.in_force),
        persona_shards.KIND: PersonaShardsReconciler(reader),
        routes.KIND: table,
    }


class ControlLoop:
    """Everything that runs while this process leads."""

    def __init__(
        self,
        *,
        settings: Settings,
        kube: KubeClient,
        caches: Caches,
        metrics: Metrics,
        reconcilers: Mapping[str, Reconciler],
        clock: Clock | None = None,
        figures: Sequence[Marked[Any]] = (),
        sessions: Sessions | None = None,
    ) -> None:
        """Wire the loop; nothing runs before `run`.

        Args:
            settings: Configuration of the process.
            kube: Client that shares `caches`.
            caches: Empty caches; the loop becomes their listener.
            metrics: Where everything is counted.
            reconcilers: A reconciler for each kind of key; keys of other kinds are dropped.
            clock: Time.
            figures: Those that the reconcilers were given; they are kept up to date while the loop runs.
            sessions: Likewise.
        """
        self._settings = settings
        self._caches = caches
        self._metrics = metrics
        self._reconcilers = dict(reconcilers)
        clock = clock or SystemClock()
        self.watch_health = WatchHealth(settings.watch_seconds)
        self.watches = Watches(caches=caches, kube=kube, settings=settings, metrics=metrics, health=self.watch_health)
        self._figures = figures
        self._sessions = sessions
        self._recorder = EventRecorder(kube, clock, metrics, settings.identity)
        self.context = Context(
            caches=caches,
            kube=kube,
            settings=settings,
            clock=clock,
            recorder=self._recorder,
            enqueue=self.enqueue,
        )
        self._queue = KeyedQueue(self._reconcile, workers=settings.workers, observer=metrics)
        caches.listener = self._changed

    def enqueue(self, key: Key, delay: float = 0.0) -> None:
        """Reconcile `key` in `delay` seconds, or earlier when it is due earlier already."""
        if key.kind not in self._reconcilers:
            return
        self._queue.add_after(key, delay)

    async def run(self) -> None:
        """Run until cancelled, or until kopf ends on a signal."""
        tasks = [
            asyncio.create_task(self._recorder.run(), name="event recorder"),
            asyncio.create_task(self._queue.run(), name="queue"),
            asyncio.create_task(self.watches.run(self._synced), name="watches"),
        ]
        for figures in self._figures:
            looking = figures.run(self._caches, self.enqueue, self.watches.synced)
            tasks.append(asyncio.create_task(looking, name=figures.what))
        if self._sessions is not None:
            tasks.append(asyncio.create_task(self._sessions.run(self.enqueue), name="sessions"))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing runs (keys may be scheduled for later)."""
        return self.watches.synced.is_set() and self._queue.idle

    @property
    def scheduled(self) -> int:
        """Keys that are scheduled for later."""
        return self._queue.delayed

    def deaf(self) -> str | None:
        """Return what is wrong with the watches, or None."""
        paths = self.watch_health.deaf()
        return f"no answer to the watch of {', '.join(paths)}" if paths else None

    def stuck(self) -> str | None:
        """Return what is wrong with the queue, or None."""
        waited = self._queue.oldest_waiting()
        if waited > STUCK_AFTER:
            return f"the queue does not move: its oldest key has waited for {waited:.0f} s"
        return None

    def collect(self) -> None:
        """Set the gauges."""
        self._metrics.queue_depth.set(self._queue.depth)
        self._metrics.queue_age.set(self._queue.oldest_waiting())
        for kind in OWN_KINDS:
            self._metrics.objects.labels(kind).set(self._caches.count(kind))

    def _synced(self) -> None:
        for kind in sorted(OWN_KINDS):
            for key in self._caches.keys(kind):
                self.enqueue(key)
        for key in self._caches.keys("Bot"):
            self.enqueue(Key(persona_shards.KIND, key.namespace, key.name))
        self.enqueue(Key(routes.KIND, self._settings.system_namespace, routes.NAME), routes.DEBOUNCE_SECONDS)
        logger.info("caches complete", extra={kind: self._caches.count(kind) for kind in sorted(OWN_KINDS)})

    def _changed(self, key: Key, before: JsonObject | None, after: JsonObject | None, *, own: bool) -> None:
        if not self.watches.synced.is_set():
            return
        for dirty, delay in concerned(
            key,
            before,
            after,
            own=own,
            caches=self._caches,
            system_namespace=self._settings.system_namespace,
        ):
            self.enqueue(dirty, delay)

    async def _reconcile(self, key: Key) -> float | None:
        where = {"kind": key.kind, "namespace": key.namespace, "object": key.name}
        try:
            result = await self._reconcilers[key.kind].reconcile(key, self.context)
        except RetryLater as error:
            logger.info("reconcile is tried again: %s", error, extra=where)
            raise
        except (ApiError, TimeoutError) as error:
            logger.warning("reconcile failed: %s", error or type(error).__name__, extra=where)
            raise
        except Exception:
            logger.exception("reconcile failed", extra=where)
            raise
        return result.requeue_after
