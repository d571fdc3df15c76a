"""The ledger when Redis' clock moves: over midnight, over a night in which clocks change, back and forth.

Redis is real, and so are the scripts, but for where they read the time.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from botyard.budget import ledger
from botyard.budget.accounts import Calendar, Charge, Unit
from botyard.budget.ledger import Held, Ledger, Refused
from tests.integration.budget.terms import ADDRESS

BERLIN = ZoneInfo("Europe/Berlin")
NORA = Charge("persona:nora", Unit.COINS, 100, calendar=Calendar("Europe/Berlin"))


class Clock:
    """What the ledger's scripts take for the time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def show(self, moment: str) -> datetime:
        """Move it to a local time of Berlin."""
        at = datetime.fromisoformat(moment).replace(tzinfo=BERLIN)
        await self._redis.set("clock", int(at.timestamp()))
        return at


@pytest.fixture
def clock(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Clock:
    real = ledger.source

    def source(name: str) -> str:
        text, asked = real(name), 'redis.call("TIME")'
        assert asked in text
        return text.replace(asked, '{redis.call("GET", "clock"), 0}')

    monkeypatch.setattr(ledger, "source", source)
    return Clock(redis_client)


@pytest.fixture
def sut(redis_client: Redis, clock: Clock) -> Ledger:
    return Ledger(redis_client, ADDRESS)


async def spend(sut: Ledger, call: str, coins: int) -> str:
    """Reserve and settle; return the account with its day."""
    held = await sut.reserve(call, [NORA], coins=(coins, coins))
    assert isinstance(held, Held), held
    await sut.settle(call, held.charges, coins=coins)
    return held.charges[0][0]


async def refused(sut: Ledger, call: str, coins: int) -> datetime:
    """Have a call refused for good; return when its account begins anew."""
    answer = await sut.reserve(call, [NORA], coins=(coins, coins))
    assert isinstance(answer, Refused)
    assert answer.final
    return datetime.fromtimestamp(answer.renewed_at_ms / 1000, BERLIN)


async def test_a_new_day_has_its_own_money(sut: Ledger, clock: Clock) -> None:
    await clock.show("2026-11-21T23:59:59")
    assert await spend(sut, "c1", 90) == "persona:nora:2026-11-21"
    assert await refused(sut, "c2", 20) == datetime(2026, 11, 22, tzinfo=BERLIN)
    await clock.show("2026-11-22T00:00:00")
    assert await spend(sut, "c3", 90) == "persona:nora:2026-11-22"


@pytest.mark.parametrize(
    ("day", "last", "hours"),
    [("2026-03-29", "2026-03-29T23:59:59", 23), ("2026-10-25", "2026-10-25T23:59:59", 25)],
    ids=["spring", "autumn"],
)
async def test_a_day_with_a_change_of_clocks_is_one_day(
    sut: Ledger, clock: Clock, day: str, last: str, hours: int
) -> None:
    began = await clock.show(f"{day}T00:00:00")
    assert await spend(sut, "c1", 60) == f"persona:nora:{day}"
    await clock.show(last)
    ends = await refused(sut, "c2", 50)
    assert (ends.timestamp() - began.timestamp()) / 3600 == hours
    assert await spend(sut, "c3", 40) == f"persona:nora:{day}"


async def test_a_call_over_midnight_is_charged_to_the_day_in_which_it_was_reserved(sut: Ledger, clock: Clock) -> None:
    await clock.show("2026-11-21T23:59:30")
    held = await sut.reserve("c1", [NORA], coins=(80, 80))
    assert isinstance(held, Held)
    await clock.show("2026-11-22T00:00:10")
    outcome = await sut.settle("c1", held.charges, coins=70)
    assert [(each.account, each.spent, each.reserved) for each in outcome.balances] == [
        ("persona:nora:2026-11-21", 70, 0)
    ]
    assert await spend(sut, "c2", 100) == "persona:nora:2026-11-22"


async def test_a_clock_that_goes_back_and_forth_spends_no_day_twice(sut: Ledger, clock: Clock) -> None:
    await clock.show("2026-11-21T12:00:00")
    await spend(sut, "c1", 90)
    await clock.show("2026-11-25T12:00:00")
    assert await spend(sut, "c2", 90) == "persona:nora:2026-11-25"
    await clock.show("2026-11-21T12:00:01")
    await refused(sut, "c3", 20)
    await clock.show("2026-11-25T12:00:01")
    await refused(sut, "c4", 20)


async def test_a_clock_that_leaps_lets_holds_lapse_at_their_worst_case(sut: Ledger, clock: Clock) -> None:
    await clock.show("2026-11-21T12:00:00")
    held = await sut.reserve("c1", [NORA], coins=(80, 80))
    assert isinstance(held, Held)
    await clock.show("2026-11-21T13:00:00")
    assert await sut.keep([]) == ["c1"]
    assert (await sut.settle("c1", held.charges, coins=10)).state == "lapsed"
    await refused(sut, "c2", 30)
