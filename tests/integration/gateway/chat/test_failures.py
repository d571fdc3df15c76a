"""Clients whose gateway or Redis goes away in the middle of a turn."""

from pathlib import Path

from redis.asyncio import Redis

from botyard.budget.direct import DirectTreasury
from botyard.core.connection import connect
from botyard.core.inbox import Entry
from botyard.usage import keys
from botyard.usage.book import UsageBook
from botyard.usage.writer import UsageWriter
from botyard.workflow.accounting import AccountingEvent, ServiceUsage
from botyard.workflow.economics.policy import QuotaPolicy
from botyard.workflow.economics.treasury import Asked
from botyard.workflow.storage import FileStorage
from tests.integration.gateway.chat.client import ECHO, heard, opened, say, stream_answer
from tests.integration.gateway.system import problem, running_system
from tests.integration.redis.deployments import redis_cluster
from tests.integration.redis.server import RedisServer, running_redis


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


async def test_sessions_usage_and_quotas_work_on_a_redis_cluster(tmp_path: Path) -> None:
    with redis_cluster() as url:
        redis = connect(url)
        try:
            async with running_system(redis, tmp_path) as system, opened(system) as stream:
                for number in range(6):
                    answer = await say(system, conversation_id=f"conv{number}")
                    assert answer.status_code == 200, answer.text
                    await stream_answer(system, "a")
                    assert (await heard(stream, "chat_delta"))[1]["text"] == "a"
                await redis.set(keys.WANTED, "1")
                entry = Entry("1-0", ECHO.partition("c"), "evt", "c", "message", "{}", "turn_1", "ann", 1)
                await UsageBook(redis, ECHO).record(entry, AccountingEvent("llm").to_dict())
                assert await UsageWriter(redis, FileStorage(tmp_path / "acct"), lambda: [ECHO]).drain(ECHO) == 1
                used = AccountingEvent("llm", usage=ServiceUsage(total_tokens=3))
                limits = QuotaPolicy(requests_per_day=1, tokens_per_month=5, max_concurrent=1).limits()
                for turn, admitted in (("t1", True), ("t2", False)):
                    treasury = DirectTreasury(redis, ECHO, turn)
                    assert (await treasury.admit(Asked("ann", limits))).admitted is admitted
                    if (charger := treasury.charger()) is not None:
                        await charger.record_async(used.to_dict())
                    await treasury.finish()
        finally:
            await redis.aclose()


async def test_a_redis_that_is_away_during_a_turn_costs_nothing_that_was_said(tmp_path: Path) -> None:
    with running_redis(appendfsync="always") as server:
        redis = connect(server.url)
        try:
            async with running_system(redis, tmp_path) as system:
                async with opened(system) as stream:
                    await say(system, conversation_id="conv1", turn_id="t1")
                    await stream_answer(system, "a", commit=False)
                    received, _ = await heard(stream, "chat_delta")
                    server.kill()
                    refused = await say(system, "lost?", conversation_id="conv1", turn_id="t2")
                    problem(refused, 503, "storage-unavailable")
                    server.start()
                # The client sends what was refused again, and comes back with its last id.
                accepted = await say(system, "lost?", conversation_id="conv1", turn_id="t2")
                assert accepted.json()["duplicate"] is False
                await stream_answer(system, "b")
                async with opened(system, headers={"Last-Event-ID": received.id}) as stream:
                    assert (await heard(stream, "chat_delta"))[1]["text"] == "b"
        finally:
            await redis.aclose()
