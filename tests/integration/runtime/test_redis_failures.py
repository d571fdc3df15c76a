"""Redis goes away and comes back: nothing that was accepted is lost, nothing is committed twice."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard.core.connection import connect
from botyard.core.scripts import digest, source
from tests.integration.redis.proxy import lossy
from tests.integration.redis.server import RedisServer, running_redis
from tests.integration.runtime.replica import Bot, echo


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with running_redis(appendfsync="always") as server:
        yield server


@pytest.fixture
def bot(own_redis: RedisServer, tmp_path: Path) -> Iterator[Bot]:
    bot = Bot(connect(own_redis.url), own_redis.url, tmp_path, code=echo("import time; time.sleep(0.5)"))
    yield bot
    bot.stop()


async def test_redis_killed_while_a_turn_runs_costs_nothing(bot: Bot, own_redis: RedisServer) -> None:
    (replica,) = await bot.start()
    await bot.say("reset")
    await bot.finished(1)
    await bot.say("hello")
    await replica.until(lambda: "botyard_turns_running 1.0" in replica.get("/metrics")[1])
    own_redis.kill()
    await replica.until(lambda: "Redis does not answer" in replica.log.read_text())
    own_redis.start()
    await bot.finished(2)
    await bot.say("again")
    await bot.finished(3)
    assert await bot.texts() == ["1: hello", "2: again"]


async def test_a_replica_that_starts_before_redis_waits_for_it(bot: Bot, own_redis: RedisServer) -> None:
    await bot.say("reset")
    await bot.say("hello")
    own_redis.kill()
    starting = asyncio.create_task(bot.start())
    async with asyncio.timeout(90):
        while not bot.replicas or "Redis does not answer" not in bot.replicas[0].log.read_text():
            await asyncio.sleep(0.05)
    assert bot.replicas[0].get("/readyz")[0] == 503
    own_redis.start()
    await starting
    await bot.finished(2)
    assert await bot.texts() == ["1: hello"]


async def test_after_redis_came_back_with_an_older_file_the_conversation_goes_on_from_there(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    gate, acted = tmp_path / "gate", tmp_path / "acted"
    code = echo(f"""
    import botyard, pathlib, time
    while said == "two" and not pathlib.Path({str(gate)!r}).exists():
        time.sleep(0.01)
    botyard.blocking_step("act", lambda: pathlib.Path({str(acted)!r}).open("a").write(said + " "))
    """)
    bot = Bot(connect(own_redis.url), own_redis.url, tmp_path / "bot", code=code)
    file, older = own_redis.folder / "appendonlydir", tmp_path / "older"
    try:
        await bot.start()
        for text in ("reset", "one"):
            await bot.say(text)
        await bot.finished(2)
        await bot.say("two")
        own_redis.kill()
        shutil.copytree(file, older)
        own_redis.start()
        gate.touch()
        await bot.finished(3)
        await bot.say("three")
        await bot.finished(4)
        assert await bot.texts() == ["1: one", "2: two", "3: three"]

        own_redis.kill()
        shutil.rmtree(file)
        older.rename(file)
        own_redis.start()
        # What was accepted until then runs again, and takes its steps again; what came later was never there.
        await bot.finished(3)
        assert await bot.texts() == ["1: one", "2: two"]
        await bot.say("four")
        await bot.finished(4)
        assert await bot.texts() == ["1: one", "2: two", "3: four"]
        assert acted.read_text().split() == ["one", "two", "three", "two", "four"]
    finally:
        bot.stop()
        await bot.redis.aclose()


async def test_a_lost_answer_of_a_commit_is_told_to_nobody(own_redis: RedisServer, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = echo(f"""
    import pathlib, time
    while not pathlib.Path({str(gate)!r}).exists():
        time.sleep(0.01)
    """)
    redis = connect(own_redis.url)
    await redis.script_load(source("commit_and_begin"))
    async with lossy(own_redis.socket, tmp_path) as (proxy, url):
        bot = Bot(redis, url, tmp_path / "bot", code=code)
        try:
            await bot.start()
            for text in ("reset", "one", "two"):
                await bot.say(text)
            await bot.finished(1)
            # The commit of the one begins the other.
            proxy.lose_answer_of(digest("commit_and_begin").encode())
            gate.touch()
            await bot.finished(3)
            assert proxy.lost == 1
            assert await bot.texts() == ["1: one", "2: two"]
            assert "turn.restarted" not in [envelope["type"] for envelope in await bot.heard()]
        finally:
            bot.stop()
    await redis.aclose()
