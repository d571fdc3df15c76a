"""A second conversation that goes on from where a first one was, to try another way or to look into what went wrong."""

import json
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import ids, keys
from botyard.core.address import BotAddress
from botyard.core.errors import CoreError
from botyard.core.reply import text
from botyard.core.retention import Retention
from botyard.core.scripts import Scripts

PAGE = 100
"""Records looked at together."""


class NotForkable(CoreError):
    """What the conversation was after that turn is not kept.

    Attributes:
        turns: The turns after which the conversation can be forked, oldest first.
    """

    def __init__(self, turn: str, turns: tuple[str, ...]) -> None:
        super().__init__(f"the state after turn {turn!r} is not kept; {len(turns)} newer or other ones are")
        self.turns = turns


@dataclass(frozen=True, slots=True)
class _Version:
    turn: str
    outputs: int
    commit: int
    revision: str
    schema: str
    state: bytes


class Forks:
    """Forks conversations of all bots on one Redis."""

    def __init__(self, redis: Redis, *, retention: Retention | None = None) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._retention = retention or Retention()

    async def turns(self, bot: BotAddress, conversation: str) -> tuple[str, ...]:
        """Return the turns after which `conversation` can be forked, oldest first."""
        return tuple(version.turn for version in await self._forkable(bot, conversation))

    async def fork(self, bot: BotAddress, conversation: str, *, after: str = "", user: str = "") -> str:
        """Begin a new conversation with the state and the outputs that `conversation` had after a turn.

        The first one is not touched. What it is waiting for (timers, callbacks) stays its own.

        Args:
            bot: Whose conversation.
            conversation: The one that is forked.
            after: The turn; empty: the newest that changed the state.
            user: Owner of the new conversation.

        Returns:
            The new conversation.

        Raises:
            NotForkable: The state after that turn is not kept, or there is none.
        """
        versions = await self._forkable(bot, conversation)
        found = [version for version in versions if not after or version.turn == after]
        if not found:
            raise NotForkable(after, tuple(version.turn for version in versions))
        version, target = found[-1], ids.new_conversation()
        partition = bot.partition(target)
        said = await self._said(bot, conversation, version.outputs, target)
        await self._copy_records(bot, conversation, target, version.commit)
        if version not in (left := await self._forkable(bot, conversation)):
            # A turn changed records, or the conversation was ended, while they were copied.
            await self._redis.delete(keys.records(partition, target), keys.record_names(partition, target))
            raise NotForkable(version.turn, tuple(each.turn for each in left))
        await self._scripts.run(
            "fork",
            keys=[
                keys.conversation(partition, target),
                keys.state(partition, target),
                keys.outputs(partition, target),
            ],
            args=[
                user,
                f"{conversation} {version.turn}",
                version.state,
                self._retention.conversation,
                version.revision,
                version.schema,
                *said,
            ],
        )
        return target

    async def _forkable(self, bot: BotAddress, conversation: str) -> list[_Version]:
        """Return the versions whose records are known: none that came before a record was changed or removed."""
        about = await self._redis.hget(keys.conversation(bot.partition(conversation), conversation), "rewritten")
        return [each for each in await self._versions(bot, conversation) if each.commit >= int(about or 0)]

    async def _copy_records(self, bot: BotAddress, conversation: str, target: str, last: int) -> None:
        """Give the new conversation the records that were written until commit `last`."""
        there, here = bot.partition(conversation), bot.partition(target)
        async for name, stored in self._redis.hscan_iter(keys.records(there, conversation), count=PAGE):
            number, _, record = stored.partition(b" ")
            if int(number) > last:
                continue
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hset(keys.records(here, target), name, b"0 " + record)
                pipe.zadd(keys.record_names(here, target), {name: 0})
                # Until the conversation exists, nobody else would remove what a crash leaves behind.
                pipe.expire(keys.records(here, target), self._retention.conversation)
                pipe.expire(keys.record_names(here, target), self._retention.conversation)
                await pipe.execute()

    async def _versions(self, bot: BotAddress, conversation: str) -> list[_Version]:
        entries: Any = await self._redis.xrange(keys.versions(bot.partition(conversation), conversation))
        return [
            _Version(
                text(fields[b"turn"]),
                int(fields[b"outputs"]),
                int(fields[b"commit"]),
                text(fields[b"revision"]),
                text(fields[b"schema"]),
                fields[b"state"],
            )
            for _, fields in entries
        ]

    async def _said(self, bot: BotAddress, conversation: str, last: int, target: str) -> list[str]:
        """Return number and envelope of what was said until output `last`, in the new conversation's name."""
        stream = keys.outputs(bot.partition(conversation), conversation)
        entries: Any = await self._redis.xrange(stream, max=f"{last}-0")
        said: list[str] = []
        for entry, fields in entries:
            envelope = json.loads(fields[b"e"])
            envelope["conversation"] |= {"session_id": target, "conversation_id": target}
            said += [text(entry).split("-")[0], json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))]
        return said
