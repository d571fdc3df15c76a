"""Events that were given up: to be looked at, run again or dropped by a person."""

import json
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress, Partition
from botyard.core.reply import text
from botyard.core.retention import Retention
from botyard.core.scripts import Scripts


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that was given up."""

    id: str
    """`<partition>:<entry>`, for `requeue` and `drop`."""
    record: dict[str, Any]
    """{event, key, kind, payload, turn, user, at, error{kind, message}}."""

    @property
    def position(self) -> tuple[int, int, int]:
        """What letters are ordered by: when it was given up, then its partition."""
        return _position(self.id)


class DeadLetters:
    """The dead letters of all bots on one Redis."""

    def __init__(self, redis: Redis, *, retention: Retention | None = None) -> None:
        self._redis = redis
        self._retention = retention or Retention()
        self._scripts = Scripts(redis)

    async def list(self, bot: BotAddress, *, after: str = "", count: int = 100) -> list[DeadLetter]:
        """Return up to `count` letters, oldest first over all partitions.

        Args:
            bot: Whose letters.
            after: Id of a letter; only those given up behind it.
            count: Most letters.

        Raises:
            ValueError: `after` is no letter's id.
        """
        letters: list[DeadLetter] = []
        position = _position(after) if after else (0, 0, -1)
        least = f"{position[0]}-{position[1]}"
        for partition in bot.all_partitions():
            # The first may be the one that `after` names.
            entries: Any = await self._redis.xrange(keys.dead_letters(partition), min=least, count=count + 1)
            letters.extend(
                DeadLetter(f"{partition.number}:{text(entry)}", json.loads(fields[b"record"]))
                for entry, fields in entries
            )
        found = sorted((letter for letter in letters if letter.position > position), key=lambda each: each.position)
        return found[:count]

    async def requeue(self, bot: BotAddress, letter: str) -> bool:
        """Put a letter back at the end of its inbox, as an open turn; False when there is no such letter."""
        return await self._settle(bot, letter, "requeue")

    async def drop(self, bot: BotAddress, letter: str) -> bool:
        """Forget a letter; False when there is no such letter."""
        return await self._settle(bot, letter, "drop")

    async def _settle(self, bot: BotAddress, letter: str, what: str) -> bool:
        number, _, entry = letter.partition(":")
        partition = Partition(bot, int(number))
        found: Any = await self._redis.xrange(keys.dead_letters(partition), min=entry, max=entry)
        if not found:
            return False
        key = json.loads(found[0][1][b"record"])["key"]
        answer = await self._scripts.run(
            "requeue",
            keys=[
                keys.dead_letters(partition),
                keys.inbox(partition),
                keys.open_turns(partition, key),
                keys.conversation(partition, key),
            ],
            args=[entry, what, self._retention.of(key)],
        )
        return bool(answer)


def _position(letter: str) -> tuple[int, int, int]:
    """Return what orders letters: when they were given up, then their partition."""
    partition, _, entry = letter.partition(":")
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number), int(partition)
