"""Several replicas on one budget, as processes: never one coin over, looked at while they spend."""

import asyncio
import json
import sys

from redis.asyncio import Redis

from botyard.budget.reports import Account, Reports, today
from tests.integration.budget.terms import ADDRESS
from tests.integration.redis.server import RedisServer

REPLICAS, CALLS, DAILY = 3, 100, 6000
LEAST = 26
"""Coins that a call needs at least: its 10 tokens of input and 16 of output."""


async def test_replicas_use_a_budget_up_and_not_one_coin_more(redis_client: Redis, redis_server: RedisServer) -> None:
    options = f"--calls={CALLS}", "--at-once=20", f"--daily={DAILY}", "--wait=120"
    command = sys.executable, "-m", "tests.integration.budget.spender", redis_server.url, *options
    replicas = [
        await asyncio.create_subprocess_exec(*command, f"--name=replica-{number}", stdout=asyncio.subprocess.PIPE)
        for number in range(REPLICAS)
    ]
    reports = Reports(redis_client)
    day = today("UTC", await reports.now_ms()).name

    async def account() -> Account:
        [found] = await reports.read(ADDRESS, [("persona:nora", day)])
        return found

    async def look() -> None:
        while True:
            seen = await account()
            assert seen.spent + seen.reserved <= DAILY
            await asyncio.sleep(0.005)

    looking = asyncio.ensure_future(look())
    said = [json.loads((await replica.communicate())[0]) for replica in replicas]
    assert not looking.done(), looking.exception()
    looking.cancel()
    end = await account()
    assert (end.spent, end.reserved) == (sum(each["coins"] for each in said), 0)
    assert DAILY - LEAST < end.spent <= DAILY
    assert sum(each["calls"] + each["refused"] + each["released"] for each in said) == REPLICAS * CALLS
