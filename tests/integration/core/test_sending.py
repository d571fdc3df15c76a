"""A cancellation that comes just as a command is sent is not lost, whatever kind of Redis it is."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from botyard.core.connection import connect
from botyard.core.live import LiveHub
from tests.integration.redis.deployments import redis_cluster, redis_sentinel
from tests.integration.redis.server import RedisServer, eventually


@pytest.fixture
def cancelling(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Task[Any]]:
    """Tasks that are cancelled in the very moment in which a connection has sent something."""
    doomed: list[asyncio.Task[Any]] = []
    send = AbstractConnection._send_packed_command

    async def sent(self: AbstractConnection, command: Iterable[bytes]) -> None:
        await send(self, command)
        for task in doomed:
            asyncio.get_running_loop().call_soon(task.cancel)
        doomed.clear()

    monkeypatch.setattr(AbstractConnection, "_send_packed_command", sent)
    return doomed


async def ends_when_cancelled(redis: Redis, doomed: list[asyncio.Task[Any]]) -> None:
    await redis.get("warm")

    async def ask() -> None:
        while True:
            await redis.get("key")

    task = asyncio.create_task(ask())
    doomed.append(task)
    done, _ = await asyncio.wait((task,), timeout=60)
    assert done, "the cancellation was lost"
    # The answer that nobody read is no answer to the next command.
    await redis.set("key", "value")
    assert await redis.get("key") == b"value"
    await redis.aclose()


async def test_a_single_server(redis_server: RedisServer, cancelling: list[asyncio.Task[Any]]) -> None:
    await ends_when_cancelled(connect(redis_server.url), cancelling)


async def test_a_cluster(cancelling: list[asyncio.Task[Any]]) -> None:
    with redis_cluster() as url:
        await ends_when_cancelled(connect(url), cancelling)


async def test_a_primary_behind_a_sentinel(cancelling: list[asyncio.Task[Any]]) -> None:
    with redis_sentinel() as (url, _, _):
        await ends_when_cancelled(connect(url), cancelling)


async def test_the_subscriptions_of_live_outputs(redis_client: Redis, cancelling: list[asyncio.Task[Any]]) -> None:
    hub = LiveHub(redis_client)
    async with hub.follow("one"):
        reader = hub._reader
        assert reader is not None
        # The answer to a ping is a message of no channel.
        await hub._pubsub.ping()
        async with hub.follow("two") as follower:
            await redis_client.publish("two", "said")
            assert await follower.get(60) == b"said"
        assert not reader.done()
        cancelling.append(reader)
        await redis_client.ping()
        await eventually(reader.done, timeout=60)
    await hub.close()
