"""Turns that wait for money: put aside in their place, paid once, gone on with when there is some."""

import pytest

from botyard.budget.grants import grant
from botyard.budget.reports import Reports
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import OnExceeded, PersonaBudget
from botyard.core.control import Cancellations
from botyard.core.parking import Parked, Parking
from tests.integration.redis.server import eventually
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo

SCRIPT = "rules: [{reply: {text: 'you said {last}'}}]"
MODEL = ModelConfig(provider="scripted", name="toy", script="script.yaml")
FILES = {"config/script.yaml": SCRIPT}
DAY_MS = 24 * 3_600_000

NATIVE = """
from botyard import model
cheap = model.ask_blocking([{"role": "user", "content": "hi"}])
self.send_message(text(model.ask_blocking([{"role": "user", "content": said * 200}]).text[:12]))
"""
OWN_CLIENT = """
import openai
def ask(words):
    asked = openai.OpenAI().chat.completions.create(model="any", messages=[{"role": "user", "content": words}])
    return asked.choices[0].message.content
cheap = ask("hi")
self.send_message(text(ask(said * 200)[:12]))
"""


def nora(daily: int | None, on_exceeded: OnExceeded, per_thread: int = 1_000_000) -> PersonaConfig:
    """A Persona with this budget."""
    budget = PersonaBudget(daily=daily, on_exceeded=on_exceeded, per_thread=per_thread)
    return PersonaConfig(name="nora", budget=budget)


async def parked(bot: Bot) -> Parked:
    """Say something that costs too much, and return the turn once it is put aside."""
    for words in ("begin", "hey", "later"):
        await bot.say(words, persona="nora")
    parking = Parking(bot.redis)

    async def waits() -> bool:
        return await parking.of(bot.address, "c1") is not None

    await eventually(waits, timeout=90)
    found = await parking.of(bot.address, "c1")
    assert found is not None
    return found


@pytest.mark.parametrize("act", [NATIVE, OWN_CLIENT], ids=["botyard.model", "openai"])
async def test_a_turn_waits_for_an_edit_of_the_budget_and_pays_nothing_twice(make_bot: MakeBot, act: str) -> None:
    bot = make_bot(code=echo(act), model=MODEL, files=FILES, personas=(nora(100, "Pause"),))
    (replica,) = await bot.start()
    waits = await parked(bot)
    assert "the budget of Persona nora is used up" in waits.reason
    assert waits.until_ms % DAY_MS == 0 < waits.until_ms, "it goes on at midnight"
    assert await bot.texts() == []

    bot.personas = (nora(1_000_000, "Pause"),)
    bot.write()
    await bot.finished(3)
    assert await bot.texts() == ["you said hey", "1: hey", "you said lat", "2: later"]
    assert 'botyard_model_calls_total{model="toy",outcome="ok"} 4.0' in replica.get("/metrics")[1]


async def test_somebody_is_asked_and_the_grant_lets_the_turn_go_on(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo(NATIVE), model=MODEL, files=FILES, personas=(nora(100, "Ask"),))
    await bot.start()
    await parked(bot)
    reports = Reports(bot.redis)
    (ask,) = await reports.asks(bot.address, await reports.now_ms())
    assert ask["persona"] == "nora"
    allowed = bot.personas[0].budget
    await grant(bot.redis, bot.address, "g1", persona="nora", budget=allowed, coins=1_000_000, by="cara")
    await bot.finished(3)
    assert await bot.texts() == ["you said hey", "1: hey", "you said lat", "2: later"]


async def test_the_cap_of_a_thread_waits_for_somebody_who_may_also_cancel_or_refuse(make_bot: MakeBot) -> None:
    bot = make_bot(code=echo(NATIVE), model=MODEL, files=FILES, personas=(nora(None, "Pause", per_thread=100),))
    await bot.start()
    waits = await parked(bot)
    assert waits.until_ms == 0
    await bot.say("begin", "c2", persona="nora")
    await bot.finished(1, "c2")

    async def kinds(*wanted: str) -> bool:
        found = [each["data"]["kind"] for each in await bot.heard() if each["type"] == "chat.error"]
        return found == list(wanted)

    assert await Cancellations(bot.redis).request(bot.address, "c1", waits.turn)
    await eventually(lambda: kinds("TurnCancelled"), timeout=90)
    bot.personas = (nora(None, "Reject", per_thread=100),)
    bot.write()
    await eventually(lambda: kinds("TurnCancelled", "BudgetExceeded"), timeout=90)
