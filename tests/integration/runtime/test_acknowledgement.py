"""Bots whose Redis is asked to acknowledge what is on disk (`?acknowledge=fsync`)."""

import asyncio
from pathlib import Path

from botyard.core.connection import connect
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, Replica


async def test_a_conversation_is_answered_and_survives_a_kill_of_the_server(tmp_path: Path) -> None:
    with running_redis(program="valkey-server", appendfsync="everysec") as server:
        url = server.url + "?acknowledge=fsync"
        bot = Bot(connect(url), url, tmp_path)
        try:
            await bot.start()
            for text in ("reset", "one"):
                await bot.say(text)
            await bot.finished(2)
            await bot.say("two")
            server.kill()
            server.start()
            await bot.finished(3)
            assert await bot.texts() == ["1: one", "2: two"]
        finally:
            bot.stop()
            await bot.redis.aclose()


async def test_a_replica_ends_with_code_4_where_the_server_cannot(tmp_path: Path) -> None:
    without = ("--rename-command", "WAITAOF", "")
    with running_redis(program="valkey-server", appendfsync="always", options=without) as server:
        bot = Bot(connect(server.url), server.url + "?acknowledge=fsync", tmp_path)
        bot.replicas.append(replica := Replica(bot, "pod-1"))
        try:
            replica.start()
            assert await asyncio.to_thread(replica.supervisor.wait, 120) == 4
            assert "acknowledge=fsync in the URL of Redis needs WAITAOF" in replica.log.read_text()
        finally:
            bot.stop()
            await bot.redis.aclose()
