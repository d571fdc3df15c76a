"""Documents that Personas of a bot share, on a real replica."""

import asyncio
import json
from pathlib import Path

from botyard.contract.persona import PersonaConfig
from botyard.core.documents import Documents
from tests.integration.runtime.conftest import MakeBot

CODE = """
import asyncio, os
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown
from botyard.loop import documents
from botyard.loop.errors import PlatformError


async def main_loop(fclient, rcx):
    @rcx.on_updated_task
    async def on_task(task):
        try:
            await documents.create("/plan", {"title": task.ktask_title, "by": rcx.persona.persona_id})
        except PlatformError as error:
            await documents.write(f"/late/{rcx.persona.persona_id}", error.code)
        if not Path("DIED").exists():
            Path("DIED").touch()
            os._exit(9)

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[]))
"""


async def test_documents_are_shared_and_a_handler_that_died_writes_once(make_bot: MakeBot, tmp_path: Path) -> None:
    personas = (PersonaConfig(name="nora"), PersonaConfig(name="oslo"))
    code = CODE.replace("DIED", str(tmp_path / "died"))
    bot = make_bot(code=code, programming_model="loop", personas=personas)
    await bot.start()
    documents = Documents(bot.redis)
    for persona in ("nora", "oslo"):
        payload = {"action": "task.create", "id": "t1", "ktask_title": "Spring"}
        await bot.inbox.accept(bot.address, key=f":{persona}", kind="action", payload=payload)
        await bot.finished(2, f":{persona}")
    # Nora's handler was run twice and wrote one version; Oslo's was refused.
    [only] = await documents.versions("shop", "/plan")
    assert json.loads(only.content) == {"title": "Spring", "by": "nora"}
    assert only.by == "echo/nora"
    async with asyncio.timeout(90):
        while "/late/oslo" not in await documents.paths("shop", "/late/"):
            await asyncio.sleep(0.05)
    assert (await documents.read("shop", "/late/oslo")).content == "Exists"
