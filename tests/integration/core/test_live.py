"""Followers of publications on connections that break."""

import asyncio
import contextlib

from redis.asyncio import Redis

from botyard.core.live import LiveHub
from tests.integration.redis.server import eventually


async def test_followers_hear_again_after_who_subscribed_and_who_reads_got_into_each_others_way(
    redis_client: Redis,
) -> None:
    hub = LiveHub(redis_client)

    async def reads_as_well() -> None:
        # As redis-py does for a subscription that finds the connection broken: it connects, and reads.
        while True:
            with contextlib.suppress(RuntimeError):
                await hub._pubsub.get_message(timeout=60)
            await asyncio.sleep(0)

    async with hub.follow("first") as follower:
        intruding = asyncio.create_task(reads_as_well())

        async def told_that_something_is_missing() -> bool:
            await redis_client.publish("first", "noise")
            with contextlib.suppress(TimeoutError):
                return await follower.get(0.05) is None
            return False

        await eventually(told_that_something_is_missing, timeout=60)
        intruding.cancel()

        async def heard() -> bool:
            await redis_client.publish("first", "hello")
            with contextlib.suppress(TimeoutError):
                return await follower.get(0.05) == b"hello"
            return False

        await eventually(heard, timeout=60)
    await hub.close()
