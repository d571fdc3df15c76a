"""The way in: events are accepted once, durably, and wait in the order of their key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import ids, keys
from botyard.core.address import BotAddress, Partition
from botyard.core.errors import NotOwner, Overloaded
from botyard.core.retention import Retention
from botyard.core.scripts import Scripts
from botyard.core.trace import carried

MAX_PENDING = 10_000
"""Events that may wait in one partition before more are refused."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receipt of an event."""

    event: str
    turn: str
    duplicate: bool
    """The same id was accepted before; `turn` is that one's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it waits in an inbox."""

    id: str
    """Position in the stream."""
    partition: Partition
    event: str
    key: str
    kind: str
    payload: str
    """JSON text; it is handed on as it is."""
    turn: str
    user: str
    accepted_ms: int
    trace: str = ""
    """Trace context of who accepted it (`botyard.core.trace`)."""


class Inbox:
    """Accepts events of all bots on one Redis."""

    def __init__(self, redis: Redis, *, retention: Retention | None = None) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._retention = retention or Retention()

    async def accept(
        self,
        bot: BotAddress,
        *,
        key: str,
        kind: str,
        payload: Mapping[str, Any],
        user: str = "",
        may_act_for_others: bool = False,
        event_id: str | None = None,
        max_pending: int = MAX_PENDING,
    ) -> Accepted:
        """Accept one event; when this returns, Redis has it (on disk, where its URL asks for that).

        Args:
            bot: Whose inbox.
            key: Key of ordering: events of one key run one after the other, in the order of acceptance.
            kind: message, callback or timer.
            payload: JSON-able content.
            user: Who sends it. The first sender owns the conversation.
            may_act_for_others: The sender may write into conversations of other users.
            event_id: The sender's own id: a second event of this key with the same id is the same event.
            max_pending: Events that may wait in the partition.

        Raises:
            Overloaded: Too many events wait.
            NotOwner: The conversation belongs to another user.
            NotFlushed: It is not known to be on disk; accept it again with the same id.
        """
        partition = bot.partition(key)
        event, turn = event_id or ids.new_event(), ids.new_turn()
        answer = await self._scripts.run_to_disk(
            "accept",
            keys=[
                keys.inbox(partition),
                keys.conversation(partition, key),
                keys.open_turns(partition, key),
                keys.seen(partition, key, event),
            ],
            args=[
                key,
                kind,
                json.dumps(payload, ensure_ascii=False, separators=(",", ":")),
                event,
                turn,
                user,
                int(may_act_for_others),
                max_pending,
                self._retention.duplicates if event_id else self._retention.resends,
                self._retention.of(key),
                carried.get(),
            ],
        )
        outcome = answer[0].decode()
        if outcome == "overloaded":
            raise Overloaded(pending=int(answer[1]), retry_after=2.0)
        if outcome == "not-owner":
            raise NotOwner(f"conversation {key!r} belongs to another user")
        accepted = answer[1].decode()
        # An answer that was lost with its connection is asked for again: then it is a duplicate of this very call.
        return Accepted(event=event, turn=accepted, duplicate=outcome == "duplicate" and accepted != turn)

    async def knows(self, bot: BotAddress, key: str, event: str) -> bool:
        """Return whether an event was accepted before and is remembered."""
        return bool(await self._redis.exists(keys.seen(bot.partition(key), key, event)))

    async def pending(self, bot: BotAddress) -> int:
        """Return how many accepted events of `bot` are not committed."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in bot.all_partitions():
                pipe.xlen(keys.inbox(partition))
            return sum(await pipe.execute())


def parse_entry(partition: Partition, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """Return the event that a stream entry holds."""
    return Entry(
        id=entry_id.decode(),
        partition=partition,
        event=fields[b"event"].decode(),
        key=fields[b"key"].decode(),
        kind=fields[b"kind"].decode(),
        payload=fields[b"payload"].decode(),
        turn=fields[b"turn"].decode(),
        user=fields[b"user"].decode(),
        accepted_ms=int(fields[b"at"]),
        trace=fields.get(b"trace", b"").decode(),
    )
