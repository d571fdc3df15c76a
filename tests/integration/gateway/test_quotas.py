"""Messages of users who have had all their requests of the day."""

import httpx
import pytest
from prometheus_client import CollectorRegistry

from botyard.budget.meter import LedgerMeter
from botyard.budget.metrics import BudgetMetrics
from tests.integration.budget.terms import Terms
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem


@pytest.fixture
async def meter(system: System) -> LedgerMeter:
    """A replica's, of a bot that answers each user once a day."""
    terms = Terms()
    terms.quotas(requests_per_day=1)
    meter = LedgerMeter(system.redis, ECHO, terms, BudgetMetrics(CollectorRegistry()))
    await meter.publish()
    return meter


async def say(system: System, user: str = "ann", **fields: str) -> httpx.Response:
    return await system.http.post(f"{BASE}/messages", json={"text": "hello", **fields}, headers=bearer(user))


async def test_what_the_bot_would_refuse_is_not_accepted(system: System, meter: LedgerMeter) -> None:
    accepted = (await say(system, id="m1")).json()
    assert await meter.admit(accepted["turn"], "ann") is not None
    refused = await say(system)
    told = problem(refused, 429, "quota-exceeded")
    assert told["detail"] == (
        "ann has had as many requests of the day as shop/echo allows (1); more are taken from midnight UTC."
    )
    assert 1 <= int(refused.headers["retry-after"]) <= 24 * 3600
    assert len(await system.waiting()) == 1

    again = await say(system, id="m1")
    assert (again.status_code, again.json()["turn"], again.json()["duplicate"]) == (202, accepted["turn"], True)
    assert (await say(system, "ben")).status_code == 202


async def test_without_quotas_everything_is_accepted(system: System) -> None:
    for _ in range(3):
        assert (await say(system)).status_code == 202


async def test_threads_of_a_persona_count_too(system: System, meter: LedgerMeter) -> None:
    await meter.admit("turn-1", "ann")
    path = f"{BASE}/personas/nora/threads"
    refused = await system.http.post(path, json={"text": "hello"}, headers=bearer("ann"))
    problem(refused, 429, "quota-exceeded")
    assert await system.waiting() == []
