"""Brings events from the spools of all bots to the storage.

An event leaves its spool when the storage has it. Its name follows from its content, so writing it again after a crash
changes nothing. One process writes for a bot at a time; should two, they write the same.
"""

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable
from botyard.usage import keys
from botyard.workflow.accounting.events import path_of
from botyard.workflow.storage import Storage

log = logging.getLogger("botyard.usage")

PAGE = 200
LEASE_SECONDS = 30
WANTED_SECONDS = 24 * 3600
PAUSE = 2.0
"""Seconds between looks."""
LONGEST_PAUSE = 60.0
AT_ONCE = 8
"""Files that are written at once."""


class UsageWriter:
    """Writes the events of bots to one storage."""

    def __init__(self, redis: Redis, storage: Storage, bots: Callable[[], Iterable[BotAddress]]) -> None:
        self._redis = redis
        self._storage = storage
        self._bots = bots
        self._name = secrets.token_hex(8)
        self.written = 0

    async def run(self) -> None:
        """Write until cancelled. What fails is tried again."""
        pause = PAUSE
        while True:
            try:
                await self.announce()
                for bot in list(self._bots()):
                    await self.drain(bot)
                pause = PAUSE
            except (*Unavailable, OSError) as error:
                log.warning("usage is written later: %s", error)
                pause = min(LONGEST_PAUSE, pause * 2)
            except Exception:
                log.exception("usage is written later")
                pause = min(LONGEST_PAUSE, pause * 2)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def announce(self) -> None:
        """Say that events are wanted: until then they are counted and not kept."""
        await self._redis.set(keys.WANTED, "1", ex=WANTED_SECONDS)

    async def drain(self, bot: BotAddress) -> int:
        """Write what is in a bot's spool, unless another process does; return how many events."""
        done = 0
        spool = keys.spool(bot)
        if not await self._redis.xlen(spool) or not await self._lease(bot):
            return 0
        while page := await self._page(spool):
            await self._write([fields[b"e"] for _, fields in page])
            await self._redis.xdel(spool, *(entry for entry, _ in page))
            done += len(page)
            if not await self._lease(bot):
                break
        self.written += done
        return done

    async def _page(self, spool: str) -> list[Any]:
        found: Any = await self._redis.xrange(spool, count=PAGE)
        return list(found)

    async def _lease(self, bot: BotAddress) -> bool:
        key = keys.writer(bot)
        if await self._redis.set(key, self._name, nx=True, ex=LEASE_SECONDS):
            return True
        if await self._redis.get(key) != self._name.encode():
            return False
        await self._redis.expire(key, LEASE_SECONDS)
        return True

    async def _write(self, bodies: list[bytes]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def write(body: bytes) -> None:
            event: Any = json.loads(body)
            async with room:
                await asyncio.to_thread(self._storage.write, path_of(event), body)

        await asyncio.gather(*(write(body) for body in bodies))
