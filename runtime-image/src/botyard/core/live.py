"""One subscription connection for all who follow conversations in this process."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from botyard.core.connection import Unavailable

BROKEN = (*Unavailable, RuntimeError)
"""What a lost connection looks like. redis-py raises RuntimeError where who subscribes and who reads find out about it
at the same time: both connect anew, and both read."""
CONFIRM_TIMEOUT = 5.0
"""Seconds that Redis gets to confirm a subscription."""
BUFFER = 256
"""Messages that one follower may lag behind before it has to read from the stream again."""


class Follower:
    """What one follower has received and not yet looked at.

    A list and, while somebody waits, one future: thousands of followers are silent most of the time, and a queue of
    asyncio would cost each of them 3 KiB.
    """

    __slots__ = ("_messages", "_waiting")

    def __init__(self) -> None:
        self._messages: list[bytes | None] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, message: bytes | None) -> None:
        """Hand over a message, or None for "something may be missing"; an overflow counts as missing too."""
        if len(self._messages) >= BUFFER:
            self._messages, message = [], None
        self._messages.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def get(self, timeout: float) -> bytes | None:
        """Return the next message; None when something may be missing. Only one may wait at a time.

        Raises:
            TimeoutError: Nothing came within `timeout` seconds.
        """
        if not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._waiting
            finally:
                self._waiting = None
        return self._messages.pop(0)


class LiveHub:
    """Fans the publications of any number of channels out to followers.

    Publications are a hint that saves reading: after a lost connection every follower is told that something may be
    missing and reads the stream, which is the truth.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pubsub: PubSub = redis.pubsub()
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        self._followers: dict[str, set[Follower]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def follow(self, channel: str) -> AsyncIterator[Follower]:
        """Subscribe to `channel` for the length of the context; it is subscribed when the body begins."""
        follower = Follower()
        async with self._lock:
            if channel not in self._followers:
                # A cluster's client must know the cluster's nodes before it can subscribe.
                await self._redis.initialize()
                self._confirmed[channel] = asyncio.get_running_loop().create_future()
                try:
                    await self._pubsub.subscribe(channel)
                except RuntimeError as error:
                    raise RedisConnectionError(f"the subscription's connection broke: {error}") from error
            self._followers.setdefault(channel, set()).add(follower)
            confirmed = self._confirmed[channel]
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read(), name="live-hub")
        try:
            # Only from the confirmation on is nothing missed; without one the follower's own ticks read.
            await asyncio.wait((confirmed,), timeout=CONFIRM_TIMEOUT)
            yield follower
        finally:
            await self._leave(channel, follower)

    async def _leave(self, channel: str, follower: Follower) -> None:
        async with self._lock:
            followers = self._followers[channel]
            followers.discard(follower)
            if not followers:
                del self._followers[channel], self._confirmed[channel]
                with contextlib.suppress(*BROKEN):
                    await self._pubsub.unsubscribe(channel)

    async def _read(self) -> None:
        while True:
            try:
                message = await self._pubsub.get_message(timeout=5.0)
            except BROKEN:
                # redis-py subscribes again by itself when it reconnects; whoever listened must read.
                self._tell_everybody()
                await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311
                with contextlib.suppress(*BROKEN):
                    await self._connect_anew()
                continue
            if message is None or message["channel"] is None:
                # Silence, or the answer to the ping.
                continue
            channel = message["channel"].decode()
            confirmed = self._confirmed.get(channel)
            if message["type"] == "subscribe" and confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
            elif message["type"] == "message":
                for follower in self._followers.get(channel, ()):
                    follower.put(message["data"])

    async def _connect_anew(self) -> None:
        # Nobody subscribes meanwhile, as that would connect, too.
        async with self._lock:
            if self._pubsub.connection is not None:
                await self._pubsub.connection.disconnect()
            await self._pubsub.ping()
        # What came between the loss and this was said to nobody.
        self._tell_everybody()

    def _tell_everybody(self) -> None:
        for followers in self._followers.values():
            for follower in followers:
                follower.put(None)

    async def close(self) -> None:
        """End the subscription connection; followers see silence."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
