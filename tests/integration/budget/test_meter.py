"""What stands between a call and its provider, against a real Redis."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from botyard.budget import keys
from botyard.budget.calls import Call, Spender, Usage
from botyard.budget.errors import (
    AlreadySettled,
    BudgetExceeded,
    InvalidCost,
    LedgerUnavailable,
    QuotaExceeded,
    RepeatingCalls,
    UnknownPrice,
)
from botyard.budget.grants import grant
from botyard.budget.ledger import DAY_MS
from botyard.budget.meter import ASKS
from botyard.budget.reports import Reports, csv, today
from botyard.contract.prices import parse_prices
from botyard.core.connection import connect
from tests.integration.budget.terms import ADDRESS, Terms, call, meter
from tests.integration.redis.server import eventually, running_redis


@pytest.fixture
def terms() -> Terms:
    terms = Terms()
    terms.persona(daily=1000)
    return terms


async def spent(redis: Redis, account: str = "persona:nora") -> tuple[int, int]:
    reports = Reports(redis)
    day = today("UTC", await reports.now_ms()).name
    [found] = await reports.read(ADDRESS, [(account, day)])
    return found.spent, found.reserved


async def test_a_call_is_charged_what_it_used(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    hold = await sut.reserve(call(1, 10, 90))
    assert (hold.coins, hold.max_output_tokens) == (100, 90)
    assert await spent(redis_client) == (0, 100)
    settled = await sut.settle(hold, Usage(input_tokens=10, output_tokens=20))
    assert (settled.coins, settled.problem) == (30, "")
    assert await spent(redis_client) == await spent(redis_client, "bot") == (30, 0)


async def test_the_output_is_clipped_to_what_is_left(redis_client: Redis, terms: Terms) -> None:
    hold = await meter(redis_client, terms).reserve(call(1, 900, 4000))
    assert (hold.coins, hold.max_output_tokens) == (1000, 100)


async def test_over_budget_is_refused_with_a_message_for_people(redis_client: Redis, terms: Terms) -> None:
    with pytest.raises(BudgetExceeded, match=r"budget of Persona nora is used up: 0 of 1000 coins .* begins anew at"):
        await meter(redis_client, terms).reserve(call(1, 1000, 90))


async def test_an_edit_makes_room_at_once(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    with pytest.raises(BudgetExceeded):
        await sut.reserve(call(1, 2000))
    terms.persona(daily=5000)
    assert (await sut.reserve(call(2, 2000))).coins == 2090


async def test_a_call_waits_for_open_holds_and_goes_on(redis_client: Redis, terms: Terms) -> None:
    sut, other = meter(redis_client, terms), meter(redis_client, terms)
    first = await other.reserve(call(1, 10, 900))
    waiting = [asyncio.ensure_future(sut.reserve(call(number, 10, 190))) for number in (2, 3)]
    await asyncio.wait(waiting, timeout=0.2)
    assert not any(task.done() for task in waiting)
    await other.settle(first, Usage(input_tokens=10, output_tokens=0))
    async with asyncio.timeout(60):
        assert [hold.coins for hold in await asyncio.gather(*waiting)] == [200, 200]


async def test_a_wait_is_bounded(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms, wait_seconds=0.05)
    await sut.reserve(call(1, 10, 980))
    with pytest.raises(BudgetExceeded, match="990 are reserved by calls under way"):
        await sut.reserve(call(2, 10, 90))


async def test_a_call_that_is_cancelled_leaves_nothing_set_aside(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    first = await sut.reserve(call(1, 10, 980))
    waiting = asyncio.ensure_future(sut.reserve(call(2, 10, 90)))
    await asyncio.wait([waiting], timeout=0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await sut.settle(first, Usage(input_tokens=0, output_tokens=0))
    await eventually(lambda: spent_nothing(redis_client), timeout=60.0)


@pytest.mark.parametrize("steps", range(0, 24, 2))
async def test_a_cancellation_is_never_lost_whenever_it_comes(redis_client: Redis, terms: Terms, steps: int) -> None:
    sut = meter(redis_client, terms, wait_seconds=600.0)
    await sut.reserve(call(1, 10, 980))
    waiting = asyncio.ensure_future(sut.reserve(call(2, 10, 90)))
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    done, _ = await asyncio.wait([waiting], timeout=90.0)
    assert [task.cancelled() for task in done] == [True]


async def spent_nothing(redis: Redis) -> bool:
    return await spent(redis) == (0, 0)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        Usage(input_tokens=-1, output_tokens=5),
        Usage(input_tokens=10, output_tokens=10**12),
        Usage(input_tokens=10, output_tokens=91),
        Usage(input_tokens=10, output_tokens=float("nan")),  # type: ignore[arg-type]
    ],
    ids=["none", "negative", "absurd", "more than allowed", "no number"],
)
async def test_usage_that_cannot_be_is_charged_at_the_worst_case(
    redis_client: Redis, terms: Terms, usage: Usage | None
) -> None:
    sut = meter(redis_client, terms)
    settled = await sut.settle(await sut.reserve(call(1, 10, 90)), usage)
    assert settled.coins == 100
    assert settled.problem
    assert await spent(redis_client) == (100, 0)


async def test_a_released_call_costs_nothing(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    await sut.release(await sut.reserve(call(1)))
    assert await spent(redis_client) == (0, 0)


async def test_a_killed_replica_is_charged_by_another(redis_client: Redis, terms: Terms) -> None:
    await meter(redis_client, terms, lease_ms=1).reserve(call(1, 10, 90))
    survivor = meter(redis_client, terms)

    async def lapsed() -> bool:
        await survivor.keep()
        return await spent(redis_client) == (100, 0)

    await eventually(lapsed, timeout=60.0)


async def test_every_request_needs_an_id_of_its_own(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    await sut.settle(await sut.reserve(call(1)), Usage(input_tokens=1, output_tokens=1))
    with pytest.raises(AlreadySettled):
        await sut.reserve(call(1))


class TestPrices:
    async def refusal(self, redis: Redis, text: str, model: str = "m") -> str:
        terms = Terms(prices=parse_prices(text))
        with pytest.raises(UnknownPrice) as raised:
            await meter(redis, terms).reserve(Call(id="p", model=model, input_tokens=1))
        return str(raised.value)

    async def test_a_model_without_a_price_is_refused_by_name(self, redis_client: Redis) -> None:
        assert "model 'm' has no price" in await self.refusal(redis_client, "models: []")

    @pytest.mark.parametrize("price", ["{input: -1, output: 1}", "{input: 1}", "{input: cheap, output: 1}"])
    async def test_a_broken_price_is_not_replaced_by_a_wildcard(self, redis_client: Redis, price: str) -> None:
        text = f"models: [{{model: m, prices: [{price}]}}, {{model: '*', prices: [{{input: 1, output: 1}}]}}]"
        assert "is not usable: models[0]" in await self.refusal(redis_client, text)

    async def test_a_price_of_the_future_is_not_valid_yet(self, redis_client: Redis) -> None:
        text = "models: [{model: m, prices: [{from: 9000-01-01, input: 1, output: 1}]}]"
        assert "from 9000-01-01 on only" in await self.refusal(redis_client, text)

    async def test_unknown_models_are_free_only_where_it_is_said(self, redis_client: Redis) -> None:
        sut = meter(redis_client, Terms(prices=parse_prices("unknown: Free")))
        assert (await sut.reserve(Call(id="p", model="own", input_tokens=500))).coins == 0


class TestPolicies:
    async def test_warn_counts_and_goes_on(self, redis_client: Redis, terms: Terms) -> None:
        terms.persona(daily=10, on_exceeded="Warn")
        sut = meter(redis_client, terms)
        await sut.settle(await sut.reserve(call(1)), Usage(input_tokens=10, output_tokens=90))
        assert await spent(redis_client) == (100, 0)

    async def test_warn_does_not_lift_the_bots_limit(self, redis_client: Redis, terms: Terms) -> None:
        terms.persona(daily=10, on_exceeded="Warn")
        terms.daily(50)
        with pytest.raises(BudgetExceeded, match="budget of the Bot is used up"):
            await meter(redis_client, terms).reserve(call(1, 60))

    async def test_ask_leaves_one_request_and_a_grant_answers_it(self, redis_client: Redis, terms: Terms) -> None:
        terms.persona(daily=50, on_exceeded="Ask")
        sut = meter(redis_client, terms)
        for number in range(2):
            with pytest.raises(BudgetExceeded, match="somebody was asked"):
                await sut.reserve(call(number, 60))
        reports = Reports(redis_client)
        [ask] = await reports.asks(ADDRESS, await reports.now_ms())
        assert (ask["persona"], ask["needed"], ask["limit"]) == ("nora", 76, 50)
        budget = terms.personas["nora"].budget
        for new in (True, False):
            account = await grant(redis_client, ADDRESS, "g1", persona="nora", budget=budget, coins=100, by="ann")
            assert account == (ask["account"], new)
        assert await reports.asks(ADDRESS, await reports.now_ms()) == []
        assert (await sut.reserve(call(3, 60))).coins == 150

    async def test_requests_of_days_that_are_over_make_room_for_new_ones(
        self, redis_client: Redis, terms: Terms
    ) -> None:
        over = {f"persona:nora:day-{number}": json.dumps({"until_ms": 1}) for number in range(ASKS)}
        await redis_client.hset(keys.asks(ADDRESS), mapping=over)
        terms.persona(daily=50, on_exceeded="Ask")
        with pytest.raises(BudgetExceeded):
            await meter(redis_client, terms).reserve(call(1, 60))
        reports = Reports(redis_client)
        assert len(await reports.asks(ADDRESS, await reports.now_ms())) == 1
        assert await redis_client.hlen(keys.asks(ADDRESS)) == 1

    @pytest.mark.parametrize(("level", "spender"), [("task", Spender(task="t")), ("thread", Spender(thread="t"))])
    async def test_tasks_and_threads_have_caps_of_their_own(
        self, redis_client: Redis, terms: Terms, level: str, spender: Spender
    ) -> None:
        terms.persona("", **{f"per_{level}": 50})
        with pytest.raises(BudgetExceeded, match=f"budget of {level} t is used up"):
            await meter(redis_client, terms).reserve(call(1, 60, spender=spender))

    async def test_a_loop_is_told_and_other_questions_are_answered(self, redis_client: Redis, terms: Terms) -> None:
        sut = meter(redis_client, terms)
        for number in range(8):
            await sut.release(await sut.reserve(call(number, signature="same")))
        with pytest.raises(RepeatingCalls):
            await sut.reserve(call(8, signature="same"))
        await sut.reserve(call(9, signature="other"))


class TestQuotas:
    async def test_turns_of_a_day_are_counted_once_each(self, redis_client: Redis, terms: Terms) -> None:
        terms.quotas(requests_per_day=1)
        sut = meter(redis_client, terms)
        hold = await sut.admit("t1", "ann")
        assert hold is not None
        await sut.leave(hold)
        assert await sut.admit("t1", "ann") is None
        with pytest.raises(QuotaExceeded, match="1 of 1 requests"):
            await sut.admit("t2", "ann")
        assert await sut.admit("t2", "bob") is not None

    async def test_without_quotas_nothing_is_asked(self, redis_client: Redis, terms: Terms) -> None:
        assert await meter(redis_client, terms).admit("t1", "ann") is None

    async def test_tokens_of_an_hour_clip_and_refuse(self, redis_client: Redis, terms: Terms) -> None:
        terms.quotas(tokens_per_hour=50)
        sut = meter(redis_client, terms)
        spender = Spender(user="ann")
        hold = await sut.reserve(call(1, 10, 90, spender=spender))
        assert hold.max_output_tokens == 40
        await sut.settle(hold, Usage(input_tokens=10, output_tokens=40))
        with pytest.raises(QuotaExceeded, match="quota of user ann is used up: 50 of 50 tokens"):
            await sut.reserve(call(2, 10, 90, spender=spender))


class TestToolCosts:
    async def test_a_cost_is_booked_once_and_rounded_up(self, redis_client: Redis, terms: Terms) -> None:
        sut = meter(redis_client, terms)
        for _ in range(2):
            assert await sut.charge("tool", Spender(persona="nora"), "0.0000125") == 13
        assert await spent(redis_client) == (13, 0)

    @pytest.mark.parametrize("dollars", ["cheap", float("nan"), float("inf"), -1, None, True, [], 10**12, "1e999999"])
    async def test_what_is_no_amount_is_not_charged(self, redis_client: Redis, terms: Terms, dollars: object) -> None:
        with pytest.raises(InvalidCost):
            await meter(redis_client, terms).charge("tool", Spender(persona="nora"), dollars)
        assert await spent(redis_client) == (0, 0)

    async def test_a_cost_beyond_the_limit_is_told_in_full(self, redis_client: Redis, terms: Terms) -> None:
        sut = meter(redis_client, terms)
        await sut.charge("tool", Spender(persona="nora"), 0.005)
        with pytest.raises(BudgetExceeded, match="5000 of 1000 coins are spent"):
            await sut.reserve(call(1))


async def test_without_redis_calls_are_refused_and_settled_later(terms: Terms) -> None:
    with running_redis(appendfsync="always") as server:
        client = connect(server.url)
        sut = meter(client, terms)
        hold = await sut.reserve(call(1, 10, 90))
        server.kill()
        await sut.settle(hold, Usage(input_tokens=10, output_tokens=5))
        with pytest.raises(LedgerUnavailable):
            await sut.reserve(call(2))
        server.start()
        await sut.keep()
        assert await spent(client) == (15, 0)
        await client.aclose()


async def test_only_changes_are_published(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    await sut.publish()
    assert json.loads((await redis_client.hgetall(keys.terms(ADDRESS)))[b"persona:nora"]) == {"daily": 1000}
    await redis_client.delete(keys.CHANGES, keys.terms(ADDRESS))
    await sut.publish()
    assert await redis_client.exists(keys.CHANGES, keys.terms(ADDRESS)) == 0
    await sut.settle(await sut.reserve(call(1)), Usage(input_tokens=1, output_tokens=1))
    await sut.publish()
    assert [(each[0], each[1]) for each in await Reports(redis_client).changed(0)] == [("shop", "clerk")]


async def test_the_history_has_one_line_a_day_and_account(redis_client: Redis, terms: Terms) -> None:
    sut = meter(redis_client, terms)
    usage = Usage(input_tokens=10, output_tokens=20, cached_input_tokens=4, reasoning_tokens=3)
    await sut.settle(await sut.reserve(call(1)), usage)
    reports = Reports(redis_client)
    day = today("UTC", await reports.now_ms()).name
    lines = csv(await reports.history(ADDRESS, since_ms=0)).split("\r\n")
    assert lines[0] == "day,account,coins,granted,limit,calls,input,cached,output,reasoning,tools,refused,lost," + (
        "problems,restored"
    )
    assert sorted(lines[1:3]) == [
        f"{day},bot,30,0,,1,10,4,20,3,0,0,0,0,0",
        f"{day},persona:nora,30,0,1000,1,10,4,20,3,0,0,0,0,0",
    ]


async def test_users_are_counted_but_not_in_the_history(redis_client: Redis, terms: Terms) -> None:
    """They would push days out of it: there are as many of their hours as users come."""
    terms.quotas(tokens_per_hour=1000, requests_per_day=10)
    sut = meter(redis_client, terms)
    for number in range(5):
        user = f"user-{number}"
        spender = Spender(persona="nora", user=user)
        await sut.settle(await sut.reserve(call(number, spender=spender)), Usage(input_tokens=10, output_tokens=20))
        hold = await sut.admit(f"t{number}", user)
        assert hold is not None
        await sut.leave(hold)
    members = await redis_client.zrange(keys.periods(ADDRESS), 0, -1)
    assert sorted(member.decode().rsplit(":", 1)[0] for member in members) == ["bot", "persona:nora"]


async def test_days_that_are_older_than_the_history_are_taken_out_of_it(redis_client: Redis, terms: Terms) -> None:
    now = await Reports(redis_client).now_ms()
    old, young = now - 401 * DAY_MS, now - 399 * DAY_MS
    await redis_client.zadd(keys.periods(ADDRESS), {"bot:old": old, "bot:young": young})
    await meter(redis_client, terms).keep()
    assert await redis_client.zrange(keys.periods(ADDRESS), 0, -1) == [b"bot:young"]
