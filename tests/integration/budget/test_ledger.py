"""What the ledger promises, against a real Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from botyard.budget import keys
from botyard.budget.accounts import Calendar, Charge, Unit
from botyard.budget.errors import LedgerUnavailable
from botyard.budget.ledger import Done, Held, Ledger, Refused
from botyard.budget.reports import Reports
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from tests.integration.redis.server import running_redis

BOT = BotAddress("shop", "clerk")
DAY = Calendar()


def day(limit: int | None = 1000, *, enforced: bool = True, name: str = "persona:nora") -> Charge:
    return Charge(name, Unit.COINS, limit, enforced, DAY)


@pytest.fixture
def ledger(redis_client: Redis) -> Ledger:
    return Ledger(redis_client, BOT)


async def held(ledger: Ledger, call: str, coins: int, *charges: Charge, least: int | None = None) -> Held:
    answer = await ledger.reserve(call, charges or (day(),), coins=(coins if least is None else least, coins))
    assert isinstance(answer, Held), answer
    return answer


async def refused(ledger: Ledger, call: str, coins: int, *charges: Charge, final: bool = False) -> Refused:
    answer = await ledger.reserve(call, charges or (day(),), coins=(coins, coins), final=final)
    assert isinstance(answer, Refused), answer
    return answer


async def test_reserved_and_spent_are_told_apart(ledger: Ledger) -> None:
    first = await held(ledger, "a", 400)
    assert (first.balances[0].spent, first.balances[0].reserved, first.balances[0].limit) == (0, 400, 1000)
    outcome = await ledger.settle("a", first.charges, coins=150)
    assert (outcome.state, outcome.coins) == ("settled", 150)
    assert (outcome.balances[0].spent, outcome.balances[0].reserved) == (150, 0)


async def test_all_levels_hold_or_none(ledger: Ledger, redis_client: Redis) -> None:
    small = Charge("thread:nora/t", Unit.COINS, 100)
    refusal = await refused(ledger, "a", 200, day(), small)
    assert (refusal.account, refusal.final) == ("thread:nora/t", True)
    assert (await held(ledger, "b", 1000)).balances[0].reserved == 1000


async def test_what_is_left_is_lent_in_part(ledger: Ledger) -> None:
    first = await held(ledger, "a", 900)
    await ledger.settle("a", first.charges, coins=900)
    assert (await held(ledger, "b", 400, least=50)).coins == 100


async def test_a_call_that_settlements_could_make_room_for_is_asked_to_wait(ledger: Ledger) -> None:
    first = await held(ledger, "a", 900)
    assert not (await refused(ledger, "b", 400)).final
    assert not (await refused(ledger, "b", 400, final=True)).final
    await ledger.settle("a", first.charges, coins=10)
    assert (await held(ledger, "b", 400)).coins == 400


async def test_the_same_call_is_held_once(ledger: Ledger) -> None:
    first = await held(ledger, "a", 400)
    again = await held(ledger, "a", 400)
    assert again.charges == first.charges
    assert again.balances[0].reserved == 400


async def test_a_call_is_settled_once(ledger: Ledger) -> None:
    first = await held(ledger, "a", 400)
    await ledger.settle("a", first.charges, coins=100)
    again = await ledger.settle("a", first.charges, coins=400)
    assert (again.state, again.coins) == ("settled", 100)
    assert await ledger.reserve("a", [day()], coins=(1, 1)) == Done("settled")
    assert (await held(ledger, "b", 900)).coins == 900


async def test_more_than_was_set_aside_is_never_charged(ledger: Ledger) -> None:
    first = await held(ledger, "a", 400)
    assert (await ledger.settle("a", first.charges, coins=10**14)).balances[0].spent == 400


async def test_a_released_hold_costs_nothing(ledger: Ledger) -> None:
    first = await held(ledger, "a", 1000)
    await ledger.release("a", first.charges)
    assert (await held(ledger, "b", 1000)).balances[0].spent == 0


async def test_the_hold_of_a_lost_worker_is_charged_at_its_worst_case(redis_client: Redis) -> None:
    lost = Ledger(redis_client, BOT, lease_ms=1)
    first = await held(lost, "a", 400)
    other = Ledger(redis_client, BOT)
    # Whoever asks next settles what lapsed; a millisecond may have to pass for it.
    while await redis_client.zcard(keys.holds(BOT)):
        await other.keep([])
    refusal = await refused(other, "b", 700)
    assert (refusal.spent, refusal.reserved, refusal.final) == (400, 0, True)
    late = await lost.settle("a", first.charges, coins=1)
    assert (late.state, late.coins) == ("lapsed", 400)


async def test_holds_that_are_kept_do_not_lapse(redis_client: Redis) -> None:
    ledger = Ledger(redis_client, BOT)
    await held(ledger, "a", 400)
    await redis_client.zadd(keys.holds(BOT), {"a": 1})
    assert await ledger.keep(["a"]) == []
    assert await ledger.keep([]) == []


async def test_a_limit_below_what_is_reserved_lets_calls_end_and_refuses_new_ones(ledger: Ledger) -> None:
    first = await held(ledger, "a", 400)
    refusal = await refused(ledger, "b", 1, day(100))
    assert (refusal.limit, refusal.spent, refusal.reserved) == (100, 0, 400)
    outcome = await ledger.settle("a", first.charges, coins=300)
    assert (outcome.balances[0].spent, outcome.balances[0].reserved) == (300, 0)
    assert (await refused(ledger, "c", 1, day(100))).final


async def test_an_account_that_is_not_enforced_is_only_counted(ledger: Ledger) -> None:
    assert (await held(ledger, "a", 5000, day(1000, enforced=False))).balances[0].reserved == 5000


async def test_eighty_percent_are_told_once(ledger: Ledger) -> None:
    told = []
    for number in range(9):
        made = await held(ledger, f"c{number}", 100)
        outcome = await ledger.settle(f"c{number}", made.charges, coins=100)
        told.append(outcome.balances[0].crossed)
    assert told == [False] * 7 + [True, False]


async def test_a_grant_counts_once_and_makes_room(ledger: Ledger) -> None:
    first = await held(ledger, "a", 1000)
    await ledger.settle("a", first.charges, coins=1000)
    await refused(ledger, "b", 200)
    for _ in range(2):
        await ledger.grant("g1", day(), 300, record="{}")
    assert (await held(ledger, "b", 300)).balances[0].limit == 1300


async def test_a_cost_that_is_known_afterwards_is_booked_once_in_full(ledger: Ledger) -> None:
    for _ in range(2):
        await ledger.book("tool-1", [day()], 1500)
    refusal = await refused(ledger, "a", 1)
    assert (refusal.spent, refusal.final) == (1500, True)


async def test_a_redis_with_an_older_state_does_not_forget_what_was_seen(ledger: Ledger, redis_client: Redis) -> None:
    first = await held(ledger, "a", 900)
    older = await redis_client.dump(keys.account(BOT, first.charges[0][0]))
    await ledger.settle("a", first.charges, coins=900)
    await redis_client.restore(keys.account(BOT, first.charges[0][0]), 0, older, replace=True)
    refusal = await refused(ledger, "b", 200)
    assert refusal.spent == 900


async def test_an_empty_redis_does_not_forget_what_was_seen(ledger: Ledger, redis_client: Redis) -> None:
    first = await held(ledger, "a", 900)
    await ledger.settle("a", first.charges, coins=900)
    await redis_client.flushall()
    assert (await held(ledger, "b", 200, least=10)).coins == 100


async def test_a_hold_that_redis_lost_is_still_charged(ledger: Ledger, redis_client: Redis) -> None:
    first = await held(ledger, "a", 900)
    await redis_client.flushall()
    outcome = await ledger.settle("a", first.charges, coins=300)
    assert (outcome.state, outcome.balances[0].spent, outcome.balances[0].reserved) == ("unknown", 300, 0)


async def test_a_floor_raises_what_an_older_state_had_lost(ledger: Ledger) -> None:
    name = (await held(ledger, "a", 100)).charges[0][0]
    assert await ledger.floor(name, 0, 700) == 700
    assert await ledger.floor(name, 0, 600) == 0
    assert (await refused(ledger, "b", 400, final=True)).spent == 700


async def test_amounts_are_exact_up_to_a_billion_dollars(ledger: Ledger) -> None:
    most = 10**15
    first = await held(ledger, "a", most - 1, day(most))
    await ledger.settle("a", first.charges, coins=most - 1)
    assert (await held(ledger, "b", 1, day(most))).coins == 1
    assert (await refused(ledger, "c", 1, day(most))).limit == most


async def test_a_clock_that_is_days_off_does_not_choose_the_day(ledger: Ledger) -> None:
    right = (await held(ledger, "a", 1)).charges[0][0]
    wrong = Ledger(ledger._redis, BOT)
    wrong._now_ms += 40 * 24 * 3_600_000
    assert (await held(wrong, "b", 1)).charges[0][0] == right


async def test_a_slot_is_free_again_and_a_request_is_not(ledger: Ledger) -> None:
    charges = [Charge("user-requests:ann", Unit.REQUESTS, 2, calendar=DAY), Charge("user-turns:ann", Unit.SLOTS, 1)]
    first = await ledger.reserve("t1", charges, coins=(0, 0))
    assert isinstance(first, Held)
    waiting = await ledger.reserve("t2", charges, coins=(0, 0))
    assert isinstance(waiting, Refused)
    assert (waiting.final, waiting.unit) == (False, Unit.SLOTS)
    await ledger.settle("t1", first.charges, coins=0)
    second = await ledger.reserve("t2", charges, coins=(0, 0))
    assert isinstance(second, Held)
    await ledger.settle("t2", second.charges, coins=0)
    third = await ledger.reserve("t3", charges, coins=(0, 0))
    assert isinstance(third, Refused)
    assert (third.final, third.unit) == (True, Unit.REQUESTS)


async def test_tokens_of_an_hour_are_lent_in_part(ledger: Ledger) -> None:
    charge = Charge("user-tokens:ann", Unit.TOKENS, 1000, calendar=Calendar(hours=True))
    answer = await ledger.reserve("a", [charge], coins=(0, 0), tokens=(10, 4000))
    assert isinstance(answer, Held)
    assert answer.tokens == 1000
    outcome = await ledger.settle("a", answer.charges, coins=0, tokens=300)
    assert (outcome.balances[0].spent, outcome.balances[0].reserved) == (300, 0)


async def test_without_redis_nothing_is_held() -> None:
    with running_redis() as server:
        client = connect(server.url)
        ledger = Ledger(client, BOT, patience=0.5)
        await held(ledger, "a", 1)
        server.kill()
        with pytest.raises(LedgerUnavailable):
            await ledger.reserve("b", [day()], coins=(1, 1))
        await client.aclose()


async def test_many_at_once_never_go_over(ledger: Ledger) -> None:
    answers = await asyncio.gather(
        *(ledger.reserve(f"c{number}", [day()], coins=(30, 30), final=True) for number in range(100))
    )
    assert sum(answer.coins for answer in answers if isinstance(answer, Held)) == 990


async def test_an_account_may_have_a_bound_of_its_own_below_what_is_declared(
    ledger: Ledger, redis_client: Redis
) -> None:
    task = Charge("task:nora/t1", Unit.COINS, 100)
    await ledger.bound("task:nora/t1", 30)
    answer = await ledger.reserve("c1", [task], coins=(40, 40))
    assert isinstance(answer, Refused)
    assert (answer.final, answer.limit) == (True, 30)
    [found] = await Reports(redis_client).read(BOT, [("task:nora/t1", "")])
    assert (found.limit(100), found.remaining(100), found.limit(20), found.limit(None)) == (30, 30, 20, 30)

    await ledger.bound("task:nora/t1", 500)
    answer = await ledger.reserve("c2", [task], coins=(101, 101))
    assert isinstance(answer, Refused)
    assert answer.limit == 100, "it lifts nothing"

    await ledger.bound("task:nora/t1", 30)
    await ledger.grant("g1", task, 50, record="{}")
    assert isinstance(await ledger.reserve("c3", [task], coins=(80, 80)), Held)
