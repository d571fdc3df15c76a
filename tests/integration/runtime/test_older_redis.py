"""Redis comes back with an older file: work goes on from that moment, in order, and no old owner interferes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard.core.connection import connect
from tests.integration.redis.server import RedisServer, running_redis
from tests.integration.runtime.replica import Bot


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with running_redis(appendfsync="always") as server:
        yield server


async def test_a_conversation_goes_on_from_the_moment_that_redis_remembers(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    bot = Bot(connect(own_redis.url), own_redis.url, tmp_path / "bot")
    try:
        (replica,) = await bot.start()
        for text in ("reset", "one", "two"):
            await bot.say(text)
        await bot.finished(3)
        # A copy as of now, taken from a stopped server.
        own_redis.kill()
        shutil.copytree(own_redis.folder / "appendonlydir", tmp_path / "older")
        own_redis.start()
        for text in ("lost", "lost too"):
            await bot.say(text)
        await bot.finished(5)

        own_redis.kill()
        shutil.rmtree(own_redis.folder / "appendonlydir")
        shutil.copytree(tmp_path / "older", own_redis.folder / "appendonlydir")
        own_redis.start()
        await bot.say("three")
        await bot.finished(4)
        assert await bot.texts() == ["1: one", "2: two", "3: three"]
        assert replica.supervisor.poll() is None
    finally:
        bot.stop()
        await bot.redis.aclose()
