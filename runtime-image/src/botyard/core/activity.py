"""Who is needed: marks by which bots that sleep are woken, and what keeps a bot from sleeping.

Whoever accepts an event for a bot that may sleep marks the demand; whoever scales (the operator) listens for marks and
looks at the work that is left. The marks are a hint that saves waiting, the inboxes are the truth: a mark that got
lost is made up for by the next look at `work`, and a mark without work only keeps a bot awake for a while longer.
All times are by the clock of Redis, in milliseconds since 1970.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.scripts import Scripts

FORGET_SECONDS = 30 * 86_400
"""Marks of bots that nobody has needed for so long are forgotten; that bounds the set."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is left to do for one bot."""

    pending: int
    """Accepted events that are not committed."""
    outgoing: int
    """Committed events on their way to other partitions."""
    next_timer_ms: int | None
    """When the next delayed event is due; None: there is none. It may be past."""
    now_ms: int
    """Time of the look."""

    def waiting(self, *, lead_ms: int = 0) -> int:
        """Return how many events need a replica now.

        Args:
            lead_ms: Milliseconds that a replica takes to come up; a timer due within them counts.
        """
        due = self.next_timer_ms is not None and self.next_timer_ms <= self.now_ms + lead_ms
        return self.pending + self.outgoing + int(due)


class Activity:
    """Demand for the bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def mark(self, bot: BotAddress) -> None:
        """Say that `bot` is needed now, to `follow` and for `last`."""
        await self._scripts.run("demand", keys=[keys.demand()], args=[str(bot), FORGET_SECONDS])

    async def last(self) -> dict[str, int]:
        """Return when each bot was marked last, by `namespace/name`."""
        found: Any = await self._redis.zrange(keys.demand(), 0, -1, withscores=True)
        return {name.decode(): int(at) for name, at in found}

    async def forget(self, bot: BotAddress) -> None:
        """Drop the mark of a bot that was deleted."""
        await self._redis.zrem(keys.demand(), str(bot))

    async def work(self, bot: BotAddress) -> Work:
        """Look at all partitions of `bot`: one round trip to each server of Redis."""
        partitions = bot.all_partitions()
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in partitions:
                pipe.xlen(keys.inbox(partition))
                pipe.xlen(keys.outbox(partition))
                pipe.zrange(keys.timers(partition), 0, 0, withscores=True)
            answers = await pipe.execute()
        clock: Any = await self._redis.time()
        now_ms = clock[0] * 1000 + clock[1] // 1000
        timers = [int(found[0][1]) for found in answers[2::3] if found]
        return Work(
            pending=sum(answers[0::3]),
            outgoing=sum(answers[1::3]),
            next_timer_ms=min(timers, default=None),
            now_ms=now_ms,
        )

    async def follow(self) -> AsyncIterator[str]:
        """Yield `namespace/name` of each bot that is marked; first, once it listens, an empty string.

        After the empty string no mark is missed while the connection lasts: read `last` and `work` then.

        Raises:
            botyard.core.connection.Unavailable: Redis went away; call again.
        """
        await self._redis.initialize()
        pubsub = self._redis.pubsub()
        try:
            await pubsub.subscribe(keys.demand())
            async for message in pubsub.listen():
                if message["type"] == "subscribe":
                    yield ""
                elif message["type"] == "message":
                    yield message["data"].decode()
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]
