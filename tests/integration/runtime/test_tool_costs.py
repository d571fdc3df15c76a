"""What a step's record says that a tool cost, charged once."""

import pytest
from redis.asyncio import Redis

from botyard.budget.calls import Spender
from botyard.budget.errors import InvalidCost
from botyard.budget.reports import Reports, today
from botyard.runtime.tool_costs import charge_tool
from tests.integration.budget.terms import ADDRESS, Terms, meter

NORA = Spender(persona="nora")


async def spent(redis: Redis) -> int:
    reports = Reports(redis)
    [found] = await reports.read(ADDRESS, [("persona:nora", today("UTC", await reports.now_ms()).name)])
    return found.spent


@pytest.mark.parametrize(
    ("record", "coins"),
    [
        (b'{"name": "tool:look", "result": {"coins": 7}}', 7),
        (b'{"name": "look", "result": {"coins": 7}}', 0),
        (b'{"name": "tool:look", "result": {"coins": true}}', 0),
        (b'{"name": "tool:look", "result": {"coins": "7"}}', 0),
        (b'{"name": "tool:look", "result": [7]}', 0),
        (b"[]", 0),
        (b"\xff", 0),
    ],
)
async def test_a_tool_is_charged_once_and_other_steps_never(redis_client: Redis, record: bytes, coins: int) -> None:
    for _ in range(2):
        await charge_tool(meter(redis_client, Terms()), "e1/0", NORA, record)
    assert await spent(redis_client) == coins


@pytest.mark.parametrize("coins", [-1, 10**16])
async def test_a_cost_that_is_no_amount_fails_the_step(redis_client: Redis, coins: int) -> None:
    record = b'{"name": "tool:look", "result": {"coins": %d}}' % coins
    with pytest.raises(InvalidCost):
        await charge_tool(meter(redis_client, Terms()), "e1/0", NORA, record)
    assert await spent(redis_client) == 0
