"""What survives when Redis is killed, as docs/durability.md states."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.inbox import Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Commit, Turns
from tests.integration.redis.server import RedisServer, running_redis

BOT = BotAddress("shop", "repairs", partitions=1)
PARTITION = BOT.all_partitions()[0]


@dataclass
class Ledger:
    """What a client was told, in order."""

    accepted: list[str] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)


async def work(redis: Redis, owner: str, ledger: Ledger) -> None:
    """Accept a hundred events and commit the fifty oldest of those that wait."""
    inbox, turns = Inbox(redis), Turns(redis)
    lease = await Leases(redis, owner=owner, lease_ms=1).acquire(PARTITION)
    assert lease is not None
    for number in range(100):
        receipt = await inbox.accept(BOT, key="c", kind="message", payload={"n": number}, user="ada")
        ledger.accepted.append(receipt.event)
    for entry in [parse_entry(PARTITION, *found) for found in await redis.xrange(keys.inbox(PARTITION))][:50]:
        await turns.commit(lease, entry, Commit(record="{}", outputs=[entry.event]))
        ledger.committed.append(entry.event)


async def survived(redis: Redis) -> Ledger:
    """Return what Redis knows: everything accepted (waiting or said) and what was committed."""
    outputs = Outputs(redis)
    said: list[str] = []
    while page := await outputs.read(BOT, "c", after=str(len(said)) if said else ""):
        said += [stored.envelope for stored in page]
    waiting = [parse_entry(PARTITION, *found).event for found in await redis.xrange(keys.inbox(PARTITION))]
    await outputs.close()
    return Ledger(accepted=[*said, *waiting], committed=said)


async def rounds(server: RedisServer, *, count: int, lossless: bool) -> None:
    redis = connect(server.url)
    ledger = Ledger()
    for number in range(count):
        await work(redis, f"r{number}", ledger)
        server.kill()
        server.start()
        found = await survived(redis)
        if lossless:
            assert found == ledger
        # Whatever is left is one moment of the past, whole: nothing in it is doubled, reordered or half.
        assert found.committed == ledger.committed[: len(found.committed)]
        assert found.accepted == ledger.accepted[: len(found.accepted)]
        ledger = found
    await redis.aclose()


async def test_with_appendfsync_always_a_kill_loses_nothing_that_was_acknowledged() -> None:
    with running_redis(appendfsync="always") as server:
        await rounds(server, count=5, lossless=True)


async def test_with_appendfsync_everysec_a_kill_brings_back_one_whole_moment_of_the_past() -> None:
    with running_redis(appendfsync="everysec") as server:
        await rounds(server, count=5, lossless=False)
