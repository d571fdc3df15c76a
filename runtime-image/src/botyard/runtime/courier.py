"""Fires the timers and empties the outboxes of the partitions that this replica owns."""

import asyncio
import contextlib
import logging
import random

from redis.asyncio import Redis

from botyard.core.address import Partition
from botyard.core.connection import Unavailable
from botyard.core.deliveries import Deliveries
from botyard.core.errors import StaleOwner
from botyard.core.leases import Lease
from botyard.core.retention import Retention

log = logging.getLogger("botyard.courier")

FALLBACK = 30.0
"""Seconds after which a partition that got a timer from another replica's outbox is looked at in any case."""


class Courier:
    """Sleeps until the earliest timer; is woken by commits. Idle partitions cost nothing but a look in FALLBACK."""

    def __init__(self, redis: Redis, retention: Retention) -> None:
        self._deliveries = Deliveries(redis, retention=retention)
        self._leases: dict[Partition, Lease] = {}
        self._due: dict[Partition, float] = {}
        """Loop time at which a partition is to be looked at."""
        self._woken = asyncio.Event()

    def add(self, lease: Lease) -> None:
        """Take care of a partition, and look at it at once: its last owner may have left something."""
        self._leases[lease.partition] = lease
        self.look(lease.partition)

    def remove(self, partition: Partition) -> None:
        """Leave a partition to its next owner."""
        self._leases.pop(partition, None)
        self._due.pop(partition, None)

    def look(self, partition: Partition) -> None:
        """Look at a partition now: a commit left something there."""
        self._due[partition] = 0.0
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled. Redis may go away and come back."""
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            for partition in [place for place, due in self._due.items() if due <= loop.time()]:
                await self._visit(partition)
            wait = min(self._due.values(), default=loop.time() + FALLBACK) - loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait)):
                    await self._woken.wait()

    async def _visit(self, partition: Partition) -> None:
        loop = asyncio.get_running_loop()
        lease = self._leases.get(partition)
        if lease is None:
            self._due.pop(partition, None)
            return
        try:
            for key in await self._deliveries.send(lease):
                target = partition.bot.partition(key)
                if target in self._leases:
                    self.look(target)
            following = await self._deliveries.fire(lease)
        except StaleOwner:
            self.remove(partition)
            return
        except Unavailable as error:
            log.warning("timers and outbox of %s wait for Redis: %s", partition, error)
            following = random.uniform(0.5, 1.5)  # noqa: S311
        self._due[partition] = loop.time() + min(FALLBACK if following is None else following, FALLBACK)
