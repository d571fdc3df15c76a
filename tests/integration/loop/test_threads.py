"""Threads of a loop bot on real replicas, with a scripted model: tools, confirmations, crashes in the midst of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from botyard.budget.reports import Reports, today
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

CODE = """
import asyncio, os
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown
from botyard.loop import CloudTool, FMarketplaceExpertInput, NeedsConfirmation, ToolResult
from botyard.loop.install import record

WORK = Path("WORKDIR")
NOTHING = {"type": "object", "properties": {}}
TOOLS = [CloudTool(strict=False, name=name, description=name, parameters=NOTHING) for name in ("look", "write", "die")]


def install(client, name, version, tools):
    record({"marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You are Nora."))]})


async def main_loop(fclient, rcx):
    def note(text):
        with (WORK / "journal").open("a") as file:
            file.write(text + "\\n")

    @rcx.on_tool_call("look")
    async def look(call, args):
        note("look")
        return ToolResult(args.get("say", "the sky is blue"), dollars=0.00001)

    @rcx.on_tool_call("write")
    async def write(call, args):
        if not call.confirmed_by_human:
            raise NeedsConfirmation(confirm_command="write it", confirm_explanation="It writes.")
        note("write")
        return "written"

    @rcx.on_tool_call("die")
    async def die(call, args):
        if not (WORK / "died").exists():
            (WORK / "died").touch()
            os._exit(9)
        note("survived")
        return "survived"

    @rcx.on_updated_message
    async def on_message(message):
        note(f"heard {message.ftm_role}")

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=TOOLS, install_func=install))
"""
SCRIPT = """
rules:
- when: {last_role: tool, contains: now die}
  reply: {tool_calls: [{name: die, arguments: {}}]}
- when: {last_role: tool, contains: sky}
  reply: {text: "Tool says: {last}"}
- when: {last_role: tool}
  reply: {text: "Done: {last}"}
- when: {contains: two things}
  reply: {tool_calls: [{name: look, arguments: {say: now die}}]}
- when: {contains: look}
  reply: {tool_calls: [{name: look, arguments: {}}]}
- when: {contains: write}
  reply: {tool_calls: [{name: write, arguments: {}}]}
- reply: {text: "you said {last}"}
"""
SCRIPTED = ModelConfig(provider="scripted", name="toy", script="script.yaml")
THREAD = "nora~t1"


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    return make_bot(
        code=CODE.replace("WORKDIR", str(tmp_path)),
        programming_model="loop",
        personas=(PersonaConfig(name="nora"),),
        model=SCRIPTED,
        files={"config/script.yaml": SCRIPT},
    )


async def tool_costs(bot: Bot) -> int:
    """Coins that tools cost the Persona today."""
    reports = Reports(bot.redis)
    [nora] = await reports.read(bot.address, [("persona:nora", today("UTC", await reports.now_ms()).name)])
    return (nora.counts or {}).get("tools", 0)


async def messages(bot: Bot, thread: str = THREAD) -> list[tuple[str, Any]]:
    """Role and content of a thread's messages."""
    told = [envelope["data"] for envelope in await bot.heard(thread) if envelope["type"] == "thread.message"]
    return [(message["role"], message["content"]) for message in told]


async def confirm(bot: Bot, call: str, *, allow: bool) -> None:
    payload = {"action": "call.confirm", "call": call, "allow": allow}
    await bot.inbox.accept(bot.address, key=THREAD, kind="action", payload=payload, user="ada")


def journal(tmp_path: Path) -> list[str]:
    path = tmp_path / "journal"
    return [line for line in path.read_text().splitlines() if not line.startswith("heard")] if path.exists() else []


async def test_model_and_tools_alternate_and_the_text_is_streamed(bot: Bot, tmp_path: Path) -> None:
    await bot.start()
    await bot.say("please look", THREAD)
    await bot.finished(1, THREAD)
    assert await messages(bot) == [
        ("user", "please look"),
        ("assistant", None),
        ("tool", "the sky is blue"),
        ("assistant", "Tool says: the sky is blue"),
    ]
    deltas = [e["data"]["text"] for e in await bot.heard(THREAD) if e["type"] == "thread.delta"]
    assert "".join(deltas) == "Tool says: the sky is blue"
    await bot.finished(2, ":nora")
    heard = [line for line in (tmp_path / "journal").read_text().splitlines() if line.startswith("heard")]
    assert heard == ["heard user", "heard assistant", "heard tool", "heard assistant"]


async def test_a_task_spends_from_its_own_budget(bot: Bot) -> None:
    bot.personas = (PersonaConfig(name="nora", max_in_progress=3, budget=PersonaBudget(per_task=40)),)
    bot.write()
    await bot.start()
    for task, title, own in (("t1", "please look", 0), ("t2", "much " * 40, 1000), ("t3", "please look", 2)):
        payload = {"action": "task.create", "id": task, "ktask_title": title, "column": "todo", "ktask_budget": own}
        await bot.inbox.accept(bot.address, key=":nora", kind="action", payload=payload, user="")
        move = {"action": "task.move", "id": task, "column": "inprogress"}
        await bot.inbox.accept(bot.address, key=":nora", kind="action", payload=move, user="")
    for task in ("t1", "t2", "t3"):
        await bot.finished(1, f"nora~task_{task}")
    names = [(f"task:nora/{task}", "") for task in ("t1", "t2", "t3")]
    first, second, third = await Reports(bot.redis).read(bot.address, names)
    assert 0 < first.spent <= 40
    assert (second.spent, second.reserved, second.limit(40)) == (0, 0, 40), "a task's own budget lifts nothing"
    assert (third.spent, third.reserved, third.limit(40)) == (0, 0, 2)


async def test_a_person_allows_a_call_and_it_is_made_once(bot: Bot, tmp_path: Path) -> None:
    await bot.start()
    await bot.say("write it", THREAD)
    await bot.finished(1, THREAD)
    [asked] = [e["data"] for e in await bot.heard(THREAD) if e["type"] == "thread.confirmation"]
    assert (asked["tool"], asked["explanation"]) == ("write", "It writes.")
    for _ in range(2):
        await confirm(bot, asked["call"], allow=True)
    await bot.finished(3, THREAD)
    assert (await messages(bot))[-2:] == [("tool", "written"), ("assistant", "Done: written")]
    assert journal(tmp_path) == ["write"]


async def test_a_worker_that_dies_in_a_tool_repeats_and_charges_no_other_call(bot: Bot, tmp_path: Path) -> None:
    await bot.start()
    await bot.say("two things", THREAD)
    async with asyncio.timeout(90):
        # The turn is put aside while its loop, which ended the worker, may not begin again.
        while (await bot.finished(1, THREAD)).turns[0]["state"] == "parked":
            await asyncio.sleep(0.05)
    assert journal(tmp_path) == ["look", "survived"]
    assert [content for role, content in await messages(bot) if role == "tool"] == ["now die", "survived"]
    assert await tool_costs(bot) == 10


async def test_threads_run_side_by_side(bot: Bot) -> None:
    await bot.start()
    names = [f"nora~s{number}" for number in range(10)]
    await asyncio.gather(*(bot.say(f"hello {name}", name) for name in names))
    for name in names:
        await bot.finished(1, name)
        assert (await messages(bot, name))[-1] == ("assistant", f"you said hello {name}")
