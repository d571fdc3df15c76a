"""How spending reaches the statuses of Bots and Personas: the operator's side, against a real Redis."""

from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.budget.calls import Usage
from botyard.budget.errors import BudgetExceeded
from botyard.budget.meter import LedgerMeter
from botyard_operator.caches import Caches
from botyard_operator.marked import TELL_SECONDS
from botyard_operator.reconcile.base import Key
from botyard_operator.reconcile.budgets import exceeded, persona_spend
from botyard_operator.spending import Spending
from tests.integration.budget.terms import Terms, call, meter

BOT, NORA = Key("Bot", "shop", "clerk"), Key("Persona", "shop", "nora")


class StillClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class World:
    """The caches, the ledger's reader, and what it marked."""

    def __init__(self, redis: Redis) -> None:
        self.clock = StillClock()
        self.caches = Caches()
        self.spending = Spending(redis, self.clock)
        self.marked: list[Key] = []
        self.put("Bot", "clerk", {"bundleRef": {"name": "clerk"}})
        self.put("Persona", "nora", {"botRef": {"name": "clerk"}})

    def put(self, kind: str, name: str, spec: dict[str, Any], **status: Any) -> None:
        version = str(int(datetime.now(UTC).timestamp() * 1e6))
        metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version}
        obj = {"apiVersion": "botyard.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec, "status": status}
        self.caches.put(kind, obj)

    async def look(self) -> list[Key]:
        self.marked = []

        def enqueue(key: Key, delay: float = 0.0) -> None:
            self.marked.append(key)

        await self.spending.look(self.caches, enqueue)
        return sorted(self.marked)


@pytest.fixture
def world(redis_client: Redis) -> World:
    return World(redis_client)


@pytest.fixture
def terms() -> Terms:
    terms = Terms()
    terms.persona(daily=200)
    return terms


async def spend(sut: LedgerMeter, number: int, tokens: int) -> None:
    await sut.settle(await sut.reserve(call(number, tokens, 20)), Usage(input_tokens=tokens, output_tokens=0))
    await sut.publish()


async def test_where_nothing_was_spent_nothing_is_told(world: World, redis_client: Redis, terms: Terms) -> None:
    await meter(redis_client, terms).publish()
    assert await world.look() == []


async def test_spending_is_told_and_then_only_now_and_then(world: World, redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    await spend(sut, 1, 10)
    assert await world.look() == [BOT, NORA]
    spent = world.spending.of(NORA)
    assert spent is not None
    assert persona_spend(spent, 200, {}) == {"coins": 10, "day": spent.day, "limit": 200}
    await spend(sut, 2, 10)
    assert await world.look() == []
    world.clock.seconds = TELL_SECONDS
    assert await world.look() == [BOT, NORA]
    assert await world.look() == []


async def test_a_refusal_is_told_at_once_and_an_edit_heals_it(world: World, redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    await spend(sut, 1, 150)
    await world.look()
    with pytest.raises(BudgetExceeded):
        await sut.reserve(call(2, 100))
    await sut.publish()
    assert await world.look() == [NORA]
    spent = world.spending.of(NORA)
    over = exceeded("Persona nora", spent, 200, {})
    assert over is not None
    assert (over.type, over.status, over.reason) == ("BudgetExceeded", "True", "BudgetUsedUp")
    assert "has spent 150 of 200 coins" in over.message
    assert exceeded("Persona nora", spent, 400, {}) is None


async def test_what_a_status_tells_is_put_back_into_an_older_redis(
    world: World, redis_client: Redis, terms: Terms
) -> None:
    await spend(meter(redis_client, terms), 1, 150)
    await world.look()
    spent = world.spending.of(NORA)
    assert spent is not None
    world.put("Persona", "nora", {"botRef": {"name": "clerk"}}, spend={"day": spent.day, "coins": 150})
    await redis_client.flushall()
    fresh = meter(redis_client, terms)
    await fresh.publish()
    await world.look()
    with pytest.raises(BudgetExceeded, match="150 of 200 coins are spent"):
        await fresh.reserve(call(2, 100))
