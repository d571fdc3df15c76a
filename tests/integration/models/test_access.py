"""What a model call is charged, however it ends; against a real Redis and a provider that does as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from botyard.budget.calls import Spender
from botyard.budget.reports import Account, Reports, today
from botyard.contract.model import ModelConfig
from botyard.contract.prices import ModelPrice, Price, PriceTable
from botyard.models import targets
from botyard.models.access import Asked, ModelAccess
from botyard.models.errors import ModelBusy, ModelError
from botyard.models.http_provider import HttpProvider, Patience
from tests.integration.budget.terms import ADDRESS, Terms, meter
from tests.integration.models.double import DONE, Behaviour, Provider, completion, piece, says, usage
from tests.integration.redis.server import eventually

PRICE = Price(input=Decimal(1), cached_input=Decimal("0.5"), output=Decimal(2), reasoning=Decimal(3))
HI = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}
INPUT = 34
"""Bound of its input: two bytes, and the frames of message and protocol."""
WORST = INPUT * 1 + 100 * 3


@dataclass
class World:
    """A replica's access to one model."""

    redis: Redis
    access: ModelAccess
    config: ModelConfig
    kept: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    def call(self) -> Asked:
        self.asked += 1
        return Asked(call=f"c{self.asked}", spender=Spender(persona="nora", thread="t1"))

    async def keep(self, answer: dict[str, Any]) -> None:
        self.kept.append(answer)

    async def ask(self) -> dict[str, Any]:
        return await self.access.ask("chat", HI, self.call(), self.keep)

    async def stream(self) -> list[str]:
        stream = self.access.stream(HI, self.call(), self.keep)
        async with aclosing(stream) as pieces:  # type: ignore[type-var]
            return [p["choices"][0]["delta"]["content"] async for ps in pieces for p in ps if p["choices"]]

    async def account(self) -> Account:
        reports = Reports(self.redis)
        (found,) = await reports.read(ADDRESS, [("persona:nora", today("UTC", await reports.now_ms()).name)])
        return found

    def impatient(self) -> None:
        """Wait no longer than moments for the provider."""
        target = self.access._targets.find(self.config, role="", named="")
        assert isinstance(target.provider, HttpProvider)
        target.provider.patience = Patience(answer=0.3, silence=0.3)


@pytest.fixture
async def world(redis_client: Redis, double: Provider, tmp_path: Path) -> AsyncIterator[World]:
    terms = Terms(prices=PriceTable(models=(ModelPrice(model="gpt", prices=(PRICE,)),)))
    terms.persona(daily=100_000)
    config = ModelConfig(name="gpt", endpoint=double.url, concurrency=1)
    access = ModelAccess(
        meter(redis_client, terms), config=lambda: config, scripts=tmp_path, keys=tmp_path, registry=CollectorRegistry()
    )
    yield World(redis_client, access, config)
    await access.close()


def used(prompt: int, answer: int, **details: Any) -> Behaviour:
    return says(completion(prompt_tokens=prompt, completion_tokens=answer, **details))


@pytest.mark.parametrize(
    ("answers", "coins"),
    [
        (used(30, 10), 30 + 20),
        (used(30, 10, prompt_tokens_details={"cached_tokens": 20}), 10 + 10 + 20),
        (used(30, 10, completion_tokens_details={"reasoning_tokens": 4}), 30 + 12 + 12),
        (says(completion()), WORST),
        (used(30, 101), WORST),
        (used(INPUT + 1, 1), WORST),
        (used(-1, 5), WORST),
        (used(30, 10**9), WORST),
        (used(0, 0), WORST),
        (says(completion(prompt_tokens="many", completion_tokens=None)), WORST),
        (used(30, 10, prompt_tokens_details={"cached_tokens": 31}), WORST),
    ],
    ids=["usage", "cached", "reasoning", "none", "more", "more input", "negative", "absurd", "nothing", "words", "odd"],
)
async def test_an_answer_is_charged_by_its_usage_as_far_as_that_can_be_true(
    world: World, double: Provider, answers: Behaviour, coins: int
) -> None:
    double.next = [answers]
    assert (await world.ask())["choices"][0]["message"]["content"] == "hello"
    found = await world.account()
    assert (found.spent, found.reserved) == (coins, 0)
    assert len(world.kept) == 1


@pytest.mark.parametrize(
    ("behave", "code", "coins"),
    [
        (lambda double: says({"error": "no"}, 400), "provider_refused", 0),
        (lambda double: says({"error": "no"}, 401), "provider_refused", 0),
        (lambda double: says({"error": "wait"}, 429, Retry_After="3600"), "provider_unavailable", 0),
        (lambda double: says({}, 418), "provider_refused", 0),
        (lambda double: says([]), "provider_broke", WORST),
        (lambda double: double.hang, "model_timeout", WORST),
    ],
    ids=["refused", "key", "busy", "odd status", "nonsense", "silence"],
)
async def test_a_failure_is_charged_where_the_provider_may_bill_it(
    world: World, double: Provider, behave: Callable[[Provider], Behaviour], code: str, coins: int
) -> None:
    world.impatient()
    double.next = [behave(double)]
    with pytest.raises(ModelError) as raised:
        await world.ask()
    assert raised.value.code == code
    found = await world.account()
    assert (found.spent, found.reserved, world.kept) == (coins, 0, [])


@pytest.mark.parametrize("then", ["hang", "cut", "end"])
async def test_half_a_stream_is_charged_at_its_worst_case(world: World, double: Provider, then: str) -> None:
    world.impatient()
    double.next = [double.streams(piece("a"), then=then)]
    with pytest.raises(ModelError):
        await world.stream()
    found = await world.account()
    assert (found.spent, found.reserved, world.kept) == (WORST, 0, [])


async def test_a_whole_stream_is_charged_by_its_usage_and_kept(world: World, double: Provider) -> None:
    double.next = [double.streams(piece("a"), piece("b"), usage(30, 10), DONE)]
    assert await world.stream() == ["a", "b"]
    assert (await world.account()).spent == 50
    assert world.kept[0]["choices"][0]["message"]["content"] == "ab"


async def test_who_leaves_in_the_middle_pays_the_worst_case_and_ends_the_call(world: World, double: Provider) -> None:
    double.next = [double.streams(piece("a"), then="hang")]
    stream = world.access.stream(HI, world.call(), world.keep)
    assert (await anext(stream))[0]["choices"][0]["delta"]["content"] == "a"
    assert (await world.account()).reserved == WORST
    await stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        await double.gone.wait()

    async def settled() -> bool:
        found = await world.account()
        return (found.spent, found.reserved) == (WORST, 0)

    await eventually(settled, timeout=60)


async def test_no_more_calls_of_a_model_run_at_once_than_are_declared(
    world: World, double: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.next = [double.hang]
    first = asyncio.create_task(world.ask())

    async def begun() -> bool:
        return len(double.requests) == 1

    await eventually(begun, timeout=60)
    monkeypatch.setattr(targets, "ROOM_TIMEOUT", 0.2)
    with pytest.raises(ModelBusy, match="no call of model gpt ended within"):
        await world.ask()
    assert len(double.requests) == 1
    assert (await world.account()).reserved == WORST, "who waits for room holds no money"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    double.next = [used(30, 10)]
    await world.ask()


async def test_a_call_that_is_another_replicas_by_now_costs_nothing(world: World, double: Provider) -> None:
    async def mine() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await world.access.ask("chat", HI, replace(world.call(), mine=mine), world.keep)
    await eventually(lambda: _nothing_is_held(world))
    assert double.requests == []


async def _nothing_is_held(world: World) -> bool:
    found = await world.account()
    return (found.spent, found.reserved) == (0, 0)
