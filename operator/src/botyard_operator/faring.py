"""How Personas fare: what their replicas tell, read where something changed and told to the reconcilers a little later.

A status is told of a loop that begins to fail, or heals, at once; of everything else at most every `TELL_SECONDS`.
"""

from __future__ import annotations

import asyncio
import logging

from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable
from botyard.core.persona_reports import PersonaReport, PersonaReports
from botyard_operator.reconcile.base import Clock, Enqueue, Key, ReadCaches

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Pause between looks for Bots of whose Personas something was told."""
TELL_SECONDS = 30.0
"""A status is not written more often than this for tasks and replicas alone."""
_OVERLAP_US = 10_000_000


class Faring:
    """The newest reports that reconcilers may tell of."""

    def __init__(self, redis: Redis | None, clock: Clock) -> None:
        """Prepare.

        Args:
            redis: Where reports are; None: nothing is told.
            clock: For the pauses between writes.
        """
        self._redis = redis
        self._clock = clock
        self._told: dict[Key, PersonaReport] = {}
        self._told_at: dict[Key, float] = {}
        self._since_us = 0
        self._marks: dict[tuple[str, str], int] = {}
        self._later: set[tuple[str, str]] = set()

    def of(self, key: Key) -> PersonaReport | None:
        """Return how a Persona fares, as its status may tell it; None: nothing is known."""
        return self._told.get(key)

    async def run(self, caches: ReadCaches, enqueue: Enqueue, synced: asyncio.Event) -> None:
        """Look for changes until cancelled, from when the caches are complete."""
        if self._redis is None:
            await asyncio.Event().wait()
            return
        await synced.wait()
        silent = False
        while True:
            try:
                await self.look(caches, enqueue)
                silent = False
            except (*Unavailable, OSError, TimeoutError, ValueError) as error:
                if not silent:
                    logger.warning("how Personas fare cannot be read: %s", error)
                silent = True
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, caches: ReadCaches, enqueue: Enqueue) -> None:
        """Read the reports of Bots where something changed, and mark the Personas whose status should tell it."""
        if self._redis is None:
            return
        reports = PersonaReports(self._redis)
        changed = set(self._later)
        for namespace, name, at in await reports.changed(self._since_us - _OVERLAP_US):
            self._since_us = max(self._since_us, at)
            if self._marks.get((namespace, name)) != at:
                self._marks[namespace, name] = at
                changed.add((namespace, name))
        self._later.clear()
        for namespace, name in sorted(changed):
            bot = Key("Bot", namespace, name)
            found = await reports.read(BotAddress(namespace, name))
            for key in caches.dependents(bot):
                if key.kind == "Persona" and key.name in found:
                    self._tell(key, found[key.name], (namespace, name), enqueue)

    def _tell(self, key: Key, report: PersonaReport, bot: tuple[str, str], enqueue: Enqueue) -> None:
        before = self._told.get(key)
        if before == report:
            return
        urgent = before is None or (before.failures > 0, before.unhandled) != (
            report.failures > 0,
            report.unhandled,
        )
        now = self._clock.monotonic()
        if not urgent and self._told_at.get(key, -TELL_SECONDS) + TELL_SECONDS > now:
            self._later.add(bot)
            return
        self._told[key] = report
        self._told_at[key] = now
        enqueue(key)
