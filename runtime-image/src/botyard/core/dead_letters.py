"""Events that were given up: to be looked at, run again or dropped by a person."""

import json
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress, Partition
from botyard.core.reply import text
from botyard.core.scripts import Scripts


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that was given up."""

    id: str
    """`<partition>:<entry>`, for `requeue` and `drop`."""
    record: dict[str, Any]
    """{event, key, kind, payload, turn, user, at, error{kind, message}}."""


class DeadLetters:
    """The dead letters of all bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def list(self, bot: BotAddress, *, count: int = 100) -> list[DeadLetter]:
        """Return up to `count` letters of each partition, oldest first."""
        letters: list[DeadLetter] = []
        for partition in bot.all_partitions():
            entries: Any = await self._redis.xrange(keys.dead_letters(partition), count=count)
            letters.extend(
                DeadLetter(f"{partition.number}:{text(entry)}", json.loads(fields[b"record"]))
                for entry, fields in entries
            )
        return letters

    async def requeue(self, bot: BotAddress, letter: str) -> bool:
        """Put a letter back at the end of its inbox; False when there is no such letter."""
        return await self._settle(bot, letter, "requeue")

    async def drop(self, bot: BotAddress, letter: str) -> bool:
        """Forget a letter; False when there is no such letter."""
        return await self._settle(bot, letter, "drop")

    async def _settle(self, bot: BotAddress, letter: str, what: str) -> bool:
        number, _, entry = letter.partition(":")
        partition = Partition(bot, int(number))
        answer = await self._scripts.run(
            "requeue", keys=[keys.dead_letters(partition), keys.inbox(partition)], args=[entry, what]
        )
        return bool(answer)
