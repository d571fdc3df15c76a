"""A PostgreSQL that goes away in the middle of a turn, and comes back."""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path

from tests.integration.gateway.dev import until
from tests.integration.runtime.conftest import MakeBot
from tests.integration.workflow import postgres
from tests.integration.workflow.test_turns import events, only_error

CODE = """
import asyncio
from pathlib import Path
from botyard.workflow import BaseEntrypoint, agentic_workflow

@agentic_workflow(name="demo.keeper")
class Keeper(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        client = await self.get_ctx_client()
        await client.search("mites")
        if params["text"] == "wait":
            Path("FOLDER/searched").touch()
            while not Path("FOLDER/stopped").exists():
                await asyncio.sleep(0.05)
        await client.save_turn(conversation_id=thread_id, turn_id=state["turn_id"], user_text=params["text"],
                               assistant_text="noted")
        return {"final_answer": "noted"}
"""


async def test_a_database_that_goes_away_mid_turn_fails_that_turn_alone(make_bot: MakeBot, tmp_path: Path) -> None:
    # Not below pytest's own folder: a socket's path must be short, and the server runs as a user of its own.
    place = Path(tempfile.mkdtemp(prefix="by-pg-"))
    place.chmod(0o755)
    with contextlib.ExitStack() as server:
        address = await asyncio.to_thread(server.enter_context, postgres.running(place / "data"))
        code = CODE.replace("FOLDER", str(tmp_path))
        bot = make_bot(code=code, programming_model="workflow", credentials={"DATABASE_URL": address})
        await bot.start()
        assert (await events(bot, "before"))[-1]["data"]["final_answer"] == "noted"
        waiting = asyncio.create_task(events(bot, "wait"))
        await asyncio.to_thread(until, (tmp_path / "searched").exists, lambda: bot.replicas[0].log.read_text())
        await asyncio.to_thread(server.close)
        (tmp_path / "stopped").touch()
        error = only_error(await waiting)
        assert error["kind"] == "DatabaseError"
        assert "Traceback" not in str(error)
    with contextlib.ExitStack() as server:
        await asyncio.to_thread(server.enter_context, postgres.running(place / "data"))
        assert (await events(bot, "after"))[-1]["data"]["final_answer"] == "noted"
    shutil.rmtree(place)
