"""A gateway on a real socket in front of a real Redis, and a bot that commits real turns."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.integration.gateway.system import System, running_system


@pytest.fixture
async def system(redis_client: Redis, tmp_path: Path) -> AsyncIterator[System]:
    """A gateway with the bots and users of `system.py`."""
    async with running_system(redis_client, tmp_path) as running:
        yield running
