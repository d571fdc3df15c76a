"""Turns that are put aside: durably, in their place, until they are told to go on or a time comes.

A parked event stays in its inbox, so everything of its key that came later waits behind it. Any replica that owns the
partition leaves it alone until then; a crash changes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import control, keys
from botyard.core.address import BotAddress
from botyard.core.errors import StaleOwner
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.reply import text
from botyard.core.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Parked:
    """One turn that waits."""

    key: str
    turn: str
    event: str
    reason: str
    """For people."""
    data: Mapping[str, Any]
    """What who parked it wants to know when it goes on."""
    since_ms: int
    until_ms: int
    """Milliseconds since the epoch, by the clock of Redis; 0: until it is told."""


class Parking:
    """Puts turns aside and lets them go on, for all bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def park(
        self, lease: Lease, entry: Entry, *, reason: str, until_ms: int = 0, data: Mapping[str, Any] | None = None
    ) -> float | None:
        """Put a turn aside that has begun here and not been committed.

        Args:
            lease: Of the entry's partition.
            entry: Its event.
            reason: For people.
            until_ms: When it goes on by itself, in milliseconds since the epoch by the clock of Redis; 0: never.
            data: JSON-able, up to a few KiB.

        Returns:
            Seconds until it goes on by itself; None where it does not.

        Raises:
            StaleOwner: The lease was lost, or the event is gone.
        """
        about = {"entry": entry.id, "turn": entry.turn, "event": entry.event, "reason": reason, "data": data or {}}
        partition = lease.partition
        left = await self._scripts.run(
            "park",
            keys=[keys.lease(partition), keys.inbox(partition), keys.attempts(partition), keys.parked(partition)],
            args=[lease.owner, lease.epoch, entry.id, entry.key, until_ms, json.dumps(about, ensure_ascii=False)],
        )
        if left is None:
            raise StaleOwner(f"{partition} has another owner")
        return None if int(left) < 0 else int(left) / 1000

    async def resume(self, bot: BotAddress, key: str, *, turn: str = "") -> bool:
        """Let the parked turn of `key` go on; False when none is parked, or another one than `turn`."""
        partition = bot.partition(key)
        done = await self._scripts.run("resume", keys=[keys.parked(partition)], args=[key, turn])
        if done:
            await self._redis.publish(keys.control(bot), control.RESUME + key.encode())
        return bool(done)

    async def of(self, bot: BotAddress, key: str) -> Parked | None:
        """Return the parked turn of `key`."""
        stored = await self._redis.hget(keys.parked(bot.partition(key)), key)
        return None if stored is None else parse(key, text(stored))

    async def list(self, bot: BotAddress) -> list[Parked]:
        """Return all parked turns of a bot, longest parked first."""
        found: list[Parked] = []
        for partition in bot.all_partitions():
            async for key, stored in self._redis.hscan_iter(keys.parked(partition), count=200):
                found.append(parse(text(key), text(stored)))
        return sorted(found, key=lambda each: each.since_ms)


def parse(key: str, stored: str) -> Parked:
    """Return what is stored of a parked turn."""
    about = json.loads(stored)
    return Parked(
        key=key,
        turn=about["turn"],
        event=about["event"],
        reason=about["reason"],
        # Lua knows no difference between an empty object and an empty list.
        data=about["data"] or {},
        since_ms=about["since"],
        until_ms=about["until"],
    )
