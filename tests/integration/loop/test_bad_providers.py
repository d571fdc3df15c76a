"""Threads with a real provider that answers badly: what the thread says, and that the next message is answered."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from tests.integration.loop.test_threads import CODE, THREAD, messages
from tests.integration.models.double import DONE, Behaviour, Provider, piece, running, says, usage
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

PRICES = "models: [{model: gpt, maxOutput: 100, prices: [{input: 1, output: 1}]}]"
Bad = Callable[[Provider], Behaviour]


def calls(name: Any, arguments: Any) -> bytes:
    """The event of a stream that calls a tool."""
    call = {"index": 0, "id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running() as provider:
        yield provider


@pytest.fixture
def bot(make_bot: MakeBot, provider: Provider, tmp_path: Any) -> Bot:
    return make_bot(
        code=CODE.replace("WORKDIR", str(tmp_path)),
        programming_model="loop",
        personas=(PersonaConfig(name="nora"),),
        model=ModelConfig(name="gpt", endpoint=provider.url),
        files={"config/prices.yaml": PRICES},
    )


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (lambda p: says({"error": "slow down"}, 429, Retry_After="86400"), "provider_unavailable"),
        (lambda p: says({"error": "broken"}, 500, Retry_After="86400"), "provider_unavailable"),
        (lambda p: says({"error": "no such model"}, 404), "provider_refused"),
        (lambda p: p.streams(piece("half an ans"), then="cut"), "provider_broke"),
        (lambda p: says({"what": "no completion"}), "provider_broke"),
    ],
    ids=["429", "500", "404", "half", "malformed"],
)
async def test_the_thread_says_why_and_the_next_message_is_answered(
    bot: Bot, provider: Provider, bad: Bad, code: str
) -> None:
    await bot.start()
    provider.next = [bad(provider)]
    await bot.say("hello", THREAD)
    await bot.finished(1, THREAD)
    errors = [envelope["data"] for envelope in await bot.heard(THREAD) if envelope["type"] == "thread.error"]
    assert [error["code"] for error in errors] == [code]
    assert await messages(bot) == [("user", "hello")]
    provider.next = [provider.streams(piece("Here "), piece("I am."), usage(5, 2), DONE)]
    await bot.say("are you there?", THREAD)
    await bot.finished(2, THREAD)
    assert (await messages(bot))[-1] == ("assistant", "Here I am.")


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("nothing", "{}", "nothing has no handler"),
        ("look", "{not json", "not valid JSON"),
        ("look", "[1]", "must be a JSON object"),
    ],
    ids=["unknown", "no-json", "array"],
)
async def test_calls_that_fit_no_tool_are_answered(
    bot: Bot, provider: Provider, name: str, arguments: str, told: str
) -> None:
    await bot.start()
    provider.next = [
        provider.streams(calls(name, arguments), usage(5, 2), DONE),
        provider.streams(piece("Sorry."), usage(9, 2), DONE),
    ]
    await bot.say("hello", THREAD)
    await bot.finished(1, THREAD)
    said = await messages(bot)
    assert told in said[2][1]
    assert said[-1] == ("assistant", "Sorry.")
    assert provider.requests[1]["messages"][-1]["role"] == "tool"
