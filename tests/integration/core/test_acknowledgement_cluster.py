"""`?acknowledge=fsync` on a Redis Cluster: what is acknowledged is on the disk of the node that has its slot."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import RedisError

from botyard.core import keys
from botyard.core.acknowledgement import FlushingCluster, NotFlushed, Unsupported, confirm
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.errors import AlreadyCommitted
from botyard.core.inbox import Accepted, Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.turns import Commit, Turns
from tests.integration.redis.deployments import Nodes, client, cluster_nodes, redis_cluster

BOT = BotAddress("shop", "repairs", partitions=3)
KEYS = ("a", "b", "c", "d", "e")


@pytest.fixture
def nodes() -> Iterator[tuple[str, Nodes]]:
    with cluster_nodes(program="valkey-server") as (url, nodes):
        yield url + "?acknowledge=fsync", nodes


def flushing(url: str) -> FlushingCluster:
    found: object = connect(url)
    assert isinstance(found, FlushingCluster)
    return found


def set_fsync(nodes: Nodes, policy: str) -> None:
    for port in nodes.processes:
        client(port).config_set("appendfsync", policy)


async def say(redis: Redis, key: str, event: str) -> Accepted:
    return await Inbox(redis).accept(BOT, key=key, kind="message", payload={}, user="ada", event_id=event)


async def say_until_acknowledged(redis: Redis, key: str, event: str) -> Accepted:
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(RedisError):
                return await say(redis, key, event)
            await asyncio.sleep(0.05)


async def waiting(redis: Redis, key: str) -> list[str]:
    """Events of `key` that wait, as soon as the cluster answers."""
    partition = BOT.partition(key)
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(RedisError):
                found = [parse_entry(partition, *each) for each in await redis.xrange(keys.inbox(partition))]
                return [entry.event for entry in found if entry.key == key]
            await asyncio.sleep(0.05)


async def test_what_is_not_on_disk_is_not_acknowledged_however_often_it_is_asked_for(nodes: tuple[str, Nodes]) -> None:
    url, servers = nodes
    cluster = flushing(url)
    cluster.wait_ms = 100
    redis: Redis = cluster  # type: ignore[assignment]
    await confirm(redis)
    set_fsync(servers, "no")
    for _ in range(2):
        with pytest.raises(NotFlushed):
            await say(redis, "a", "e1")
    set_fsync(servers, "always")
    assert (await say(redis, "a", "e1")).duplicate
    assert await waiting(redis, "a") == ["e1"]

    partition = BOT.partition("a")
    lease = await Leases(redis, owner="a", lease_ms=600_000).acquire(partition)
    assert lease is not None
    entry = parse_entry(partition, *(await redis.xrange(keys.inbox(partition)))[0])
    set_fsync(servers, "no")
    with pytest.raises(NotFlushed):
        await Turns(redis).commit(lease, entry, Commit(record="{}", outputs=["said"]))
    set_fsync(servers, "always")
    with pytest.raises(AlreadyCommitted):
        await Turns(redis).commit(lease, entry, Commit(record="{}", outputs=["said"]))
    await cluster.aclose()


async def test_a_kill_of_any_node_loses_nothing_that_was_acknowledged(nodes: tuple[str, Nodes]) -> None:
    url, servers = nodes
    redis: Redis = connect(url)
    for round_, port in enumerate(list(servers.processes)):
        asked = [asyncio.create_task(say_until_acknowledged(redis, key, f"e{round_}")) for key in KEYS]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        servers.kill(port)
        acknowledged = [key for key, task in zip(KEYS, asked, strict=True) if task.done()]
        servers.restart(port)
        for key in acknowledged:
            assert f"e{round_}" in await waiting(redis, key)
        await asyncio.gather(*asked)
        for key in KEYS:
            assert await waiting(redis, key) == [f"e{number}" for number in range(round_ + 1)]
    await redis.aclose()


async def test_a_client_that_knows_the_cluster_wrongly_is_not_told_of_another_node_s_disk(
    nodes: tuple[str, Nodes],
) -> None:
    url, servers = nodes
    set_fsync(servers, "always")
    cluster = flushing(url)
    redis: Redis = cluster  # type: ignore[assignment]
    await cluster.initialize()
    inbox = keys.inbox(BOT.partition("a"))
    right, slot = cluster.get_node_from_key(inbox), cluster.keyslot(inbox)
    wrong: ClusterNode = next(node for node in cluster.get_primaries() if node is not right)
    cluster.nodes_manager.slots_cache[slot] = [wrong]
    with pytest.raises(NotFlushed, match="the cluster has changed: MovedError"):
        await say(redis, "a", "e1")
    assert (await say(redis, "a", "e1")).duplicate
    assert cluster.get_node_from_key(inbox) is right
    assert await waiting(redis, "a") == ["e1"]
    await cluster.aclose()


async def test_servers_without_waitaof_are_refused_by_their_name() -> None:
    with redis_cluster() as url:
        redis = connect(url + "?acknowledge=fsync")
        with pytest.raises(Unsupported, match=r"Redis \d+\.\d+\.\d+ refuses it .*: use Redis 7\.2 or Valkey"):
            await confirm(redis)
        await redis.aclose()
