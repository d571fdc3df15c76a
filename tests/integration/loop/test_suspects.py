"""An event whose handler kills its worker: who did it is found out alone, and the neighbours keep theirs."""

import asyncio
from pathlib import Path

from botyard.contract.bot import Limits
from botyard.contract.persona import PersonaConfig
from botyard.core.persona_reports import PersonaReports
from tests.integration.loop.test_faring import reported
from tests.integration.loop.test_personas import NORA, OSLO, Clerk
from tests.integration.runtime.conftest import MakeBot

CODE = """
import asyncio, os
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown


async def main_loop(fclient, rcx):
    def note(text):
        with (Path(rcx.workdir) / "journal").open("a") as file:
            file.write(text + "\\n")

    @rcx.on_updated_task
    async def on_task(task):
        if task.ktask_title == "kill":
            # Not before the neighbour's runs beside it, the first time.
            busy = Path(rcx.workdir).parent / "oslo" / "journal"
            while not (busy.exists() and "begin" in busy.read_text()):
                await asyncio.sleep(0.01)
            note("kill")
            os._exit(9)
        note(f"begin {task.ktask_title}")
        await asyncio.sleep(2)
        note(f"end {task.ktask_title}")

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[]))
"""


async def test_the_guilty_event_is_given_up_and_the_one_beside_it_is_not(make_bot: MakeBot, tmp_path: Path) -> None:
    clerk = Clerk(make_bot, NORA, OSLO, workdirs=tmp_path / "work", code=CODE)
    clerk.bot.limits = Limits(max_attempts=2)
    clerk.bot.write()
    await clerk.start()
    await clerk.post("oslo", action="task.create", id="t1", ktask_title="work")
    await clerk.post("nora", action="task.create", id="t2", ktask_title="kill")
    errors = await clerk.until_said("nora", 1, "chat.error")
    assert errors[0]["kind"] == "DeadLetter"
    said = await clerk.until_said("oslo", 1)
    assert said[0]["task"]["ktask_title"] == "work"
    assert await clerk.said("oslo", "chat.error") == []
    # Twice: beside the neighbour, and alone.
    assert clerk.journal("nora") == ["kill", "kill"]
    # Both go on where they were.
    await clerk.post("nora", action="task.create", id="t3", ktask_title="after")
    await clerk.post("oslo", action="task.create", id="t4", ktask_title="after")
    await clerk.until_said("nora", 1)
    await clerk.until_said("oslo", 2)


async def test_a_loop_that_leaves_while_an_event_comes_is_no_failure_of_the_event(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    clerk = Clerk(make_bot, NORA, OSLO, workdirs=tmp_path / "work")
    await clerk.start()
    for number in range(20):
        greeting = {"greeting": f"Hello {number}"}
        clerk.bot.personas = (NORA.model_copy(update={"setup": greeting}), OSLO)
        clerk.bot.write()
        await clerk.post("nora", action="task.create", id=f"t{number}", ktask_title=f"t{number}")
        await asyncio.sleep(0.1)
    assert len(await clerk.until_said("nora", 20)) == 20
    assert await clerk.said("nora", "chat.error") == []


ENDING = """
import asyncio, ctypes, os
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown


async def main_loop(fclient, rcx):
    def note(text):
        with (Path(rcx.workdir) / "journal").open("a") as file:
            file.write(text + "\\n")

    note("begin")
    how = rcx.persona.persona_setup.get("end")
    if how == "exit":
        os._exit(9)
    if how == "crash":
        ctypes.string_at(0)

    @rcx.on_updated_task
    async def on_task(task):
        note(task.ktask_title)

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[]))
"""


async def test_loops_that_end_their_process_as_they_begin_are_left_alone_and_their_neighbours_go_on(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    nora, rome = NORA.model_copy(update={"setup": {"end": "exit"}}), PersonaConfig(name="rome", setup={"end": "crash"})
    lima = PersonaConfig(name="lima")
    clerk = Clerk(make_bot, nora, rome, OSLO, lima, workdirs=tmp_path / "work", code=ENDING)
    for name in ("rome", "lima"):
        (tmp_path / "work" / name).mkdir()
    await clerk.bot.start()
    await clerk.post("nora", action="task.create", id="t1", ktask_title="waits")
    reports, address = PersonaReports(clerk.bot.redis), clerk.bot.address
    for name, how in (("nora", "exit code 9"), ("rome", "signal")):
        told = await reported(reports, address, name, lambda report: "its code ends its process" in report.message)
        assert how in told.message
    # Everybody else was found to be innocent meanwhile, and lives on while the guilty go on ending.
    for name in ("oslo", "lima"):
        await reported(reports, address, name, lambda report: report.state == "running" and not report.failures)
    await clerk.post("oslo", action="task.create", id="t2", ktask_title="work")
    await clerk.until_said("oslo", 1)
    begun, ends = clerk.journal("oslo"), len(clerk.journal("rome"))
    await clerk.until(lambda: len(clerk.journal("rome")) > ends)
    assert clerk.journal("oslo") == begun
    # What came for a guilty one has waited, and is done once that is mended.
    clerk.bot.personas = (NORA, rome, OSLO, lima)
    clerk.bot.write()
    assert [said["task"]["ktask_title"] for said in await clerk.until_said("nora", 1)] == ["waits"]
    await reported(reports, address, "nora", lambda report: report.state == "running" and not report.failures)
