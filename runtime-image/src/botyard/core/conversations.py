"""Conversations as their users see them."""

import json
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.parking import parse
from botyard.core.reply import text
from botyard.core.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation with its turns."""

    user: str
    created_ms: int
    ended: bool
    outputs: int
    """Number of the last output."""
    revision: str
    """Of the bundle that wrote the state; empty where there is none or it is unknown."""
    turns: tuple[dict[str, Any], ...]
    """Finished turns in order, then the open ones: {turn, event, state, accepted, finished?, attempt?, error?}.

    A parked one has also {reason, until (milliseconds since the epoch or None)}.
    """


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conversation is."""

    outputs: int
    """Number of the last output."""
    open_turns: tuple[str, ...]
    """Turns that wait or run."""
    pending: int
    """Events that wait in the conversation's partition."""
    user: str | None
    """Whose conversation it is; None: there is none."""


class Conversations:
    """Looks conversations up on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)

    async def owner(self, bot: BotAddress, conversation: str) -> str | None:
        """Return the user whose conversation it is, "" where a bot began it, or None when there is none."""
        fields = keys.conversation(bot.partition(conversation), conversation)
        owner, commits = await self._redis.hmget(fields, "user", "commits")
        if owner is None:
            return None if commits is None else ""
        return text(owner)

    async def progress(self, bot: BotAddress, conversation: str) -> Progress:
        """Return how far a conversation is; nothing of it where there is none."""
        partition = bot.partition(conversation)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(keys.conversation(partition, conversation), "outputs", "user")
            pipe.hkeys(keys.open_turns(partition, conversation))
            pipe.xlen(keys.inbox(partition))
            (outputs, user), waiting, pending = await pipe.execute()
        turns = tuple(sorted(text(turn) for turn in waiting))
        return Progress(int(outputs or 0), turns, int(pending), None if user is None else text(user))

    async def describe(self, bot: BotAddress, conversation: str, *, turns: int = 200) -> Conversation | None:
        """Return a conversation with up to `turns` of its newest finished turns, or None when there is none."""
        partition = bot.partition(conversation)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.conversation(partition, conversation))
            pipe.xrevrange(keys.history(partition, conversation), count=turns)
            pipe.hgetall(keys.open_turns(partition, conversation))
            pipe.hget(keys.parked(partition), conversation)
            meta, finished, waiting, parked = await pipe.execute()
        if not meta:
            return None
        done = [json.loads(fields[b"record"]) for _, fields in reversed(finished)]
        open_turns = [{"turn": turn.decode(), "state": "open", **json.loads(about)} for turn, about in waiting.items()]
        if parked is not None:
            aside = parse(conversation, text(parked))
            for turn in open_turns:
                if turn["turn"] == aside.turn:
                    turn |= {"state": "parked", "reason": aside.reason, "until": aside.until_ms or None}
        # Several are accepted within one millisecond: their places in the inbox tell them apart.
        open_turns.sort(key=lambda turn: (turn["accepted"], _place(turn.pop("place", "0-0"))))
        return Conversation(
            user=meta.get(b"user", b"").decode(),
            created_ms=int(meta.get(b"created", 0)),
            ended=b"ended" in meta,
            outputs=int(meta.get(b"outputs", 0)),
            revision=meta.get(b"revision", b"").decode(),
            turns=(*done, *open_turns),
        )

    async def end(self, bot: BotAddress, conversation: str) -> bool:
        """End a conversation: its next message starts afresh. False when there is none.

        A turn that runs meanwhile still commits what it says; the state that it leaves is dropped, since it belongs
        to what ended.
        """
        partition = bot.partition(conversation)
        ended = await self._scripts.run(
            "end",
            keys=[
                keys.conversation(partition, conversation),
                keys.state(partition, conversation),
                keys.versions(partition, conversation),
                keys.records(partition, conversation),
                keys.record_names(partition, conversation),
            ],
            args=[],
        )
        return bool(ended)


def _place(entry: str) -> tuple[int, int]:
    """Return a stream entry's id as numbers."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)
