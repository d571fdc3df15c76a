"""Handlers of tools that misbehave, and ends of processes and Personas in the midst of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.core import keys
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

CODE = """
import asyncio, time
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown
from botyard.loop import CloudTool, FMarketplaceExpertInput
from botyard.loop.install import record

WORK = Path("WORKDIR")
NOTHING = {"type": "object", "properties": {}}
NAMES = ("block", "never", "huge", "nothing", "gate", "look")
TOOLS = [CloudTool(strict=False, name=name, description=name, parameters=NOTHING) for name in NAMES]


def install(client, name, version, tools):
    record({"marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You."))]})


async def main_loop(fclient, rcx):
    def note(text):
        with (WORK / "journal").open("a") as file:
            file.write(text + "\\n")

    @rcx.on_tool_call("block")
    async def block(call, args):
        while True:
            time.sleep(0.1)

    @rcx.on_tool_call("never")
    async def never(call, args):
        await asyncio.Event().wait()

    @rcx.on_tool_call("huge")
    async def huge(call, args):
        return "x" * 50 * 1024 * 1024

    @rcx.on_tool_call("nothing")
    async def nothing(call, args):
        pass

    @rcx.on_tool_call("gate")
    async def gate(call, args):
        note("entered")
        while not (WORK / "open").exists():
            await asyncio.sleep(0.05)
        note("left")
        return "through"

    @rcx.on_tool_call("look")
    async def look(call, args):
        note("look")
        return "blue"

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=TOOLS, install_func=install))
"""
SCRIPT = """
rules:
- when: {last_role: tool}
  reply: {text: "It says: {last}", delay_ms: DELAY}
""" + "".join(
    f"- when: {{contains: {name}}}\n  reply: {{tool_calls: [{{name: {name}, arguments: {{}}}}]}}\n"
    for name in ("block", "never", "huge", "nothing", "gate", "look")
)
NORA, OSLO = PersonaConfig(name="nora"), PersonaConfig(name="oslo")


@pytest.fixture
def make(make_bot: MakeBot, tmp_path: Path) -> Callable[..., Bot]:
    def make(delay_ms: int = 0, turn_timeout: float = 300.0) -> Bot:
        return make_bot(
            code=CODE.replace("WORKDIR", str(tmp_path)),
            programming_model="loop",
            personas=(NORA, OSLO),
            limits=Limits(turn_timeout_seconds=turn_timeout),
            model=ModelConfig(provider="scripted", name="toy", script="script.yaml"),
            files={"config/script.yaml": SCRIPT.replace("DELAY", str(delay_ms))},
        )

    return make


async def said(bot: Bot, thread: str) -> list[tuple[str, Any]]:
    told = [envelope["data"] for envelope in await bot.heard(thread) if envelope["type"] == "thread.message"]
    return [(message["role"], message["content"]) for message in told]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not holds():
            await asyncio.sleep(0.05)


def noted(tmp_path: Path) -> list[str]:
    path = tmp_path / "journal"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("tool", ["block", "never"])
async def test_a_handler_that_does_not_end_ends_with_its_turn_and_harms_no_neighbour(
    make: Callable[..., Bot], tool: str
) -> None:
    bot = make(turn_timeout=10.0)
    await bot.start()
    await bot.say(f"please {tool}", "nora~t1")
    # While it runs, another Persona in the same worker answers.
    await bot.say("please look", "oslo~t1")
    await bot.finished(1, "oslo~t1")
    assert (await said(bot, "oslo~t1"))[-1] == ("assistant", "It says: blue")
    failed = await bot.finished(1, "nora~t1")
    assert failed.turns[0]["error"]["kind"] == "TurnTimeout"
    await bot.say("please look", "nora~t2")
    await bot.finished(1, "nora~t2")
    assert (await said(bot, "nora~t2"))[-1] == ("assistant", "It says: blue")


@pytest.mark.parametrize("tool", ["huge", "nothing"])
async def test_a_result_that_is_none_or_too_large_is_an_error_of_the_tool(make: Callable[..., Bot], tool: str) -> None:
    bot = make()
    await bot.start()
    await bot.say(f"please {tool}", "nora~t1")
    finished = await bot.finished(1, "nora~t1")
    assert finished.turns[0]["state"] == "completed"
    assert (await said(bot, "nora~t1"))[2] == ("tool", "Tool error, see logs for details")


async def test_a_replica_that_is_told_to_end_lets_a_call_finish_and_keeps_its_result(
    make: Callable[..., Bot], tmp_path: Path
) -> None:
    bot = make()
    [replica] = await bot.start()
    await bot.say("please gate", "nora~t1")
    await until(lambda: noted(tmp_path) == ["entered"])
    draining = asyncio.create_task(replica.drain())
    await until(lambda: "draining" in replica.log.read_text())
    (tmp_path / "open").touch()
    assert await draining == 0
    await bot.start()
    await bot.finished(1, "nora~t1")
    assert (await said(bot, "nora~t1"))[-1] == ("assistant", "It says: through")
    assert noted(tmp_path) == ["entered", "left"]


async def test_a_replica_that_is_killed_between_result_and_commit_calls_no_tool_again(
    make: Callable[..., Bot], tmp_path: Path
) -> None:
    bot = make(delay_ms=20_000)
    [replica] = await bot.start()
    accepted = await bot.say("please look", "nora~t1")
    journal = keys.journal(bot.address.partition("nora"), accepted.event)
    await until(lambda: noted(tmp_path) == ["look"])
    async with asyncio.timeout(90):
        # The model's first answer, and the result of the tool.
        while await bot.redis.hlen(journal) < 2:
            await asyncio.sleep(0.05)
    replica.kill()
    await bot.start()
    await bot.finished(1, "nora~t1")
    assert (await said(bot, "nora~t1"))[-1] == ("assistant", "It says: blue")
    assert noted(tmp_path) == ["look"]


async def test_a_persona_that_is_deleted_while_its_handler_runs_is_told_and_others_go_on(
    make: Callable[..., Bot], tmp_path: Path
) -> None:
    bot = make()
    await bot.start()
    await bot.say("please gate", "nora~t1")
    await until(lambda: noted(tmp_path) == ["entered"])
    bot.personas = (OSLO,)
    bot.write()
    failed = await bot.finished(1, "nora~t1")
    assert failed.turns[0]["error"]["kind"] == "UnknownPersona"
    await bot.say("please look", "oslo~t1")
    await bot.finished(1, "oslo~t1")
    assert (await said(bot, "oslo~t1"))[-1] == ("assistant", "It says: blue")


async def test_two_threads_at_once_keep_their_messages_apart(make: Callable[..., Bot]) -> None:
    bot = make()
    await bot.start()
    for number in range(10):
        await bot.say(f"please look {number}", f"nora~t{number}")
    for number in range(10):
        await bot.finished(1, f"nora~t{number}")
        first, *_, last = await said(bot, f"nora~t{number}")
        assert (first, last) == (("user", f"please look {number}"), ("assistant", "It says: blue"))
