"""Replicas whose clocks are wrong: schedules and waits go by the clock of Redis."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig, ScheduleConfig
from botyard.core import keys
from tests.integration.loop.test_personas import Clerk
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

DAILY = ScheduleConfig(name="daily", type="SCHED_TODO", when="EVERY:24h")


async def timers(bot: Bot, holds: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    """When each schedule is due, once that is as expected: milliseconds by the clock of Redis."""
    async with asyncio.timeout(90):
        while True:
            found: Any = await bot.redis.zrange(keys.timers(bot.address.partition("nora")), 0, -1)
            payloads = [json.loads(json.loads(timer)["payload"]) for timer in found]
            planned = {str(payload["name"]): int(payload["at"]) for payload in payloads}
            if holds(planned):
                return planned
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("skew", ["+2d", "-2d"])
async def test_a_replica_whose_clock_is_wrong_neither_misses_nor_repeats_a_schedule(
    make_bot: MakeBot, tmp_path: Path, skew: str
) -> None:
    clerk = Clerk(make_bot, PersonaConfig(name="nora", schedules=(DAILY,)), workdirs=tmp_path / "work")
    [first] = await clerk.start()
    planned = await timers(clerk.bot, lambda planned: "daily" in planned)
    first.kill()
    clerk.bot.skew = skew
    await clerk.bot.start()
    await clerk.until(lambda: len(clerk.journal("nora")) == 2)
    await clerk.post("nora", action="task.create", id="t1", ktask_title="Call Oslo", column="todo")
    await clerk.until_said("nora", 1)
    assert await clerk.said("nora", "schedule.due") == []
    assert await timers(clerk.bot, lambda _: True) == planned


SUBCHATS = """
import asyncio
from flexus_client_kit import ckit_ask_model, ckit_bot_exec, ckit_client, ckit_cloudtool, ckit_shutdown
from botyard.loop import FMarketplaceExpertInput
from botyard.loop.install import record

ANY = {"type": "object", "properties": {}}
TOOLS = [ckit_cloudtool.CloudTool(strict=False, name="ask", description="", parameters=ANY)]


def install(client, name, version, tools):
    record({"marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You."))]})


async def main_loop(fclient, rcx):
    @rcx.on_tool_call("ask")
    async def ask(call, args):
        raise ckit_cloudtool.WaitForSubchats(await ckit_ask_model.bot_subchat_create_multiple(
            fclient, "ask", rcx.persona.persona_id, ["what?"], fcall_id=call.fcall_id))

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
  reply: {text: "It says: {last}"}
- when: {contains: "what?"}
  reply: {text: "that", delay_ms: 1500}
- reply: {tool_calls: [{name: ask, arguments: {}}]}
"""


async def test_subchats_are_waited_for_by_a_replica_whose_clock_is_behind(make_bot: MakeBot) -> None:
    bot = make_bot(
        code=SUBCHATS,
        programming_model="loop",
        personas=(PersonaConfig(name="nora"),),
        model=ModelConfig(provider="scripted", name="toy", script="script.yaml"),
        files={"config/script.yaml": SCRIPT},
        skew="-2d",
    )
    await bot.start()
    await bot.say("ask them", "nora~t1")
    async with asyncio.timeout(90):
        while not (said := [e["data"] for e in await bot.heard("nora~t1") if e["type"] == "thread.message"])[3:]:
            await asyncio.sleep(0.05)
    assert [message["content"] for message in said[2:]] == ["that", "It says: that"]
