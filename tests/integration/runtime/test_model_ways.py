"""What else a bundle may ask of its Bot's model, and with which clients: each is passed on whole, and metered."""

from typing import Any

import pytest

from botyard.budget.reports import Reports, today
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import BotBudget, PersonaBudget
from tests.integration.models.double import DONE, Provider, completion, piece, says, usage
from tests.integration.redis.server import eventually
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo

PRICES = "models: [{model: gpt, maxOutput: 100, prices: [{input: 1, output: 1}]}]"

AIOHTTP = """
import aiohttp, asyncio, os
async def ask():
    headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    body = {"model": "gpt-9", "messages": [{"role": "user", "content": said}]}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body) as answer:
            return (await answer.json())["choices"][0]["message"]["content"]
self.send_message(text(asyncio.run(ask())))
"""
HTTPX = """
import httpx, os
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
body = {"model": "gpt-9", "messages": [{"role": "user", "content": said}]}
answer = httpx.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body, headers=headers, timeout=60)
self.send_message(text(answer.json()["choices"][0]["message"]["content"]))
"""
REQUESTS = HTTPX.replace("httpx", "requests")
OPENAI = """
import openai
answer = openai.OpenAI().chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": said}])
self.send_message(text(answer.choices[0].message.content))
"""
ASYNC_OPENAI = """
import asyncio, openai
async def ask():
    client = openai.AsyncOpenAI()
    stream = await client.chat.completions.create(
        model="gpt-9", messages=[{"role": "user", "content": said}], stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
self.send_message(text(asyncio.run(ask())))
"""


def bot_of(make_bot: MakeBot, double: Provider, act: str, **more: Any) -> Bot:
    """A bot whose model is the double."""
    return make_bot(
        code=echo(act), model=ModelConfig(name="gpt", endpoint=double.url), files={"config/prices.yaml": PRICES}, **more
    )


async def spent(bot: Bot, account: str = "bot") -> int:
    reports = Reports(bot.redis)
    period = today("UTC", await reports.now_ms()).name if account in ("bot", "persona:nora") else ""
    (found,) = await reports.read(bot.address, [(account, period)])
    assert found.reserved == 0
    return found.spent


async def told(bot: Bot, text: str = "hey") -> list[str]:
    """Return what the bot says to something."""
    await bot.say("begin")
    await bot.say(text)
    await bot.finished(2)
    return await bot.texts()


@pytest.mark.parametrize(
    "act",
    [AIOHTTP, HTTPX, REQUESTS, OPENAI, ASYNC_OPENAI],
    ids=["aiohttp", "httpx", "requests", "OpenAI", "AsyncOpenAI"],
)
async def test_every_client_is_metered_and_says_for_which_turn_it_asks(
    make_bot: MakeBot, double: Provider, act: str
) -> None:
    """Conversations at once: no call could be attributed without the client's word."""
    if act == ASYNC_OPENAI:
        double.next = [double.streams(piece("hello"), usage(5, 2), DONE)]
    bot = bot_of(make_bot, double, "import time\ntime.sleep(0.3)\n" + act)
    await bot.start()
    for text in ("begin", "hey"):
        for conversation in ("c1", "c2", "c3"):
            await bot.say(text, conversation)
    for conversation in ("c1", "c2", "c3"):
        await bot.finished(2, conversation)
        assert await bot.texts(conversation) == ["hello", "1: hey"]
        assert await spent(bot, f"thread:/{conversation}") == 7
    assert await spent(bot) == 21


async def test_an_image_is_passed_on_and_set_aside_by_its_tokens(make_bot: MakeBot, double: Provider) -> None:
    picture = "data:image/png;base64," + "A" * 100_000
    act = f"""
    from botyard import model
    parts = [{{"type": "text", "text": said}}, {{"type": "image_url", "image_url": {{"url": {picture!r}}}}}]
    self.send_message(text(model.ask_blocking([{{"role": "user", "content": parts}}]).text))
    """
    double.next = [says(completion("a cat", prompt_tokens=900, completion_tokens=3))]
    bot = bot_of(make_bot, double, act, budget=BotBudget(daily=60_000))
    await bot.start()
    assert await told(bot) == ["a cat", "1: hey"]
    assert double.requests[0]["messages"][0]["content"][1]["image_url"]["url"] == picture
    assert await spent(bot) == 903
    # The bytes of the image, which are more than the budget, are no tokens; a second image would not fit, though.
    bot.budget = BotBudget(daily=50_000)
    bot.write()

    async def in_force() -> bool:
        return (await Reports(bot.redis).declared(bot.address)).bot.daily == 50_000

    await eventually(in_force, timeout=90)
    await bot.say("again")
    await bot.finished(3)
    assert len(double.requests) == 1
    (error,) = [each for each in await bot.heard() if each["type"] == "chat.error"]
    assert error["data"]["kind"] == "BudgetExceeded"


async def test_structured_output_is_asked_for_and_counted(make_bot: MakeBot, double: Provider) -> None:
    act = """
    import openai, pydantic
    class Weather(pydantic.BaseModel):
        city: str
        degrees: int
    answer = openai.OpenAI().chat.completions.parse(
        model="any", messages=[{"role": "user", "content": said}], response_format=Weather
    )
    found = answer.choices[0].message.parsed
    self.send_message(text(f"{found.city} {found.degrees}"))
    """
    double.next = [says(completion('{"city": "Oslo", "degrees": -3}', prompt_tokens=40, completion_tokens=9))]
    bot = bot_of(make_bot, double, act)
    await bot.start()
    assert await told(bot) == ["Oslo -3", "1: hey"]
    asked = double.requests[0]["response_format"]
    assert (asked["type"], asked["json_schema"]["name"]) == ("json_schema", "Weather")
    assert await spent(bot) == 49


async def test_tools_of_the_request_and_of_the_answer_are_passed_on(make_bot: MakeBot, double: Provider) -> None:
    act = """
    import openai
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    messages = [{"role": "user", "content": said}]
    client = openai.OpenAI()
    asked = client.chat.completions.create(model="any", messages=messages, tools=[tool]).choices[0].message
    messages += [asked, {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "stars"}]
    self.send_message(text(client.chat.completions.create(model="any", messages=messages).choices[0].message.content))
    """
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    wants = completion("", prompt_tokens=30, completion_tokens=5)
    wants["choices"][0] |= {"finish_reason": "tool_calls"}
    wants["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
    double.next = [says(wants), says(completion("I see stars", prompt_tokens=50, completion_tokens=4))]
    bot = bot_of(make_bot, double, act)
    await bot.start()
    assert await told(bot) == ["I see stars", "1: hey"]
    assert double.requests[0]["tools"][0]["function"]["name"] == "look"
    assert double.requests[1]["messages"][-1] == {"role": "tool", "tool_call_id": "t1", "content": "stars"}
    assert await spent(bot) == 89


async def test_embeddings_cost_their_input_and_are_refused_beyond_the_budget(
    make_bot: MakeBot, double: Provider
) -> None:
    act = """
    import openai
    found = openai.OpenAI().embeddings.create(model="any", input=[said, "b"], encoding_format="float")
    self.send_message(text(str(len(found.data))))
    """
    answer = {"object": "list", "data": [{"index": n, "embedding": [0.5]} for n in (0, 1)], "model": "gpt"}
    double.next = [says({**answer, "usage": {"prompt_tokens": 3, "total_tokens": 3}})]
    nora = PersonaConfig(name="nora", budget=PersonaBudget(daily=10))
    bot = bot_of(make_bot, double, act, personas=(nora,))
    await bot.start()
    for words in ("begin", "hey", "much longer than what is left"):
        await bot.say(words, persona="nora")
    await bot.finished(3)
    assert await bot.texts() == ["2", "1: hey"]
    assert await spent(bot, "persona:nora") == 3
    assert len(double.requests) == 1


async def test_an_edit_of_the_prices_is_in_force_in_the_running_replica(make_bot: MakeBot, double: Provider) -> None:
    act = """
    from botyard import model
    self.send_message(text(model.ask_blocking([{"role": "user", "content": said}]).text))
    """
    bot = bot_of(make_bot, double, act)
    (replica,) = await bot.start()
    assert await told(bot) == ["hello", "1: hey"]
    assert await spent(bot) == 7
    bot.files["config/prices.yaml"] = PRICES.replace("input: 1, output: 1", "input: 100, output: 1000")
    bot.write()
    await replica.until(lambda: "configuration reloaded" in replica.log.read_text())
    await bot.say("more")
    await bot.finished(3)
    assert await spent(bot) == 7 + 500 + 2000

    bot.files["config/prices.yaml"] = PRICES.replace("input: 1,", "input: -1,")
    bot.write()
    await replica.until(lambda: "price of gpt is not usable" in replica.log.read_text())
    await bot.say("even more")
    await bot.finished(4)
    (error,) = [each for each in await bot.heard() if each["type"] == "chat.error"]
    assert error["data"]["kind"] == "UnknownPrice"
    assert "prices.0.input" in error["data"]["message"]
    assert len(double.requests) == 2


async def test_a_conversation_is_told_when_money_runs_short_and_when_it_is_out(
    make_bot: MakeBot, double: Provider
) -> None:
    act = """
    from botyard import model
    for number in range(3):
        try:
            self.send_message(text(model.ask_blocking([{"role": "user", "content": f"{said} {number}"}]).text))
        except model.ModelCallError as error:
            self.send_message(text(error.code))
    """
    double.next = [says(completion("here", prompt_tokens=30, completion_tokens=50))]
    nora = PersonaConfig(name="nora", budget=PersonaBudget(daily=100))
    bot = bot_of(make_bot, double, act, personas=(nora,))
    await bot.start()
    for words in ("begin", "hey"):
        await bot.say(words, persona="nora")
    await bot.finished(2)
    assert await bot.texts() == ["here", "budget_exceeded", "budget_exceeded", "1: hey"]
    warned, refused = [each for each in await bot.heard() if each["type"].startswith("budget.")]
    assert (warned["type"], warned["data"]["spent"], warned["data"]["limit"]) == ("budget.warning", 80, 100)
    assert warned["data"]["message"] == "Persona nora has spent 80 of 100"
    assert (refused["type"], refused["data"]["kind"], refused["data"]["limit"]) == (
        "budget.exceeded",
        "BudgetExceeded",
        100,
    )
    assert refused["data"]["renewed"] > 0
