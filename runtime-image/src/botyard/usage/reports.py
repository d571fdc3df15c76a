"""Reads the roll-ups of any bots."""

from typing import Any

from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.usage import keys, rollups
from botyard.usage.rollups import Row


class UsageReports:
    """What was used, by day and by turn."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def day(self, bot: BotAddress, name: str) -> list[Row]:
        """Return the sums of a day in UTC, such as `2026-11-21`."""
        return await self._rows(keys.day(bot, name))

    async def turn(self, bot: BotAddress, name: str) -> list[Row]:
        """Return the sums of a turn."""
        return await self._rows(keys.turn(bot, name))

    async def _rows(self, key: str) -> list[Row]:
        content: Any = await self._redis.hgetall(key)
        return rollups.rows(content)
