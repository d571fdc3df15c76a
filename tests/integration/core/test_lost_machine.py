"""The primary is lost together with its disk, and Sentinel promotes the replica: what is left, as docs/durability.md
states it."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.inbox import Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Commit, Turns
from tests.integration.redis.deployments import Nodes, client, redis_sentinel

BOT = BotAddress("shop", "repairs", partitions=1)
PARTITION = BOT.all_partitions()[0]
EVENTS = [f"e{number}" for number in range(30)]


@pytest.fixture
def sentinel() -> Iterator[tuple[str, Nodes, int]]:
    with redis_sentinel("valkey-server") as found:
        yield found


def replica_of(nodes: Nodes, primary: int) -> int:
    with contextlib.suppress(KeyError):
        for port in nodes.processes:
            if client(port).info("replication").get("master_port") == primary:
                return port
    raise AssertionError("the primary has no replica")


async def accept(redis: Redis, event: str) -> None:
    """Send until it is acknowledged, as senders do."""
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(RedisError):
                await Inbox(redis).accept(BOT, key="c", kind="message", payload={}, user="ada", event_id=event)
                return
            await asyncio.sleep(0.1)


async def commit_all(redis: Redis) -> None:
    lease = await Leases(redis, owner="a", lease_ms=600_000).acquire(PARTITION)
    assert lease is not None
    for found in await redis.xrange(keys.inbox(PARTITION)):
        entry = parse_entry(PARTITION, *found)
        await Turns(redis).commit(lease, entry, Commit(record="{}", outputs=[entry.event]))


async def promoted(redis: Redis, primary: int) -> None:
    """Return when another server than `primary` takes writes."""
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(RedisError):
                # Also an answer of Sentinel's can be an old one.
                await redis.set("probe", primary)
                return
            await asyncio.sleep(0.1)


async def left(redis: Redis) -> tuple[list[str], list[str]]:
    """Return what was committed, and what waits."""
    said = [stored.envelope for stored in await Outputs(redis).read(BOT, "c")]
    return said, [parse_entry(PARTITION, *found).event for found in await redis.xrange(keys.inbox(PARTITION))]


async def test_what_a_replica_flushed_before_the_acknowledgement_survives_the_machine(
    sentinel: tuple[str, Nodes, int],
) -> None:
    url, nodes, primary = sentinel
    redis = connect(url + "?acknowledge=fsync&replicas=1")
    for event in EVENTS[:20]:
        await accept(redis, event)
    await commit_all(redis)
    for event in EVENTS[20:]:
        await accept(redis, event)
    nodes.lose(primary)
    await promoted(redis, primary)
    assert await left(redis) == (EVENTS[:20], EVENTS[20:])
    await redis.aclose()


async def test_without_replicas_what_had_not_reached_the_replica_is_lost_and_nothing_else(
    sentinel: tuple[str, Nodes, int],
) -> None:
    url, nodes, primary = sentinel
    redis = connect(url + "?acknowledge=fsync")
    for event in EVENTS[:10]:
        await accept(redis, event)
    await commit_all(redis)
    await redis.wait(1, 60_000)
    replica = nodes.processes[replica_of(nodes, primary)]
    # From here on nothing reaches it: what is acknowledged now is on the primary's disk alone.
    replica.send_signal(signal.SIGSTOP)
    client(primary).execute_command("CLIENT", "KILL", "TYPE", "replica")
    for event in EVENTS[10:20]:
        await accept(redis, event)
    nodes.lose(primary)
    replica.send_signal(signal.SIGCONT)
    await promoted(redis, primary)
    assert await left(redis) == (EVENTS[:10], [])
    # It goes on from there; what is sent again is there once.
    for event in EVENTS:
        await accept(redis, event)
    assert await left(redis) == (EVENTS[:10], EVENTS[10:])
    await redis.aclose()
