"""Schedules of a Persona on real replicas: what falls due while nobody is there is done once."""

import asyncio
import json
from pathlib import Path
from typing import Any

from botyard.contract.persona import PersonaConfig, ScheduleConfig
from botyard.core import keys
from tests.integration.loop.test_personas import Clerk
from tests.integration.runtime.conftest import MakeBot

SWEEP = ScheduleConfig(name="sweep", type="SCHED_TODO", when="EVERY:9999h")
NORA = PersonaConfig(name="nora", schedules=(SWEEP,), max_in_progress=5)


async def timers(clerk: Clerk, count: int) -> list[bytes]:
    """The timers of Nora's partition, once there are so many."""
    name = keys.timers(clerk.bot.address.partition("nora"))
    async with asyncio.timeout(90):
        while True:
            found: Any = await clerk.bot.redis.zrange(name, 0, -1)
            if len(found) == count:
                return list(found)
            await asyncio.sleep(0.05)


async def fall_due(clerk: Clerk) -> None:
    """Let the time of every timer be over, as after a long night."""
    name = keys.timers(clerk.bot.address.partition("nora"))
    for member in await timers(clerk, 1):
        await clerk.bot.redis.zadd(name, {member: 1_000}, xx=True)


async def test_a_schedule_survives_its_replica_and_is_done_once(make_bot: MakeBot, tmp_path: Path) -> None:
    clerk = Clerk(make_bot, NORA, workdirs=tmp_path / "work")
    [first] = await clerk.start()
    await timers(clerk, 1)
    await clerk.post("nora", action="task.create", id="t1", ktask_title="Call Oslo", column="todo")
    await clerk.until_said("nora", 1)
    first.kill()
    await fall_due(clerk)
    await clerk.bot.start(2)
    await clerk.until_said("nora", 1, "schedule.due")
    [timer] = await timers(clerk, 1)
    assert json.loads(json.loads(timer)["payload"])["name"] == "sweep"
    await clerk.until(lambda: "inprogress Call Oslo" in clerk.journal("nora"))
    assert [said["did"] for said in await clerk.said("nora", "schedule.due")] == ["1 task was taken up"]


async def test_an_edit_of_schedules_is_in_force_live(make_bot: MakeBot, tmp_path: Path) -> None:
    clerk = Clerk(make_bot, NORA, workdirs=tmp_path / "work")
    await clerk.start()
    await timers(clerk, 1)
    other = SWEEP.model_copy(update={"name": "other"})
    clerk.bot.personas = (NORA.model_copy(update={"schedules": (SWEEP, other)}),)
    clerk.bot.write()
    found = await timers(clerk, 2)
    assert {json.loads(json.loads(timer)["payload"])["name"] for timer in found} == {"sweep", "other"}
