"""What channels keep in Redis: who to deliver to, how far that is, and who does it."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.reply import text

KEEP_SECONDS = 30 * 86_400
"""A conversation that nobody spoke in for so long is not followed any more."""
MAX_FAILURES = 1_000
"""Messages that were given up and are still listed."""
_RENEW = """
local owner = redis.call("GET", KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1
"""
_RELEASE = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0'


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that was given up."""

    conversation: str
    number: str
    why: str


class ChannelStorage:
    """State of channels on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def place(self, channel: str, conversation: str) -> str:
        """Return the name of a channel's conversation in the store: nobody can guess it, or take it beforehand.

        Clients of the API name conversations themselves, and own those that they begin. The tag keeps them out of
        those of channels; it comes from a salt that is made once.
        """
        name = keys.channel_salt(channel)
        await self._redis.set(name, secrets.token_hex(16), nx=True)
        salt = text(await self._redis.get(name) or b"")
        tag = hmac.new(salt.encode(), conversation.encode(), hashlib.sha256).hexdigest()[:16]
        return f"{conversation}.{tag}"

    async def follow(self, channel: str, conversation: str, *, from_number: int) -> None:
        """Deliver what a conversation says after `from_number`, if it is not followed already."""
        name = keys.channel_cursor(channel, conversation)
        async with self._redis.pipeline(transaction=False) as pipe:
            # The conversation is listed first: one that is listed without a cursor is looked at and has nothing.
            pipe.sadd(keys.channel_conversations(channel), conversation)
            pipe.set(name, from_number, nx=True)
            pipe.expire(name, KEEP_SECONDS)
            await pipe.execute()

    async def conversations(self, channel: str) -> list[str]:
        """Return the conversations that are followed."""
        return [text(each) async for each in self._redis.sscan_iter(keys.channel_conversations(channel), count=500)]

    async def forget(self, channel: str, conversation: str) -> None:
        """Follow a conversation no more."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.srem(keys.channel_conversations(channel), conversation)
            pipe.delete(keys.channel_cursor(channel, conversation))
            await pipe.execute()

    async def cursor(self, channel: str, conversation: str) -> str | None:
        """Return the number of the last output that was delivered; None where nothing is to be."""
        found = await self._redis.get(keys.channel_cursor(channel, conversation))
        return None if found is None else text(found)

    async def advance(self, channel: str, conversation: str, number: str) -> None:
        """Note that everything up to `number` was delivered."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(keys.channel_cursor(channel, conversation), number, ex=KEEP_SECONDS)
            pipe.delete(keys.channel_progress(channel, conversation))
            await pipe.execute()

    async def progress(self, channel: str, conversation: str, number: str) -> int:
        """Return how many calls of an output that takes several were made."""
        found = await self._redis.hget(keys.channel_progress(channel, conversation), number)
        return int(found or 0)

    async def set_progress(self, channel: str, conversation: str, number: str, calls: int) -> None:
        """Note how many calls of an output were made."""
        name = keys.channel_progress(channel, conversation)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(name, number, calls)
            pipe.expire(name, KEEP_SECONDS)
            await pipe.execute()

    async def keep_options(self, channel: str, conversation: str, options: Mapping[str, str]) -> None:
        """Keep ids of options by what their buttons carry."""
        name = keys.channel_options(channel, conversation)
        async with self._redis.pipeline(transaction=False) as pipe:
            for data, identity in options.items():
                pipe.hset(name, data, identity)
            pipe.expire(name, KEEP_SECONDS)
            await pipe.execute()

    async def option(self, channel: str, conversation: str, data: str) -> str | None:
        """Return the id of the option whose button carries `data`."""
        found = await self._redis.hget(keys.channel_options(channel, conversation), data)
        return None if found is None else text(found)

    async def give_up(self, channel: str, failure: Failure) -> None:
        """List a message that could not be delivered."""
        fields = {"conversation": failure.conversation, "number": failure.number, "why": failure.why[:500]}
        await self._redis.xadd(keys.channel_failures(channel), fields, maxlen=MAX_FAILURES, approximate=True)  # type: ignore[arg-type]

    async def failures(self, channel: str) -> list[Failure]:
        """Return the messages that were given up, newest first."""
        found: Any = await self._redis.xrevrange(keys.channel_failures(channel), count=MAX_FAILURES)
        return [Failure(text(f[b"conversation"]), text(f[b"number"]), text(f[b"why"])) for _, f in found]

    async def hold(self, channel: str, owner: str, milliseconds: int) -> bool:
        """Become or stay the one who delivers for a channel; False while somebody else is."""
        held = await self._redis.eval(_RENEW, 1, keys.channel_owner(channel), owner, str(milliseconds))
        return bool(held)

    async def release(self, channel: str, owner: str) -> None:
        """Leave a channel to others at once."""
        await self._redis.eval(_RELEASE, 1, keys.channel_owner(channel), owner)
