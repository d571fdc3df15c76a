"""Changes of a database on a real Redis: many at once, each once, or none."""

import json

import pytest
from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress, Partition
from botyard.core.change_inbox import ChangeInbox, by_partition
from botyard.core.errors import Overloaded

BOT = BotAddress("shop", "clerk", 1)
HERE = Partition(BOT, 0)


async def send(
    redis: Redis, *places: str, receivers: tuple[str, ...] = (":nora",), most: int = 2, pending: int = 99
) -> tuple[int, int, int]:
    routed = [(place, json.dumps({"at": place}), {HERE: list(receivers)}) for place in places]
    batch = by_partition(routed, most=most)[HERE]
    taken = await ChangeInbox(redis).accept(HERE, source="erp", reached=places[-1], batch=batch, max_pending=pending)
    return taken.events, taken.stored, taken.known


async def waiting(redis: Redis, key: str = ":nora") -> list[list[str]]:
    entries = await redis.xrange(keys.inbox(HERE))
    return [
        [change["at"] for change in json.loads(fields[b"payload"])["changes"]]
        for _, fields in entries
        if fields[b"key"].decode() == key
    ]


async def test_changes_share_events_up_to_a_limit(redis_client: Redis) -> None:
    assert await send(redis_client, "1", "2", "3") == (2, 3, 0)
    assert await waiting(redis_client) == [["1", "2"], ["3"]]


async def test_what_is_sent_again_is_known_however_it_is_cut(redis_client: Redis) -> None:
    await send(redis_client, "1", "2", "3")
    assert await send(redis_client, "2", "3") == (0, 0, 2)
    assert await send(redis_client, "2", "3", "4", "5") == (1, 2, 2)
    assert await waiting(redis_client) == [["1", "2"], ["3"], ["4", "5"]]


async def test_each_receiver_has_events_of_its_own(redis_client: Redis) -> None:
    assert await send(redis_client, "1", receivers=(":nora", ":oslo")) == (2, 2, 0)
    events = {fields[b"event"] for _, fields in await redis_client.xrange(keys.inbox(HERE))}
    assert len(events) == 2
    assert await waiting(redis_client, ":oslo") == [["1"]]


async def test_a_full_inbox_takes_nothing_of_a_batch(redis_client: Redis) -> None:
    await send(redis_client, "1")
    with pytest.raises(Overloaded):
        await send(redis_client, "2", "3", pending=1)
    assert await waiting(redis_client) == [["1"]]
    assert await send(redis_client, "2", "3") == (1, 2, 0)


async def test_a_script_that_redis_forgot_is_sent_again(redis_client: Redis) -> None:
    await redis_client.script_flush()
    assert await send(redis_client, "1") == (1, 1, 0)


async def test_a_persona_may_have_a_long_name(redis_client: Redis) -> None:
    key = f":{'n' * 63}"
    assert await send(redis_client, "1", receivers=(key,)) == (1, 1, 0)
    assert await waiting(redis_client, key) == [["1"]]


async def test_a_conversation_that_had_ended_goes_on(redis_client: Redis) -> None:
    conversation = keys.conversation(HERE, ":nora")
    await redis_client.hset(conversation, mapping={"user": "", "ended": "1"})
    await send(redis_client, "1")
    assert await redis_client.hget(conversation, "ended") is None
