"""A census in a process of its own: by whom it was asked, and what becomes of it when it cannot be taken."""

import pytest
from redis.asyncio import Redis

from botyard.compatibility import CensusFailed, take_census_apart
from botyard.contract.machine import MachineShape
from botyard.core import codec, keys
from botyard.core.address import BotAddress
from tests.integration.redis.server import RedisServer

BOT = BotAddress("shop", "repairs")
SHAPE = MachineShape(states=("zero", "pay"), variables={"properties": {"n": {"type": "integer"}}})


async def _save(redis: Redis, conversation: str, state: str, **variables: object) -> None:
    session = {"main": {"state": state, "status": 1, "variables": variables}, "plugins": {}}
    await redis.set(keys.state(BOT.partition(conversation), conversation), codec.encode(session))


async def test_it_tells_what_the_census_tells(redis_server: RedisServer, redis_client: Redis) -> None:
    await _save(redis_client, "ada", "ask")
    await _save(redis_client, "bob", "pay", n="x")
    await _save(redis_client, "cy", "pay", n=3)
    census = await take_census_apart(redis_server.url, BOT, SHAPE)
    assert (census.sessions, census.incompatible) == (3, 2)
    assert {(group.kind, group.subject, tuple(group.examples)) for group in census.groups} == {
        ("StateGone", "ask", ("ada",)),
        ("VariableInvalid", "n", ("bob",)),
    }


async def test_without_redis_trying_again_may_help(tmp_path) -> None:
    with pytest.raises(CensusFailed, match="Redis does not answer") as caught:
        await take_census_apart(f"unix://{tmp_path}/nobody.sock", BOT, SHAPE)
    assert caught.value.passing


async def test_what_is_no_schema_cannot_be_judged_by(redis_server: RedisServer, redis_client: Redis) -> None:
    await _save(redis_client, "ada", "pay", n=1)
    broken = MachineShape(states=("zero", "pay"), variables={"properties": {"n": {"type": 7}}})
    with pytest.raises(CensusFailed, match="cannot be judged by") as caught:
        await take_census_apart(redis_server.url, BOT, broken)
    assert not caught.value.passing


async def test_a_schema_that_takes_for_ever_is_given_up(redis_server: RedisServer, redis_client: Redis) -> None:
    await _save(redis_client, "ada", "pay", n="a" * 40 + "!")
    endless = MachineShape(states=("zero", "pay"), variables={"properties": {"n": {"pattern": "^(a+)+$"}}})
    with pytest.raises(CensusFailed) as caught:
        await take_census_apart(redis_server.url, BOT, endless, seconds=5)
    assert caught.value.passing
