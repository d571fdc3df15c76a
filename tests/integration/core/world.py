"""One bot on a real Redis, seen from one replica."""

import asyncio
from dataclasses import dataclass, field

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.inbox import Entry, Inbox, parse_entry
from botyard.core.leases import Lease, Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Turns

BOT = BotAddress("shop", "repairs")


@dataclass
class World:
    """One bot on a real Redis, seen from one replica."""

    redis: Redis
    inbox: Inbox = field(init=False)
    turns: Turns = field(init=False)
    outputs: Outputs = field(init=False)

    def __post_init__(self) -> None:
        self.inbox, self.turns, self.outputs = Inbox(self.redis), Turns(self.redis), Outputs(self.redis)

    async def lease(self, owner: str = "replica-a", key: str = "c1", lease_ms: int = 6000) -> Lease:
        """Take the lease, as soon as whoever holds it lets it run out."""
        leases = Leases(self.redis, owner=owner, lease_ms=lease_ms)
        async with asyncio.timeout(60):
            while not (lease := await leases.acquire(BOT.partition(key))):
                await asyncio.sleep(0.001)
        return lease

    async def say(self, text: str, key: str = "c1") -> None:
        await self.inbox.accept(BOT, key=key, kind="message", payload={"text": text}, user="ada")

    async def waiting(self, key: str = "c1") -> list[Entry]:
        partition = BOT.partition(key)
        return [parse_entry(partition, *found) for found in await self.redis.xrange(keys.inbox(partition))]

    async def said(self, key: str = "c1") -> list[str]:
        return [stored.envelope for stored in await self.outputs.read(BOT, key)]

    async def dump(self) -> dict[bytes, bytes]:
        """Everything that Redis holds, to compare before and after."""
        return {key: await self.redis.dump(key) async for key in self.redis.scan_iter()}
