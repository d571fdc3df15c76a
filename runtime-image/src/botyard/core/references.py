"""Callback references: how a third party's answer finds the session that waits for it."""

from dataclasses import dataclass

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.reply import text
from botyard.core.retention import Retention


@dataclass(frozen=True, slots=True)
class Reference:
    """The session that a reference is bound to."""

    bot: BotAddress
    conversation: str
    user: str


class References:
    """Registers and resolves callback references on one Redis."""

    def __init__(self, redis: Redis, *, retention: Retention | None = None) -> None:
        self._redis = redis
        self._retention = retention or Retention()

    async def register(self, reference_id: str, reference: Reference) -> None:
        """Bind `reference_id` to a session until it expires; to do so again is harmless.

        Raises:
            ValueError: It is bound to another session.
        """
        name = keys.reference(reference_id)
        fields: dict[bytes | bytearray | memoryview | str | int | float, bytes | str | int | float] = {
            "namespace": reference.bot.namespace,
            "bot": reference.bot.name,
            "partitions": reference.bot.partitions,
            "conversation": reference.conversation,
            "user": reference.user,
        }
        # One claim decides between two sessions; the rest of the fields is the same for whoever won.
        claim = f"{reference.bot}/{reference.conversation}"
        await self._redis.hsetnx(name, "session", claim)
        if (await self._redis.hget(name, "session")) != claim.encode():
            raise ValueError(f"reference {reference_id!r} belongs to another session")
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(name, mapping=fields)
            pipe.expire(name, self._retention.references)
            await pipe.execute()

    async def resolve(self, reference_id: str) -> Reference | None:
        """Return the session of `reference_id`, or None when it is unknown or expired."""
        fields = await self._redis.hgetall(keys.reference(reference_id))
        if b"conversation" not in fields:
            return None
        return Reference(
            bot=BotAddress(text(fields[b"namespace"]), text(fields[b"bot"]), int(fields[b"partitions"])),
            conversation=text(fields[b"conversation"]),
            user=text(fields[b"user"]),
        )
