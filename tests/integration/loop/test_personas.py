"""Personas of a loop bot on real replicas: their loops, their boards, what happens when processes end."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.persona import PersonaConfig
from tests.integration.runtime.replica import Bot, Replica

MakeBot = Callable[..., Bot]
WAIT = 90
"""Seconds."""

CLERK = """
import asyncio, os
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown

SCHEMA = [{"bs_name": "greeting", "bs_type": "string_short", "bs_default": "Hi", "bs_group": "Main"}]


async def main_loop(fclient, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(SCHEMA, rcx.persona.persona_setup)
    journal = Path(rcx.workdir) / "journal"

    def note(text):
        with journal.open("a") as file:
            file.write(text + "\\n")

    note(f"begin {setup['greeting']} {rcx.persona.ws_id}")

    @rcx.on_updated_task
    async def on_task(task):
        note(f"{task.ktask_column} {task.ktask_title}")
        if task.ktask_title == "die" and not (Path(rcx.workdir) / "died").exists():
            (Path(rcx.workdir) / "died").touch()
            os._exit(9)
        if task.ktask_title == "raise":
            raise KeyError("of the bot")
        if task.ktask_title == "exit":
            raise SystemExit(3)

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)
    note("end")


def main():
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name("clerk", "1.0.0"))
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient, marketable_name="clerk", marketable_version_str="1.0.0", bot_main_loop=main_loop, inprocess_tools=[]))
"""


class Clerk:
    """A loop bot and its Personas."""

    def __init__(self, make_bot: MakeBot, *personas: PersonaConfig, workdirs: Path, code: str = CLERK) -> None:
        self.workdirs = workdirs
        self.bot = make_bot(
            code=code.replace("rcx.workdir", f"'{workdirs}/' + rcx.persona.persona_id"),
            programming_model="loop",
            personas=personas,
        )
        for persona in ("nora", "oslo"):
            (workdirs / persona).mkdir(parents=True)

    async def start(self, count: int = 1) -> list[Replica]:
        """Start replicas, and return when the loops have seen what there was before."""
        replicas = await self.bot.start(count)
        for persona in self.bot.personas:
            await self.bot.finished(1, f":{persona.name}")
        return replicas

    async def post(self, persona: str, **payload: Any) -> None:
        await self.bot.inbox.accept(self.bot.address, key=f":{persona}", kind="action", payload=payload)

    def journal(self, persona: str) -> list[str]:
        path = self.workdirs / persona / "journal"
        return path.read_text().splitlines() if path.exists() else []

    async def until(self, holds: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT):
                while not holds():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.fail()

    def fail(self) -> None:
        pytest.fail("\n".join(replica.log.read_text()[-3000:] for replica in self.bot.replicas))

    async def said(self, persona: str, type_: str = "task.updated") -> list[dict[str, Any]]:
        return [e["data"] for e in await self.bot.heard(f":{persona}") if e["type"] == type_]

    async def until_said(self, persona: str, count: int, type_: str = "task.updated") -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(WAIT):
                while len(said := await self.said(persona, type_)) < count:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.fail()
        return said


NORA = PersonaConfig(name="nora", setup={"greeting": "Hello"}, max_in_progress=1)
OSLO = PersonaConfig(name="oslo")


@pytest.fixture
def clerk(make_bot: MakeBot, tmp_path: Path) -> Clerk:
    return Clerk(make_bot, NORA, OSLO, workdirs=tmp_path / "work")


async def test_tasks_reach_the_persona_s_handlers_and_the_board(clerk: Clerk) -> None:
    await clerk.start()
    await clerk.post("nora", action="task.create", id="t1", ktask_title="Call Oslo")
    await clerk.post("nora", action="task.create", id="t2", ktask_title="Write Rome", column="todo")
    for column in ("todo", "inprogress", "done"):
        await clerk.post("nora", action="task.move", id="t1", column=column)
    said = await clerk.until_said("nora", 5)
    assert [(told["action"], told["task"]["ktask_id"], told["column"]) for told in said] == [
        ("INSERT", "t1", "inbox"),
        ("INSERT", "t2", "todo"),
        ("UPDATE", "t1", "todo"),
        ("UPDATE", "t1", "inprogress"),
        ("UPDATE", "t1", "done"),
    ]
    assert clerk.journal("nora") == [
        "begin Hello shop",
        "inbox Call Oslo",
        "todo Write Rome",
        "todo Call Oslo",
        "inprogress Call Oslo",
        "done Call Oslo",
    ]
    await clerk.until(lambda: clerk.journal("oslo") == ["begin Hi shop"])


async def test_the_limit_on_work_in_progress_is_told_and_nothing_is_changed(clerk: Clerk) -> None:
    await clerk.start()
    for name in ("t1", "t2"):
        await clerk.post("nora", action="task.create", id=name, ktask_title=name)
        await clerk.post("nora", action="task.move", id=name, column="inprogress")
    refused = await clerk.until_said("nora", 1, "task.refused")
    assert refused[0]["code"] == "LimitReached"
    assert [told["task"]["ktask_id"] for told in await clerk.said("nora")] == ["t1", "t1", "t2"]


@pytest.mark.parametrize("title", ["raise", "exit"])
async def test_a_handler_that_fails_harms_nobody(clerk: Clerk, title: str) -> None:
    await clerk.start()
    await clerk.post("nora", action="task.create", id="t1", ktask_title=title)
    await clerk.post("nora", action="task.create", id="t2", ktask_title="after")
    await clerk.post("oslo", action="task.create", id="t3", ktask_title="other")
    await clerk.until_said("nora", 2)
    await clerk.until_said("oslo", 1)
    assert clerk.journal("nora") == ["begin Hello shop", f"inbox {title}", "inbox after"]


async def test_a_worker_that_dies_in_a_handler_loses_no_task(clerk: Clerk) -> None:
    await clerk.start()
    await clerk.post("nora", action="task.create", id="t1", ktask_title="die")
    said = await clerk.until_said("nora", 1)
    assert [told["task"]["ktask_title"] for told in said] == ["die"]
    await clerk.post("oslo", action="task.create", id="t2", ktask_title="other")
    await clerk.until_said("oslo", 1)


async def test_a_loop_that_begins_sees_the_open_tasks_again(clerk: Clerk) -> None:
    [first] = await clerk.start()
    await clerk.post("nora", action="task.create", id="t1", ktask_title="Call Oslo")
    await clerk.post("nora", action="task.create", id="t2", ktask_title="Done", column="done")
    await clerk.until_said("nora", 2)
    first.kill()
    await clerk.bot.start()
    await clerk.until(lambda: clerk.journal("nora")[-2:] == ["begin Hello shop", "inbox Call Oslo"])


async def test_a_persona_lives_in_one_replica_and_moves_when_it_drains(clerk: Clerk) -> None:
    first, second = await clerk.bot.start(2)
    await clerk.until(lambda: all(clerk.journal(name) for name in ("nora", "oslo")))
    for replica in (first, second):
        await clerk.bot.start()
        await replica.drain()
    await clerk.post("nora", action="task.create", id="t1", ktask_title="Call Oslo")
    await clerk.until_said("nora", 1)
    lines = clerk.journal("nora")
    # Each loop ended before the next one began.
    begun = [line for line in lines if line.startswith("begin") or line == "end"]
    assert begun[::2] == ["begin Hello shop"] * len(begun[::2])
    assert set(begun[1::2]) <= {"end"}


async def test_personas_come_change_and_go_live(clerk: Clerk) -> None:
    clerk.bot.personas = (NORA,)
    clerk.bot.write()
    await clerk.bot.start()
    await clerk.until(lambda: bool(clerk.journal("nora")))
    clerk.bot.personas = (NORA.model_copy(update={"setup": {"greeting": "Moin"}}), OSLO)
    clerk.bot.write()
    await clerk.until(lambda: "begin Moin shop" in clerk.journal("nora") and bool(clerk.journal("oslo")))
    clerk.bot.personas = (OSLO,)
    clerk.bot.write()
    await clerk.until(lambda: clerk.journal("nora")[-1] == "end")
    await clerk.post("nora", action="task.create", id="t1", ktask_title="late")
    errors = await clerk.until_said("nora", 1, "chat.error")
    assert errors[0]["kind"] == "UnknownPersona"


async def test_an_event_of_nobody_s_is_told(clerk: Clerk) -> None:
    await clerk.bot.start()
    await clerk.bot.say("hello", "c1")
    finished = await clerk.bot.finished(1)
    assert json.loads(json.dumps(finished.turns[0]))["error"]["kind"] == "UnknownPersona"
