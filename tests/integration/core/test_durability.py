"""What survives when Redis is killed: everything that was accepted or committed, as docs/durability.md states."""

import pytest
from tests.integration.redis.server import running_redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.inbox import Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Commit, Turns

BOT = BotAddress("shop", "repairs", partitions=1)


@pytest.mark.parametrize("appendfsync", ["everysec", "always"])
async def test_killing_redis_loses_nothing_that_was_acknowledged(appendfsync: str) -> None:
    with running_redis(appendfsync=appendfsync) as server:
        redis = connect(server.url)
        inbox, turns, outputs = Inbox(redis), Turns(redis), Outputs(redis)
        accepted: list[str] = []
        committed: list[str] = []
        for round_number in range(5):
            lease = await Leases(redis, owner=f"r{round_number}", lease_ms=1).acquire(BOT.partition("c"))
            assert lease is not None
            for number in range(100):
                receipt = await inbox.accept(BOT, key="c", kind="message", payload={"n": number}, user="ada")
                accepted.append(receipt.event)
            entries = await redis.xrange(keys.inbox(BOT.partition("c")))
            for entry in [parse_entry(BOT.partition("c"), *found) for found in entries][:50]:
                await turns.commit(lease, entry, Commit(record="{}", outputs=[entry.event]))
                committed.append(entry.event)
            server.kill()
            server.start()
        left = [
            parse_entry(BOT.partition("c"), *found).event
            for found in await redis.xrange(keys.inbox(BOT.partition("c")))
        ]
        said = []
        after = ""
        while page := await outputs.read(BOT, "c", after=after):
            said += [stored.envelope for stored in page]
            after = page[-1].id
        assert said == committed
        assert committed + left == accepted
        await outputs.close()
        await redis.aclose()
