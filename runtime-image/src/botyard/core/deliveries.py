"""Events that are committed and not yet where they belong: timers that are due, and outboxes."""

import json
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.errors import StaleOwner
from botyard.core.leases import Lease
from botyard.core.retention import Retention
from botyard.core.scripts import Scripts

BATCH = 100
"""Events of an outbox moved at a time."""
FIRED = 1000
"""Timers fired at a time: many are due at the same minute, and each answer is waited for among their turns."""


class Deliveries:
    """Moves events on behalf of the owner of their partition."""

    def __init__(self, redis: Redis, *, retention: Retention | None = None) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._retention = retention or Retention()

    async def fire(self, lease: Lease) -> float | None:
        """Put the timers that are due into the inbox; return seconds until the next one, None when there is none.

        Raises:
            StaleOwner: The lease was lost.
        """
        partition = lease.partition
        while True:
            answer = await self._scripts.run(
                "timers_fire",
                keys=[keys.lease(partition), keys.inbox(partition), keys.timers(partition)],
                args=[lease.owner, lease.epoch, FIRED],
            )
            if answer[0] == -1:
                raise StaleOwner(f"{partition} has another owner")
            if answer[0] < FIRED:
                return None if answer[1] < 0 else int(answer[1]) / 1000

    async def send(self, lease: Lease) -> list[str]:
        """Bring everything in the partition's outbox to the partitions of its keys; return the keys.

        An event is taken by its target once, however often it is brought, and leaves the outbox after that: a crash
        between the two brings it again.
        """
        partition, sent = lease.partition, []
        while True:
            entries: Any = await self._redis.xrange(keys.outbox(partition), count=BATCH)
            for entry, fields in entries:
                event = json.loads(fields[b"m"])
                target = partition.bot.partition(event["key"])
                await self._scripts.run(
                    "deliver",
                    keys=[keys.inbox(target), keys.timers(target), keys.seen(target, event["key"], event["event"])],
                    args=[fields[b"m"], fields[b"due"], self._retention.duplicates],
                )
                await self._redis.xdel(keys.outbox(partition), entry)
                sent.append(str(event["key"]))
            if len(entries) < BATCH:
                return sent
