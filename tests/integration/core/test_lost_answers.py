"""A command whose answer was lost is sent again by the client; it must not be done twice."""

import contextlib
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.errors import AlreadyCommitted
from botyard.core.inbox import Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.outputs import Outputs
from botyard.core.retention import Retention
from botyard.core.scripts import digest, source
from botyard.core.turns import Commit, Turns
from tests.integration.redis.proxy import lossy
from tests.integration.redis.server import RedisServer

BOT = BotAddress("shop", "repairs", partitions=1)
PARTITION = BOT.all_partitions()[0]


async def test_an_acceptance_an_emission_and_a_commit_happen_once(
    redis_client: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    async with lossy(redis_server.socket, tmp_path) as (proxy, url):
        client = connect(url)
        inbox, turns = Inbox(client), Turns(client)
        await inbox.accept(BOT, key="warm", kind="message", payload={}, user="ada")

        proxy.lose_answer_of(b"hello there")
        accepted = await inbox.accept(BOT, key="c1", kind="message", payload={"text": "hello there"}, user="ada")
        assert proxy.lost == 1
        assert not accepted.duplicate
        found = await redis_client.xrange(keys.inbox(PARTITION))
        (entry,) = [item for item in (parse_entry(PARTITION, *raw) for raw in found) if item.key == "c1"]
        assert (entry.event, entry.turn) == (accepted.event, accepted.turn)

        lease = await Leases(client, owner="a").acquire(PARTITION)
        assert lease is not None
        await turns.begin(lease, entry)
        proxy.lose_answer_of(b"a delta")
        await turns.emit(lease, entry, ["a delta"], number=1, retention=Retention())
        assert proxy.lost == 2
        await turns.emit(lease, entry, ["the next"], number=2, retention=Retention())

        proxy.lose_answer_of(b"the end")
        with contextlib.suppress(AlreadyCommitted):
            await turns.commit(lease, entry, Commit(record=json.dumps({}), outputs=["the end"]))
        assert proxy.lost == 3
        said = [stored.envelope for stored in await Outputs(redis_client).read(BOT, "c1")]
        assert said == ["a delta", "the next", "the end"]
        await client.aclose()


@pytest.mark.parametrize("heard", ["nothing of it", "that it was committed before"])
async def test_a_run_that_began_with_a_commit_is_the_same_one_when_its_answer_is_lost(
    redis_client: Redis, redis_server: RedisServer, tmp_path: Path, heard: str
) -> None:
    for name in ("commit_and_begin", "begin"):
        await redis_client.script_load(source(name))
    async with lossy(redis_server.socket, tmp_path) as (proxy, url):
        client = connect(url)
        inbox, turns = Inbox(client), Turns(client)
        for text in ("one", "two"):
            await inbox.accept(BOT, key="c1", kind="message", payload={"text": text}, user="ada")
        lease = await Leases(client, owner="a").acquire(PARTITION)
        assert lease is not None
        first, second = [parse_entry(PARTITION, *raw) for raw in await redis_client.xrange(keys.inbox(PARTITION))]
        begun = await turns.begin(lease, first, run="r1")

        proxy.lose_answer_of(digest("commit_and_begin").encode())
        with pytest.raises(AlreadyCommitted):
            await turns.commit(lease, first, Commit(record="{}", ends=begun.ends), following=second, run="r2")
        assert proxy.lost == 1
        if heard == "nothing of it":
            proxy.lose_answer_of(digest("begin").encode())
        assert (await turns.begin(lease, second, run="r2")).attempt == 1
        # Another run is another one.
        assert (await turns.begin(lease, second, run="r3")).attempt == 2
        await client.aclose()
