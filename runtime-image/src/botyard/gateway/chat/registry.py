"""Which conversations a session has, known to all gateways, and what is said to its open connections at once."""

import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

from redis.asyncio import Redis

from botyard.core.address import BotAddress

MOST = 32
"""Conversations of one session that its connections follow: the ones used last."""
FRESH = 60
"""Seconds after a message in which a client that connects is told all of its turn, unless it was told it before."""
KEEP = 7 * 24 * 3600
"""Seconds after its last message that a session is known."""


@dataclass(frozen=True, slots=True)
class Member:
    """A conversation of a session."""

    bot: BotAddress
    conversation: str
    since: int
    """Number of the conversation's last output before the session's newest message."""
    at: float = field(default_factory=time.time)
    """When that message came, in seconds since 1970."""

    @property
    def name(self) -> str:
        """How positions call it."""
        return f"{self.bot.name}/{self.conversation}"

    def to_json(self) -> str:
        """Return what is kept of it, and told to open connections."""
        bot = self.bot
        return json.dumps([bot.namespace, bot.name, bot.partitions, self.conversation, self.since, self.at])

    @classmethod
    def from_json(cls, text: str | bytes) -> "Member":
        """Return what `to_json` told."""
        namespace, name, partitions, conversation, since, at = json.loads(text)
        return cls(BotAddress(namespace, name, partitions), conversation, since, at)


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A session of one user: the same name given by another user is another session."""

    namespace: str
    owner: str
    name: str

    @property
    def tag(self) -> str:
        """What its keys begin with."""
        joined = "\0".join((self.namespace, self.owner, self.name)).encode()
        return f"by:{{chat/{hashlib.sha256(joined).hexdigest()[:32]}}}"

    @property
    def channel(self) -> str:
        """Where its open connections are told things at once."""
        return f"{self.tag}:live"


class Sessions:
    """The sessions on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def join(self, session: SessionKey, member: Member) -> None:
        """Add a conversation to a session."""
        text = member.to_json()
        content, order = f"{session.tag}:members", f"{session.tag}:order"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(content, member.name, text)
            pipe.zadd(order, {member.name: time.time()})
            pipe.zrange(order, 0, -MOST - 1)
            pipe.expire(content, KEEP)
            pipe.expire(order, KEEP)
            results = await pipe.execute()
        if old := results[2]:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(content, *old)
                pipe.zrem(order, *old)
                await pipe.execute()

    async def announce(self, session: SessionKey, member: Member) -> None:
        """Have the open connections of a session follow a conversation that joined it.

        They read all of it, so nothing is lost when this comes late, or not at all.
        """
        await self._redis.publish(session.channel, f"+{member.to_json()}")

    async def heard(self, session: SessionKey, member: Member, number: int) -> None:
        """Note that a connection of the session was told a turn to its end, which is the output of this number."""
        key = f"{session.tag}:heard"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, member.name, number)
            pipe.expire(key, FRESH)
            await pipe.execute()

    async def unheard(self, session: SessionKey) -> list[Member]:
        """Return the conversations of a session, with `since` at the end of what its connections were told."""
        found: Any = await self._redis.hgetall(f"{session.tag}:heard")
        heard = {name.decode(): int(number) for name, number in found.items()}
        return [
            replace(member, since=max(member.since, heard.get(member.name, 0)))
            for member in await self.members(session)
        ]

    async def members(self, session: SessionKey) -> list[Member]:
        """Return the conversations of a session."""
        found: Any = await self._redis.hgetall(f"{session.tag}:members")
        return [Member.from_json(text) for text in found.values()]

    async def tell(self, session: SessionKey, event: str, data: Any, *, target: str = "") -> None:
        """Send an event that is not kept to the open connections of a session, or to one of them."""
        text = json.dumps([event, target, data], ensure_ascii=False, separators=(",", ":"))
        await self._redis.publish(session.channel, f"!{text}")
