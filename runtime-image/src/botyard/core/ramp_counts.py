"""How the turns of two revisions end while the new one is ramped: counted by the replicas, read by the operator.

Each replica adds what it has counted for a moment. What a replica that is killed has not added yet is lost: these are
figures to judge a revision by, not accounts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.reply import text

KEEP_SECONDS = 30 * 24 * 3600
"""How long the figures of a ramp are kept after its last turn."""

Side = Literal["new", "old"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Turns of one revision.

    Attributes:
        turns: That were committed.
        failed: Those of them that ended with an error for which the code may be to blame.
        dead: Events that were given up.
        conversations: That had a turn; a good estimate.
    """

    turns: int = 0
    failed: int = 0
    dead: int = 0
    conversations: int = 0


class RampCounts:
    """The figures of all ramps on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(
        self, bot: BotAddress, ramp: str, tallies: Mapping[Side, Tally], conversations: Mapping[Side, Collection[str]]
    ) -> None:
        """Add what one replica has counted.

        Args:
            bot: Whose turns.
            ramp: Id of the ramp.
            tallies: Turns since the last time; their `conversations` do not count.
            conversations: Those that had a turn since.
        """
        seconds, micros = await self._redis.time()
        pipe = self._redis.pipeline(transaction=False)
        counts = keys.ramp_counts(bot, ramp)
        for side, tally in tallies.items():
            for name in ("turns", "failed", "dead"):
                if number := getattr(tally, name):
                    pipe.hincrby(counts, f"{side}:{name}", number)
        pipe.expire(counts, KEEP_SECONDS)
        for side, members in conversations.items():
            if members:
                pipe.pfadd(seen := keys.ramp_conversations(bot, ramp, side), *members)
                pipe.expire(seen, KEEP_SECONDS)
        await pipe.execute()
        await self._redis.zadd(keys.RAMP_CHANGES, {str(bot): int(seconds) * 1_000_000 + int(micros)})

    async def changed(self, since_us: int) -> list[tuple[str, str, int]]:
        """Return namespace, name and time (microseconds) of the bots whose figures changed since one."""
        rows: Any = await self._redis.zrangebyscore(keys.RAMP_CHANGES, since_us, "+inf", withscores=True)
        return [(*_split(text(member)), int(score)) for member, score in rows]

    async def read(self, bot: BotAddress, ramp: str) -> dict[Side, Tally]:
        """Return the figures of a ramp."""
        found: Any = await self._redis.hgetall(keys.ramp_counts(bot, ramp))
        counts = {text(name): int(number) for name, number in found.items()}
        tallies: dict[Side, Tally] = {}
        for side in get_args(Side):
            seen = int(await self._redis.pfcount(keys.ramp_conversations(bot, ramp, side)))
            turns, failed, dead = (counts.get(f"{side}:{name}", 0) for name in ("turns", "failed", "dead"))
            tallies[side] = Tally(turns, failed, dead, seen)
        return tallies


def _split(member: str) -> tuple[str, str]:
    namespace, _, name = member.partition("/")
    return namespace, name
