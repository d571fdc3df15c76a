"""The ledger beside a model of it: whatever is asked in whatever order, both say the same."""

import itertools
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from botyard.budget import keys
from botyard.budget.accounts import Charge, Unit
from botyard.budget.ledger import Done, Held, Ledger, Refused
from botyard.core.address import BotAddress

_NUMBERS = itertools.count()

calls = st.sampled_from("abcde")
coins = st.integers(0, 400)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), calls, st.integers(1, 100), st.integers(0, 300), st.booleans()),
        st.tuples(st.just("settle"), calls, coins),
        st.tuples(st.just("release"), calls),
        st.tuples(st.just("book"), calls, coins),
        st.tuples(st.just("grant"), calls, coins),
        st.tuples(st.just("limit"), st.sampled_from(["thread:t", "task:t"]), coins),
    ),
    max_size=25,
)


@dataclass
class Model:
    """Two accounts that every call is counted in."""

    limits: dict[str, int] = field(default_factory=lambda: {"thread:t": 500, "task:t": 700})
    spent: int = 0
    open: dict[str, int] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    granted: dict[str, int] = field(default_factory=dict)

    @property
    def reserved(self) -> int:
        return sum(self.open.values())

    def charges(self) -> list[Charge]:
        return [Charge(name, Unit.COINS, limit) for name, limit in self.limits.items()]

    def reserve(self, call: str, least: int, want: int, final: bool) -> int | str:
        """Return what is held, or why nothing is."""
        if call in self.open:
            return self.open[call]
        if call in self.over:
            return self.over[call]
        hard = min(
            limit - self.spent + (sum(self.granted.values()) if name == "task:t" else 0)
            for name, limit in self.limits.items()
        )
        free = hard - self.reserved
        if hard < least:
            return "refused"
        if free >= want or free >= min(want, hard) or (final and free >= least):
            self.open[call] = min(free, want)
            return self.open[call]
        return "wait"

    def end(self, call: str, state: str, used: int) -> str:
        if call in self.over:
            return self.over[call]
        if call not in self.open:
            self.over[call] = state
            self.spent += used
            return "unknown"
        self.spent += min(used, self.open.pop(call))
        self.over[call] = state
        return state


def told(answer: Held | Refused | Done) -> int | str:
    if isinstance(answer, Held):
        return answer.coins
    if isinstance(answer, Done):
        return answer.state
    return "refused" if answer.final else "wait"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_the_ledger_does_what_its_model_does(redis_client: Redis, steps: list[tuple[str, ...]]) -> None:
    bot = BotAddress("model", f"b{next(_NUMBERS)}")
    ledger, model = Ledger(redis_client, bot), Model()
    for step in steps:
        await take(ledger, model, *step)
        for name in model.limits:
            row = await redis_client.hgetall(keys.account(bot, name))
            found = {key.decode(): int(value) for key, value in row.items()}
            assert (found.get("spent", 0), found.get("reserved", 0)) == (model.spent, model.reserved)


async def take(ledger: Ledger, model: Model, do: str, name: str, *more: int) -> None:
    """Do one step on both sides and compare what they answer."""
    if do == "reserve":
        least, beyond, final = more
        answer = await ledger.reserve(name, model.charges(), coins=(least, least + beyond), final=bool(final))
        assert told(answer) == model.reserve(name, least, least + beyond, bool(final))
    elif do in ("settle", "release"):
        held = [(account, Unit.COINS, model.open.get(name, 0)) for account in model.limits]
        if do == "settle":
            outcome = await ledger.settle(name, held, coins=more[0])
            assert outcome.state == model.end(name, "settled", min(more[0], model.open.get(name, 0)))
        else:
            assert (await ledger.release(name, held)).state == model.end(name, "released", 0)
    elif do == "book":
        if f"tool-{name}" not in model.over:
            model.over[f"tool-{name}"] = "booked"
            model.spent += more[0]
        await ledger.book(f"tool-{name}", model.charges(), more[0])
    elif do == "grant":
        new = name not in model.granted
        model.granted.setdefault(name, more[0])
        assert (await ledger.grant(name, Charge("task:t", Unit.COINS), more[0], record="{}"))[1] is new
    else:
        model.limits[name] = more[0]
