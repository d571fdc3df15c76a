"""`?acknowledge=fsync`: what is acknowledged is on disk. Needs a server with WAITAOF: Valkey."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from botyard.core import keys
from botyard.core.acknowledgement import FlushingRedis, NotFlushed, Unsupported, confirm
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.errors import AlreadyCommitted
from botyard.core.inbox import Accepted, Entry, Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Commit, Turns
from tests.integration.redis.server import RedisServer, running_redis

BOT = BotAddress("shop", "repairs", partitions=1)
PARTITION = BOT.all_partitions()[0]
WITHOUT = ("--rename-command", "WAITAOF", "")


@pytest.fixture
def valkey() -> Iterator[RedisServer]:
    """A server that writes its log and leaves to the system when it reaches the disk."""
    with running_redis(program="valkey-server", appendfsync="no") as server:
        yield server


@pytest.fixture
async def redis(valkey: RedisServer) -> AsyncIterator[FlushingRedis]:
    client = flushing(valkey.url + "?acknowledge=fsync")
    client.wait_ms = 100
    yield client
    await client.aclose()


def flushing(url: str) -> FlushingRedis:
    client = connect(url)
    assert isinstance(client, FlushingRedis)
    return client


async def say(redis: Redis, event: str) -> Accepted:
    return await Inbox(redis).accept(BOT, key="c", kind="message", payload={}, user="ada", event_id=event)


async def say_until_acknowledged(redis: Redis, event: str) -> Accepted:
    """Ask again as a sender does; how long a flush takes is up to the machine."""
    while True:
        with contextlib.suppress(RedisError):
            return await say(redis, event)


async def waiting(redis: Redis) -> list[Entry]:
    return [parse_entry(PARTITION, *found) for found in await redis.xrange(keys.inbox(PARTITION))]


async def test_an_acceptance_that_is_not_on_disk_is_not_acknowledged_however_often_it_is_asked_for(
    redis: FlushingRedis,
) -> None:
    for _ in range(3):
        with pytest.raises(NotFlushed):
            await say(redis, "e1")
        # The next try comes on a connection that has written nothing yet.
        await redis.connection_pool.disconnect()
    await redis.config_set("appendfsync", "always")
    assert (await say(redis, "e1")).duplicate
    assert [entry.event for entry in await waiting(redis)] == ["e1"]


async def test_a_commit_that_is_not_on_disk_is_not_acknowledged_however_often_it_is_asked_for(
    redis: FlushingRedis,
) -> None:
    with pytest.raises(NotFlushed):
        await say(redis, "e1")
    lease = await Leases(redis, owner="a", lease_ms=600_000).acquire(PARTITION)
    assert lease is not None
    (entry,) = await waiting(redis)
    for _ in range(3):
        with pytest.raises(NotFlushed):
            await Turns(redis).commit(lease, entry, Commit(record="{}", outputs=["said"]))
        await redis.connection_pool.disconnect()
    await redis.config_set("appendfsync", "always")
    with pytest.raises(AlreadyCommitted):
        await Turns(redis).commit(lease, entry, Commit(record="{}", outputs=["said"]))
    assert [stored.envelope for stored in await Outputs(redis).read(BOT, "c")] == ["said"]


async def test_waits_for_the_disk_leave_connections_for_everything_else(valkey: RedisServer) -> None:
    redis = connect(valkey.url + "?acknowledge=fsync", max_connections=2)
    asked = [asyncio.create_task(say(redis, f"e{number}")) for number in range(4)]
    async with asyncio.timeout(60):
        while (await redis.info("clients"))["blocked_clients"] == 0:
            await asyncio.sleep(0.01)
    assert await redis.ping()
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await redis.aclose()


async def test_a_replica_that_is_asked_for_and_missing_is_waited_for(valkey: RedisServer) -> None:
    redis = flushing(valkey.url + "?acknowledge=fsync&replicas=1")
    redis.wait_ms = 100
    await redis.config_set("appendfsync", "always")
    with pytest.raises(NotFlushed, match="by the primary: 1 of 1, by replicas: 0 of 1"):
        await say(redis, "e1")
    await redis.aclose()


async def test_a_replica_that_is_asked_for_flushes_before_the_acknowledgement(valkey: RedisServer) -> None:
    options = ["--replicaof", "127.0.0.1", "1"]
    with running_redis(program="valkey-server", appendfsync="always", options=options) as other:
        redis, replica = flushing(valkey.url + "?acknowledge=fsync&replicas=1"), connect(other.url)
        await redis.config_set("appendfsync", "always")
        await follow(replica, redis)
        accepted = await say_until_acknowledged(redis, "e1")
        other.kill()
        other.start()
        (kept,) = await waiting(replica)
        assert kept.turn == accepted.turn
        await redis.aclose()
        await replica.aclose()


async def follow(replica: Redis, primary: Redis) -> None:
    """Let the primary listen on a port, and the replica copy it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await primary.config_set("port", port)
    await replica.replicaof("127.0.0.1", port)
    async with asyncio.timeout(120):
        while (await replica.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.02)


async def test_with_everysec_a_kill_loses_nothing_that_was_acknowledged() -> None:
    with running_redis(program="valkey-server", appendfsync="everysec") as server:
        redis = connect(server.url + "?acknowledge=fsync")
        known: list[str] = []
        for round_ in range(3):
            asked = [asyncio.create_task(say_until_acknowledged(redis, f"e{round_}.{number}")) for number in range(40)]
            # Whoever is answered first was flushed; the others may or may not be.
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            server.kill()
            server.start()
            known += [task.result().event for task in done]
            left = [entry.event for entry in await waiting(redis)]
            assert set(known) <= set(left)
            # What was not acknowledged is asked for again, and is there once.
            known += [answer.event for answer in await asyncio.gather(*(a for a in asked if a not in done))]
            assert sorted(entry.event for entry in await waiting(redis)) == sorted(known)
        await redis.aclose()


async def test_a_server_without_waitaof_is_refused_by_its_name() -> None:
    with running_redis(program="valkey-server", appendfsync="always", options=WITHOUT) as server:
        redis = connect(server.url + "?acknowledge=fsync")
        with pytest.raises(Unsupported, match=r"Valkey \d+\.\d+\.\d+ refuses it .*: use Redis 7\.2 or Valkey"):
            await confirm(redis)
        await redis.aclose()


async def test_a_server_without_an_append_only_file_is_refused() -> None:
    with running_redis(program="valkey-server") as server:
        redis = connect(server.url + "?acknowledge=fsync")
        with pytest.raises(Unsupported, match="set `appendonly yes`"):
            await confirm(redis)
        await redis.aclose()
