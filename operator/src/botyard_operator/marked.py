"""What replicas keep in Redis, read where they marked their Bot and told to the reconcilers a little later.

Replicas mark their Bot in a sorted set when something changed; only marked Bots are read. What reconcilers are told
makes them write a status, so it is told at most every `TELL_SECONDS`, but at once where it is urgent. Where nothing
changes, nothing is read and nothing is written.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from redis.asyncio import Redis

from botyard.core.connection import Unavailable
from botyard_operator.reconcile.base import Clock, Enqueue, Key, ReadCaches

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Pause between looks for Bots that were marked."""
TELL_SECONDS = 30.0
"""A status is not written more often than this for what is not urgent."""

Place = tuple[str, str]
"""Namespace and name of a Bot."""
Told = TypeVar("Told")


class Marked(ABC, Generic[Told]):
    """The newest of one kind of figures that reconcilers may tell of."""

    what: ClassVar[str]
    """What is read, as it begins a line of the log."""

    def __init__(self, redis: Redis | None, clock: Clock) -> None:
        """Prepare.

        Args:
            redis: Where the figures are; None: nothing is told.
            clock: For the pauses between writes.
        """
        self._redis = redis
        self._clock = clock
        self._told: dict[Key, Told] = {}
        self._told_at: dict[Key, float] = {}
        self._since = 0
        self._marks: dict[Place, int] = {}
        self._later: set[Place] = set()
        self._reading: set[Place] = set()
        """Of the present look, whose marks are taken: read again where it fails."""

    def of(self, key: Key) -> Told | None:
        """Return what a status may tell of an object; None: nothing is known."""
        return self._told.get(key)

    async def run(self, caches: ReadCaches, enqueue: Enqueue, synced: asyncio.Event) -> None:
        """Look for changes until cancelled, from when the caches are complete."""
        if self._redis is None:
            await asyncio.Event().wait()
            return
        await synced.wait()
        silent = False
        while True:
            self._reading = set()
            try:
                await self.look(caches, enqueue)
                silent = False
            except (*Unavailable, OSError, TimeoutError, ValueError) as error:
                if not silent:
                    logger.warning("%s cannot be read: %s", self.what, error)
                silent = True
                self._later |= self._reading
            await asyncio.sleep(LOOK_SECONDS)

    @abstractmethod
    async def look(self, caches: ReadCaches, enqueue: Enqueue) -> None:
        """Read what was marked, and mark the keys whose status should tell it."""

    def changed(self, marks: Iterable[tuple[str, str, int]], further: Iterable[Place] = ()) -> list[Place]:
        """Return which Bots to read: those with a new mark, and those that could not be told of before.

        Args:
            marks: Namespace, name and time of marks.
            further: Others to read in any case.
        """
        found = self._later | set(further)
        for namespace, name, at in marks:
            self._since = max(self._since, at)
            if self._marks.get((namespace, name)) != at:
                self._marks[namespace, name] = at
                found.add((namespace, name))
        self._later.clear()
        self._reading = set(found)
        return sorted(found)

    def tell(self, key: Key, told: Told, bot: Place, enqueue: Enqueue, *, urgent: bool) -> None:
        """Mark a key dirty for what is new of it, or look at its Bot again when that may be told."""
        now = self._clock.monotonic()
        if not urgent and self._told_at.get(key, -TELL_SECONDS) + TELL_SECONDS > now:
            self._later.add(bot)
            return
        self._told[key] = told
        self._told_at[key] = now
        enqueue(key)
