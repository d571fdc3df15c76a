"""What a bad bot or a bad event does on a real replica: its turn tells, its session goes on, nobody else notices."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.core.connection import connect
from botyard.core.inbox import Inbox
from botyard.core.outputs import Outputs
from tests.integration.redis.server import running_redis
from tests.integration.runtime.conftest import MakeBot, make_bot  # noqa: F401 - a fixture
from tests.integration.runtime.replica import Bot

CODE = (Path(__file__).parent / "bundles" / "misbehaving.py").read_text()


class Talk:
    """One conversation: says something and tells what came back, as `kind: text`."""

    def __init__(self, bot: Bot, name: str) -> None:
        self.bot, self.name = bot, name
        self.turns = self.seen = 0

    async def say(self, text: str = "", **payload: Any) -> list[str]:
        await self.bot.say(text, self.name, **payload)
        return await self._answer()

    async def event(self, kind: str, **payload: Any) -> list[str]:
        await self.bot.inbox.accept(self.bot.address, key=self.name, kind=kind, payload=payload, user="ada")
        return await self._answer()

    async def _answer(self) -> list[str]:
        self.turns += 1
        await self.bot.finished(self.turns, self.name)
        heard = await self.bot.heard(self.name)
        fresh, self.seen = heard[self.seen :], len(heard)
        return [_short(envelope) for envelope in fresh if envelope["type"] != "chat.complete"]


def _short(envelope: dict[str, Any]) -> str:
    data = envelope["data"]
    match envelope["type"]:
        case "bot.message":
            return str(data["text"])
        case "chat.error":
            return f"{data['kind']}: {data['message']}"
        case "fsm.input_ignored":
            return f"ignored: {data['reason']}"
        case other:
            return str(other)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    """The bot with one replica, which all tests share as strangers share a bot in operation."""
    with running_redis() as server:
        bot = Bot(connect(server.url), server.url, tmp_path_factory.mktemp("bot"), code=CODE, lease_ms=60_000)
        try:
            asyncio.run(bot.start())
            yield bot
        finally:
            bot.stop()


NAMES = itertools.count(1)


@pytest.fixture
async def talk(running: Bot) -> AsyncIterator[Talk]:
    """A session of its own that has begun."""
    running.redis = connect(running.redis_url)
    running.inbox, running.outputs = Inbox(running.redis), Outputs(running.redis)
    begun = Talk(running, f"c{next(NAMES)}")
    assert await begun.say("hi") == []
    yield begun
    await running.redis.aclose()


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("a variable is an object", "VariableError: Variable 'note' cannot be saved as JSON"),
        ("a variable contains itself", "VariableError: Variable 'note' cannot be saved as JSON"),
        ("a variable is not a number", "VariableError: The variable 'note' is nan, which JSON cannot hold."),
        ("a variable has another type", "VariableError: A variable does not fit its declaration: count: "),
        ("a state raises", "ValueError: no such bicycle"),
        ("a state leaves the process", "SystemExit: 3"),
        ("a state is left unfinished", "StateUnfinishedError: State 'answer' ended with Status.WAIT_FOR_ME"),
        ("a condition raises", "LookupError: no such shop"),
        ("all conditions are false", "ConditionsFalseError: No transition out of state 'listen' is open: "),
        ("ten megabytes", "OutputTooLarge: outputs of 10000"),
        ("ten megabytes in a variable", "StateTooLarge: the state has 10000"),
        ("100,000 options", "OutputTooLarge: outputs of "),
        ("a message of an unknown kind", "ValidationError: "),
        ("something that is no message", "OutputError: send_message takes an FSMOutput, not str."),
        ("a missing credential", "KeyError: 'PAYMENT_KEY'"),
    ],
)
async def test_a_turn_that_cannot_be_kept_tells_and_changes_nothing(
    running: Bot, talk: Talk, word: str, told: str
) -> None:
    (replica,) = running.replicas
    workers = replica.workers()
    stranger = Talk(running, f"{talk.name}-stranger")
    await stranger.say("hi")
    assert await talk.say("one") == ["1"]
    (error,) = await talk.say(word)
    assert error.startswith(told)
    assert await stranger.say("hello") == ["1"]
    assert await talk.say("two") == ["2"]
    assert replica.workers() == workers


@pytest.mark.parametrize(("word", "said"), [("a state prints", ["1"]), ("5,000 options", ["Which?", "1"])])
async def test_much_and_odd_is_no_error_within_the_limits(talk: Talk, word: str, said: list[str]) -> None:
    assert await talk.say(word) == said
    assert await talk.say("two") == ["2"]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"kind": "carousel"}, "InputError: A machine cannot get a message of kind 'carousel'"),
        ({"kind": "dialog", "dialog_id": "DANCE"}, "InputError: There is no dialog 'DANCE'"),
        ({"kind": "form_reply", "form_data": 7}, "InputError: A form's reply needs"),
        ({"kind": "interactive_reply", "options": "1"}, "InputError: Chosen options must be a list"),
    ],
)
async def test_a_message_of_an_unknown_kind_is_told(talk: Talk, payload: dict[str, Any], told: str) -> None:
    (error,) = await talk.say(payload=payload)
    assert error.startswith(told)
    assert await talk.say("one") == ["1"]


async def test_an_event_of_an_unknown_kind_is_told(talk: Talk) -> None:
    (error,) = await talk.event("timer")
    assert error.startswith("InputError: A machine cannot get an event of kind 'timer'")
    assert await talk.say("one") == ["1"]


async def test_a_callback_changes_nothing_before_it_is_waited_for_a_second_time_and_after_the_end(talk: Talk) -> None:
    callback = {"reference": "", "body": "early"}
    assert await talk.event("callback", **callback) == ["ignored: WrongKind"]
    (reference,) = await talk.say("order")
    assert await talk.say("hello?") == ["ignored: WrongKind"]
    callback = {"reference": reference, "body": "12 EUR"}
    assert await talk.event("callback", **callback) == ["paid: 12 EUR"]
    assert await talk.event("callback", **callback) == ["ignored: WrongKind"]
    assert await talk.say("bye") == []
    assert await talk.event("callback", **callback) == ["ignored: NoSession"]
    await talk.say("hi")
    assert await talk.say("one") == ["1"]


async def test_a_callback_before_the_first_message_starts_nothing(running: Bot, talk: Talk) -> None:
    other = Talk(running, f"{talk.name}-other")
    assert await other.event("callback", reference="x", body="early") == ["ignored: NoSession"]
    await other.say("hi")
    assert await other.say("one") == ["1"]


async def test_sessions_that_a_new_revision_cannot_restore_are_told_and_hi_begins_them_anew(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=CODE)
    (old,) = await bot.start()
    typed, placed = Talk(bot, "typed"), Talk(bot, "placed")
    for talk in (typed, placed):
        await talk.say("hi")
        await talk.say("one")
    await placed.say("order")
    assert await old.drain() == 0
    bot.code = CODE.replace("count: int = 0", 'count: str = ""').replace('"order"', '"orders"')
    bot.code = bot.code.replace("on_enter_order", "on_enter_orders").replace("count += 1", 'count += "I"')
    bot.write()
    await bot.start()
    told = "SessionStateError: The session is in state 'order', which Misbehaving does not declare."
    assert (await placed.say("hello"))[0].startswith(told)
    (error,) = await typed.say("hello")
    assert error.startswith("SessionStateError: 1 validation error for Counted")
    for talk in (typed, placed):
        await talk.say("hi")
        assert await talk.say("two") == ["I"]
