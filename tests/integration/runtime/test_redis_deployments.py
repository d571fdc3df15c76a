"""The same bot on a Redis Cluster, and on a primary that fails over."""

import asyncio
from pathlib import Path

from botyard.core.connection import connect
from botyard.core.conversations import Conversations
from tests.integration.redis.deployments import redis_cluster, redis_sentinel
from tests.integration.runtime.replica import Bot


async def test_conversations_are_answered_on_a_redis_cluster(tmp_path: Path) -> None:
    with redis_cluster() as url:
        bot = Bot(connect(url), url, tmp_path)
        try:
            await bot.start(2)
            names = [f"c{number}" for number in range(20)]
            for name in names:
                for text in ("reset", "one", "two"):
                    await bot.say(text, name)
            for name in names:
                await bot.finished(3, name)
                assert await bot.texts(name) == ["1: one", "2: two"]
            assert await bot.inbox.pending(bot.address) == 0

            async def follow() -> str:
                async for stored in bot.outputs.follow(bot.address, "c0", after="1"):
                    assert stored is not None
                    return stored.id
                raise AssertionError

            assert await asyncio.wait_for(follow(), 10) == "2"
            assert await Conversations(bot.redis).end(bot.address, "c0")
        finally:
            bot.stop()
            await bot.outputs.close()
            await bot.redis.aclose()


async def test_a_conversation_goes_on_after_the_primary_is_lost(tmp_path: Path) -> None:
    with redis_sentinel() as (url, nodes, primary):
        bot = Bot(connect(url), url, tmp_path)
        try:
            await bot.start()
            for text in ("reset", "one"):
                await bot.say(text)
            await bot.finished(2)
            await bot.redis.execute_command("WAIT", 1, 1000)
            nodes.kill(primary)
            await _say_until_accepted(bot, "two")
            await bot.finished(3)
            assert await bot.texts() == ["1: one", "2: two"]
        finally:
            bot.stop()
            await bot.redis.aclose()


async def _say_until_accepted(bot: Bot, text: str) -> None:
    """Send with an id, so that sending again is the same message."""
    async with asyncio.timeout(30):
        while True:
            try:
                await bot.inbox.accept(
                    bot.address, key="c1", kind="message", payload={"text": text}, user="ada", event_id="m2"
                )
            except Exception as error:
                print("not yet:", error)
                await asyncio.sleep(0.2)
            else:
                return
