"""How Personas fare: told by their replicas, read by the operator, shown in statuses no oftener than they may be."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.core.persona_reports import PersonaReport, PersonaReports
from botyard_operator.api.reasons import Reason
from botyard_operator.caches import Caches
from botyard_operator.conditions import ConditionState, ready
from botyard_operator.faring import Faring
from botyard_operator.marked import TELL_SECONDS
from botyard_operator.reconcile.base import Key
from botyard_operator.reconcile.persona import unhandled_tools, with_loop
from tests.integration.loop.test_personas import NORA, OSLO, Clerk
from tests.integration.runtime.conftest import MakeBot
from tests.unit.operator.clocks import StillClock

BOT = BotAddress("shop", "clerk")
KEY = Key("Persona", "shop", "nora")

CRASHING = """
import asyncio
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown


async def main_loop(fclient, rcx):
    if rcx.persona.persona_id == "nora":
        raise KeyError("token")
    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[]))
"""


async def reported(reports: PersonaReports, bot: BotAddress, persona: str, holds: Any) -> PersonaReport:
    async with asyncio.timeout(90):
        while True:
            found = (await reports.read(bot)).get(persona)
            if found is not None and holds(found):
                return found
            await asyncio.sleep(0.05)


async def test_a_loop_that_keeps_ending_is_told_and_its_neighbour_is_not(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = make_bot(code=CRASHING, programming_model="loop", personas=(NORA, OSLO))
    [replica] = await bot.start()
    reports = PersonaReports(bot.redis)
    failing = await reported(reports, bot.address, "nora", lambda report: report.failures >= 2)
    assert "KeyError: 'token'" in failing.message
    well = await reported(reports, bot.address, "oslo", lambda report: report.state == "running")
    assert (well.failures, well.replica) == (0, replica.name)


async def test_boards_are_counted_and_a_persona_that_moves_tells_from_where_it_is(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    clerk = Clerk(make_bot, NORA, OSLO, workdirs=tmp_path / "work")
    [first] = await clerk.start()
    for number, column in enumerate(("inbox", "todo", "todo", "done")):
        await clerk.post("nora", action="task.create", id=f"t{number}", ktask_title="x", column=column)
    reports, address = PersonaReports(clerk.bot.redis), clerk.bot.address
    tasks = {"inbox": 1, "todo": 2, "inprogress": 0, "done": 1}
    assert (await reported(reports, address, "nora", lambda found: found.tasks == tasks)).replica == first.name
    [second] = await clerk.bot.start()
    await first.drain()
    moved = await reported(reports, address, "nora", lambda found: found.replica == second.name and found.tasks)
    assert moved.tasks == tasks


DEAF = """
import asyncio
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_cloudtool, ckit_shutdown

ANY = {"type": "object", "properties": {}}
TOOLS = [ckit_cloudtool.CloudTool(strict=False, name=name, description="", parameters=ANY) for name in ("hear", "deaf")]


async def main_loop(fclient, rcx):
    @rcx.on_tool_call("hear")
    async def hear(call, args):
        return "heard"

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=TOOLS))
"""


async def test_tools_without_a_handler_are_told(make_bot: MakeBot) -> None:
    bot = make_bot(code=DEAF, programming_model="loop", personas=(NORA,))
    await bot.start()
    reports = PersonaReports(bot.redis)
    found = await reported(reports, bot.address, "nora", lambda report: report.state == "running")
    assert found.unhandled == ("deaf",)
    condition = unhandled_tools(found, {})
    assert condition is not None
    assert (condition.type, condition.status, condition.reason) == ("ToolsWithoutHandler", "True", "HandlerMissing")
    assert "deaf" in condition.message
    assert unhandled_tools(PersonaReport(state="running"), {}) is None
    kept = {"conditions": [{"type": "ToolsWithoutHandler", "status": "True", "message": condition.message}]}
    assert unhandled_tools(None, kept) == condition


class Statuses:
    """The operator's side: what it would reconcile."""

    def __init__(self, redis: Redis) -> None:
        self.clock = StillClock()
        self.caches = Caches()
        self.faring = Faring(redis, self.clock)
        self.reports = PersonaReports(redis)
        for kind, name, spec in (
            ("Bot", "clerk", {"bundleRef": {"name": "clerk"}}),
            ("Persona", "nora", {"botRef": {"name": "clerk"}}),
        ):
            metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
            self.caches.put(kind, {"metadata": metadata, "spec": spec})

    async def told(self, **report: Any) -> list[Key]:
        """A replica tells something; return whose status is to be written."""
        if report:
            await self.reports.write(BOT, {"nora": PersonaReport(replica="clerk-1", state="running", **report)})
        marked: list[Key] = []
        await self.faring.look(self.caches, lambda key, delay=0.0: marked.append(key))
        return marked


@pytest.fixture
def statuses(redis_client: Redis) -> Statuses:
    return Statuses(redis_client)


async def test_counts_are_told_at_most_every_half_minute(statuses: Statuses) -> None:
    assert await statuses.told(tasks={"inbox": 1}) == [KEY]
    assert await statuses.told(tasks={"inbox": 2}) == []
    assert await statuses.told(tasks={"inbox": 3}) == []
    statuses.clock.seconds += TELL_SECONDS + 1
    assert await statuses.told() == [KEY]
    report = statuses.faring.of(KEY)
    assert report is not None
    assert report.tasks == {"inbox": 3}
    assert await statuses.told() == []


async def test_a_loop_that_begins_to_fail_or_heals_is_told_at_once(statuses: Statuses) -> None:
    await statuses.told(tasks={"inbox": 1})
    assert await statuses.told(failures=1, message="KeyError: 'token'") == [KEY]
    assert await statuses.told(failures=2, message="KeyError: 'token'") == []
    assert await statuses.told(failures=0) == [KEY]


async def test_what_somebody_else_wrote_into_a_report_is_nothing(statuses: Statuses, redis_client: Redis) -> None:
    await statuses.told(tasks={"inbox": 1})
    await redis_client.hset("by:{shop/clerk}:personas", "nora", "not json")
    assert (await statuses.reports.read(BOT))["nora"] == PersonaReport()


def states(report: PersonaReport | None, **status: Any) -> list[ConditionState]:
    return with_loop([ready("True", Reason.SUCCEEDED, "hired")], report, status)


def test_one_end_is_a_condition_and_three_are_not_ready() -> None:
    assert states(PersonaReport(state="running")) == [ready("True", Reason.SUCCEEDED, "hired")]
    first, crash = states(PersonaReport(failures=1, message="KeyError: 'token'"))
    assert (first.status, crash.type, crash.status) == ("True", "LoopCrashing", "True")
    assert "ended once, last with KeyError: 'token'" in crash.message
    third, _ = states(PersonaReport(failures=3, message="x"))
    assert (third.status, third.reason) == ("False", "LoopFailing")


def test_an_operator_that_was_started_anew_keeps_what_was_told() -> None:
    condition = {"type": "LoopCrashing", "status": "True", "reason": "LoopFailing", "message": "its main loop ended"}
    assert [state.type for state in states(None, conditions=[condition])] == ["Ready", "LoopCrashing"]
    assert [state.type for state in states(None)] == ["Ready"]
