"""Model calls of a running bot: by botyard.model, by the bundle's own client, by LLMManager; kept, metered, refused."""

import json
import os
import signal
from pathlib import Path

import pytest

from botyard.contract.model import ModelConfig, ModelTarget
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import BotBudget, PersonaBudget
from tests.integration.models.double import DONE, Provider, completion, piece, says, usage
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo

SCRIPT = """
rules:
- when: {system_contains: solver}
  reply: {text: "solved"}
- when: {contains: tool}
  reply: {tool_calls: [{name: look, arguments: {at: sky}}]}
- reply: {text: "you said {last}"}
"""
SCRIPTED = ModelConfig(provider="scripted", name="toy", script="script.yaml")
FILES = {"config/script.yaml": SCRIPT}


async def tell(bot: Bot, text: str, conversation: str = "c1", **payload: str) -> None:
    """Begin a session and say something to it; return when both turns are over."""
    await bot.say("begin", conversation, **payload)
    await bot.say(text, conversation, **payload)
    await bot.finished(2, conversation)


NATIVE = """
from botyard import model
pieces = []
answer = model.ask_blocking([{"role": "user", "content": said}], on_text=pieces.append)
assert "".join(pieces) == answer.text
self.send_message(text(answer.text or answer.tool_calls[0].name))
assert len(model.embed_blocking(["a", "b"])) == 2
"""
OWN_CLIENT = """
import openai
answer = openai.OpenAI().chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": said}])
self.send_message(text(answer.choices[0].message.content))
chunks = openai.OpenAI().chat.completions.create(
    model="gpt-9", messages=[{"role": "user", "content": said}], stream=True
)
self.send_message(text("".join(chunk.choices[0].delta.content or "" for chunk in chunks)))
"""
MANAGER = """
from jb_manager_bot.parsers.utils import LLMManager
self.send_message(text(LLMManager.llm([LLMManager.um(said)])))
"""


@pytest.mark.parametrize(
    ("act", "answers"),
    [(NATIVE, ["you said hey"]), (OWN_CLIENT, ["you said hey"] * 2), (MANAGER, ["you said hey"])],
    ids=["botyard.model", "openai", "LLMManager"],
)
async def test_every_way_leads_to_the_bots_model(make_bot: MakeBot, act, answers):
    bot = make_bot(code=echo(act), model=SCRIPTED, files=FILES)
    (replica,) = await bot.start()
    await tell(bot, "hey")
    assert await bot.texts() == [*answers, "1: hey"]
    assert 'botyard_model_calls_total{model="toy",outcome="ok"}' in replica.get("/metrics")[1]


async def test_a_call_beyond_the_budget_is_not_made_and_the_user_is_told(make_bot: MakeBot):
    bot = make_bot(code=echo(OWN_CLIENT), model=SCRIPTED, files=FILES, budget=BotBudget(daily=2))
    await bot.start()
    await tell(bot, "hey")
    (error,) = [envelope for envelope in await bot.heard() if envelope["type"] == "chat.error"]
    assert error["data"]["kind"] == "BudgetExceeded"
    assert "budget" in error["data"]["message"].lower() or "coins" in error["data"]["message"].lower()


async def test_a_model_without_a_price_is_not_asked(make_bot: MakeBot, double: Provider):
    bot = make_bot(code=echo(NATIVE), model=ModelConfig(name="gpt", endpoint=double.url))
    await bot.start()
    await tell(bot, "hey")
    (error,) = [envelope for envelope in await bot.heard() if envelope["type"] == "chat.error"]
    assert error["data"]["kind"] == "UnknownPrice"
    assert "'gpt'" in error["data"]["message"]
    assert double.requests == []


async def test_tools_and_texts_of_the_native_call(make_bot: MakeBot):
    bot = make_bot(code=echo(NATIVE), model=SCRIPTED, files=FILES)
    await bot.start()
    await tell(bot, "use a tool")
    assert (await bot.texts())[0] == "look"


async def test_the_key_stays_with_the_supervisor(make_bot: MakeBot, double: Provider):
    snoop = """
    import os, openai
    client = openai.OpenAI()
    self.send_message(text(client.api_key + " " + " ".join(os.environ.values())))
    client.chat.completions.create(model="x", messages=[{"role": "user", "content": said}])
    """
    double.next = [says(completion(prompt_tokens=5, completion_tokens=2))]
    model = ModelConfig(name="gpt", endpoint=double.url, key="llm")
    prices = "models: [{model: gpt, prices: [{input: 1, output: 1}]}]"
    bot = make_bot(code=echo(snoop), model=model, files={"model/llm": "sk-secret\n", "config/prices.yaml": prices})
    (replica,) = await bot.start()
    await tell(bot, "hey")
    assert double.headers[0]["authorization"] == "Bearer sk-secret"
    assert double.requests[0]["model"] == "gpt"
    assert "sk-secret" not in json.dumps(await bot.heard()) + replica.log.read_text()


async def test_calls_are_charged_to_the_persona_of_their_turn(make_bot: MakeBot):
    poor = PersonaConfig(name="poor", budget=PersonaBudget(daily=1))
    rich = PersonaConfig(name="rich", budget=PersonaBudget(daily=1_000_000))
    bot = make_bot(code=echo(OWN_CLIENT), model=SCRIPTED, files=FILES, personas=(poor, rich))
    await bot.start()
    for persona in ("poor", "rich"):
        await tell(bot, "hey", persona, persona=persona)
    assert await bot.texts("poor") == []
    assert len(await bot.texts("rich")) == 3


async def test_a_turn_that_runs_again_is_told_what_it_was_told(make_bot: MakeBot, double: Provider, tmp_path: Path):
    """Killed after two answers were used: on the second run the provider is asked for the third alone."""
    mark = tmp_path / "died"
    act = f"""
    import os, signal, pathlib, openai
    from botyard import model
    def ask(n):
        return openai.OpenAI().chat.completions.create(model="m", messages=[{{"role": "user", "content": n}}])
    ask("one"), model.ask_blocking([{{"role": "user", "content": "two"}}])
    if not pathlib.Path({str(mark)!r}).exists():
        pathlib.Path({str(mark)!r}).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    self.send_message(text(ask("one").choices[0].message.content + ask("three").choices[0].message.content))
    """
    double.next = [says(completion(f"<{n}>", prompt_tokens=3, completion_tokens=1)) for n in range(5)]
    prices = "models: [{model: gpt, prices: [{input: 1, output: 1}]}]"
    bot = make_bot(
        code=echo(act), model=ModelConfig(name="gpt", endpoint=double.url), files={"config/prices.yaml": prices}
    )
    await bot.start()
    await tell(bot, "go")
    asked = [request["messages"][0]["content"] for request in double.requests]
    assert asked == ["one", "two", "one", "three"]  # the second "one" is the turn's second
    assert (await bot.texts())[0] == "<2><3>"


async def test_a_worker_killed_in_mid_call_ends_the_call_at_the_provider(make_bot: MakeBot, double: Provider):
    double.next = [double.streams(piece("a"), then="hang"), double.streams(piece("b"), usage(3, 1), DONE)]
    stream = """
    from botyard import model
    answer = model.ask_blocking([{"role": "user", "content": said}], on_text=lambda piece: None)
    self.send_message(text(answer.text))
    """
    prices = "models: [{model: gpt, prices: [{input: 1, output: 1}]}]"
    bot = make_bot(
        code=echo(stream), model=ModelConfig(name="gpt", endpoint=double.url), files={"config/prices.yaml": prices}
    )
    (replica,) = await bot.start()
    await bot.say("begin")
    await bot.say("hey")
    await replica.until(lambda: len(double.requests) == 1)
    for pid in replica.workers():
        os.kill(pid, signal.SIGKILL)
    await bot.finished(2)
    assert double.gone.is_set()
    assert (await bot.texts())[0] == "b"


async def test_roles_have_models_of_their_own(make_bot: MakeBot, double: Provider):
    ask = """
    from botyard import model
    messages = [{"role": "user", "content": said}]
    self.send_message(text(model.ask_blocking(messages, role="solver").text + model.ask_blocking(messages).text))
    try:
        model.ask_blocking(messages, role="poet")
    except model.ModelCallError as error:
        self.send_message(text(error.code + ": " + str(error)))
    """
    double.next = [says(completion("deep", prompt_tokens=3, completion_tokens=1))]
    model = ModelConfig(
        **SCRIPTED.model_dump(exclude={"roles"}), roles={"solver": ModelTarget(name="big", endpoint=double.url)}
    )
    prices = "models: [{model: big, prices: [{input: 1, output: 1}]}]"
    bot = make_bot(code=echo(ask), model=model, files={**FILES, "config/prices.yaml": prices})
    await bot.start()
    await tell(bot, "hey")
    assert (await bot.texts())[:2] == [
        "deepyou said hey",
        "no_model: spec.model.roles has no role 'poet' (it has solver)",
    ]
