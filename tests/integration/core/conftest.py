"""What the core's tests share."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.integration.core.world import World


@pytest.fixture
async def world(redis_client: Redis) -> AsyncIterator[World]:
    world = World(redis_client)
    yield world
    await world.outputs.close()
