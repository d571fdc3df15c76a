"""Clients whose gateway or Redis goes away in the middle of a turn."""

from pathlib import Path

from redis.asyncio import Redis

from tests.integration.gateway.chat.client import heard, opened, say, stream_answer
from tests.integration.gateway.system import running_system
from tests.integration.redis.server import RedisServer


async def test_another_gateway_goes_on_where_the_first_one_ended(redis_client: Redis, tmp_path: Path) -> None:
    async with running_system(redis_client, tmp_path) as first:
        async with opened(first) as stream:
            await say(first, conversation_id="conv1")
            await stream_answer(first, "a", commit=False)
            received, _ = await heard(stream, "chat_delta")
        emissions = first.emissions
    async with running_system(redis_client, tmp_path) as second:
        second.emissions = emissions
        await stream_answer(second, "b")
        async with opened(second, headers={"Last-Event-ID": received.id}) as stream:
            assert (await heard(stream, "chat_delta"))[1]["text"] == "b"
            assert (await heard(stream, "chat_complete"))[1]["type"] == "chat.complete"


async def test_a_stream_outlives_a_redis_that_forgets_its_subscribers(
    redis_client: Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    async with running_system(redis_client, tmp_path) as system, opened(system) as stream:
        await say(system, conversation_id="conv1")
        await stream_answer(system, "a", commit=False)
        await heard(stream, "chat_delta")
        await redis_client.client_kill_filter(_type="pubsub")
        await stream_answer(system, "b")
        assert (await heard(stream, "chat_delta", seconds=90))[1]["text"] == "b"
        # What is announced meanwhile is found, too.
        await say(system, conversation_id="conv2")
        await stream_answer(system, "c")
        assert (await heard(stream, "chat_delta", seconds=90))[1]["text"] == "c"
