"""The way out: what a conversation said, numbered without gaps, to be read again and followed live."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.errors import Expired
from botyard.core.live import LiveHub

TICK = 10.0
"""Seconds after which a silent `follow` yields None, so that its reader can send a keep-alive."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """One output of a conversation."""

    id: str
    """Its number in the conversation, from 1, without gaps."""
    envelope: str
    """JSON text."""


class Outputs:
    """Reads outputs of all bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._hub = LiveHub(redis)

    async def read(self, bot: BotAddress, conversation: str, *, after: str = "", count: int = PAGE) -> list[Stored]:
        """Return up to `count` outputs that follow number `after` (empty: from the oldest that is kept).

        Raises:
            Expired: What followed `after` is no longer kept, or `after` was never given out.
        """
        partition = bot.partition(conversation)
        stream, meta = keys.outputs(partition, conversation), keys.conversation(partition, conversation)
        start = int(after) if after else 0
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xrange(stream, min=f"{start + 1}-0", count=count)
            pipe.hget(meta, "outputs")
            if after:
                pipe.xrange(stream, count=1)
            page, last, *oldest = await pipe.execute()
        if after:
            first = int(oldest[0][0][0].split(b"-")[0]) if oldest[0] else int(last or 0) + 1
            if start + 1 < first or start > int(last or 0):
                raise Expired(first)
        return [Stored(id=entry.split(b"-")[0].decode(), envelope=fields[b"e"].decode()) for entry, fields in page]

    async def follow(
        self, bot: BotAddress, conversation: str, *, after: str = "", tick: float = TICK
    ) -> AsyncIterator[Stored | None]:
        """Yield what follows `after`: first what is kept, then what comes, without gap or repetition.

        Subscribing comes before reading, so nothing falls between; numbers tell repetitions and gaps. None is
        yielded after `tick` seconds of silence, and the stream is read again, which makes up for a publication
        that got lost.

        Raises:
            Expired: As for `read`; also when the follower was so slow that outputs were trimmed meanwhile.
        """
        channel = keys.live(bot.partition(conversation), conversation)
        position, cursor = int(after or 0), after
        async with self._hub.follow(channel) as follower:
            while True:
                while page := await self.read(bot, conversation, after=cursor):
                    for stored in page:
                        position, cursor = int(stored.id), stored.id
                        yield stored
                try:
                    while message := await follower.get(tick):
                        number, envelope = message.split(b" ", 1)
                        if int(number) > position + 1:
                            break
                        if int(number) == position + 1:
                            position, cursor = int(number), number.decode()
                            yield Stored(id=cursor, envelope=envelope.decode())
                except TimeoutError:
                    yield None

    async def close(self) -> None:
        """Stop following."""
        await self._hub.close()
