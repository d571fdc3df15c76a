"""Loop bots with real replicas."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.integration.redis.server import RedisServer
from tests.integration.runtime.replica import Bot

MakeBot = Callable[..., Bot]


@pytest.fixture
def make_bot(redis_client: Redis, redis_server: RedisServer, tmp_path: Path) -> Iterator[MakeBot]:
    """Makes bots whose replicas end with the test."""
    made: list[Bot] = []

    def make(**fields: Any) -> Bot:
        bot = Bot(redis_client, redis_server.url, tmp_path / f"bot-{len(made)}", **fields)
        made.append(bot)
        return bot

    yield make
    for bot in made:
        bot.stop()
