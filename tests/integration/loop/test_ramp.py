"""Personas while a revision is ramped: each loop runs on one revision, and moves when its share comes."""

import asyncio
from pathlib import Path

from botyard.contract.bot import Ramp
from botyard.runtime.ramping import in_share
from tests.integration.loop.test_personas import CLERK, NORA, OSLO, Clerk
from tests.integration.runtime.conftest import MakeBot


def ramp(share: int) -> Ramp:
    """Return a ramp that has Nora on the new revision from 50 on, and Oslo only at the end."""
    for number in range(10_000):
        found = Ramp(id=f"r{number}", revision="r2", share=50)
        if in_share(found, "nora") and not in_share(found, "oslo"):
            return found.model_copy(update={"share": share})
    raise AssertionError("no such ramp")


def of(version: str) -> str:
    return CLERK.replace('note(f"begin ', f'note(f"begin {version} ').replace('note("end")', f'note("end {version}")')


async def test_a_persona_moves_to_the_new_revision_with_its_share_and_runs_once(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    clerk = Clerk(make_bot, NORA, OSLO, workdirs=tmp_path / "work", code=of("new"))
    former = of("old").replace("rcx.workdir", f"'{clerk.workdirs}/' + rcx.persona.persona_id")
    clerk.bot.files = {"former/bot.py": former}
    clerk.bot.revision, clerk.bot.former, clerk.bot.ramp = "r2", "r1", ramp(1)
    clerk.bot.write()

    def journal(persona: str) -> list[str]:
        path = tmp_path / "work" / persona / "journal"
        return [" ".join(line.split()[:2]) for line in path.read_text().splitlines()] if path.exists() else []

    async def until(persona: str, *lines: str) -> None:
        async with asyncio.timeout(90):
            while journal(persona) != list(lines):
                await asyncio.sleep(0.05)

    await clerk.start()
    await until("oslo", "begin old")
    await until("nora", "begin old")
    clerk.bot.ramp = ramp(50)
    clerk.bot.write()
    await until("nora", "begin old", "end old", "begin new")
    await clerk.post("nora", action="task.create", id="t1", ktask_title="x", column="todo")
    await until("nora", "begin old", "end old", "begin new", "todo x")
    assert journal("oslo") == ["begin old"]
    clerk.bot.ramp = None
    clerk.bot.write()
    await until("oslo", "begin old", "end old", "begin new")
